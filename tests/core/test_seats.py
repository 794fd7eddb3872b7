"""Which of a party's cores takes a request."""

from collections import Counter

import pytest

from core.seats import Seat, choose
from wire.pb.tkms.asc.v1 import asc_pb2

PUBLIC = asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
PAYLOADS = [b"event %d" % number for number in range(3000)]


def test_requests_spread_evenly() -> None:
    """By hash: three cores get a third each, within what chance allows."""
    counts = Counter(choose(PUBLIC, payload, {1, 2, 3}) for payload in PAYLOADS)
    assert set(counts) == {1, 2, 3}
    # Six standard deviations of a binomial distribution are 155.
    assert all(abs(count - 1000) < 155 for count in counts.values())


def test_only_requests_of_a_lost_core_move() -> None:
    """The others stay where they are, and all come back with the core."""
    before = [choose(PUBLIC, payload, {1, 2, 3}) for payload in PAYLOADS]
    after = [choose(PUBLIC, payload, {1, 3}) for payload in PAYLOADS]
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert {old for old, _ in moved} == {2}
    assert {new for _, new in moved} == {1, 3}
    assert before == [choose(PUBLIC, payload, [3, 2, 1]) for payload in PAYLOADS]


def test_what_only_one_may_do_is_for_the_first() -> None:
    """Or for nobody while that is away."""
    for kind in (
        asc_pb2.REQUEST_KIND_KEY_GENERATION,
        asc_pb2.REQUEST_KIND_CRS_GENERATION,
        asc_pb2.REQUEST_KIND_PREPROCESSING,
        asc_pb2.REQUEST_KIND_EPOCH_CHANGE,
    ):
        assert {choose(kind, payload, {1, 2}) for payload in PAYLOADS[:50]} == {1}
        assert choose(kind, b"", {2, 3}) is None
    assert choose(PUBLIC, b"", set()) is None


@pytest.mark.parametrize(("number", "count"), [(0, 1), (2, 1), (1, 0), (1, 9), (9, 9)])
def test_seats_that_are_not_there(number: int, count: int) -> None:
    """A party has one to eight cores."""
    with pytest.raises(ValueError, match="1 to 8 cores"):
        Seat(number, count)
