"""Files for other people's service managers, made from a home."""
