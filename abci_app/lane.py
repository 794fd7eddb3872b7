"""The safety lane: messages that must not wait behind others, nor for want of funds.

A transaction belongs to it when all its messages are of SAFETY_KINDS and its sender is a party that they concern.
It comes first in a block, within reserved bytes, and is free of fee; what bounds it is the number of messages an
account may put into one block.

    ~ante/lane/<address>    messages of the account in this block, 8-byte big endian; gone at its end
"""

from __future__ import annotations

from typing import Final

from asc import state as asc_state
from ledger.config import state as config
from ledger.config.validation import party_of_account
from ledger.state import DERIVED, State
from wire.answers import answering_epoch_id
from wire.ids import Address
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.tx import SAFETY_KINDS, SignedTransaction

_USED: Final = DERIVED + b"ante/lane/"


def in_safety_lane(state: State, transaction: SignedTransaction) -> bool:
    """Whether the transaction comes first and costs no fee.

    Each answer must come from a party of the current epoch or of the epoch whose parties its request asks.
    """
    if any(kind not in SAFETY_KINDS for kind in transaction.kinds):
        return False
    if party_of_account(config.current_epoch(state), transaction.sender) is not None:
        return True
    return all(
        _is_party_of_request(state, message, transaction.sender)
        for message in transaction.body.messages
    )


def use(state: State, transaction: SignedTransaction, limit: int) -> None:
    """Count the messages of a transaction of the lane; Rejection(RATE_LIMITED) above `limit` a block."""
    key = _USED + transaction.sender.value
    raw = state.get(key)
    used = len(transaction.kinds) + (0 if raw is None else int.from_bytes(raw, "big"))
    if used > limit:
        raise Rejection(Reason.RATE_LIMITED, f"{limit} messages a block")
    state.set(key, used.to_bytes(8, "big"))


def clear(state: State) -> None:
    """End of a block: the next one counts anew."""
    for key in [key for key, _ in state.iterate(_USED)]:
        state.delete(key)


def _is_party_of_request(state: State, message: tx_pb2.Message, sender: Address) -> bool:
    answer = getattr(message, str(message.WhichOneof("kind")))
    status = asc_state.status(state, answer.request_id)
    entry = None if status is None else asc_state.log_entry(state, status.sequence)
    epoch = None if entry is None else config.epoch(state, answering_epoch_id(entry))
    return epoch is not None and party_of_account(epoch, sender) is not None
