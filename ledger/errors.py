"""Errors of the ledger. But for SnapshotError each one is a bug, a broken database or an old program, not input."""

from __future__ import annotations


class LedgerError(Exception):
    """Base of this package's errors."""


class InvariantError(LedgerError):
    """A rule that no input can break was broken: the process must stop."""


class StoreError(LedgerError):
    """The database does not hold what it must hold."""


class SnapshotError(LedgerError):
    """Bytes that are said to be a state are not one: their sender's fault."""


class VersionError(LedgerError):
    """The chain follows rules that this program does not know."""
