"""Errors of the core process.

CoreError
├── SettingsError     core.toml is wrong or unsafe
├── VaultError        a sealed file is missing, was altered, or the vault key is another one
├── JournalError      the journal belongs to another chain, party or version
├── Refused           a submitted request is not believed; carries a stable `Refusal`
├── WorkFailed        a believed request cannot be answered; carries the chain's failure code
├── RunAborted        a protocol of several rounds ended without a value
├── PublishError      storage did not take public material
└── PeerError         a peer broke the transport's rules
"""

from enum import Enum

from mpc.session import AbortReason
from wire.pb.tkms.asc.v1 import asc_pb2


class CoreError(Exception):
    """Failure of the core process."""


class SettingsError(CoreError):
    """core.toml is wrong or unsafe."""


class VaultError(CoreError):
    """A sealed file is missing, was altered, or the vault key is another one."""


class JournalError(CoreError):
    """The journal belongs to another chain, party or version."""


class PublishError(CoreError):
    """Storage did not take public material."""


class PeerError(CoreError):
    """A peer broke the transport's rules."""


class Refusal(Enum):
    """Why a submitted request is not believed. Values are stable texts for the connector."""

    MALFORMED = "malformed"
    HEADER = "header"
    STALE = "stale"
    PROOF = "proof"
    WRONG_CHAIN = "wrong-chain"
    WRONG_EPOCH = "wrong-epoch"
    NOT_A_PARTY = "not-a-party"
    KEY = "key"
    CIPHERTEXT_DIGEST = "ciphertext-digest"
    CONFLICT = "conflict"
    FULL = "full"


class Refused(CoreError):  # noqa: N818 - named by what happened
    """A submitted request is not believed; nothing was done."""

    def __init__(self, refusal: Refusal, detail: str) -> None:
        """Keep the stable reason and one sentence."""
        super().__init__(f"{refusal.value}: {detail}")
        self.refusal = refusal
        self.detail = detail


class WorkFailed(CoreError):  # noqa: N818 - named by what happened
    """A believed request cannot be answered."""

    def __init__(self, code: asc_pb2.FailureCode, detail: str) -> None:
        """Keep the chain's failure code; the detail goes to the log only."""
        super().__init__(detail)
        self.code = code
        self.detail = detail


class RunAborted(CoreError):  # noqa: N818 - named by what happened
    """A protocol of several rounds ended without a value."""

    def __init__(self, reason: AbortReason, detail: str) -> None:
        """Keep the protocol's reason; the detail names no secret."""
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
