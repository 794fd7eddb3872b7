"""Minting for anybody, where Config allows it: a means of development chains.

Who claims for itself may have nothing to pay the fee with, so the fee is taken out of the claim: nothing is
free, and what is minted is what was claimed.
"""

from __future__ import annotations

from ledger.bank import state as bank
from ledger.bank.transfer import recipient_and_amount
from ledger.config import state as config
from ledger.context import Context
from ledger.state import State
from wire.events import event
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.reasons import Reason, Rejection


def check_claim(state: State, message: bank_pb2.Faucet, height: int) -> bank_pb2.Account:
    """Recipient's account with the claim counted in its window, nothing written yet.

    Raises:
        Rejection: FAUCET_OFF, FAUCET_LIMIT, BAD_ADDRESS, BAD_AMOUNT.
    """
    parameters = config.parameters(state)
    if not parameters.faucet_enabled:
        raise Rejection(Reason.FAUCET_OFF)
    recipient, amount = recipient_and_amount(message)
    if amount > parameters.faucet_per_claim:
        raise Rejection(Reason.FAUCET_LIMIT, f"{parameters.faucet_per_claim} a claim")
    record = bank.account(state, recipient)
    # A window starts with its first claim; 0 is no height of a claim.
    window_end = record.faucet_window_start + parameters.faucet_window_blocks
    if record.faucet_window_start == 0 or height >= window_end:
        record.faucet_window_start = height
        record.faucet_drawn = 0
    left = parameters.faucet_per_window - record.faucet_drawn
    if amount > left:
        raise Rejection(Reason.FAUCET_LIMIT, f"{max(left, 0)} left in this window")
    record.faucet_drawn += amount
    return record


def mint_fee(state: State, message: bank_pb2.Faucet, fee: int, height: int) -> None:
    """Before a claim for oneself is executed: mint the part of it that pays the fee.

    All that could refuse the claim is checked here, so that none fails in a block.

    Raises:
        Rejection: as `check_claim`; CLAIM_BELOW_FEE; BAD_AMOUNT where the supply would overflow.
    """
    check_claim(state, message, height)
    if message.amount < fee:
        raise Rejection(Reason.CLAIM_BELOW_FEE, f"the fee is {fee}")
    bank.require_mintable(state, message.amount)
    bank.mint(state, bank.FEE_ACCOUNT, fee)


def claim(state: State, message: bank_pb2.Faucet, context: Context) -> None:
    """Mint to the recipient within the limits, less what the fee took."""
    record = check_claim(state, message, context.height)
    recipient, amount = recipient_and_amount(message)
    bank.set_account(state, recipient, record)
    bank.mint(state, recipient, amount - context.claim_fee)
    state.emit(event("faucet", recipient=recipient.hex, amount=amount, fee=context.claim_fee))
