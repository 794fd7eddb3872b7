"""The relay's memory by itself: pages, what is pruned, and refusals that come too late."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from connector.relay.database import Database, Filter
from connector.relay.records import LOCAL_SEQUENCE, Event, Place, Submission
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

PAYER = b"p" * 20
FIRST = Submission(
    request_id=b"1" * 20,
    hash=b"h" * 32,
    raw=b"raw",
    payer=PAYER,
    nonce=b"n" * 16,
    content=b"c" * 32,
    kind=asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
    client="",
    expires_at=10,
    max_fee=5,
    accepted_at=1.0,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Empty."""
    made = Database(tmp_path / "relay.db")
    yield made
    made.close()


def another(number: int, raw: bytes = b"raw") -> Submission:
    """A submission of its own."""
    name = number.to_bytes(4, "big")
    return replace(FIRST, request_id=name * 5, hash=name * 8, nonce=name * 4, raw=raw)


def event(height: int, kind: pb.EventKind, state: pb.RequestState) -> Event:
    """Something that happened to the first submission."""
    return Event(Place(height, 1), kind, FIRST.request_id, state)


def test_large_submissions_make_small_pages(database: Database) -> None:
    """A page stays below what clients take; none is left out."""
    database.keep([(another(number, bytes(2**20)), (PAYER,)) for number in range(8)])
    seen: list[bytes] = []
    position = 0
    while True:
        page = database.submissions(Filter(""), position, 100)
        assert sum(len(item.raw) for item in page.submissions) <= 3 * 2**20
        seen += [item.request_id for item in page.submissions]
        position = page.position
        if not position:
            break
    assert seen == [another(number).request_id for number in reversed(range(8))]


def test_refusal_after_the_block_changes_nothing(database: Database) -> None:
    """What a block has is not refused by a late word of the node."""
    database.keep([(FIRST, (PAYER,))])
    database.add_block(3, [event(3, pb.EVENT_KIND_OPENED, pb.REQUEST_STATE_PENDING)])
    assert database.reject([(FIRST.hash, 1015, "poor")], 3) == 0
    found = database.submission(FIRST.request_id)
    assert found is not None
    assert (found.state, found.included_height) == (pb.REQUEST_STATE_PENDING, 3)


def test_block_after_the_refusal_counts(database: Database) -> None:
    """Another relay brought the same bytes: the chain has the last word."""
    database.keep([(FIRST, (PAYER,))])
    assert database.reject([(FIRST.hash, 1015, "poor")], 2) == 1
    database.add_block(3, [event(3, pb.EVENT_KIND_OPENED, pb.REQUEST_STATE_PENDING)])
    found = database.submission(FIRST.request_id)
    assert found is not None
    assert (found.state, found.refusal_code) == (pb.REQUEST_STATE_PENDING, 0)
    kinds = [(item.kind, item.place) for item in database.events(Place(0), 10, "")]
    assert kinds == [
        (pb.EVENT_KIND_REJECTED, Place(2, LOCAL_SEQUENCE)),
        (pb.EVENT_KIND_OPENED, Place(3, 1)),
    ]


def test_last_height_ends_what_is_still_open(database: Database) -> None:
    """One event, at the last height, once."""
    database.keep([(FIRST, (PAYER,)), (replace(another(2), expires_at=11), (PAYER,))])
    for height in (9, 10, 10):
        database.add_block(height, [])
    (lapsed,) = database.events(Place(0), 10, "")
    assert (lapsed.kind, lapsed.request_id) == (pb.EVENT_KIND_LAPSED, FIRST.request_id)
    assert [item.request_id for item in database.open_submissions()] == [another(2).request_id]


def test_clients_see_their_own_events_and_those_of_nobody(database: Database) -> None:
    """A token's holder does not see what another submitted."""
    database.keep([(replace(FIRST, client="a"), (PAYER,))])
    database.add_block(3, [event(3, pb.EVENT_KIND_OPENED, pb.REQUEST_STATE_PENDING)])
    assert len(database.events(Place(0), 10, "a")) == 1
    assert not database.events(Place(0), 10, "b")
    assert database.undecided() == {"a": 1}
    assert not database.submissions(Filter("b"), 0, 10).submissions


def test_prune_keeps_what_is_not_final(database: Database) -> None:
    """Old events go; an undecided request stays known, so that its end is still noticed."""
    database.keep([(FIRST, (PAYER,))])
    database.add_block(3, [event(3, pb.EVENT_KIND_OPENED, pb.REQUEST_STATE_PENDING)])
    assert database.prune(5, 100.0) == 1
    assert database.place("oldest") == 5
    assert database.submission(FIRST.request_id) is not None
    assert database.states_of([FIRST.request_id]) == {FIRST.request_id: pb.REQUEST_STATE_PENDING}
    database.add_block(6, [event(6, pb.EVENT_KIND_DECIDED, pb.REQUEST_STATE_FULFILLED)])
    database.prune(7, 100.0)
    assert database.submission(FIRST.request_id) is None
    assert not database.states_of([FIRST.request_id])


def test_units_are_summed_exactly(database: Database) -> None:
    """Bounds as large as callers may choose: more than SQLite's own sum can hold."""
    most = 2**63 - 1
    fees = {1: most, 2: most, 3: most, 4: 2**32 - 1, 5: 2**32, 6: 7}
    database.keep([(replace(another(n), max_fee=fee), (PAYER,)) for n, fee in fees.items()])
    database.keep([(replace(another(7), max_fee=most, client="b", accepted_at=9.0), (PAYER,))])
    assert database.units_since(0.0) == {"": sum(fees.values()), "b": most}
    assert database.units_since(5.0) == {"b": most}
