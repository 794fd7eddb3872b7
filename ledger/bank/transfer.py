"""Moving units between accounts."""

from __future__ import annotations

from ledger.bank import state as bank
from ledger.context import Context
from ledger.state import State
from wire.events import event
from wire.ids import Address
from wire.limits import ADDRESS_BYTES
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.reasons import Reason, Rejection


def recipient_and_amount(message: bank_pb2.Transfer | bank_pb2.Faucet) -> tuple[Address, int]:
    """Check the form that both messages share; BAD_ADDRESS or BAD_AMOUNT."""
    if len(message.recipient) != ADDRESS_BYTES:
        raise Rejection(Reason.BAD_ADDRESS, "recipient")
    if message.amount == 0:
        raise Rejection(Reason.BAD_AMOUNT, "zero")
    return Address(message.recipient), message.amount


def transfer(state: State, message: bank_pb2.Transfer, context: Context) -> None:
    """Move units from the sender to the recipient."""
    recipient, amount = recipient_and_amount(message)
    bank.debit(state, context.sender, amount)
    bank.credit(state, recipient, amount)
    state.emit(event("transfer", sender=context.sender.hex, recipient=recipient.hex, amount=amount))
