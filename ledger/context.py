"""What a handler may know besides the state."""

from __future__ import annotations

from typing import Final, NamedTuple

from ledger.migrations import Migrations
from wire.ids import Address, RequestId, request_id

# Sender of hooks, which nobody sends.
NOBODY: Final = Address(bytes(20))


class Context(NamedTuple):
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
    # Units of a faucet claim that were minted for the transaction's fee: part of what is claimed.
    claim_fee: int = 0
    # What takes the state to later versions, for the hooks of a block's begin.
    migrations: Migrations | None = None

    @property
    def request_id(self) -> RequestId:
        """Id of the request that this message makes."""
        return request_id(self.chain_id, self.body, self.message_index)
