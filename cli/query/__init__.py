"""Reading the chain, and proofs of what was read."""
