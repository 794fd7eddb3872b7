"""The explorer's own index: SQLite, filled by height, rebuilt by one command."""
