"""What the relay keeps: submissions and events, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from google.protobuf.timestamp_pb2 import Timestamp

from connector.relay.errors import reason_name
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.tx.v1 import tx_pb2

# Message of TxBody for each member of SubmitRequest.request, with the kind of request that it makes.
MESSAGES: Final[dict[str, tuple[str, asc_pb2.RequestKind]]] = {
    "public_decryption": (
        "request_public_decryption",
        asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
    ),
    "user_decryption": ("request_user_decryption", asc_pb2.REQUEST_KIND_USER_DECRYPTION),
    "preprocessing": ("request_preprocessing", asc_pb2.REQUEST_KIND_PREPROCESSING),
    "key_generation": ("request_key_generation", asc_pb2.REQUEST_KIND_KEY_GENERATION),
    "crs_generation": ("request_crs_generation", asc_pb2.REQUEST_KIND_CRS_GENERATION),
    "refresh": ("request_refresh", asc_pb2.REQUEST_KIND_EPOCH_CHANGE),
}
# States from which nothing follows.
FINAL: Final = frozenset(
    {
        pb.REQUEST_STATE_FULFILLED,
        pb.REQUEST_STATE_FAILED,
        pb.REQUEST_STATE_EXPIRED,
        pb.REQUEST_STATE_REJECTED,
        pb.REQUEST_STATE_LAPSED,
    }
)
_STATES: Final = {
    asc_pb2.STATUS_PENDING: pb.REQUEST_STATE_PENDING,
    asc_pb2.STATUS_FULFILLED: pb.REQUEST_STATE_FULFILLED,
    asc_pb2.STATUS_FAILED: pb.REQUEST_STATE_FAILED,
    asc_pb2.STATUS_EXPIRED: pb.REQUEST_STATE_EXPIRED,
}
# Events that this relay alone knows come after all of the chain's at a height.
LOCAL_SEQUENCE: Final = 2**20


def state_of(status: int) -> pb.RequestState:
    """State of a request that is in a block."""
    return _STATES.get(cast("asc_pb2.Status", status), pb.REQUEST_STATE_PENDING)


@dataclass(frozen=True, slots=True)
class Submission:
    """A transaction with its one request; `state` moves on, everything before it never changes."""

    request_id: bytes
    hash: bytes
    raw: bytes
    payer: bytes
    nonce: bytes
    # SHA-256 of what the caller asked for, without what it left to the relay.
    content: bytes
    kind: asc_pb2.RequestKind
    client: str
    expires_at: int
    max_fee: int
    accepted_at: float
    state: pb.RequestState = pb.REQUEST_STATE_ACCEPTED
    included_height: int = 0
    refusal_code: int = 0
    refusal_detail: str = ""

    def message(self, *, taken: bool) -> pb.Submission:
        """As callers see it."""
        accepted = Timestamp()
        accepted.FromNanoseconds(int(self.accepted_at * 1e9))
        return pb.Submission(
            request_id=self.request_id,
            transaction_hash=self.hash,
            body=tx_pb2.Tx.FromString(self.raw).body,
            state=self.state,
            kind=self.kind,
            payer=self.payer,
            nonce=self.nonce,
            expires_at_height=self.expires_at,
            max_fee=self.max_fee,
            taken_by_node=taken or self.included_height > 0,
            included_height=self.included_height,
            refusal=refusal_message(self.refusal_code, self.refusal_detail),
            accepted_at=accepted,
        )


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A cursor: height, and sequence within it."""

    height: int
    sequence: int = 0

    def message(self) -> pb.Cursor:
        """As callers see it."""
        return pb.Cursor(height=self.height, sequence=self.sequence)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a request."""

    place: Place
    kind: pb.EventKind
    request_id: bytes
    state: pb.RequestState
    party: int = 0
    failure: asc_pb2.FailureCode = asc_pb2.FAILURE_CODE_UNSPECIFIED
    refusal_code: int = 0
    refusal_detail: str = ""

    def message(self) -> pb.RequestEvent:
        """As callers see it, without a result."""
        return pb.RequestEvent(
            kind=self.kind,
            request_id=self.request_id,
            state=self.state,
            party=self.party,
            failure=self.failure,
            refusal=refusal_message(self.refusal_code, self.refusal_detail),
        )


def refusal_message(code: int, detail: str) -> pb.Refusal | None:
    """A refusal by its number; None without one."""
    if not code:
        return None
    return pb.Refusal(code=code, reason=reason_name(code), detail=detail)
