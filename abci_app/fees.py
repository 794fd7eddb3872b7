"""What a transaction costs before its requests: requests are priced and escrowed by asc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ledger.bank import faucet
from ledger.bank import state as bank
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.tx import REQUEST_KINDS, SignedTransaction


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

    def fee_of(self, transaction: SignedTransaction) -> int:
        """Units that including the transaction costs; Rejection(UNPRICED)."""
        fee = self.transaction_base + self.transaction_per_byte * len(transaction.raw)
        for kind, message in zip(transaction.kinds, transaction.body.messages, strict=True):
            if kind in REQUEST_KINDS:
                continue
            price = self.messages.get(kind)
            if price is None:
                raise Rejection(Reason.UNPRICED, kind)
            base, per_byte = price
            fee += base + per_byte * message.ByteSize() if per_byte else base
        return fee


def take_fee(state: State, transaction: SignedTransaction, prices: PriceTable, height: int) -> int:
    """Take what including the transaction costs from its sender, and return it.

    Raises:
        Rejection: UNPRICED, MAX_FEE_EXCEEDED, INSUFFICIENT_FUNDS, and the reasons of `faucet.mint_fee`.
    """
    fee = prices.fee_of(transaction)
    if fee > transaction.body.max_fee:
        raise Rejection(
            Reason.MAX_FEE_EXCEEDED, f"the fee is {fee}, max_fee {transaction.body.max_fee}"
        )
    if pays_from_claim(transaction):
        faucet.mint_fee(state, transaction.body.messages[0].faucet, fee, height)
    elif fee:
        bank.debit(state, transaction.sender, fee)
        bank.credit(state, bank.FEE_ACCOUNT, fee)
    return fee


def pays_from_claim(transaction: SignedTransaction) -> bool:
    """Whether it is a faucet claim for the sender itself, who may have nothing else to pay with."""
    if transaction.kinds != ("faucet",):
        return False
    return bool(transaction.body.messages[0].faucet.recipient == transaction.sender.value)
