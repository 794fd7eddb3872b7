"""Time as the chain knows it: block time, and block time that stands still during an outage."""
