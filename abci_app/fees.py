"""What a transaction costs before its requests: requests are priced and escrowed by asc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from asc import state as asc_state
from ledger.config import state as config
from ledger.config.validation import party_of_account
from ledger.state import State
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.tx import ANSWER_KINDS, REQUEST_KINDS, SignedTransaction


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Prices in force, ready to be looked up; units, and units a byte."""

    transaction_base: int
    transaction_per_byte: int
    messages: Mapping[str, tuple[int, int]]

    @classmethod
    def of(cls, prices: config_pb2.Prices) -> PriceTable:
        """Take over Config's record."""
        messages = {price.message: (price.base, price.per_byte) for price in prices.messages}
        return cls(prices.transaction_base, prices.transaction_per_byte, messages)


def fee_of(state: State, transaction: SignedTransaction, prices: PriceTable) -> int:
    """Units that the sender pays for including the transaction; Rejection(UNPRICED).

    Free of fee: answers of a party (it works for the chain), and claiming the faucet for oneself (who
    has nothing cannot pay; Config's limits and its switch bound it).
    """
    kinds = [transaction.kind(index) for index in range(len(transaction.body.messages))]
    if all(kind in ANSWER_KINDS for kind in kinds) and _speaks_as_party(state, transaction):
        return 0
    if kinds == ["faucet"] and _claims_for_itself(transaction):
        return 0
    fee = prices.transaction_base + prices.transaction_per_byte * len(transaction.raw)
    for kind, message in zip(kinds, transaction.body.messages, strict=True):
        if kind in REQUEST_KINDS:
            continue
        price = prices.messages.get(kind)
        if price is None:
            raise Rejection(Reason.UNPRICED, kind)
        base, per_byte = price
        fee += base + per_byte * message.ByteSize()
    return fee


def _claims_for_itself(transaction: SignedTransaction) -> bool:
    return bool(transaction.body.messages[0].faucet.recipient == transaction.sender.value)


def _speaks_as_party(state: State, transaction: SignedTransaction) -> bool:
    """Whether each answer comes from a party of the current epoch or of the one its request pinned."""
    if party_of_account(config.current_epoch(state), transaction.sender) is not None:
        return True
    return all(
        _is_party_of_request(state, message, transaction.sender)
        for message in transaction.body.messages
    )


def _is_party_of_request(state: State, message: tx_pb2.Message, sender: Address) -> bool:
    answer = getattr(message, str(message.WhichOneof("kind")))
    status = asc_state.status(state, answer.request_id)
    entry = None if status is None else asc_state.log_entry(state, status.sequence)
    epoch = None if entry is None else config.epoch(state, entry.epoch_id)
    return epoch is not None and party_of_account(epoch, sender) is not None
