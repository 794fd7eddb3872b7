"""Units that a request holds from acceptance until it is closed."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.bank import state as bank
from ledger.errors import InvariantError
from ledger.state import State
from wire.ids import Address, RequestId


def escrow_lock(state: State, payer: Address, request_id: RequestId, amount: int) -> None:
    """Take `amount` from the payer's balance; Rejection(INSUFFICIENT_FUNDS) when it is too small."""
    if bank.escrow(state, request_id) is not None:
        raise InvariantError(f"request {request_id} holds units already")
    record = bank.account(state, payer)
    bank.take(record, payer, amount)
    record.escrowed += amount
    bank.set_account(state, payer, record)
    bank.set_escrow(state, request_id, bank.Escrow(payer, amount))


def escrow_pay(state: State, request_id: RequestId, shares: Sequence[tuple[Address, int]]) -> None:
    """Give everything that the request holds to those who earned it; the shares must add up."""
    held = _release(state, request_id)
    if sum(amount for _, amount in shares) != held.amount or any(part < 0 for _, part in shares):
        raise InvariantError(f"the shares of request {request_id} do not add up to {held.amount}")
    for recipient, amount in shares:
        bank.credit(state, recipient, amount)


def escrow_refund(state: State, request_id: RequestId) -> None:
    """Give everything that the request holds back to its payer."""
    held = _release(state, request_id)
    bank.credit(state, held.payer, held.amount)


def _release(state: State, request_id: RequestId) -> bank.Escrow:
    held = bank.escrow(state, request_id)
    if held is None:
        raise InvariantError(f"request {request_id} holds nothing")
    state.delete(bank.escrow_key(request_id))
    record = bank.account(state, held.payer)
    record.escrowed -= held.amount
    bank.set_account(state, held.payer, record)
    return held
