"""Storage keys of the clock and what they mean.

clock/time    Clock: time of the last block and the outage credit
"""

from __future__ import annotations

from typing import Final

from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.clock.v1 import clock_pb2

CLOCK_KEY: Final = b"clock/time"


def clock(state: State) -> clock_pb2.Clock:
    """Record of the last block; an empty one before the first."""
    raw = state.get(CLOCK_KEY)
    return clock_pb2.Clock() if raw is None else clock_pb2.Clock.FromString(raw)


def set_clock(state: State, record: clock_pb2.Clock) -> None:
    """Write the record."""
    state.set(CLOCK_KEY, record.SerializeToString(deterministic=True))


def alive_now_ns(state: State, context: Context) -> int:
    """Block time less all outages: what dead-man and recovery timers count in, nanoseconds.

    A timer that started at `start` (on the same clock) is due iff alive_now > start + period: at exactly
    equal it is not. Expiry of foreign documents (tokens, attestations) counts in `context.time_ns` instead.
    """
    return context.time_ns - clock(state).outage_credit_ns
