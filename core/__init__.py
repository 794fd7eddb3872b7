"""The process that holds secrets: it believes only what it has verified itself."""
