"""Work on the databases of a home that does not run."""
