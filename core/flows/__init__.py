"""Requests that are answered by protocols of several rounds over many runs, one file a kind."""
