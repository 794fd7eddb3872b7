"""A home on disk: where things lie in it, its settings and processes, its public side."""
