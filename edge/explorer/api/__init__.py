"""JSON twins of the explorer's pages, described by an OpenAPI document."""
