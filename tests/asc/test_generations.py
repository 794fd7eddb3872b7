"""Preprocessing, keys made together, aborting, and reports of progress."""

from __future__ import annotations

from typing import Any

import pytest

from asc import state as asc_state
from asc.progress import INTERVAL_BLOCKS
from tests.asc.world import (
    ADMIN,
    GENERATOR,
    STRANGER,
    World,
    party_account,
    party_key,
    ready_world,
)
from tests.support.generated import generated
from wire import eip712
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason
from wire.signing import recover_address

TEST = asc_pb2.RequestPreprocessing(parameters="test")


def preprocessed(world: World, parameters: str = "test") -> bytes:
    """Id of a finished preprocessing."""
    message = asc_pb2.RequestPreprocessing(parameters=parameters)
    (request_id,) = world.send(GENERATOR, message).ids
    world.answer_all(request_id)
    return request_id


def key_of(preprocessing: bytes, parameters: str = "test") -> asc_pb2.RequestKeyGeneration:
    """A key that no core deals."""
    return asc_pb2.RequestKeyGeneration(parameters=parameters, preprocessing_id=preprocessing)


def record_of(world: World, preprocessing: bytes) -> asc_pb2.MaterialRecord:
    """Record of a preprocessing."""
    found = asc_state.material(world.state, asc_state.preprocessing_key(preprocessing))
    assert found is not None
    return found


def test_a_key_of_a_preprocessing() -> None:
    """Both need n - t equal answers; the record names what it was made of, three materials and no dealer."""
    world = World()
    preprocessing = preprocessed(world)
    assert record_of(world, preprocessing).status == asc_pb2.KEY_STATUS_ACTIVE
    (key_id,) = world.send(GENERATOR, key_of(preprocessing)).ids
    entry = world.entry(key_id)
    assert (entry.preprocessing_id, entry.dealer) == (preprocessing, False)
    for party in (1, 2, 3):
        assert world.material(key_id).status == asc_pb2.KEY_STATUS_PENDING
        world.send(party_account(party), generated(entry, party, party_key(party)))
    record = world.material(key_id)
    assert (record.status, record.preprocessing_id, record.dealer) == (
        asc_pb2.KEY_STATUS_ACTIVE,
        preprocessing,
        False,
    )
    assert [entry.kind for entry in record.digests] == ["public-key", "server-key", "check"]
    taken = record_of(world, preprocessing)
    assert (taken.status, taken.consumed_by) == (asc_pb2.KEY_STATUS_CONSUMED, key_id)


def test_the_signed_struct_names_the_requested_ids() -> None:
    """Neither a placeholder for the preprocessing nor that of another key is accepted."""
    world = World()
    preprocessing, other = preprocessed(world), preprocessed(world)
    (key_id,) = world.send(GENERATOR, key_of(preprocessing)).ids
    entry = world.entry(key_id)
    answer = generated(entry, 1, party_key(1))
    digests = [(material.kind, material.digest) for material in answer.generation.digests]
    for wrong in (b"", b"\1", other):
        signed = eip712.keygen_digest(entry.domain, key_id, digests, wrong)
        answer.signature = party_key(1).sign_digest(signed)
        assert world.refuse(party_account(1), answer) is Reason.BAD_RESULT_SIGNATURE
    signed = eip712.keygen_digest(entry.domain, key_id, digests, preprocessing)
    answer.signature = party_key(1).sign_digest(signed)
    assert recover_address(signed, answer.signature) == party_key(1).address
    world.send(party_account(1), answer)


def test_a_preprocessing_makes_one_key() -> None:
    """Whether the first generation is pending, was aborted, or expired."""
    world = World()
    preprocessing = preprocessed(world)
    (first,) = world.send(GENERATOR, key_of(preprocessing)).ids
    assert world.refuse(GENERATOR, key_of(preprocessing)) is Reason.PREPROCESSING_CONSUMED
    world.send(GENERATOR, asc_pb2.AbortGeneration(request_id=first))
    assert world.refuse(GENERATOR, key_of(preprocessing)) is Reason.PREPROCESSING_CONSUMED
    second = preprocessed(world)
    (expired,) = world.send(GENERATOR, key_of(second)).ids
    world.end_block(world.entry(expired).deadline_height + 1 - world.height)
    assert asc_state.material(world.state, asc_state.key_key(expired)) is None
    assert world.refuse(GENERATOR, key_of(second)) is Reason.PREPROCESSING_CONSUMED


def test_two_keys_in_one_transaction_cannot_share_one() -> None:
    """The second message sees what the first one took; both are refused together."""
    world = World()
    preprocessing = preprocessed(world)
    twice = [key_of(preprocessing), key_of(preprocessing)]
    assert world.refuse(GENERATOR, *twice) is Reason.PREPROCESSING_CONSUMED
    assert record_of(world, preprocessing).consumed_by == b""


def test_wrong_preprocessings_are_refused() -> None:
    """Unknown, unfinished, of other parameters, another request's id, beside a dealer."""
    world = ready_world()
    preprocessing = preprocessed(world, "production")
    (open_,) = world.send(GENERATOR, TEST).ids
    for wrong in (b"", bytes(20), open_, world.key_id):
        assert world.refuse(GENERATOR, key_of(wrong)) is Reason.UNKNOWN_PREPROCESSING
    assert world.refuse(GENERATOR, key_of(preprocessing)) is Reason.PREPROCESSING_MISMATCH
    dealt = key_of(preprocessing, "production")
    dealt.dealer = True
    assert world.refuse(GENERATOR, dealt) is Reason.PREPROCESSING_MISMATCH


@pytest.mark.parametrize(
    "message",
    [
        TEST,
        key_of(b"\1" * 20),
        asc_pb2.RequestCrsGeneration(max_bits=64),
        asc_pb2.AbortGeneration(request_id=b"\1" * 20),
        asc_pb2.RequestRefresh(),
    ],
)
def test_generating_needs_the_role(message: Any) -> None:
    """Before anything else is looked at."""
    world = World()
    for sender in (STRANGER, ADMIN, party_account(1)):
        assert world.refuse(sender, message) is Reason.MISSING_ROLE


def test_parameters_must_be_allowed() -> None:
    """By Config's list, for preprocessing as for keys."""
    world = World()
    for name in ("production-64", "", "toy"):
        message = asc_pb2.RequestPreprocessing(parameters=name)
        assert world.refuse(GENERATOR, message) is Reason.UNKNOWN_PARAMETERS


def test_materials_are_those_of_the_kind() -> None:
    """A key made together has a check ciphertext; a preprocessing is nothing but its digest."""
    world = World()
    (request_id,) = world.send(GENERATOR, TEST).ids
    answer = generated(world.entry(request_id), 1, party_key(1))
    answer.generation.digests[0].kind = "resharing"
    assert world.refuse(party_account(1), answer) is Reason.BAD_RESULT
    world.answer_all(request_id)
    (key_id,) = world.send(GENERATOR, key_of(request_id)).ids
    answer = generated(world.entry(key_id), 1, party_key(1))
    del answer.generation.digests[2]
    assert world.refuse(party_account(1), answer) is Reason.BAD_RESULT


def test_aborting_gives_the_price_back() -> None:
    """Once, for generations that are pending; answers that come later change nothing."""
    world = ready_world()
    before = world.balance(GENERATOR.address)
    (request_id,) = world.send(GENERATOR, TEST).ids
    abort = asc_pb2.AbortGeneration(request_id=request_id)
    assert world.send(GENERATOR, abort).count("request_closed") == 1
    status = world.status(request_id)
    assert (status.status, status.failure) == (asc_pb2.STATUS_FAILED, asc_pb2.FAILURE_CODE_ABORTED)
    assert world.balance(GENERATOR.address) == before
    assert world.refuse(GENERATOR, abort) is Reason.REQUEST_DECIDED
    world.answer_all(request_id)
    key = asc_state.preprocessing_key(request_id)
    assert asc_state.material(world.state, key) is None
    assert asc_state.generating(world.state) == []


def test_only_generations_are_aborted() -> None:
    """Neither a decryption nor a refresh nor what is not there."""
    world = ready_world()
    decryption = world.open_public(world.register_public("a"))
    refresh = world.refresh()
    for request_id in (decryption, refresh):
        abort = asc_pb2.AbortGeneration(request_id=request_id)
        assert world.refuse(GENERATOR, abort) is Reason.KIND_MISMATCH
    abort = asc_pb2.AbortGeneration(request_id=bytes(20))
    assert world.refuse(GENERATOR, abort) is Reason.UNKNOWN_REQUEST


def test_parties_cannot_report_the_chains_own_failures() -> None:
    """Aborted and ended epochs are facts of the chain."""
    world = World()
    (request_id,) = world.send(GENERATOR, TEST).ids
    for code in (asc_pb2.FAILURE_CODE_ABORTED, asc_pb2.FAILURE_CODE_EPOCH_ENDED):
        report = asc_pb2.ReportFailure(request_id=request_id, party=1, code=code)
        assert world.refuse(party_account(1), report) is Reason.BAD_RESULT


def progress(request_id: bytes, phase: str = "bits", done: int = 1) -> asc_pb2.ReportProgress:
    """Party 1 has done so much of 10."""
    return asc_pb2.ReportProgress(request_id=request_id, party=1, phase=phase, done=done, total=10)


def reports(world: World, request_id: bytes) -> list[asc_pb2.Progress]:
    """Answer of /asc/progress."""
    return list(world.query("/asc/progress", request_id, state_pb2.ProgressList).progress)


def test_progress_is_kept_while_the_request_is_open() -> None:
    """The last report of each party; gone with the close."""
    world = World()
    (request_id,) = world.send(GENERATOR, TEST).ids
    assert world.send(party_account(1), progress(request_id)).count("request_progress") == 1
    expected = asc_pb2.Progress(party=1, phase="bits", done=1, total=10, height=1)
    assert reports(world, request_id) == [expected]
    world.answer_all(request_id)
    assert world.status(request_id).closed_height
    assert reports(world, request_id) == []
    assert world.send(party_account(1), progress(request_id)).events == ()
    assert reports(world, request_id) == []


def test_progress_is_limited_without_an_error() -> None:
    """A new phase with the next block, the same one after some: reports travel with answers."""
    world = World()
    (request_id,) = world.send(GENERATOR, TEST).ids
    world.send(party_account(1), progress(request_id))
    assert world.send(party_account(1), progress(request_id, "triples", 0)).events == ()
    world.end_block()
    assert world.send(party_account(1), progress(request_id, "bits", 2)).events == ()
    assert world.send(party_account(1), progress(request_id, "triples", 0)).count(
        "request_progress"
    )
    world.end_block(INTERVAL_BLOCKS - 1)
    assert world.send(party_account(1), progress(request_id, "triples", 1)).events == ()
    world.end_block()
    assert world.send(party_account(1), progress(request_id, "triples", 2)).events != ()
    assert [(each.phase, each.done) for each in reports(world, request_id)] == [("triples", 2)]


def test_wrong_progress_is_refused() -> None:
    """Of nobody, about a decryption, with a phase or numbers that are none."""
    world = ready_world()
    decryption = world.open_public(world.register_public("a"))
    (request_id,) = world.send(GENERATOR, TEST).ids
    assert world.refuse(party_account(2), progress(request_id)) is Reason.NOT_PARTY
    assert world.refuse(party_account(1), progress(bytes(20))) is Reason.UNKNOWN_REQUEST
    assert world.refuse(party_account(1), progress(decryption)) is Reason.KIND_MISMATCH
    for phase in ("", "Bits", "two words", "a" * 33, "-", "a--b", "bits\n", "é"):
        message = progress(request_id, phase)
        assert world.refuse(party_account(1), message) is Reason.BAD_PROGRESS
    message = progress(request_id, done=11)
    assert world.refuse(party_account(1), message) is Reason.BAD_PROGRESS


def test_progress_has_no_effect_on_the_request() -> None:
    """Status and answers are what they were."""
    world = World()
    (request_id,) = world.send(GENERATOR, TEST).ids
    before = world.status(request_id)
    world.send(party_account(1), progress(request_id, "done", 10))
    assert world.status(request_id) == before


def test_progress_of_an_epoch_change_is_of_the_new_parties() -> None:
    """They count, so they report."""
    world = ready_world()
    request_id = world.refresh()
    world.send(party_account(1), progress(request_id, "resharing"))
    assert [each.party for each in reports(world, request_id)] == [1]
