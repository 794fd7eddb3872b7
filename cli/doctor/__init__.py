"""What is wrong with a home and its machine, with remedies."""
