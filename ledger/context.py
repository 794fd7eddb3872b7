"""What a handler may know besides the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wire.ids import Address, RequestId, request_id

# Sender of hooks, which nobody sends.
NOBODY: Final = Address(bytes(20))


@dataclass(frozen=True, slots=True)
class Context:
    """One message inside one transaction inside one block; hooks see the block only."""

    chain_id: str
    height: int
    # Block time in nanoseconds since 1970 UTC: a coarse clock, deadlines are heights.
    time_ns: int
    transaction_hash: bytes = b""
    body: bytes = b""
    message_index: int = 0
    sender: Address = NOBODY
    # Units that the sender still allows: max_fee less the fee and what earlier messages escrowed.
    max_fee_left: int = 0

    @property
    def request_id(self) -> RequestId:
        """Id of the request that this message makes."""
        return request_id(self.chain_id, self.body, self.message_index)
