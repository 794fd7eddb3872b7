"""What each kind of request must prove besides its entry."""

import copy
from pathlib import Path

import pytest

from core.errors import Refusal
from core.journal import ACCEPTED
from tests.core.test_authorize import KEY_ID, Scene, refused
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

PREPROCESSING_ID = bytes([5] * 20)
OTHER_KEY = bytes([6] * 20)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Everything for one submission."""
    return Scene(tmp_path)


def submission(scene: Scene, kind: asc_pb2.RequestKind, **fields: object) -> core_pb2.SubmitRequest:
    """A logged request of a kind."""
    scene.entry = scene.chain.entry(kind, scene.epoch, **fields)
    scene.chain.log(scene.entry)
    scene.chain.commit()
    return scene.chain.submission(scene.entry)


def key(scene: Scene, status: asc_pb2.KeyStatus, key_id: bytes = KEY_ID) -> None:
    """Put a key's record."""
    scene.chain.set_key(
        asc_pb2.MaterialRecord(id=key_id, status=status, parameters="test", epoch_id=1)
    )


def change(scene: Scene, **fields: object) -> core_pb2.SubmitRequest:
    """A change to epoch 2 of the same parties."""
    following = copy.deepcopy(scene.epoch)
    following.id = 2
    scene.chain.set_epoch(following)
    given = {"key_ids": [KEY_ID], "next_epoch_id": 2, **fields}
    return submission(scene, asc_pb2.REQUEST_KIND_EPOCH_CHANGE, **given)


def test_preprocessing_needs_no_key(scene: Scene) -> None:
    """Parameters are in the entry."""
    request = submission(scene, asc_pb2.REQUEST_KIND_PREPROCESSING, parameters="test")
    verdict = scene.authorizer.authorize(request)
    assert verdict.permission is not None
    assert verdict.permission.parameters == "test"


@pytest.mark.parametrize(
    "wrong", [{}, {"consumed_by": bytes(20)}, {"parameters": "production"}, {"epoch_id": 2}]
)
def test_a_generation_takes_the_preprocessing_that_the_chain_gave_it(
    scene: Scene, wrong: dict[str, object]
) -> None:
    """Another generation's, another set's, another epoch's, and no proof at all are refused."""
    entry = scene.chain.entry(
        asc_pb2.REQUEST_KIND_KEY_GENERATION,
        scene.epoch,
        parameters="test",
        preprocessing_id=PREPROCESSING_ID,
    )
    right = {"consumed_by": entry.request_id, "parameters": "test", "epoch_id": 1}
    record = asc_pb2.MaterialRecord(id=PREPROCESSING_ID, **{**right, **wrong})
    scene.chain.put(b"asc/preprocessing/" + PREPROCESSING_ID, record.SerializeToString())
    scene.chain.log(entry)
    scene.chain.commit()
    request = scene.chain.submission(entry)
    if wrong:
        assert refused(scene, request) is Refusal.KEY
        return
    proven = list(request.more)
    del request.more[:]
    assert refused(scene, request) is Refusal.PROOF
    request.more.extend(proven)
    assert scene.authorizer.authorize(request).state == ACCEPTED


def test_a_change_proves_its_next_epoch_and_its_keys(scene: Scene) -> None:
    """Each missing or altered proof is a refusal; what was proven is in the permission."""
    request = change(scene)
    for place in range(len(request.more)):
        changed = core_pb2.SubmitRequest.FromString(request.SerializeToString())
        del changed.more[place]
        assert refused(scene, changed) is Refusal.PROOF
        changed = core_pb2.SubmitRequest.FromString(request.SerializeToString())
        changed.more[place].value += b"\x48\x01"
        assert refused(scene, changed) is Refusal.PROOF
    permission = scene.authorizer.authorize(request).permission
    assert permission is not None
    assert (permission.epoch.id, permission.next_epoch.id) == (1, 2)
    assert scene.new_authorizer().resume() == [permission]


@pytest.mark.parametrize(
    ("status", "refusal"),
    [
        (asc_pb2.KEY_STATUS_ACTIVE, None),
        (asc_pb2.KEY_STATUS_SUSPENDED, None),
        (asc_pb2.KEY_STATUS_REVOKED, None),
        (asc_pb2.KEY_STATUS_PENDING, Refusal.KEY),
        (asc_pb2.KEY_STATUS_DESTROYED, Refusal.KEY),
    ],
)
def test_which_keys_are_reshared(
    scene: Scene, status: asc_pb2.KeyStatus, refusal: Refusal | None
) -> None:
    """Suspended and revoked keys keep their shares; destroyed ones get no new ones."""
    key(scene, status)
    request = change(scene)
    if refusal is None:
        assert scene.authorizer.authorize(request).state == ACCEPTED
    else:
        assert refused(scene, request) is refusal


def test_a_change_goes_forward_and_to_parties_that_the_entry_names(scene: Scene) -> None:
    """Not to the same epoch, and not with other numbers."""
    assert refused(scene, change(scene, next_epoch_id=1)) is Refusal.WRONG_EPOCH
    assert refused(scene, change(scene, parties=7)) is Refusal.WRONG_EPOCH


def test_a_party_of_either_epoch_takes_part(scene: Scene) -> None:
    """A newcomer and one that leaves are asked; a stranger is not."""
    strange = scene.epoch.parties[0].tls_certificate

    def without_us(old: bool, new: bool) -> core_pb2.SubmitRequest:
        before, following = copy.deepcopy(scene.epoch), copy.deepcopy(scene.epoch)
        following.id = 2
        for epoch, gone in ((before, old), (following, new)):
            if gone:
                epoch.parties[1].tls_certificate = strange
            scene.chain.set_epoch(epoch)
        return submission(
            scene, asc_pb2.REQUEST_KIND_EPOCH_CHANGE, key_ids=[KEY_ID], next_epoch_id=2
        )

    assert scene.authorizer.authorize(without_us(old=True, new=False)).state == ACCEPTED
    assert scene.authorizer.authorize(without_us(old=False, new=True)).state == ACCEPTED
    assert refused(scene, without_us(old=True, new=True)) is Refusal.NOT_A_PARTY


def test_only_destroyed_keys_are_erased(scene: Scene) -> None:
    """A request for an active key proves nothing."""
    kind = asc_pb2.REQUEST_KIND_KEY_DESTRUCTION
    assert refused(scene, submission(scene, kind, key_id=KEY_ID)) is Refusal.KEY
    key(scene, asc_pb2.KEY_STATUS_DESTROYED)
    request = submission(scene, kind, key_id=KEY_ID)
    assert scene.authorizer.authorize(request).state == ACCEPTED
