"""Errors of isolation.

IsolationError (a CoreError)
├── AttestationError   a document does not prove what is demanded; carries a stable `Denial`
├── DeviceError        the attestation device does not give a document
└── ReleaseError       the key-release service refused, is away, or its answer does not open
"""

from enum import Enum

from core.errors import CoreError


class Denial(Enum):
    """Why a document proves nothing. Values are stable texts for logs and the release service's answers."""

    MALFORMED = "malformed"
    ALGORITHM = "algorithm"
    ROOT = "root"
    CHAIN = "chain"
    SIGNATURE = "signature"
    STALE = "stale"
    DEBUG = "debug"
    MEASUREMENT = "measurement"
    NONCE = "nonce"
    PUBLIC_KEY = "public-key"
    USER_DATA = "user-data"


class IsolationError(CoreError):
    """Isolation is not given."""


class AttestationError(IsolationError):
    """A document does not prove what is demanded."""

    def __init__(self, denial: Denial, detail: str) -> None:
        """Keep the stable reason and one sentence."""
        super().__init__(f"{denial.value}: {detail}")
        self.denial = denial
        self.detail = detail


class DeviceError(IsolationError):
    """The attestation device does not give a document."""


class ReleaseError(IsolationError):
    """The key-release service refused, is away, or its answer does not open."""
