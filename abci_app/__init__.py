"""The node: the ABCI application and its assembly, no business rule."""
