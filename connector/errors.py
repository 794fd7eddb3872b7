"""The connector's own failures."""

from __future__ import annotations


class ConnectorError(Exception):
    """Base of this package's errors."""


class CoreUnavailableError(ConnectorError):
    """The core does not answer on its socket."""


class CoreRefusedError(ConnectorError):
    """The core refuses a submission; `missing_trust` when more headers may help."""

    def __init__(self, message: str, *, missing_trust: bool) -> None:
        """Keep whether headers in between could convince it."""
        super().__init__(message)
        self.missing_trust = missing_trust
