"""Answers of the parties: who is heard, what is well-formed, what counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from asc import state as asc_state
from tests.asc.world import (
    DEADLINE,
    GENERATOR,
    INLINE_LIMIT,
    STRANGER,
    USER,
    World,
    epoch,
    failure,
    fulfil_crs,
    fulfil_key,
    fulfil_public,
    fulfil_user,
    handles,
    party_account,
    party_key,
    ready_world,
    sign_public,
    sign_user,
    user_payload,
)
from wire import eip712
from wire.digests import sha3_256
from wire.fhe import FheType
from wire.payload import UserPayload, build_payload
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.reasons import Reason


@pytest.fixture
def world() -> World:
    """World with an active key."""
    return ready_world()


@pytest.fixture
def public(world: World) -> asc_pb2.LogEntry:
    """An open public decryption of one euint8 and one ebool."""
    records = [world.register_public("a"), world.register_public("b", FheType.EBOOL)]
    return world.entry(world.open_public(*records))


@pytest.fixture
def user(world: World) -> asc_pb2.LogEntry:
    """An open user decryption of two ciphertexts."""
    records = [world.register_for(USER.address, name) for name in ("u", "v")]
    return world.entry(world.open_user(*records))


def test_public_decryption_agrees_at_t_plus_one(world: World, public: asc_pb2.LogEntry) -> None:
    """Life cycle: answers, agreement with one event, later answers, close with one event."""
    request_id = public.request_id
    world.send(party_account(3), fulfil_public(public, 3, 7, 1))
    assert world.status(request_id).status == asc_pb2.STATUS_PENDING
    world.end_block()
    message = fulfil_public(public, 1, 7, 1)
    decided = world.send(party_account(1), message).attributes("request_decided")
    canonical = eip712.public_decryption_digest(
        public.domain, handles(public), eip712.encode_plaintexts([(2, 7), (0, 1)])
    )
    assert (decided["status"], decided["digest"]) == ("STATUS_FULFILLED", canonical.hex())
    assert world.status(request_id) == asc_pb2.RequestStatus(
        request_id=request_id,
        sequence=public.sequence,
        status=asc_pb2.STATUS_FULFILLED,
        opened_height=1,
        decided_height=2,
        agreed_digest=canonical,
        answered=[1, 3],
        agreed=[1, 3],
        carries_payload=True,
    )
    assert asc_state.answer(world.state, request_id, 1) == asc_pb2.Answer(
        party=1, height=2, fulfil=message, canonical_digest=canonical
    )
    for index in (2, 4):
        world.send(party_account(index), fulfil_public(public, index, 7, 1))
    status = world.status(request_id)
    assert (list(status.agreed), status.closed_height) == ([1, 2, 3, 4], 2)
    assert world.count("request_decided", request_id) == 1
    assert world.count("request_closed", request_id) == 1
    assert world.count("request_answered", request_id) == 4


def test_user_decryption_is_decided_at_2t_plus_one(world: World, user: asc_pb2.LogEntry) -> None:
    """Different shares count together; the fourth is still stored."""
    for index in (4, 2):
        world.send(party_account(index), fulfil_user(user, index, bytes([index])))
        assert world.status(user.request_id).status == asc_pb2.STATUS_PENDING
    world.send(party_account(1), fulfil_user(user, 1, b"other"))
    status = world.status(user.request_id)
    assert status.status == asc_pb2.STATUS_FULFILLED
    link = eip712.linker_digest(
        user.domain, user.user_public_key, handles(user), USER.address.value
    )
    assert status.agreed_digest == sha3_256(link)
    world.send(party_account(3), fulfil_user(user, 3))
    assert asc_state.answer(world.state, user.request_id, 3) is not None
    assert world.status(user.request_id).closed_height == 1


def test_key_generation_needs_n_minus_t(world: World) -> None:
    """The key is active at the third equal answer, the fourth adds its signature; one event."""
    message = asc_pb2.RequestKeyGeneration(parameters="production", dealer=True)
    (request_id,) = world.send(GENERATOR, message).ids
    entry = world.entry(request_id)
    answers = {index: fulfil_key(entry, index) for index in (1, 2, 3, 4)}
    for index in (4, 2):
        world.send(party_account(index), answers[index])
    assert world.material(request_id).status == asc_pb2.KEY_STATUS_PENDING
    world.end_block()
    assert world.send(party_account(3), answers[3]).count("key_active") == 1
    expected = asc_pb2.MaterialRecord(
        id=request_id,
        status=asc_pb2.KEY_STATUS_ACTIVE,
        parameters="production",
        epoch_id=1,
        born_epoch_id=1,
        status_height=2,
        dealer=True,
        digests=answers[1].generation.digests,
        active_height=2,
        signatures=[
            asc_pb2.PartySignature(party=index, signature=answers[index].signature)
            for index in (2, 3, 4)
        ],
    )
    assert asc_state.material(world.state, asc_state.key_key(request_id)) == expected
    assert world.send(party_account(1), answers[1]).count("key_active") == 0
    expected.signatures.insert(0, asc_pb2.PartySignature(party=1, signature=answers[1].signature))
    assert asc_state.material(world.state, asc_state.key_key(request_id)) == expected


def test_crs_generation_makes_a_record(world: World) -> None:
    """Under the id of its request, naming its key."""
    message = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=256, dealer=True)
    (request_id,) = world.send(GENERATOR, message).ids
    entry = world.entry(request_id)
    for index in (1, 2, 3):
        receipt = world.send(party_account(index), fulfil_crs(entry, index))
        assert receipt.count("crs_active") == (index == 3)
    record = asc_state.material(world.state, asc_state.crs_key(request_id))
    assert record is not None
    assert (record.key_id, record.max_bits, record.parameters) == (world.key_id, 256, "test")
    assert [signature.party for signature in record.signatures] == [1, 2, 3]


def test_sizes_are_agreed_too(world: World) -> None:
    """Equal digests with another size do not count together: the record shows the agreed sizes."""
    message = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    (request_id,) = world.send(GENERATOR, message).ids
    entry = world.entry(request_id)
    world.send(party_account(1), fulfil_key(entry, 1, sizes=(10, 21)))
    for index in (2, 3):
        world.send(party_account(index), fulfil_key(entry, index))
    assert world.status(request_id).status == asc_pb2.STATUS_PENDING
    world.send(party_account(4), fulfil_key(entry, 4))
    record = asc_state.material(world.state, asc_state.key_key(request_id))
    assert record is not None
    assert [material.size for material in record.digests] == [10, 20]
    assert [signature.party for signature in record.signatures] == [2, 3, 4]


def test_a_single_party_decides_alone() -> None:
    """N = 1 and t = 0 run the same code: every kind is decided and closed by one answer."""
    world = ready_world(parties=1)
    entry = world.entry(world.open_public(world.register_public("a")))
    receipt = world.send(party_account(1), fulfil_public(entry, 1, 7))
    assert (receipt.count("request_decided"), receipt.count("request_closed")) == (1, 1)
    assert world.balance(party_account(1).address) == 1000 + 1100


def test_same_party_twice_does_not_count_twice(world: World, public: asc_pb2.LogEntry) -> None:
    """The same bytes again are accepted, change nothing and emit nothing."""
    message = fulfil_public(public, 1, 7, 1)
    world.send(party_account(1), message)
    before = dict(world.reader.values)
    assert world.send(party_account(1), message).events == ()
    assert world.send(party_account(1), message, message).events == ()
    assert world.reader.values == before


def test_same_answer_is_accepted_after_closing(world: World, public: asc_pb2.LogEntry) -> None:
    """A connector in doubt may send again; a batch does not fall because of it."""
    messages = {index: fulfil_public(public, index, 7, 1) for index in (1, 2, 3, 4)}
    for index, message in messages.items():
        world.send(party_account(index), message)
    before = dict(world.reader.values)
    assert world.send(party_account(2), messages[2]).events == ()
    world.end_block(20)
    assert world.send(party_account(2), messages[2]).events == ()
    assert {key for key in before if b"answer" in key} <= set(world.reader.values)


def test_two_different_answers_do_not_finish(world: World, public: asc_pb2.LogEntry) -> None:
    """Nor does a third different one; the fourth makes agreement with one of them."""
    for index in (1, 2, 3):
        world.send(party_account(index), fulfil_public(public, index, index, 1))
        assert world.status(public.request_id).status == asc_pb2.STATUS_PENDING
    world.send(party_account(4), fulfil_public(public, 4, 2, 1))
    status = world.status(public.request_id)
    assert (status.status, list(status.agreed)) == (asc_pb2.STATUS_FULFILLED, [2, 4])


def test_another_answer_is_a_conflict_once(world: World, public: asc_pb2.LogEntry) -> None:
    """Recorded as evidence with one event, without effect on agreement; more are refused."""
    world.send(party_account(1), fulfil_public(public, 1, 7, 1))
    world.end_block()
    other = fulfil_public(public, 1, 8, 1)
    assert world.send(party_account(1), other).count("request_conflict") == 1
    assert world.send(party_account(1), other).events == ()
    status = world.status(public.request_id)
    digest = eip712.public_decryption_digest(
        public.domain, handles(public), other.public_decryption.decrypted_result
    )
    assert list(status.conflicts) == [asc_pb2.Conflict(party=1, canonical_digest=digest, height=2)]
    assert list(status.answered) == [1]
    third = fulfil_public(public, 1, 9, 1)
    assert world.refuse(party_account(1), third) is Reason.RESULT_CONFLICT
    world.send(party_account(2), fulfil_public(public, 2, 8, 1))
    assert world.status(public.request_id).status == asc_pb2.STATUS_PENDING


def test_another_share_for_the_user_is_a_conflict(world: World, user: asc_pb2.LogEntry) -> None:
    """The canonical digest is equal, so the payload's digest is the evidence."""
    world.send(party_account(1), fulfil_user(user, 1, b"one"))
    other = fulfil_user(user, 1, b"two")
    world.send(party_account(1), other)
    (conflict,) = world.status(user.request_id).conflicts
    assert conflict.canonical_digest == other.user_decryption.payload_digest


def test_answer_after_failure_report_is_a_conflict(world: World, public: asc_pb2.LogEntry) -> None:
    """And a failure report after an answer as well; the first stands."""
    request_id = public.request_id
    world.send(party_account(1), failure(request_id, 1))
    assert world.send(party_account(1), failure(request_id, 1)).events == ()
    world.send(party_account(1), fulfil_public(public, 1, 7, 1))
    world.send(party_account(2), fulfil_public(public, 2, 7, 1))
    world.send(party_account(2), failure(request_id, 2))
    status = world.status(request_id)
    assert [conflict.party for conflict in status.conflicts] == [1, 2]
    assert (list(status.answered), list(status.failed)) == ([2], [1])


def test_late_answers_change_nothing(world: World, public: asc_pb2.LogEntry) -> None:
    """The deadline height still counts, the next one does not; the rest of a late batch has its effect."""
    world.end_block(DEADLINE)
    assert world.height == public.deadline_height
    world.send(party_account(1), fulfil_public(public, 1, 7, 1))
    world.end_block()
    before = dict(world.reader.values)
    late = (fulfil_public(public, 2, 7, 1), failure(public.request_id, 2))
    for message in late:
        assert world.send(party_account(2), message).events == ()
    assert world.reader.values == before
    for sender in (STRANGER, party_account(3)):
        assert world.refuse(sender, late[0]) is Reason.NOT_PARTY
    timely = world.entry(world.open_public(world.register_public("c")))
    receipt = world.send(party_account(2), *late, fulfil_public(timely, 2, 7))
    assert [event.type for event in receipt.events] == ["request_answered"]


def test_fifty_answers_in_one_transaction(world: World) -> None:
    """All of them land, one event each."""
    record = world.register_public("c")
    entries = [world.entry(world.open_public(record)) for _ in range(50)]
    receipt = world.send(party_account(2), *(fulfil_public(entry, 2, 7) for entry in entries))
    assert receipt.count("request_answered") == len(receipt.events) == 50
    for entry in entries:
        assert list(world.status(entry.request_id).answered) == [2]


def test_only_the_party_itself_is_heard(world: World, public: asc_pb2.LogEntry) -> None:
    """Strangers, other parties, unknown indices and the verification key's account are not."""
    message = fulfil_public(public, 1, 7, 1)
    for sender in (STRANGER, party_account(2), party_key(1)):
        assert world.refuse(sender, message) is Reason.NOT_PARTY
    for index in (0, 5):
        foreign = fulfil_public(public, 1, 7, 1)
        foreign.party = index
        assert world.refuse(party_account(1), foreign) is Reason.NOT_PARTY
    assert world.refuse(STRANGER, failure(public.request_id, 1)) is Reason.NOT_PARTY


def test_unknown_request(world: World, public: asc_pb2.LogEntry) -> None:
    """Also for a malformed id."""
    for request_id in (bytes(20), b"", b"x"):
        message = fulfil_public(public, 1, 7, 1)
        message.request_id = request_id
        assert world.refuse(party_account(1), message) is Reason.UNKNOWN_REQUEST
        assert world.refuse(party_account(1), failure(request_id, 1)) is Reason.UNKNOWN_REQUEST


def test_the_signature_is_the_partys(world: World, public: asc_pb2.LogEntry) -> None:
    """Another party's, another result's, none, and one of another application's domain fail."""
    good = fulfil_public(public, 1, 7, 1)
    foreign = asc_pb2.LogEntry()
    foreign.CopyFrom(public)
    foreign.domain.name = "elsewhere"
    for signature in (
        fulfil_public(public, 2, 7, 1).signature,
        fulfil_public(public, 1, 8, 1).signature,
        fulfil_public(foreign, 1, 7, 1).signature,
        b"",
        bytes(65),
    ):
        good.signature = signature
        assert world.refuse(party_account(1), good) is Reason.BAD_RESULT_SIGNATURE


def test_the_kind_is_the_requests(
    world: World, public: asc_pb2.LogEntry, user: asc_pb2.LogEntry
) -> None:
    """Another result, or none, is refused for every kind of request."""
    generation = world.entry(world.key_id)
    for entry, message in (
        (public, fulfil_user(user, 1)),
        (public, fulfil_key(public, 1)),
        (public, asc_pb2.Fulfil(party=1)),
        (user, fulfil_public(public, 1, 7, 1)),
        (generation, fulfil_public(public, 1, 7, 1)),
    ):
        message.request_id = entry.request_id
        assert world.refuse(party_account(1), message) is Reason.KIND_MISMATCH


@pytest.mark.parametrize(
    "result",
    [
        b"",
        bytes(32),
        bytes(63),
        bytes(96),
        (256).to_bytes(32, "big") + bytes(32),
        bytes(32) + (2).to_bytes(32, "big"),
    ],
)
def test_plaintexts_fit_their_types(world: World, public: asc_pb2.LogEntry, result: bytes) -> None:
    """One word each, inside the range of its type."""
    message = sign_public(public, 1, result)
    assert world.refuse(party_account(1), message) is Reason.BAD_RESULT


Alter = Callable[[asc_pb2.UserDecryptionResult], None]


def _set(name: str, value: bytes | int) -> Alter:
    def alter(result: asc_pb2.UserDecryptionResult) -> None:
        setattr(result, name, value)

    return alter


@pytest.mark.parametrize(
    "alter",
    [
        _set("payload_digest", bytes(32)),
        _set("payload_digest", b""),
        _set("payload_keccak", bytes(32)),
        _set("payload_keccak", bytes(31)),
        _set("payload_size", 1),
        _set("payload_size", 0),
    ],
)
def test_descriptions_of_an_inline_payload(
    world: World, user: asc_pb2.LogEntry, alter: Alter
) -> None:
    """Digest, keccak and size must be those of the bytes."""
    message = fulfil_user(user, 1)
    alter(message.user_decryption)
    assert world.refuse(party_account(1), message) is Reason.BAD_RESULT


@pytest.mark.parametrize(
    "alter",
    [
        lambda payload: replace(payload, link=bytes(32)),
        lambda payload: replace(payload, party=2),
        lambda payload: replace(payload, degree=2),
        lambda payload: replace(payload, verification_key=party_key(2).verification_key),
        lambda payload: replace(payload, shares=payload.shares[:1]),
        lambda payload: replace(payload, shares=payload.shares[::-1]),
        lambda payload: replace(
            payload, shares=(replace(payload.shares[0], fhe_type=3), payload.shares[1])
        ),
    ],
)
def test_contents_of_an_inline_payload(
    world: World, user: asc_pb2.LogEntry, alter: Callable[[UserPayload], UserPayload]
) -> None:
    """Link, party, degree, key, handles and types are the request's, signature or not."""
    message = sign_user(user, 1, build_payload(alter(user_payload(user, 1))))
    assert world.refuse(party_account(1), message) is Reason.BAD_RESULT


def test_an_inline_payload_parses(world: World, user: asc_pb2.LogEntry) -> None:
    """Trailing and missing bytes are refused."""
    payload = build_payload(user_payload(user, 1))
    for broken in (payload + b"\0", payload[:-1], b"x"):
        message = sign_user(user, 1, broken)
        assert world.refuse(party_account(1), message) is Reason.BAD_RESULT


def test_large_payloads_go_to_storage(world: World, user: asc_pb2.LogEntry) -> None:
    """Refused inline above the limit, accepted by digest, bounded there too."""
    payload = build_payload(user_payload(user, 1, bytes(INLINE_LIMIT)))
    inline = sign_user(user, 1, payload)
    assert world.refuse(party_account(1), inline) is Reason.BAD_RESULT
    stored = sign_user(user, 1, payload, inline=False)
    stored.user_decryption.payload_size = (1 << 20) + 1
    assert world.refuse(party_account(1), stored) is Reason.BAD_RESULT
    stored.user_decryption.payload_size = len(payload)
    world.send(party_account(1), stored)
    assert list(world.status(user.request_id).answered) == [1]


def test_a_stored_payload_is_signed(world: World, user: asc_pb2.LogEntry) -> None:
    """The signature covers its keccak digest."""
    message = sign_user(user, 1, b"stored", inline=False)
    message.user_decryption.payload_keccak = bytes(32)
    assert world.refuse(party_account(1), message) is Reason.BAD_RESULT_SIGNATURE


@pytest.mark.parametrize(
    "digests",
    [
        [],
        [("public-key", bytes(32), 1)],
        [("crs", bytes(32), 1)],
        [("public-key", bytes(32), 1), ("public-key", bytes(32), 1)],
        [("public-key", bytes(32), 1), ("server-key", bytes(32), 1), ("crs", bytes(32), 1)],
        [("public-key", bytes(31), 1), ("server-key", bytes(32), 1)],
        [("public-key", bytes(32), 0), ("server-key", bytes(32), 1)],
    ],
)
def test_materials_are_complete(world: World, digests: list[tuple[str, bytes, int]]) -> None:
    """Exactly the kinds that a key has, each with digest and size."""
    message = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    (request_id,) = world.send(GENERATOR, message).ids
    answer = fulfil_key(world.entry(request_id), 1)
    del answer.generation.digests[:]
    for kind, digest, size in digests:
        answer.generation.digests.add(kind=kind, digest=digest, size=size)
    answer.generation.SetInParent()
    assert world.refuse(party_account(1), answer) is Reason.BAD_RESULT


@pytest.mark.parametrize("code", [0, 99])
def test_failure_codes_are_known(world: World, public: asc_pb2.LogEntry, code: int) -> None:
    """Unspecified and unknown codes are refused."""
    message = asc_pb2.ReportFailure(request_id=public.request_id, party=1)
    message.MergeFromString(b"\x18" + bytes([code]))
    assert world.refuse(party_account(1), message) is Reason.BAD_RESULT


def test_the_pinned_epoch_decides(world: World, public: asc_pb2.LogEntry) -> None:
    """A change of parties and thresholds mid-request is ignored: the old parties answer, not the new."""
    world.change_epoch(epoch(number=2, parties=1, label_offset=10), offset=10)
    stranger = fulfil_public(public, 1, 7, 1)
    assert world.refuse(party_account(11), stranger) is Reason.NOT_PARTY
    world.send(party_account(1), fulfil_public(public, 1, 7, 1))
    assert world.status(public.request_id).status == asc_pb2.STATUS_PENDING
    world.send(party_account(2), fulfil_public(public, 2, 7, 1))
    assert world.status(public.request_id).status == asc_pb2.STATUS_FULFILLED
    later = world.entry(world.open_public(world.register_public("later")))
    assert (later.epoch_id, later.parties, later.threshold) == (2, 1, 0)
    assert world.refuse(party_account(1), fulfil_public(later, 1, 7)) is Reason.NOT_PARTY
