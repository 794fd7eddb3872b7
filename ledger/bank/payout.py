"""Collected fees to those who keep the chain alive: the parties of the current epoch, in equal parts."""

from __future__ import annotations

from ledger.bank import state as bank
from ledger.config import state as config
from ledger.context import Context
from ledger.state import State
from wire.events import event
from wire.ids import Address


def pay_out_fees(state: State, context: Context) -> None:
    """End of a block: share the fee account where Config says so; what cannot be shared evenly stays."""
    interval = config.parameters(state).fee_payout_blocks
    if not interval or context.height % interval:
        return
    epoch = config.current_epoch(state)
    each = bank.balance(state, bank.FEE_ACCOUNT) // len(epoch.parties)
    if not each:
        return
    bank.debit(state, bank.FEE_ACCOUNT, each * len(epoch.parties))
    for party in epoch.parties:
        bank.credit(state, Address(party.account), each)
    state.emit(event("fees_paid", epoch_id=epoch.id, parties=len(epoch.parties), amount_each=each))
