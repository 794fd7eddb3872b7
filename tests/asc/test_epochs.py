"""Changes of epochs: refresh, rotation, schedule, and everything that may come between."""

from __future__ import annotations

import pytest

from asc import state as asc_state
from ledger.config import state as config
from tests.asc.world import (
    ADMIN,
    APPLICATION,
    GENERATOR,
    OWNER,
    REQUESTER,
    STRANGER,
    World,
    ciphertext,
    epoch,
    fulfil_public,
    party_account,
    party_key,
    ready_world,
)
from tests.support.generated import generated
from wire.answers import verify_equivocation
from wire.fhe import Format
from wire.ids import Address
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason

OTHERS = 10
REFRESH = asc_pb2.RequestRefresh()
PREPROCESSING = asc_pb2.RequestPreprocessing(parameters="test")
DEALT = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)


@pytest.fixture
def world() -> World:
    """Four parties and one key."""
    return ready_world()


def current(world: World) -> int:
    """Id of the current epoch."""
    return config.current_epoch(world.state).id


def pending(world: World) -> config_pb2.PendingEpoch:
    """The change that is under way."""
    found = config.pending_epoch(world.state)
    assert found is not None
    return found


def view(world: World) -> state_pb2.EpochView:
    """Answer of /asc/epoch."""
    answer: state_pb2.EpochView = world.query("/asc/epoch", b"", state_pb2.EpochView)
    return answer


def test_a_refresh_moves_the_key(world: World) -> None:
    """The third equal answer decides; the key is in the new epoch from the next block on."""
    request_id = world.refresh()
    entry = world.entry(request_id)
    assert (entry.kind, entry.epoch_id, entry.next_epoch_id, list(entry.key_ids)) == (
        asc_pb2.REQUEST_KIND_EPOCH_CHANGE,
        1,
        2,
        [world.key_id],
    )
    before = world.material()
    for party in (1, 2, 3):
        assert current(world) == 1
        world.send(party_account(party), generated(entry, party, party_key(party)))
    assert world.status(request_id).status == asc_pb2.STATUS_FULFILLED
    # Inside a block the epoch is one.
    assert (current(world), world.material().epoch_id) == (1, 1)
    (active,) = [event for event in world.end_block() if event.type == "epoch_active"]
    assert dict(active.attributes)["previous"] == "1"
    assert (current(world), config.pending_epoch(world.state)) == (2, None)
    expected = asc_pb2.MaterialRecord()
    expected.CopyFrom(before)
    expected.epoch_id = 2
    assert world.material() == expected
    assert config.current_epoch(world.state).parties == config.epoch(world.state, 1).parties  # type: ignore[union-attr]


def test_a_refresh_is_paid_and_audited(world: World) -> None:
    """Like every request: price in escrow, split among who agreed, a record that names both epochs."""
    parties = [party_account(index).address for index in (1, 2, 3, 4)]
    before = [world.balance(party) for party in parties]
    world.answer_all(world.refresh())
    world.end_block()
    paid = [world.balance(party) - old for party, old in zip(parties, before, strict=True)]
    assert sum(paid) == 300
    last = asc_state.last_audit_sequence(world.state)
    record = asc_state.require_audit_record(world.state, last)
    assert (record.epoch_id, record.next_epoch_id, record.price) == (1, 2, 300)
    assert [allowance.basis for allowance in record.allowances] == [isc_pb2.BASIS_ROLE]


def test_the_old_epoch_serves_while_one_is_pending(world: World) -> None:
    """Requests pin it and are answered by it, also after the change."""
    record = world.register_public("a")
    change = world.refresh()
    request_id = world.open_public(record)
    entry = world.entry(request_id)
    assert entry.epoch_id == 1
    world.send(party_account(1), fulfil_public(entry, 1, 7))
    world.answer_all(change)
    world.end_block()
    assert current(world) == 2
    world.send(party_account(2), fulfil_public(entry, 2, 7))
    assert world.status(request_id).status == asc_pb2.STATUS_FULFILLED
    assert world.entry(world.open_public(record)).epoch_id == 2


def test_a_pool_begins_anew_with_its_epoch(world: World) -> None:
    """Blocks are counted for each epoch; requests of the old one keep theirs."""
    record = ciphertext("ordinary", world.key_id)
    record.format = Format.SMALL_EXPANDED
    world.send(OWNER, isc_pb2.RegisterCiphertexts(application=APPLICATION, ciphertexts=[record]))
    public = isc_pb2.SetPublic(application=APPLICATION, handle=record.handle, allowed=True)
    world.send(OWNER, public)
    assert [world.entry(world.open_public(record)).first_block for _ in range(2)] == [0, 4]
    assert view(world).pool_used == 8
    world.answer_all(world.refresh())
    world.end_block()
    assert view(world).pool_used == 0
    assert [world.entry(world.open_public(record)).first_block for _ in range(2)] == [0, 4]


def test_a_rotation_is_answered_by_the_new_parties(world: World) -> None:
    """Seven others: their thresholds, their keys, their accounts; who left is nobody."""
    wanted = epoch(2, 7, OTHERS)
    world.configure(epoch=wanted)
    entry = world.entry(pending(world).request_id)
    assert (entry.parties, entry.threshold, entry.thresholds.generation) == (7, 2, 5)
    assert entry.requester == bytes(Address.LENGTH)
    # Account and key of the old epoch, of the old epoch under the new one's account, and the reverse.
    for account, key in ((1, 1), (1, OTHERS + 1), (OTHERS + 1, 1)):
        message = generated(entry, 1, party_key(key))
        expected = Reason.NOT_PARTY if account == 1 else Reason.BAD_RESULT_SIGNATURE
        assert world.refuse(party_account(account), message) is expected
    for index in range(1, 6):
        assert current(world) == 1
        message = generated(entry, index, party_key(OTHERS + index))
        world.send(party_account(OTHERS + index), message)
    world.end_block()
    assert config.current_epoch(world.state) == wanted
    assert world.material().epoch_id == 2
    later = world.entry(world.open_public(world.register_public("b")))
    assert world.refuse(party_account(1), fulfil_public(later, 1, 7)) is Reason.NOT_PARTY


def test_a_change_may_leave_the_id_to_the_chain(world: World) -> None:
    """Who proposes cannot know which id is next at the activation height."""
    proposal = config_pb2.ProposeChange(
        change=config_pb2.Change(epoch=epoch(0, 4, OTHERS)), activation_height=world.height + 3
    )
    world.send(ADMIN, proposal)
    world.answer_all(world.refresh())
    world.end_block(3)
    assert (current(world), pending(world).epoch_id) == (2, 3)
    assert config.epoch(world.state, 3) == epoch(3, 4, OTHERS)


def test_disagreement_drops_it_and_its_id(world: World) -> None:
    """Two and two: agreement is impossible, the old epoch stays, the id is not given again."""
    request_id = world.refresh()
    entry = world.entry(request_id)
    balance = world.balance(GENERATOR.address)
    for party in (1, 2, 3, 4):
        message = generated(entry, party, party_key(party), "ab"[party % 2])
        world.send(party_account(party), message)
        if world.status(request_id).closed_height:
            break
    assert world.status(request_id).status == asc_pb2.STATUS_FAILED
    (dropped,) = [event for event in world.end_block() if event.type == "epoch_dropped"]
    assert dict(dropped.attributes)["epoch_id"] == "2"
    assert (current(world), config.pending_epoch(world.state)) == (1, None)
    assert world.material().epoch_id == 1
    assert world.balance(GENERATOR.address) == balance + 300
    assert world.entry(world.refresh()).next_epoch_id == 3


def test_a_deadline_drops_it(world: World) -> None:
    """Two of four answer in time; later answers change nothing."""
    request_id = world.refresh()
    entry = world.entry(request_id)
    for party in (1, 2):
        world.send(party_account(party), generated(entry, party, party_key(party)))
    world.end_block(entry.deadline_height - world.height)
    assert pending(world).request_id == request_id
    world.end_block()
    assert config.pending_epoch(world.state) is None
    assert world.status(request_id).status == asc_pb2.STATUS_EXPIRED
    world.send(party_account(3), generated(entry, 3, party_key(3)))
    world.end_block()
    assert current(world) == 1
    assert view(world).since_height == entry.deadline_height


def test_answers_at_the_deadline_height_count(world: World) -> None:
    """The height itself takes answers; its end decides which epoch it is."""
    request_id = world.refresh()
    world.end_block(world.entry(request_id).deadline_height - world.height)
    world.answer_all(request_id)
    world.end_block()
    assert current(world) == 2


def test_one_change_at_a_time(world: World) -> None:
    """Neither refresh nor rotation nor schedule during a refresh."""
    world.refresh()
    assert world.refuse(GENERATOR, REFRESH) is Reason.EPOCH_PENDING
    rotation = config_pb2.ProposeChange(
        change=config_pb2.Change(epoch=epoch(3, 4, OTHERS)), activation_height=world.height + 1
    )
    assert world.refuse(ADMIN, rotation) is Reason.EPOCH_PENDING
    world.change_parameters(refresh_interval_blocks=1)
    world.end_block(3)
    assert pending(world).epoch_id == 2


def test_a_rotation_that_meets_a_refresh_is_dropped(world: World) -> None:
    """With the reason in its record; it can be proposed again."""
    rotation = config_pb2.ProposeChange(
        change=config_pb2.Change(epoch=epoch(0, 4, OTHERS)), activation_height=world.height + 2
    )
    world.send(ADMIN, rotation)
    world.end_block()
    world.refresh()
    world.end_block()
    record = config.record(world.state, config.last_record(world.state))
    assert record is not None
    assert (record.outcome, record.reason) == (
        config_pb2.OUTCOME_DROPPED,
        int(Reason.EPOCH_PENDING),
    )
    assert pending(world).epoch_id == 2


def test_no_generation_while_one_is_pending(world: World) -> None:
    """What would be made belongs to an epoch that is about to end."""
    world.refresh()
    for message in (PREPROCESSING, DEALT):
        assert world.refuse(GENERATOR, message) is Reason.EPOCH_PENDING


def test_no_change_while_a_key_is_generated(world: World) -> None:
    """Its shares would be left behind; aborting it makes room."""
    (generation,) = world.send(GENERATOR, DEALT).ids
    assert world.refuse(GENERATOR, REFRESH) is Reason.GENERATION_OPEN
    rotation = config_pb2.ProposeChange(
        change=config_pb2.Change(epoch=epoch(2, 4, OTHERS)), activation_height=world.height + 1
    )
    assert world.refuse(ADMIN, rotation) is Reason.GENERATION_OPEN
    world.send(GENERATOR, asc_pb2.AbortGeneration(request_id=generation))
    world.refresh()


def test_preprocessing_ends_with_its_epoch(world: World) -> None:
    """Pending, it fails with a refund; finished, it is of no use; both say so."""
    (finished,) = world.send(GENERATOR, PREPROCESSING).ids
    world.answer_all(finished)
    change = world.refresh()
    balance = world.balance(GENERATOR.address)
    world.answer_all(change)
    world.end_block()
    asked = asc_pb2.RequestKeyGeneration(parameters="test", preprocessing_id=finished)
    assert world.refuse(GENERATOR, asked) is Reason.PREPROCESSING_MISMATCH
    (open_,) = world.send(GENERATOR, PREPROCESSING).ids
    change = world.refresh()
    balance = world.balance(GENERATOR.address)
    world.answer_all(change)
    world.end_block()
    status = world.status(open_)
    assert (status.status, status.failure) == (
        asc_pb2.STATUS_FAILED,
        asc_pb2.FAILURE_CODE_EPOCH_ENDED,
    )
    assert world.balance(GENERATOR.address) == balance + 2000


def test_the_schedule_counts_from_the_last_change(world: World) -> None:
    """Every so many blocks, by the chain itself, free; also after one that failed."""
    world.change_parameters(refresh_interval_blocks=8)
    while world.height < 8:
        assert config.pending_epoch(world.state) is None
        world.end_block()
    request_id = pending(world).request_id
    entry = world.entry(request_id)
    assert (entry.height, entry.price, entry.requester) == (8, 0, bytes(Address.LENGTH))
    assert [allowance.basis for allowance in entry.allowances] == [isc_pb2.BASIS_SCHEDULE]
    world.answer_all(request_id)
    world.end_block()
    assert (current(world), view(world).next_refresh_height) == (2, 16)
    world.end_block(7)
    assert (pending(world).epoch_id, world.height) == (3, 16)
    # Nobody answers: it is dropped, and tried again after the same time.
    world.end_block(21)
    assert (world.height, config.pending_epoch(world.state)) == (37, None)
    assert view(world).next_refresh_height == 36 + 8
    world.end_block(7)
    assert pending(world).epoch_id == 4


def test_the_schedule_waits_for_a_generation(world: World) -> None:
    """It begins with the block after the key is there, and moves that key too."""
    world.change_parameters(refresh_interval_blocks=3)
    (generation,) = world.send(GENERATOR, DEALT).ids
    world.end_block(5)
    assert config.pending_epoch(world.state) is None
    world.answer_all(generation)
    world.end_block()
    keys = list(world.entry(pending(world).request_id).key_ids)
    assert keys == sorted([world.key_id, generation])


def test_a_chain_without_keys_changes_at_once() -> None:
    """There is nothing to move, so nothing to refresh either."""
    world = World()
    assert world.refuse(GENERATOR, REFRESH) is Reason.NOTHING_TO_REFRESH
    world.change_parameters(refresh_interval_blocks=1)
    world.end_block(3)
    assert config.pending_epoch(world.state) is None
    world.configure(epoch=epoch(2, 4, OTHERS))
    assert (current(world), config.pending_epoch(world.state)) == (2, None)
    assert asc_state.last_sequence(world.state) == 0


def test_a_refresh_needs_the_role(world: World) -> None:
    """The schedule needs nobody, a person must be a generator."""
    for sender in (STRANGER, REQUESTER, ADMIN, party_account(1)):
        assert world.refuse(sender, REFRESH) is Reason.MISSING_ROLE


def test_two_answers_about_shares_are_evidence(world: World) -> None:
    """The record names the epoch whose key signed, and convicts by itself."""
    world.configure(epoch=epoch(2, 4, OTHERS))
    entry = world.entry(pending(world).request_id)
    account, key = party_account(OTHERS + 2), party_key(OTHERS + 2)
    world.send(account, generated(entry, 2, key, "a"))
    world.send(account, generated(entry, 2, key, "b"))
    record = asc_state.evidence_record(world.state, 1)
    assert record is not None
    assert (record.epoch_id, record.party) == (2, 2)
    assert record.verification_key == key.verification_key
    verify_equivocation(record, entry)


def test_an_answer_of_another_change_does_not_count(world: World) -> None:
    """What was signed for a failed try is nothing for the next one."""
    first = world.refresh()
    stale = generated(world.entry(first), 1, party_key(1))
    world.end_block(world.entry(first).deadline_height + 1 - world.height)
    second = world.refresh()
    stale.request_id = second
    assert world.refuse(party_account(1), stale) is Reason.BAD_RESULT_SIGNATURE


def test_keys_stay_apart_while_an_epoch_is_pending(world: World) -> None:
    """Nobody of the coming parties may get a role that a party must not hold."""
    world.configure(epoch=epoch(2, 4, OTHERS))
    grant = config_pb2.RoleChange(
        role=config_pb2.ROLE_ADMIN,
        account=party_account(OTHERS + 1).address.value,
        granted=True,
    )
    proposal = config_pb2.ProposeChange(
        change=config_pb2.Change(role=grant), activation_height=world.height + 1
    )
    assert world.refuse(ADMIN, proposal) is Reason.KEY_REUSED


@pytest.mark.parametrize("number", [1, 3, 99])
def test_a_wrong_id_is_refused(world: World, number: int) -> None:
    """Neither the present one nor one that leaves a gap."""
    proposal = config_pb2.ProposeChange(
        change=config_pb2.Change(epoch=epoch(number, 4, OTHERS)), activation_height=9
    )
    assert world.refuse(ADMIN, proposal) is Reason.EPOCH_INVALID
