"""SDK of the chain: talk to a node, believe only what is proven, send, wait, encrypt, verify results."""
