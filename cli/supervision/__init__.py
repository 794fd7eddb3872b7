"""Processes that run together: which, in what order, watched, asked, ended."""
