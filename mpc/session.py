"""The contract between a protocol and the process that runs it.

A session decides and does nothing else: `start` and `feed` return a tuple of outputs and the
runner carries them out. Same inputs in the same order give the same outputs, so a transcript can
be replayed. A session never raises for what a peer sent; it blames, ignores and counts, or aborts.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

from wire.ids import PartyId


class Fault(Enum):
    """What a party did wrong, as far as this party can tell alone."""

    WRONG_SHARE = "wrong-share"
    DIFFERENT_CIPHERTEXTS = "different-ciphertexts"
    MALFORMED = "malformed"
    EQUIVOCATION = "equivocation"


class AbortReason(Enum):
    """Why a session ends without a value."""

    TOO_MANY_ERRORS = "too-many-errors"
    NOISE_OUT_OF_RANGE = "noise-out-of-range"
    PLAINTEXT_OUT_OF_RANGE = "plaintext-out-of-range"
    MALFORMED_DEAL = "malformed-deal"
    DIFFERENT_CIPHERTEXTS = "different-ciphertexts"


@dataclass(frozen=True, slots=True)
class MaskedShare:
    """One party's masked share of one ciphertext: SHA3-256 of its bytes, packed elements."""

    ciphertext_digest: bytes
    elements: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MaskedShares:
    """Masked shares of all ciphertexts of one request, in the order of the request."""

    shares: tuple[MaskedShare, ...]


Payload = TypeVar("Payload")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Send(Generic[Payload]):
    """Deliver to one party, or to every other party when the recipient is None."""

    message: Payload
    recipient: PartyId | None = None


@dataclass(frozen=True, slots=True)
class Done(Generic[Value]):
    """The result. At most once a session; blame may still follow."""

    value: Value


@dataclass(frozen=True, slots=True)
class Blame:
    """A party that deviated. At most once a party and session."""

    party: PartyId
    fault: Fault


@dataclass(frozen=True, slots=True)
class Abort:
    """The session ended without a result."""

    reason: AbortReason
    detail: str


Output = Send[Payload] | Done[Value] | Blame | Abort


class Session(Protocol[Payload, Value]):
    """One run of one protocol at one party."""

    @property
    def finished(self) -> bool:
        """Whether Done or Abort was returned."""
        ...

    def start(self) -> tuple[Output[Payload, Value], ...]:
        """Begin. Called exactly once, before any `feed`."""
        ...

    def feed(self, sender: PartyId, message: Payload) -> tuple[Output[Payload, Value], ...]:
        """Take a message whose sender the transport has authenticated."""
        ...
