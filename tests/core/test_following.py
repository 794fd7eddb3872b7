"""What a follower tells the first core, and what it does without."""

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.following import FollowingPool, Line, Wish
from core.host import Host
from core.pool import batch_name
from core.record_store import RecordStore
from core.records import Records
from core.slices import SliceError
from mpc.names import session_id
from wire.ids import RequestId

ONE, TWO = RequestId(b"1" * RequestId.LENGTH), RequestId(b"2" * RequestId.LENGTH)
NUMBERS = st.integers(0, 2**64 - 1)


@given(st.sampled_from(Wish), NUMBERS, NUMBERS, NUMBERS, st.binary(max_size=32))
def test_lines_come_back(wish: Wish, epoch: int, first: int, count: int, request: bytes) -> None:
    """Every field."""
    line = Line(wish, epoch, first, count, request)
    assert Line.decode(line.encode()) == line


@pytest.mark.parametrize("data", [b"", b"\0" * 24, b"\0" * 25, b"\x05" + bytes(24)])
def test_what_is_no_line(data: bytes) -> None:
    """Too short, or a wish that nobody has."""
    with pytest.raises(ValueError, match=r"line|Wish"):
        Line.decode(data)


async def test_a_follower_takes_what_the_first_core_makes(tmp_path: Path) -> None:
    """It asks for a batch, waits for the record, tells what it uses, and makes and deletes nothing."""
    told: list[Line] = []
    store = RecordStore(tmp_path)
    nobody = cast("Any", None)
    records = Records(nobody, store)
    pool = FollowingPool(
        cast("Host", nobody), records, nobody, 100, lambda line: told.append(Line.decode(line))
    )
    pool.begin(7)
    pool.reserve(7, ONE, 1000, 40)
    with pytest.raises(SliceError):
        pool.reserve(7, TWO, 1039, 1)
    taking = asyncio.create_task(pool.take(7, 1000, 40))
    async with asyncio.timeout(30):
        while len(told) < 2:  # noqa: ASYNC110 - a thread reads the disk before it asks
            await asyncio.sleep(0.005)
    assert told[:2] == [
        Line(Wish.RESERVED, 7, 1000, 40, ONE.value),
        Line(Wish.BATCH, 7, 0),
    ]
    store.put(7, session_id(batch_name(7, 0)), b"zero")
    store.put(7, session_id(batch_name(7, 1)), b"one")
    slices = await asyncio.wait_for(taking, 30)
    assert [(each.record, each.first, each.count) for each in slices] == [
        (b"zero", 1000, 24),
        (b"one", 0, 16),
    ]
    for number in range(2, 30):
        pool.reserve(7, TWO, 1040 + number * 1024, 1)
    await pool.closed(7, ONE)
    assert told[-1] == Line(Wish.CLOSED, 7, request_id=ONE.value)
    assert store.has(7, session_id(batch_name(7, 0)))
