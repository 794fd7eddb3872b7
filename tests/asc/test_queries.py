"""Views of asc."""

from __future__ import annotations

import pytest

from asc import state as asc_state
from asc.module import MODULE
from tests.asc.world import (
    GENERATOR,
    World,
    fulfil_crs,
    fulfil_public,
    party_account,
    ready_world,
)
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection


def number(value: int, size: int = 8) -> bytes:
    """Big-endian number."""
    return value.to_bytes(size, "big")


def listing(world: World, first: int, limit: int) -> tuple[list[int], int]:
    """Sequences of a page and where to continue."""
    page = world.query("/asc/list", number(first) + number(limit, 4), state_pb2.RequestList)
    return [view.entry.sequence for view in page.requests], page.next_sequence


def test_request_view_is_complete() -> None:
    """Entry, status and answers."""
    world = ready_world()
    request_id = world.open_public(world.register_public("a"))
    world.send(party_account(2), fulfil_public(world.entry(request_id), 2, 7))
    view = world.query("/asc/request", request_id, state_pb2.RequestView)
    assert view == state_pb2.RequestView(
        entry=world.entry(request_id),
        status=world.status(request_id),
        answers=asc_state.answers(world.state, request_id),
    )
    assert [answer.party for answer in view.answers] == [2]


def test_list_walks_from_the_newest() -> None:
    """Pages do not overlap and end with 0."""
    world = ready_world()
    record = world.register_public("a")
    ids = [world.open_public(record) for _ in range(4)]
    assert listing(world, 0, 2) == ([5, 4], 3)
    assert listing(world, 3, 2) == ([3, 2], 1)
    assert listing(world, 1, 2) == ([1], 0)
    assert listing(world, 99, 0) == ([5, 4, 3, 2, 1], 0)
    page = world.query("/asc/list", number(5) + number(1, 4), state_pb2.RequestList)
    assert page.requests[0].status == world.status(ids[3])


def test_empty_list() -> None:
    """A chain without requests."""
    assert listing(World(), 0, 10) == ([], 0)


def test_pages_are_bounded() -> None:
    """At most 100 whatever is asked."""
    world = ready_world()
    message = world.public_request(world.register_public("a"))
    for _ in range(11):
        world.send(GENERATOR, *[message] * 10)
    for limit in (0, 101, 2**32 - 1):
        sequences, following = listing(world, 0, limit)
        assert (len(sequences), following) == (100, 11)


def test_log_entry_by_sequence() -> None:
    """What the backend follows."""
    world = ready_world()
    entry = world.query("/asc/log", number(1), asc_pb2.LogEntry)
    assert entry == world.entry(world.key_id)


def test_material_lists_keys_and_crs_with_uris() -> None:
    """All, or the one that is named."""
    world = ready_world()
    message = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=64, dealer=True)
    (crs_id,) = world.send(GENERATOR, message).ids
    for index in (1, 2, 3):
        world.send(party_account(index), fulfil_crs(world.entry(crs_id), index))
    everything = world.query("/asc/material", b"", state_pb2.MaterialList)
    (key,), (crs,) = everything.keys, everything.crs
    assert key.record.id == world.key_id
    assert list(key.uris) == [
        f"https://storage.example/v1/blobs/{material.digest.hex()}"
        for material in key.record.digests
    ]
    only_key = world.query("/asc/material", world.key_id, state_pb2.MaterialList)
    assert only_key == state_pb2.MaterialList(keys=[key])
    only_crs = world.query("/asc/material", crs_id, state_pb2.MaterialList)
    assert only_crs == state_pb2.MaterialList(crs=[crs])


@pytest.mark.parametrize(
    ("path", "data", "reason"),
    [
        ("/asc/request", b"x", Reason.UNKNOWN_QUERY),
        ("/asc/request", bytes(20), Reason.NOT_FOUND),
        ("/asc/list", b"", Reason.UNKNOWN_QUERY),
        ("/asc/log", b"1", Reason.UNKNOWN_QUERY),
        ("/asc/log", number(9), Reason.NOT_FOUND),
        ("/asc/material", b"x", Reason.UNKNOWN_QUERY),
        ("/asc/material", bytes(20), Reason.NOT_FOUND),
    ],
)
def test_bad_queries_have_reasons(path: str, data: bytes, reason: Reason) -> None:
    """Malformed data and missing records are told apart."""
    with pytest.raises(Rejection) as caught:
        MODULE.queries[path](World().state, data)
    assert caught.value.reason is reason
