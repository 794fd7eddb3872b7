"""Accounts, transfers, escrow and faucet."""
