"""Equivocation: a record that convicts the party without believing the chain."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from asc import state as asc_state
from tests.asc.world import (
    DEADLINE,
    GENERATOR,
    RETENTION,
    USER,
    World,
    failure,
    fulfil_key,
    fulfil_public,
    fulfil_user,
    party_account,
    party_key,
    ready_world,
)
from wire.answers import NoEquivocation, signed_digest, verify_equivocation
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection


@pytest.fixture
def world() -> World:
    """World with an active key."""
    return ready_world()


@pytest.fixture
def entry(world: World) -> asc_pb2.LogEntry:
    """An open public decryption of one euint8."""
    return world.entry(world.open_public(world.register_public("a")))


def evidence(world: World, first: int = 0, limit: int = 0) -> state_pb2.EvidenceList:
    """A page of evidence."""
    data = first.to_bytes(8, "big") + limit.to_bytes(4, "big")
    return world.query("/asc/evidence", data, state_pb2.EvidenceList)


def test_two_plaintexts_of_one_party_convict_it(world: World, entry: asc_pb2.LogEntry) -> None:
    """The whole record, one event, and a proof of its own."""
    first, second = fulfil_public(entry, 3, 7), fulfil_public(entry, 3, 8)
    world.send(party_account(3), first)
    world.end_block()
    receipt = world.send(party_account(3), second)
    (record,) = evidence(world).records
    assert record == asc_pb2.EvidenceRecord(
        sequence=1,
        height=2,
        request_id=entry.request_id,
        request_sequence=entry.sequence,
        epoch_id=1,
        party=3,
        verification_key=party_key(3).verification_key,
        first_digest=signed_digest(entry, first),
        first=first,
        second_digest=signed_digest(entry, second),
        second=second,
    )
    verify_equivocation(record, entry)
    assert receipt.attributes("evidence_recorded") == {
        "sequence": "1",
        "request_id": entry.request_id.hex(),
        "epoch_id": "1",
        "party": "3",
        "first_digest": record.first_digest.hex(),
        "second_digest": record.second_digest.hex(),
    }
    assert world.send(party_account(3), second).events == ()
    assert evidence(world).last_sequence == 1


@pytest.mark.parametrize("kept", [True, False])
def test_after_closing_and_pruning_too(
    world: World, entry: asc_pb2.LogEntry, *, kept: bool
) -> None:
    """Equivocation does not become honest by being late; pruned plaintexts are judged by their digest."""
    world.send(party_account(1), fulfil_public(entry, 1, 7))
    world.end_block(DEADLINE + 1 + (0 if kept else RETENTION + 1))
    status = world.status(entry.request_id)
    assert status.closed_height
    world.send(party_account(1), fulfil_public(entry, 1, 9))
    (record,) = evidence(world).records
    assert bool(record.first.public_decryption.decrypted_result) == kept
    verify_equivocation(record, entry)
    after = world.status(entry.request_id)
    assert [conflict.party for conflict in after.conflicts] == [1]
    del after.conflicts[:]
    assert after == status


def test_payloads_for_users_are_kept_as_digests(world: World) -> None:
    """What is signed is the payload's digest."""
    entry = world.entry(world.open_user(world.register_for(USER.address, "u")))
    world.send(party_account(2), fulfil_user(entry, 2, b"one"))
    world.send(party_account(2), fulfil_user(entry, 2, b"two"))
    (record,) = evidence(world).records
    for answer in (record.first, record.second):
        assert answer.user_decryption.payload == b""
        assert len(answer.user_decryption.payload_keccak) == 32
    verify_equivocation(record, entry)


def test_two_keys_of_one_party(world: World) -> None:
    """Generation: other digests are signed, other sizes are not."""
    (request_id,) = world.send(
        GENERATOR, asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    ).ids
    entry = world.entry(request_id)
    world.send(party_account(1), fulfil_key(entry, 1, "one"))
    world.send(party_account(1), fulfil_key(entry, 1, "two"))
    world.send(party_account(2), fulfil_key(entry, 2))
    world.send(party_account(2), fulfil_key(entry, 2, sizes=(10, 21)))
    (record,) = evidence(world).records
    assert record.party == 1
    verify_equivocation(record, entry)
    assert [conflict.party for conflict in world.status(request_id).conflicts] == [1, 2]


def test_a_failure_report_is_no_signed_answer(world: World, entry: asc_pb2.LogEntry) -> None:
    """Failing and then answering, or the reverse, convicts nobody."""
    world.send(party_account(1), failure(entry.request_id, 1))
    world.send(party_account(1), fulfil_public(entry, 1, 7))
    world.send(party_account(2), fulfil_public(entry, 2, 7))
    world.send(party_account(2), failure(entry.request_id, 2))
    assert len(world.status(entry.request_id).conflicts) == 2
    assert evidence(world) == state_pb2.EvidenceList()


def another_request(record: asc_pb2.EvidenceRecord) -> None:
    """Names another request."""
    record.request_id = bytes(20)


def another_epoch(record: asc_pb2.EvidenceRecord) -> None:
    """Names another epoch."""
    record.epoch_id = 2


def another_key(record: asc_pb2.EvidenceRecord) -> None:
    """Another party's key."""
    record.verification_key = party_key(2).verification_key


def no_key(record: asc_pb2.EvidenceRecord) -> None:
    """No point on the curve."""
    record.verification_key = b""


def the_same_twice(record: asc_pb2.EvidenceRecord) -> None:
    """No contradiction."""
    record.second.CopyFrom(record.first)
    record.second_digest = record.first_digest


def another_plaintext(record: asc_pb2.EvidenceRecord) -> None:
    """Not what was signed."""
    record.second.public_decryption.decrypted_result = (9).to_bytes(32, "big")


def another_kind(record: asc_pb2.EvidenceRecord) -> None:
    """An answer to no such request."""
    record.second.generation.CopyFrom(asc_pb2.GenerationResult())


def another_signature(record: asc_pb2.EvidenceRecord) -> None:
    """Over the other digest."""
    record.second.signature = record.first.signature


def no_signature(record: asc_pb2.EvidenceRecord) -> None:
    """Nothing was signed."""
    record.first.signature = b""


@pytest.mark.parametrize(
    "forge",
    [
        another_request,
        another_epoch,
        another_key,
        no_key,
        the_same_twice,
        another_plaintext,
        another_kind,
        another_signature,
        no_signature,
    ],
)
def test_forged_evidence_convicts_nobody(
    world: World, entry: asc_pb2.LogEntry, forge: Callable[[asc_pb2.EvidenceRecord], None]
) -> None:
    """Each part of the record is needed."""
    for value in (7, 8):
        world.send(party_account(1), fulfil_public(entry, 1, value))
    (record,) = evidence(world).records
    forge(record)
    with pytest.raises(NoEquivocation):
        verify_equivocation(record, entry)


def test_pages(world: World) -> None:
    """In chain order, without gap or overlap, ended by 0."""
    record = world.register_public("a")
    for index in (1, 2, 3):
        entry = world.entry(world.open_public(record))
        for value in (7, 8):
            world.send(party_account(index), fulfil_public(entry, index, value))
    pages = [evidence(world), evidence(world, 1, 2), evidence(world, 3, 2), evidence(world, 4, 2)]
    assert [[item.party for item in page.records] for page in pages] == [[1, 2, 3], [1, 2], [3], []]
    assert [page.next_sequence for page in pages] == [0, 3, 0, 0]
    assert {page.last_sequence for page in pages} == {3}
    stored = asc_state.evidence_record(world.state, 2)
    assert stored == pages[0].records[1]
    with pytest.raises(Rejection) as refused:
        world.query("/asc/evidence", b"", state_pb2.EvidenceList)
    assert refused.value.reason is Reason.UNKNOWN_QUERY
