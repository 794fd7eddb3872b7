"""A halted chain must not fire anybody's timer."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from ledger.clock.state import alive_now_ns
from ledger.context import Context
from tests.support.chain import GENESIS_SECONDS, Chain
from wire.pb.tkms.clock.v1 import clock_pb2
from wire.reasons import Reason, Rejection

SECOND = 1_000_000_000
LIMIT = 60


class Clocked(Chain):
    """A chain whose blocks come when the test says so."""

    now_ns: int = GENESIS_SECONDS * SECOND

    def _time(self) -> Timestamp:
        return Timestamp(seconds=self.now_ns // SECOND, nanos=self.now_ns % SECOND)

    def after(self, nanoseconds: int) -> clock_pb2.Clock:
        """Make a block that much later; the record after it."""
        self.now_ns += nanoseconds
        self.block()
        return clock_pb2.Clock.FromString(self.query("/clock"))


@pytest.fixture
def chain(tmp_path: Path) -> Clocked:
    """A chain before its first block."""
    return Clocked.start(tmp_path)  # type: ignore[return-value]


def test_ordinary_blocks_credit_nothing(chain: Clocked) -> None:
    """Up to and including the limit."""
    for gap in (0, 1, SECOND, LIMIT * SECOND):
        record = chain.after(gap)
        assert (record.outage_credit_ns, record.outages) == (0, 0)
        assert record.last_block_time_ns == chain.now_ns
    assert chain.events == ()


def test_what_exceeds_the_limit_is_credited(chain: Clocked) -> None:
    """One nanosecond more counts, and outages add up."""
    chain.after(SECOND)
    assert chain.after(LIMIT * SECOND + 1).outage_credit_ns == 1
    assert chain.events == (
        ("outage_credited", {"gap_ns": str(LIMIT * SECOND + 1), "credit_ns": "1"}),
    )
    record = chain.after(3600 * SECOND)
    assert (record.outage_credit_ns, record.outages) == (1 + 3540 * SECOND, 2)


def test_the_first_block_is_no_outage(chain: Clocked) -> None:
    """A chain may start long after its genesis was written."""
    assert chain.after(10**9 * SECOND).outages == 0


def test_a_timer_stands_still_during_an_outage(chain: Clocked) -> None:
    """Due iff alive time is later than start and period; at exactly equal it is not."""
    chain.after(SECOND)
    start, period = _alive(chain), 100 * SECOND
    # The chain halts for a day in the middle of the period.
    chain.after(50 * SECOND)
    chain.after(86_400 * SECOND)
    assert _alive(chain) - start == (50 + LIMIT) * SECOND
    assert _alive(chain) > start + period
    chain.close()


def test_a_timer_at_the_boundary(chain: Clocked) -> None:
    """Equal is not due, a nanosecond later is."""
    chain.after(SECOND)
    start, period = _alive(chain), 100 * SECOND
    chain.after(40 * SECOND)
    chain.after(86_400 * SECOND + 0)
    # 40 s and the 60 s that an outage may use up: exactly the period.
    assert _alive(chain) == start + period
    assert not _alive(chain) > start + period
    chain.after(1)
    assert _alive(chain) > start + period


def test_the_record_is_proven_and_survives_a_restart(chain: Clocked) -> None:
    """An outage around a restart of every node is credited the same."""
    chain.after(SECOND)
    before = chain.query("/clock")
    chain.restart()
    assert chain.query("/clock") == before
    assert chain.after(7200 * SECOND).outage_credit_ns == (7200 - LIMIT) * SECOND
    with pytest.raises(Rejection) as refused:
        chain.query("/clock", b"x")
    assert refused.value.reason is Reason.UNKNOWN_QUERY


def _alive(chain: Clocked) -> int:
    return alive_now_ns(chain.state(), Context(chain.chain_id, chain.height, chain.now_ns))
