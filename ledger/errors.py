"""Errors of the ledger: each one is a bug or a broken database, never somebody's input."""

from __future__ import annotations


class LedgerError(Exception):
    """Base of this package's errors."""


class InvariantError(LedgerError):
    """A rule that no input can break was broken: the process must stop."""


class StoreError(LedgerError):
    """The database does not hold what it must hold."""
