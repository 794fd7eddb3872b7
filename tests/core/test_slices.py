"""Blocks of the pool are for one request only."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.slices import SliceError, Slices
from wire.ids import RequestId


def request(number: int) -> RequestId:
    """An id."""
    return RequestId(number.to_bytes(RequestId.LENGTH, "big"))


def test_overlaps_are_refused() -> None:
    """Whichever side they come from; the same again is the same."""
    slices = Slices()
    slices.reserve(10, 10, request(1))
    slices.reserve(10, 10, request(1))
    for first, count in ((10, 10), (10, 5), (5, 6), (19, 1), (0, 100), (15, 2)):
        with pytest.raises(SliceError, match="not all free"):
            slices.reserve(first, count, request(2))
    with pytest.raises(SliceError):
        slices.reserve(10, 11, request(1))
    slices.reserve(20, 5, request(2))
    slices.reserve(5, 5, request(3))
    slices.reserve(12, 0, request(4))
    assert (slices.end, slices.lowest_open) == (25, 5)
    slices.close(request(3))
    slices.close(request(1))
    slices.close(request(9))
    assert (slices.end, slices.lowest_open) == (25, 20)
    with pytest.raises(SliceError):
        slices.reserve(7, 1, request(5))


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8), st.booleans()), max_size=40))
def test_no_block_is_given_twice(steps: list[tuple[int, int, bool]]) -> None:
    """Against a set of blocks, with closed requests in between."""
    slices = Slices()
    used: dict[int, int] = {}
    still_open: dict[int, int] = {}
    for number, (first, count, closed) in enumerate(steps):
        wanted = range(first, first + count)
        if any(block in used for block in wanted):
            with pytest.raises(SliceError):
                slices.reserve(first, count, request(number))
            continue
        slices.reserve(first, count, request(number))
        used |= dict.fromkeys(wanted, number)
        if closed:
            slices.close(request(number))
        else:
            still_open[number] = first
    assert slices.end == max(used, default=-1) + 1
    assert slices.lowest_open == min(still_open.values(), default=slices.end)
