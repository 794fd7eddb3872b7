"""Who decides what on the chain: proposals, roles, validators."""
