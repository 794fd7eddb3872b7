"""What can go wrong for a client, told apart by who can do something about it.

ClientError
├── Unreachable          nobody answered, or not in time: try again or another node
├── NodeError            the node answered with an error of its own
│   └── HeightUnavailable  a height that the node does not have (yet, or any more)
├── RejectedByChain      the chain refused the transaction: `reason` says why
├── Timeout              sent, but not seen in a block in time: `transaction_hash` finds it later
├── VerificationFailed   an answer that does not prove what it claims: believe nothing of it
└── StorageError         a storage server refused or lost a body
"""

from __future__ import annotations

from typing import Final

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


class VerificationFailed(ClientError):  # noqa: N818 - named as what happened
    """Evidence that does not hold."""


class StorageError(ClientError):
    """A storage server's refusal; `status` is its HTTP status, 0 when unknown."""

    def __init__(self, message: str, status: int = 0) -> None:
        """Keep the HTTP status."""
        self.status = status
        super().__init__(message)


def reason_of(code: int) -> Reason | None:
    """Reason of a result code, None when unknown here."""
    return _REASONS.get(code)
