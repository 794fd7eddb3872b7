"""What an operator sees of a node. Nothing here flows back into what is computed."""
