"""The explorer's pages: server-rendered HTML, complete without a script."""
