"""What an operator does with a home: make it, put a genesis into it, set it, run it."""
