"""genesis.json: made, changed, checked."""
