"""How requests end: failure, expiry, payment, accusations and pruning."""

from __future__ import annotations

import pytest

from asc import state as asc_state
from tests.asc.world import (
    DEADLINE,
    GENERATION_DEADLINE,
    GENERATOR,
    REQUESTER,
    RETENTION,
    START_BALANCE,
    STRANGER,
    USER,
    World,
    failure,
    fulfil_key,
    fulfil_public,
    fulfil_user,
    party_account,
    prices,
    ready_world,
    signer,
)
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.reasons import Reason

PRICE = 1100
PARTIES = (1, 2, 3, 4)
UNAVAILABLE = asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE
MALFORMED = asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED


@pytest.fixture
def world() -> World:
    """World with an active key."""
    return ready_world()


def open_public(world: World, name: str = "a") -> asc_pb2.LogEntry:
    """An open public decryption of one euint8, price 1100."""
    entry = world.entry(world.open_public(world.register_public(name)))
    assert entry.price == PRICE
    return entry


def earned(world: World) -> list[int]:
    """Balances of the parties less what the key generation paid (250 each)."""
    return [world.balance(party_account(index).address) - 250 for index in PARTIES]


def test_expiry_refunds(world: World) -> None:
    """Without agreement the price goes back at the end of the deadline height; one event each."""
    entry = open_public(world)
    world.send(party_account(1), fulfil_public(entry, 1, 7))
    assert world.end_block(DEADLINE) == ()
    assert world.balance(REQUESTER.address) == START_BALANCE - PRICE
    events = [event.type for event in world.end_block()]
    assert events == ["request_decided", "request_closed"]
    status = world.status(entry.request_id)
    assert (status.status, status.decided_height, status.closed_height) == (
        asc_pb2.STATUS_EXPIRED,
        entry.deadline_height,
        entry.deadline_height,
    )
    assert world.balance(REQUESTER.address) == START_BALANCE
    assert earned(world) == [0, 0, 0, 0]
    assert [event.type for event in world.end_block(50)] == []


def test_generation_expires_at_its_own_deadline() -> None:
    """Later than a decryption."""
    world = World()
    (request_id,) = world.send(
        GENERATOR, asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    ).ids
    world.end_block(GENERATION_DEADLINE)
    assert world.status(request_id).status == asc_pb2.STATUS_PENDING
    world.end_block()
    assert world.status(request_id).status == asc_pb2.STATUS_EXPIRED
    assert world.balance(GENERATOR.address) == START_BALANCE


def test_payment_when_all_answered(world: World) -> None:
    """An equal split at the last answer, not before."""
    entry = open_public(world)
    for index in (1, 2, 3):
        world.send(party_account(index), fulfil_public(entry, index, 7))
    assert earned(world) == [0, 0, 0, 0]
    closed = world.send(party_account(4), fulfil_public(entry, 4, 7)).attributes("request_closed")
    assert (closed["paid"], closed["refunded"]) == (str(PRICE), "0")
    assert earned(world) == [275, 275, 275, 275]
    assert world.end_block(50) == ()


def test_payment_at_the_deadline(world: World) -> None:
    """Agreement without all answers is paid at the deadline; remainder to the lowest index."""
    entry = open_public(world)
    for index in (4, 2, 3):
        world.send(party_account(index), fulfil_public(entry, index, 7))
    world.end_block(DEADLINE)
    assert earned(world) == [0, 0, 0, 0]
    events = world.end_block()
    assert [event.type for event in events] == ["request_closed"]
    assert earned(world) == [0, 368, 366, 366]
    assert world.balance(REQUESTER.address) == START_BALANCE - PRICE


def test_the_relayer_has_its_share(world: World) -> None:
    """Fixed with the price, paid at closing before the parties split the rest."""
    relayer = signer("relayer").address
    record = world.register_public("a")
    entry = world.entry(world.open_public(record, relayer=relayer.value))
    assert (entry.relayer, entry.relayer_units) == (relayer.value, 137)
    raised = prices()
    raised.relayer_permille = 1000
    world.configure(prices=raised)
    for index in (4, 2, 3):
        world.send(party_account(index), fulfil_public(entry, index, 7))
    assert world.balance(relayer) == 0
    closed = world.send(party_account(1), failure(entry.request_id, 1)).attributes("request_closed")
    assert (closed["paid"], closed["relayer_units"], closed["refunded"]) == ("1100", "137", "0")
    assert world.balance(relayer) == 137
    assert earned(world) == [0, 321, 321, 321]
    dear = world.entry(world.open_public(record, relayer=relayer.value))
    for index in PARTIES:
        world.send(party_account(index), fulfil_public(dear, index, 7))
    assert world.balance(relayer) == 137 + PRICE
    assert earned(world) == [0, 321, 321, 321]


def test_a_relayer_earns_nothing_without_fulfilment(world: World) -> None:
    """Expiry and failure give the whole price back; a party may be the relayer."""
    record = world.register_public("a")
    account = party_account(2).address
    entries = [world.entry(world.open_public(record, relayer=account.value)) for _ in range(3)]
    for index in (1, 2):
        world.send(party_account(index), failure(entries[0].request_id, index))
    for index in PARTIES:
        world.send(party_account(index), fulfil_public(entries[1], index, 7))
    world.end_block(DEADLINE + 1)
    assert earned(world) == [243, 240 + 137, 240, 240]
    assert world.balance(REQUESTER.address) == START_BALANCE - PRICE


def test_a_relayer_is_an_account(world: World) -> None:
    """20 bytes or none, in both kinds of decryption."""
    public, private = world.register_public("a"), world.register_for(USER.address, "u")
    for relayer in (b"x", bytes(19), bytes(21)):
        message = world.public_request(public, relayer=relayer)
        assert world.refuse(REQUESTER, message) is Reason.BAD_ADDRESS
        user = world.user_request(private)
        user.relayer = relayer
        assert world.refuse(REQUESTER, user) is Reason.BAD_ADDRESS
    user.relayer = bytes(range(20))
    entry = world.entry(world.send(REQUESTER, user).ids[0])
    # 2200 units an 1/8.
    assert (entry.relayer, entry.relayer_units) == (bytes(range(20)), 275)


def test_who_disagreed_or_failed_earns_nothing(world: World) -> None:
    """The price is split among those who agreed."""
    entry = open_public(world)
    world.send(party_account(1), fulfil_public(entry, 1, 8))
    world.send(party_account(2), fulfil_public(entry, 2, 7))
    world.send(party_account(3), failure(entry.request_id, 3))
    world.send(party_account(4), fulfil_public(entry, 4, 7))
    assert earned(world) == [0, 550, 0, 550]
    status = world.status(entry.request_id)
    assert (list(status.answered), list(status.failed)) == ([1, 2, 4], [3])
    assert status.status == asc_pb2.STATUS_FULFILLED


def test_t_plus_one_failures_end_a_request(world: World) -> None:
    """At least one honest party failed: refund at once, one event, most reported code."""
    entry = open_public(world)
    world.send(party_account(1), failure(entry.request_id, 1, MALFORMED))
    assert world.status(entry.request_id).status == asc_pb2.STATUS_PENDING
    receipt = world.send(party_account(2), failure(entry.request_id, 2, MALFORMED))
    assert (receipt.count("request_decided"), receipt.count("request_closed")) == (1, 1)
    status = world.status(entry.request_id)
    assert (status.status, status.failure) == (asc_pb2.STATUS_FAILED, MALFORMED)
    assert world.balance(REQUESTER.address) == START_BALANCE
    assert world.send(party_account(3), fulfil_public(entry, 3, 7)).events == ()
    assert world.end_block(50) == ()
    assert world.count("request_decided", entry.request_id) == 1


def test_impossible_agreement_ends_a_request(world: World) -> None:
    """Two keys against one: with one party left three equal answers are out of reach."""
    (request_id,) = world.send(
        GENERATOR, asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    ).ids
    entry = world.entry(request_id)
    before = world.balance(GENERATOR.address)
    for index, content in ((1, "one"), (2, "two")):
        world.send(party_account(index), fulfil_key(entry, index, content))
    assert world.status(request_id).status == asc_pb2.STATUS_PENDING
    world.send(party_account(3), fulfil_key(entry, 3, "three"))
    status = world.status(request_id)
    assert (status.status, status.failure) == (
        asc_pb2.STATUS_FAILED,
        asc_pb2.FAILURE_CODE_UNSPECIFIED,
    )
    assert world.balance(GENERATOR.address) == before + 1000
    assert asc_state.material(world.state, asc_state.key_key(request_id)) is None


def test_four_different_plaintexts_fail(world: World) -> None:
    """No two parties agree, so nobody is believed."""
    entry = open_public(world)
    for index in PARTIES:
        world.send(party_account(index), fulfil_public(entry, index, index))
    assert world.status(entry.request_id).status == asc_pb2.STATUS_FAILED
    assert world.balance(REQUESTER.address) == START_BALANCE


def test_failures_after_agreement_do_not_undo_it(world: World) -> None:
    """Two agreed, two fail: fulfilled, closed, paid."""
    entry = open_public(world)
    for index in (1, 2):
        world.send(party_account(index), fulfil_public(entry, index, 7))
    for index in (3, 4):
        world.send(party_account(index), failure(entry.request_id, index))
    status = world.status(entry.request_id)
    assert (status.status, status.closed_height) == (asc_pb2.STATUS_FULFILLED, 1)
    assert earned(world) == [550, 550, 0, 0]


def test_only_what_is_due_expires(world: World) -> None:
    """Each request ends at its own height."""
    first = open_public(world, "a")
    world.end_block(2)
    second = open_public(world, "b")
    world.end_block(DEADLINE - 1)
    assert world.status(first.request_id).status == asc_pb2.STATUS_EXPIRED
    assert world.status(second.request_id).status == asc_pb2.STATUS_PENDING
    world.end_block(2)
    assert world.status(second.request_id).status == asc_pb2.STATUS_EXPIRED
    assert list(world.reader.iterate(b"~asc/deadline/")) == []


def accuse(entry: asc_pb2.LogEntry, party: int, *accused: int) -> asc_pb2.Accuse:
    """Accusation by a party."""
    return asc_pb2.Accuse(request_id=entry.request_id, party=party, accused=accused)


def test_t_plus_one_accusers_prove(world: World) -> None:
    """One event at the second accuser; none for repeats and further ones; also after closing."""
    entry = open_public(world)
    for index in PARTIES:
        world.send(party_account(index), fulfil_public(entry, index, 7))
    assert world.send(party_account(3), accuse(entry, 3, 4, 2)).events == ()
    assert world.send(party_account(3), accuse(entry, 3, 4)).events == ()
    receipt = world.send(party_account(1), accuse(entry, 1, 4))
    assert receipt.attributes("party_accused") == {
        "request_id": entry.request_id.hex(),
        "epoch_id": "1",
        "party": "4",
        "accusers": "2",
    }
    assert world.send(party_account(2), accuse(entry, 2, 4)).events == ()
    assert list(world.status(entry.request_id).accusations) == [
        asc_pb2.Accusation(accused=2, accusers=[3]),
        asc_pb2.Accusation(accused=4, accusers=[1, 2, 3]),
    ]


def test_malformed_accusations(world: World) -> None:
    """Nobody, oneself, strangers and repeats cannot be accused; strangers cannot accuse."""
    entry = open_public(world)
    for accused in ((), (1,), (0,), (5,), (2, 2)):
        message = accuse(entry, 1, *accused)
        assert world.refuse(party_account(1), message) is Reason.BAD_ACCUSATION
    assert world.refuse(STRANGER, accuse(entry, 1, 2)) is Reason.NOT_PARTY
    entry.request_id = bytes(20)
    assert world.refuse(party_account(1), accuse(entry, 1, 2)) is Reason.UNKNOWN_REQUEST


def test_pruning_drops_payloads_only(world: World) -> None:
    """After retention the status, digests and signatures are the same and the bytes are gone."""
    public = open_public(world)
    user = world.entry(world.open_user(world.register_for(USER.address, "u")))
    for index in PARTIES:
        world.send(party_account(index), fulfil_public(public, index, 7))
        world.send(party_account(index), fulfil_user(user, index))
    both = (public.request_id, user.request_id)
    statuses = [world.status(request_id) for request_id in both]
    kept = [asc_state.answers(world.state, request_id) for request_id in both]
    world.end_block(RETENTION)
    assert [asc_state.answers(world.state, request_id) for request_id in both] == kept
    world.end_block()
    assert [world.status(request_id) for request_id in both] == statuses
    for answer in kept[0]:
        answer.fulfil.public_decryption.decrypted_result = b""
    for answer in kept[1]:
        answer.fulfil.user_decryption.payload = b""
    assert [asc_state.answers(world.state, request_id) for request_id in both] == kept
    assert list(world.reader.iterate(b"~asc/prune/")) == []
    for entry in (public, user):
        assert world.entry(entry.request_id) == entry


def test_pruning_keeps_failures_and_keys(world: World) -> None:
    """A failed request and a generation have nothing to drop."""
    entry = open_public(world)
    for index in (1, 2):
        world.send(party_account(index), failure(entry.request_id, index, UNAVAILABLE))
    kept = asc_state.answers(world.state, entry.request_id)
    key_answers = asc_state.answers(world.state, world.key_id)
    world.end_block(RETENTION + 1)
    assert asc_state.answers(world.state, entry.request_id) == kept
    assert asc_state.answers(world.state, world.key_id) == key_answers


def test_no_retention_prunes_at_the_next_height(world: World) -> None:
    """Zero blocks still leave the closing height readable."""
    world.change_parameters(retention_blocks=0)
    entry = open_public(world)
    for index in PARTIES:
        world.send(party_account(index), fulfil_public(entry, index, 7))
    world.end_block()
    (first, *_) = asc_state.answers(world.state, entry.request_id)
    assert first.fulfil.public_decryption.decrypted_result
    world.end_block()
    (first, *_) = asc_state.answers(world.state, entry.request_id)
    assert not first.fulfil.public_decryption.decrypted_result
