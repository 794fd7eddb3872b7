"""Threshold protocols as pure state machines: no sockets, no clocks, no randomness."""
