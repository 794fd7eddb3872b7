"""Checks before any message is executed, cheapest first; the same tuple serves every ABCI method.

A check reads and writes the state it is given; when one refuses, the caller takes back what was written, so a
refused transaction costs nothing and leaves nothing. What passes has paid its fee and cannot be included again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from abci_app import lane, replay
from abci_app.fees import PriceTable, take_fee
from abci_app.gas import gas_of
from abci_app.known import KnownTransactions
from ledger.config import state as config
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.tx import SignedTransaction


@dataclass(frozen=True, slots=True)
class AnteContext:
    """What checks know besides the state; configuration does not change inside a block."""

    chain_id: str
    height: int
    parameters: config_pb2.Parameters
    prices: PriceTable
    known: KnownTransactions
    # False where there is none yet (simulation).
    check_signatures: bool = True


@dataclass(frozen=True, slots=True)
class Passed:
    """What a transaction that passed all checks took from its sender and from the block."""

    fee: int
    gas: int
    # It belongs to the safety lane: free of fee, first in the block.
    safety: bool


Check = Callable[[State, SignedTransaction, AnteContext], None]


def ante_context(
    state: State,
    chain_id: str,
    height: int,
    known: KnownTransactions,
    *,
    check_signatures: bool = True,
) -> AnteContext:
    """Context of a block whose begin hooks have run."""
    parameters, prices = config.parameters(state), PriceTable.of(config.prices(state))
    return AnteContext(chain_id, height, parameters, prices, known, check_signatures)


def check_chain(_state: State, transaction: SignedTransaction, context: AnteContext) -> None:
    """Refuse what was made for another chain."""
    if transaction.body.chain_id != context.chain_id:
        raise Rejection(Reason.FOREIGN_CHAIN, f"this is {context.chain_id}")


def check_message_count(
    _state: State, transaction: SignedTransaction, context: AnteContext
) -> None:
    """Refuse more messages than Config allows."""
    count = len(transaction.kinds)
    if count > context.parameters.max_messages:
        raise Rejection(Reason.TOO_MANY_MESSAGES, f"{count} messages")


def check_ttl(_state: State, transaction: SignedTransaction, context: AnteContext) -> None:
    """Refuse what has expired and what the seen-set would have to remember for too long."""
    last = transaction.body.expires_at_height
    if last < context.height:
        raise Rejection(Reason.EXPIRED, f"the height is {context.height}")
    if last > context.height + context.parameters.max_ttl_blocks:
        raise Rejection(
            Reason.TTL_TOO_LONG, f"at most {context.height + context.parameters.max_ttl_blocks}"
        )


def check_replay(state: State, transaction: SignedTransaction, _context: AnteContext) -> None:
    """Refuse a body that was included before, and mark this one."""
    seen = seen_of(transaction)
    if replay.is_marked(state, seen):
        raise Rejection(Reason.REPLAYED)
    replay.mark(state, seen)


def check_signature(_state: State, transaction: SignedTransaction, context: AnteContext) -> None:
    """Refuse what the sender did not sign."""
    if context.check_signatures:
        context.known.verify(transaction, context.chain_id)


ANTE: Final[tuple[Check, ...]] = (
    check_chain,
    check_message_count,
    check_ttl,
    check_replay,
    check_signature,
)


def run_ante(state: State, transaction: SignedTransaction, context: AnteContext) -> Passed:
    """Run all checks, then take the fee; the caller takes back what was written on a Rejection."""
    for check in ANTE:
        check(state, transaction, context)
    gas = gas_of(transaction)
    if gas > context.parameters.max_block_gas:
        raise Rejection(Reason.TOO_MUCH_GAS, f"{gas} of {context.parameters.max_block_gas}")
    if lane.in_safety_lane(state, transaction):
        lane.use(state, transaction, context.parameters.safety_messages_per_block)
        return Passed(0, gas, safety=True)
    fee = take_fee(state, transaction, context.prices, context.height)
    return Passed(fee, gas, safety=False)


def seen_of(transaction: SignedTransaction) -> replay.Seen:
    """What the replay protection remembers of a transaction."""
    return transaction.body.expires_at_height, transaction.body_digest
