"""The table by which the node knows the clock, and its begin of a block."""

from __future__ import annotations

from typing import Final

from ledger.clock import state as clock_state
from ledger.config import state as config
from ledger.context import Context
from ledger.module import Module
from ledger.state import State
from wire.events import event
from wire.reasons import Reason, Rejection

_NANOSECONDS: Final = 1_000_000_000


def begin_block(state: State, context: Context) -> None:
    """Remember the block's time, and credit what its distance to the last block exceeds the limit by.

    A halted chain must not fire anybody's timer: nobody could have sent a sign of life meanwhile.
    """
    record = clock_state.clock(state)
    limit = config.parameters(state).max_block_gap_seconds * _NANOSECONDS
    gap = context.time_ns - record.last_block_time_ns
    if record.last_block_time_ns and gap > limit:
        record.outage_credit_ns += gap - limit
        record.outages += 1
        state.emit(event("outage_credited", gap_ns=gap, credit_ns=gap - limit))
    # Simulations run at the last block's time; block time itself only grows.
    if context.time_ns > record.last_block_time_ns:
        record.last_block_time_ns = context.time_ns
        clock_state.set_clock(state, record)


def clock_view(state: State, data: bytes) -> bytes:
    """Answer `/clock`: no data to Clock."""
    if data:
        raise Rejection(Reason.UNKNOWN_QUERY, "the query takes no data")
    return clock_state.clock(state).SerializeToString(deterministic=True)


MODULE: Final = Module(name="clock", begin_block=begin_block, queries={"/clock": clock_view})
