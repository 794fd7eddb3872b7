"""The audit log: complete, in chain order, pageable by who asked and for what."""

from __future__ import annotations

from typing import Any

import pytest

from asc import state as asc_state
from tests.asc.world import (
    APPLICATION,
    DEADLINE,
    GENERATOR,
    OTHER_APPLICATION,
    OWNER,
    REQUESTER,
    STRANGER,
    USER,
    World,
    failure,
    fulfil_public,
    fulfil_user,
    party_account,
    ready_world,
    rederived,
    signer,
)
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection

RELAYER = signer("relayer").address.value


@pytest.fixture
def world() -> World:
    """World with an active key, whose generation is record 1."""
    return ready_world()


def audit(world: World, **query: Any) -> state_pb2.AuditList:
    """A page of the log."""
    data = state_pb2.AuditQuery(**query).SerializeToString()
    return world.query("/asc/audit", data, state_pb2.AuditList)


def sequences(page: state_pb2.AuditList) -> list[int]:
    """Sequence numbers of a page."""
    return [record.sequence for record in page.records]


def test_a_fulfilled_request_is_recorded_when_decided(world: World) -> None:
    """The whole record, before the last party has answered; it never changes afterwards."""
    record = world.register_for(REQUESTER.address, "a")
    world.end_block(3)
    request_id = world.open_public(record, relayer=RELAYER)
    entry = world.entry(request_id)
    world.end_block()
    for index in (3, 1):
        world.send(party_account(index), fulfil_public(entry, index, 7))
    page = audit(world, from_sequence=2)
    assert page == state_pb2.AuditList(
        records=[
            asc_pb2.AuditRecord(
                sequence=2,
                request_id=request_id,
                request_sequence=entry.sequence,
                kind=asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
                status=asc_pb2.STATUS_FULFILLED,
                requester=REQUESTER.address.value,
                relayer=RELAYER,
                application=APPLICATION,
                key_id=world.key_id,
                handles=[record.handle],
                allowances=[
                    isc_pb2.Allowance(
                        basis=isc_pb2.BASIS_GRANT, since_height=1, given_by=OWNER.address.value
                    )
                ],
                request_height=4,
                decided_height=5,
                epoch_id=1,
                result_digest=world.status(request_id).agreed_digest,
                agreed=[1, 3],
                price=1100,
                paid=1100,
                relayer_units=137,
            )
        ],
        last_sequence=2,
    )
    for index in (2, 4):
        world.send(party_account(index), fulfil_public(entry, index, 7))
    assert audit(world, from_sequence=2) == page


def test_a_user_decryption_names_user_and_basis(world: World) -> None:
    """The grant is the user's, the money the requester's."""
    entry = world.entry(world.open_user(world.register_for(USER.address, "u")))
    for index in (1, 2, 4):
        world.send(party_account(index), fulfil_user(entry, index))
    record = audit(world).records[1]
    assert (record.user, record.requester) == (USER.address.value, REQUESTER.address.value)
    assert [allowance.basis for allowance in record.allowances] == [isc_pb2.BASIS_GRANT]
    assert list(record.agreed) == [1, 2, 4]


def test_a_revoked_grant_is_remembered(world: World) -> None:
    """The record says why the request was allowed when it was made, whatever happens to the grant."""
    record = world.register_for(REQUESTER.address, "a")
    entry = world.entry(world.open_public(record))
    world.send(
        OWNER,
        isc_pb2.RevokeAccess(
            application=APPLICATION, handle=record.handle, account=REQUESTER.address.value
        ),
    )
    for index in (1, 2):
        world.send(party_account(index), fulfil_public(entry, index, 7))
    assert audit(world).records[1].allowances == entry.allowances
    assert entry.allowances[0].basis == isc_pb2.BASIS_GRANT


def test_failed_and_expired_requests_are_recorded(world: World) -> None:
    """With their refund, in the order in which they ended."""
    record = world.register_public("a")
    expiring, failing = (world.entry(world.open_public(record, relayer=RELAYER)) for _ in range(2))
    for index in (1, 2):
        world.send(party_account(index), failure(failing.request_id, index))
    world.end_block(DEADLINE + 1)
    first, second = audit(world, from_sequence=2).records
    assert (first.request_id, second.request_id) == (failing.request_id, expiring.request_id)
    assert (first.status, second.status) == (asc_pb2.STATUS_FAILED, asc_pb2.STATUS_EXPIRED)
    assert first.failure == asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE
    assert second.decided_height == expiring.deadline_height
    for found in (first, second):
        assert (found.price, found.refunded, found.paid, found.relayer_units) == (1100, 1100, 0, 0)
        assert (found.result_digest, list(found.agreed)) == (b"", [])


def test_a_generation_is_allowed_by_its_role(world: World) -> None:
    """No application, no handle."""
    (record,) = audit(world).records
    assert (record.requester, record.application) == (GENERATOR.address.value, "")
    assert list(record.allowances) == [isc_pb2.Allowance(basis=isc_pb2.BASIS_ROLE)]
    assert list(record.handles) == []


def test_pages_and_filters(world: World) -> None:
    """Every page continues where the last one ended, with and without filters."""
    record = world.register_public("a")
    for count, sender in ((3, REQUESTER), (2, STRANGER), (2, REQUESTER)):
        for _ in range(count):
            (request_id,) = world.send(sender, world.public_request(record)).ids
            for index in (1, 2):
                world.send(party_account(index), failure(request_id, index))
    assert sequences(audit(world)) == [1, 2, 3, 4, 5, 6, 7, 8]
    requester, stranger = REQUESTER.address.value, STRANGER.address.value
    for filters, expected in (
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"requester": requester}, [2, 3, 4, 7, 8]),
        ({"requester": stranger}, [5, 6]),
        ({"application": APPLICATION}, [2, 3, 4, 5, 6, 7, 8]),
        ({"application": APPLICATION, "requester": stranger}, [5, 6]),
        ({"application": OTHER_APPLICATION, "requester": stranger}, []),
        ({"application": OTHER_APPLICATION}, []),
        ({"application": "sho"}, []),
        ({"requester": bytes(20)}, []),
    ):
        for limit in (1, 2, 3, 100):
            found, first = [], 0
            while True:
                page = audit(world, from_sequence=first, limit=limit, **filters)
                assert page.last_sequence == 8
                assert len(page.records) <= limit
                found += sequences(page)
                first = page.next_sequence
                if not first:
                    break
            assert found == expected
    assert audit(world, from_sequence=9) == state_pb2.AuditList(last_sequence=8)


def test_a_page_deep_in_a_long_log(world: World) -> None:
    """The index is entered at the sequence, across all of its digits."""
    state = world.state
    requester = bytes(range(20))
    known = [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000, 2**24, 2**24 + 1]
    for sequence in known:
        record = asc_pb2.AuditRecord(sequence=sequence, requester=requester, application="x")
        asc_state.append_audit(state, record)
    prefix = asc_state.audit_of_requester(requester)
    for start in sorted({1, *known, *(number + 1 for number in known), 66_000}):
        found = list(asc_state.indexed(state, prefix, start, known[-1]))
        assert found == [number for number in known if number >= start]


def test_malformed_queries(world: World) -> None:
    """A typed refusal."""
    for data in (b"\xff", state_pb2.AuditQuery(requester=b"x").SerializeToString()):
        with pytest.raises(Rejection) as refused:
            world.query("/asc/audit", data, state_pb2.AuditList)
        assert refused.value.reason is Reason.UNKNOWN_QUERY


def test_the_index_is_derived(world: World) -> None:
    """Lost and computed anew it is the same, and the queries answer the same."""
    record = world.register_public("a")
    for index in (1, 2):
        entry = world.entry(world.open_public(record))
        for party in range(1, 3 + index):
            world.send(party_account(party), fulfil_public(entry, party, 7))
    world.open_public(record)
    before = dict(world.reader.values)
    derived = {key for key in before if key.startswith(b"~asc/")}
    kinds = {key.split(b"/")[1] for key in derived}
    assert kinds == {b"deadline", b"prune", b"audit-by"}
    page = audit(world, requester=REQUESTER.address.value)
    world.reader.values = rederived(before)
    assert world.reader.values == before
    assert audit(world, requester=REQUESTER.address.value) == page
    world.end_block(30)
    assert rederived(world.reader.values) == world.reader.values
    assert not [key for key in world.reader.values if key.startswith((b"~asc/d", b"~asc/p"))]
