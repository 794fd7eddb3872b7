"""What can go wrong for a client, told apart by who can do something about it.

ClientError
├── Unreachable          nobody answered, or not in time: try again or another node
├── NodeError            the node answered with an error of its own
│   └── HeightUnavailable  a height that the node does not have (yet, or any more)
├── RejectedByChain      the chain refused the transaction: `reason` says why
├── Timeout              sent, but not seen in a block in time: `transaction_hash` finds it later
├── NoMaterial           the chain has no active key, or the key no reference string
├── RequestUndone        decided without a result: the escrow is returned
│   ├── RequestFailed      the parties cannot answer: `status.failure` says why
│   └── RequestExpired     too few parties answered before the deadline
├── VerificationFailed   an answer that does not prove what it claims: believe nothing of it
│   └── ConflictingHeaders  two nodes prove different headers: an attack, with evidence
├── WitnessesSilent      no witness could confirm a header
├── StoreUnusable        the file of the newest trusted header
└── StorageError         a storage server refused or lost a body
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from light import Attack
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.reasons import Reason

_REASONS: Final = {int(reason): reason for reason in Reason}


class ClientError(Exception):
    """Base of everything that this package raises on purpose."""


class Unreachable(ClientError):  # noqa: N818 - named as what happened
    """No usable answer from a server."""


class NodeError(ClientError):
    """The node's own error text."""


class HeightUnavailable(NodeError):  # noqa: N818 - named as what happened
    """The node does not serve this height."""


class RejectedByChain(ClientError):  # noqa: N818 - named as what happened
    """The chain refused; nothing of the transaction took effect."""

    def __init__(self, code: int, log: str, transaction_hash: bytes = b"") -> None:
        """Keep code, text and hash; `reason` is None for a code that this client does not know."""
        self.code = code
        self.log = log
        self.transaction_hash = transaction_hash
        self.reason = reason_of(code)
        name = self.reason.name if self.reason is not None else f"code {code}"
        super().__init__(f"{name}: {log}" if log else name)


class Timeout(ClientError):  # noqa: N818 - named as what happened
    """Sent but not seen in time; it may still happen until the transaction expires."""

    def __init__(self, message: str, transaction_hash: bytes = b"") -> None:
        """Keep the hash by which it can be found later."""
        self.transaction_hash = transaction_hash
        super().__init__(message)


class NoMaterial(ClientError):  # noqa: N818 - named as what happened
    """The chain has no active key, or the key no reference string."""


class RequestUndone(ClientError):  # noqa: N818 - named as what happened
    """A request was decided without a result; the escrow is returned."""

    def __init__(self, request: RequestId, status: asc_pb2.RequestStatus) -> None:
        """Keep the id and the status, which is the node's word."""
        self.request = request
        self.status = status
        super().__init__(f"{self._words} (request {request})")

    _words = "the request was not fulfilled"


class RequestFailed(RequestUndone):
    """The parties say that they cannot answer."""

    _words = "the request failed"


class RequestExpired(RequestUndone):
    """Too few parties answered before the deadline."""

    _words = "the request expired"


class VerificationFailed(ClientError):  # noqa: N818 - named as what happened
    """Evidence that does not hold."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Who served which header, and what follows if the other side is right."""

    primary: str
    witness: str
    height: int
    against_primary: Attack
    against_witness: Attack


class ConflictingHeaders(VerificationFailed):
    """Two nodes prove different headers of one chain; nothing more is believed of either.

    At least a third of the validators signed both, or the validators of one side never existed. Which
    side is right cannot be told from here: ask the operators before trusting a header again.
    """

    def __init__(self, conflict: Conflict, evidence_file: Path | None) -> None:
        """Keep who said what, the accusations of both, and where the evidence was written."""
        self.conflict = conflict
        self.evidence_file = evidence_file
        where = "" if evidence_file is None else f"; evidence: {evidence_file}"
        super().__init__(
            f"{conflict.primary} and {conflict.witness} prove different headers"
            f" {conflict.height}: {conflict.against_primary.kind} attack, signed by"
            f" {len(conflict.against_primary.byzantine)} known validators{where}"
        )


class WitnessesSilent(ClientError):  # noqa: N818 - named as what happened
    """No witness has the header, or none could be reached; without a second opinion it is not believed."""


class StoreUnusable(ClientError):  # noqa: N818 - named as what it is
    """The file of the newest trusted header is damaged, foreign or not writable."""


class StorageError(ClientError):
    """A storage server's refusal; `status` is its HTTP status, 0 when unknown."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep the HTTP status."""
        self.status = status
        super().__init__(message)


def reason_of(code: int) -> Reason | None:
    """Reason of a result code, None when unknown here."""
    return _REASONS.get(code)
