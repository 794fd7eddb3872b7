"""What became of epochs, keys and requests is believed only where the state proves it."""

from pathlib import Path

import pytest

from core.authorize import Authorizer, OwnIdentity
from core.epoch_states import EpochStates
from core.epochs import Epochs
from core.errors import Refusal, Refused
from core.facts import CURRENT_EPOCH, Facts
from core.journal import ACCEPTED, EXPIRED
from core.key_states import KeyStates
from core.vault import open_vault
from mpc.dealing import Deal
from tests.core.test_authorize import CERTIFICATES, KEY_ID, PUBLIC, Scene, refused
from wire.ids import KeyId, PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.signing import Secp256k1Signer

SUSPENDED = 3
CHANGE = RequestId(bytes([9] * 20))


class Informed(Scene):
    """A scene whose core also learns facts."""

    def __init__(self, folder: Path) -> None:
        """Epoch 1 is current; a share of the key lies in the vault."""
        super().__init__(folder)
        self.vault = open_vault(folder / "vault", "clear", None)
        self.epochs = Epochs(self.journal, self.vault)
        self.facts = Facts(self.trust, self.journal, self.epochs)
        identity = OwnIdentity(
            PartyId(2), Secp256k1Signer(bytes([2] * 32)).verification_key, CERTIFICATES[1]
        )
        self.authorizer = Authorizer(
            self.chain.chain_id, identity, self.trust, self.journal, self.epochs.current
        )
        self.epochs.current(1)

    def tell(self, values: dict[bytes, bytes], *, done: bool = False) -> core_pb2.InformRequest:
        """Put values into the state; what a connector tells of them."""
        return self.chain.inform(values, done=done)

    def key(self, status: int) -> dict[bytes, bytes]:
        """The key's record in a state."""
        record = asc_pb2.MaterialRecord(id=KEY_ID, status=status, parameters="test", epoch_id=1)
        return {b"asc/key/" + KEY_ID: record.SerializeToString()}


@pytest.fixture
def scene(tmp_path: Path) -> Informed:
    """Everything."""
    return Informed(tmp_path)


def epoch_value(number: int) -> dict[bytes, bytes]:
    """The state that makes an epoch current."""
    return {CURRENT_EPOCH: number.to_bytes(8, "big")}


def status_value(status: asc_pb2.Status) -> dict[bytes, bytes]:
    """The state of the change of epoch."""
    record = asc_pb2.RequestStatus(request_id=CHANGE.value, status=status)
    return {b"asc/status/" + CHANGE.value: record.SerializeToString()}


def test_a_proven_epoch_is_current_and_the_old_one_goes_when_it_is_idle(scene: Informed) -> None:
    """Erased not before the connector says that nothing older is on its way."""
    scene.epochs.began(2, CHANGE)
    scene.epochs.keep(KeyId(KEY_ID), 1, Deal(), dealer=False)
    scene.epochs.keep(KeyId(KEY_ID), 2, Deal(), dealer=False)
    learned = scene.facts.learn(scene.tell(epoch_value(2)))
    assert (learned.erased, learned.ended) == ((), ())
    assert scene.epochs.states == EpochStates(2, None, (1,), CHANGE.value)
    learned = scene.facts.learn(scene.tell({}, done=True))
    assert learned.erased == (1,)
    assert scene.vault.names("keys") == [f"keys/{KEY_ID.hex()}/2"]


def test_an_unproven_epoch_changes_nothing(scene: Informed) -> None:
    """Another value, another key, another header: the pending shares stay pending."""
    scene.epochs.began(2, CHANGE)
    told = scene.tell(epoch_value(2))
    told.facts[0].value = (3).to_bytes(8, "big")
    stale = scene.tell(epoch_value(2))
    del stale.headers[:]
    strange = scene.tell({b"config/chain": b"other"})
    for inform, refusal in (
        (told, Refusal.PROOF),
        (stale, Refusal.STALE),
        (strange, Refusal.MALFORMED),
    ):
        with pytest.raises(Refused) as caught:
            scene.facts.learn(inform)
        assert caught.value.refusal is refusal
        assert scene.epochs.states.current == 1


@pytest.mark.parametrize("end", [asc_pb2.STATUS_FAILED, asc_pb2.STATUS_EXPIRED])
def test_a_failed_change_is_given_up(scene: Informed, end: asc_pb2.Status) -> None:
    """Its shares go; a change that is open or fulfilled stays."""
    scene.epochs.began(2, CHANGE)
    scene.epochs.keep(KeyId(KEY_ID), 2, Deal(), dealer=False)
    for status in (asc_pb2.STATUS_PENDING, asc_pb2.STATUS_FULFILLED):
        assert scene.facts.learn(scene.tell(status_value(status))).ended == ()
        assert scene.epochs.states.pending is not None
    assert scene.facts.learn(scene.tell(status_value(end))).ended == (CHANGE,)
    assert scene.epochs.states == EpochStates(1)
    assert scene.vault.names("keys") == []


def test_an_entry_of_a_new_epoch_makes_it_current(scene: Informed) -> None:
    """The chain pins the current epoch only; an entry of an erased one is expired, a retired one's is not."""
    old = scene.entry
    assert scene.authorizer.authorize(scene.submission()).state == ACCEPTED
    scene.epoch.id = 2
    scene.chain.set_epoch(scene.epoch)
    scene.entry = scene.chain.entry(
        PUBLIC, scene.epoch, key_id=KEY_ID, ciphertexts=[scene.ciphertext()]
    )
    assert scene.authorizer.authorize(scene.submission()).state == ACCEPTED
    assert scene.epochs.states == EpochStates(2, None, (1,))
    scene.epoch.id = 1
    scene.entry = late = scene.chain.entry(
        PUBLIC, scene.epoch, key_id=KEY_ID, ciphertexts=[scene.ciphertext()]
    )
    assert scene.authorizer.authorize(scene.submission()).state == ACCEPTED
    for request in (old, late):
        scene.journal.finish(RequestId(request.request_id), core_pb2.Result())
    scene.epochs.erase_idle()
    scene.entry = scene.chain.entry(
        PUBLIC, scene.epoch, key_id=KEY_ID, ciphertexts=[scene.ciphertext()]
    )
    verdict = scene.authorizer.authorize(scene.submission())
    assert (verdict.state, verdict.permission) == (EXPIRED, None)


# Every state of asc.v1.KeyStatus but active, and one that nobody knows yet.
@pytest.mark.parametrize("status", [0, 2, 3, 4, 5, 99])
def test_only_active_keys_decrypt(scene: Informed, status: int) -> None:
    """A newer record beats an older proof; resuming makes the key usable again."""
    states = KeyStates(scene.journal)
    submission = scene.submission()
    scene.facts.learn(scene.tell(scene.key(status)))
    assert not states.active(KeyId(KEY_ID))
    scene.trust.advance(submission.headers)
    assert refused(scene, scene.chain.submission(scene.entry, [])) is Refusal.KEY
    scene.facts.learn(scene.tell(scene.key(asc_pb2.KEY_STATUS_ACTIVE)))
    assert states.active(KeyId(KEY_ID))
    assert scene.authorizer.authorize(scene.chain.submission(scene.entry, [])).state == ACCEPTED


def test_an_old_proof_of_an_active_key_does_not_help(scene: Informed) -> None:
    """The connector cannot go back to when the key was active."""
    old = scene.submission()
    scene.trust.advance(old.headers)
    scene.facts.learn(scene.tell(scene.key(SUSPENDED)))
    with pytest.raises(Refused) as caught:
        scene.authorizer.authorize(old)
    assert caught.value.refusal is Refusal.KEY
