"""What a core believes: real headers, real proofs, and every way to be refused."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from core.authorize import Authorizer, OwnIdentity, Permission
from core.certificates import fingerprint, generate, to_der
from core.errors import Refusal, Refused
from core.journal import ACCEPTED, DONE, EXPIRED, Journal, Record
from core.trust import DRIFT_S, Trust
from light.headers import Policy
from tests.support.light_twin import SECOND
from tests.support.made_chain import MadeChain
from wire.digests import sha3_256
from wire.ids import Height, PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Secp256k1Signer

KEY_ID = bytes(range(20))
DATA = b"the bytes of a ciphertext"
PUBLIC = asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
CERTIFICATES = [to_der(generate(f"party-{number}")[1]) for number in range(4)]
PERIOD_S = 10**6


class Scene:
    """A chain with one epoch, one key, one request, and party 2's authorizer."""

    def __init__(self, folder: Path) -> None:
        """Make everything."""
        self.chain = MadeChain()
        self.epoch = config_pb2.Epoch(
            id=1,
            threshold=1,
            thresholds=config_pb2.Thresholds(public_decryption=2, user_decryption=3, generation=3),
            parties=[
                config_pb2.Party(
                    index=number + 1,
                    verification_key=Secp256k1Signer(bytes([number + 1] * 32)).verification_key,
                    tls_certificate=CERTIFICATES[number],
                )
                for number in range(4)
            ],
        )
        self.chain.set_epoch(self.epoch)
        self.chain.set_key(
            asc_pb2.MaterialRecord(
                id=KEY_ID, status=asc_pb2.KEY_STATUS_ACTIVE, parameters="test", epoch_id=1
            )
        )
        self.chain.commit()
        self.path = folder / "journal.db"
        self.journal = Journal(self.path, self.chain.chain_id, 2)
        self.now_ns = self.chain.maker.start_ns + 5000 * SECOND
        self.authorizer = self.new_authorizer()
        self.entry = self.chain.entry(
            PUBLIC, self.epoch, key_id=KEY_ID, ciphertexts=[self.ciphertext()]
        )

    def new_authorizer(self) -> Authorizer:
        """An authorizer as after a start of the process."""
        identity = OwnIdentity(
            PartyId(2), Secp256k1Signer(bytes([2] * 32)).verification_key, CERTIFICATES[1]
        )
        policy = Policy(self.chain.chain_id, PERIOD_S, DRIFT_S)
        self.trust = Trust(policy, self.chain.pinned, self.journal, lambda: self.now_ns)
        return Authorizer(self.chain.chain_id, identity, self.trust, self.journal)

    def ciphertext(self) -> isc_pb2.Ciphertext:
        """Registration of `DATA`."""
        return isc_pb2.Ciphertext(
            handle=bytes(32),
            digest=sha3_256(DATA),
            fhe_type=2,
            format=2,
            size=len(DATA),
            key_id=KEY_ID,
        )

    def submission(self, **changes: object) -> core_pb2.SubmitRequest:
        """The request, logged with changed fields."""
        for name, value in changes.items():
            if isinstance(value, (int, str, bytes)):
                setattr(self.entry, name, value)
            else:
                getattr(self.entry, name).CopyFrom(value)
        self.chain.log(self.entry)
        self.chain.commit()
        return self.chain.submission(self.entry, [DATA])


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """Everything for one submission."""
    return Scene(tmp_path)


def refused(scene: Scene, submission: core_pb2.SubmitRequest) -> Refusal:
    """Why a submission is refused; nothing of it may have been accepted."""
    before = scene.journal.counts()
    with pytest.raises(Refused) as caught:
        scene.authorizer.authorize(submission)
    assert scene.journal.counts() == before
    return caught.value.refusal


def test_a_proven_request_is_permitted(scene: Scene) -> None:
    """The permission holds exactly what was proven."""
    verdict = scene.authorizer.authorize(scene.submission())
    assert verdict.state == ACCEPTED
    permission = verdict.permission
    assert permission is not None
    assert permission.entry == scene.entry
    assert permission.epoch == scene.epoch
    assert (permission.parameters, permission.key_id.value) == ("test", KEY_ID)
    assert permission.record.blobs == ((sha3_256(DATA), DATA),)
    permission.entry.deadline_height = 10**9
    assert permission.entry == scene.entry


def test_only_authorize_makes_permissions(scene: Scene) -> None:
    """Neither the constructor nor a changed copy gives one."""
    verdict = scene.authorizer.authorize(scene.submission())
    record = Record(RequestId(bytes(20)), 1, Height(1), 1, b"", "test")
    with pytest.raises(TypeError):
        Permission(record, b"", PartyId(2), object())
    assert verdict.permission is not None
    with pytest.raises(ValueError, match="seal"):
        dataclasses.replace(verdict.permission, record=record)
    with pytest.raises(dataclasses.FrozenInstanceError):
        verdict.permission.record = record  # type: ignore[misc]  # the point


def test_a_replay_gives_the_state_and_no_work(scene: Scene) -> None:
    """An answered id is not permitted again, also not by a new process."""
    submission = scene.submission()
    permission = scene.authorizer.authorize(submission).permission
    assert permission is not None
    result = core_pb2.Result(request_id=scene.entry.request_id)
    result.fulfil.party = 2
    scene.journal.finish(permission.request_id, result)
    for authorizer in (scene.authorizer, scene.new_authorizer()):
        verdict = authorizer.authorize(submission)
        assert (verdict.state, verdict.permission) == (DONE, None)
        assert authorizer.resume() == []


def test_accepted_work_resumes_after_a_restart(scene: Scene) -> None:
    """Permissions come back from the journal with the same content."""
    permission = scene.authorizer.authorize(scene.submission()).permission
    scene.journal.close()
    scene.journal = Journal(scene.path, scene.chain.chain_id, 2)
    height = scene.trust.height
    authorizer = scene.new_authorizer()
    assert authorizer.resume() == [permission]
    assert scene.trust.height == height > 0


def test_the_same_id_with_another_entry_is_refused(scene: Scene) -> None:
    """A chain would never do it; a core does not depend on that."""
    scene.authorizer.authorize(scene.submission())
    scene.entry.sequence += 1
    assert refused(scene, scene.submission()) is Refusal.CONFLICT


def test_an_altered_entry_is_refused(scene: Scene) -> None:
    """Any change of value, key, proof or proof height breaks the proof."""
    submission = scene.submission()
    other = scene.chain.proven(b"asc/key/" + KEY_ID)
    altered = asc_pb2.LogEntry.FromString(submission.entry.value)
    altered.user = bytes(20)
    changes: list[Callable[[core_pb2.SubmitRequest], None]] = [
        lambda s: setattr(s.entry, "value", altered.SerializeToString()),
        lambda s: setattr(s.entry, "proof", other.proof),
        lambda s: setattr(s.entry, "proof", b""),
        lambda s: setattr(s.entry, "key", b"asc/log/x"),
        lambda s: s.epoch.CopyFrom(other),
        lambda s: s.key.CopyFrom(submission.epoch),
        lambda s: setattr(s.key, "value", s.key.value + b"\x48\x01"),
    ]
    for change in changes:
        changed = core_pb2.SubmitRequest.FromString(submission.SerializeToString())
        change(changed)
        assert refused(scene, changed) is Refusal.PROOF
    assert scene.authorizer.authorize(submission).state == ACCEPTED


def test_a_stale_proof_is_refused(scene: Scene) -> None:
    """A proof under a header that was not verified here proves nothing."""
    submission = scene.submission()
    scene.chain.advance(scene.chain.height + 3)
    del submission.headers[:]
    assert refused(scene, submission) is Refusal.STALE
    submission.headers.append(scene.chain.light_block(scene.chain.height + 1))
    assert refused(scene, submission) is Refusal.STALE
    submission.headers.append(scene.chain.light_block(2))
    assert refused(scene, submission) is Refusal.STALE


def test_forged_headers_are_refused(scene: Scene) -> None:
    """Wrong signature, other validators, other chain, two thirds missing, wrong height, future."""
    submission = scene.submission()
    block = submission.headers[0]
    signed = json.loads(block.signed_header)
    forged = {**signed, "header": {**signed["header"], "app_hash": "AA" * 32}}
    thin = json.loads(block.signed_header)
    for entry in thin["commit"]["signatures"][:2]:
        entry.update(block_id_flag=1, validator_address="", signature="")
    foreign = MadeChain("made-2")
    foreign.advance(scene.chain.height + 1)
    other = MadeChain()
    other.validators = other.maker.validators(x=1)
    other.advance(scene.chain.height + 1)
    blocks = [
        core_pb2.LightBlock(
            height=block.height,
            signed_header=json.dumps(forged).encode(),
            validators=block.validators,
        ),
        core_pb2.LightBlock(
            height=block.height,
            signed_header=json.dumps(thin).encode(),
            validators=block.validators,
        ),
        foreign.light_block(block.height),
        other.light_block(block.height),
        core_pb2.LightBlock(
            height=block.height + 1,
            signed_header=block.signed_header,
            validators=block.validators,
        ),
        core_pb2.LightBlock(height=block.height, signed_header=b"{", validators=b"["),
    ]
    for bad in blocks:
        changed = core_pb2.SubmitRequest.FromString(submission.SerializeToString())
        changed.headers[0].CopyFrom(bad)
        assert refused(scene, changed) is Refusal.HEADER
        assert scene.trust.height == 0
    scene.now_ns = scene.chain.maker.start_ns - 60 * SECOND
    assert refused(scene, submission) is Refusal.HEADER


def test_a_changed_validator_set_is_skipped_over(scene: Scene) -> None:
    """A trusted header that announces another set is a start for skips only with that set's list."""
    scene.chain.change_validators(2, c=10, d=10, e=10, f=10)
    scene.chain.change_validators(20, e=10, f=10, g=10, h=10)
    scene.chain.advance(40)
    submission = scene.submission()
    first = scene.chain.light_block(1)
    last = submission.headers[0]
    assert (last.height, first.validators != first.next_validators != b"") == (42, True)

    def with_first(next_validators: bytes) -> core_pb2.SubmitRequest:
        changed = core_pb2.SubmitRequest.FromString(submission.SerializeToString())
        del changed.headers[:]
        changed.headers.extend([first, last])
        changed.headers[0].next_validators = next_validators
        return changed

    # Nobody of the first header's own set signs any more, and a list that was not announced is a lie.
    for forged in (b"", first.validators, last.validators, b"["):
        assert refused(scene, with_first(forged)) is Refusal.HEADER
        assert scene.trust.height == 0
    scene.authorizer.authorize(with_first(first.next_validators))
    assert scene.trust.height == 42


def test_announced_validators_survive_a_restart(scene: Scene) -> None:
    """The list of the next height is part of what the journal keeps."""
    scene.chain.change_validators(2, c=10, d=10, e=10, f=10)
    scene.chain.change_validators(20, e=10, f=10, g=10, h=10)
    scene.chain.advance(40)
    scene.trust.advance([scene.chain.light_block(1)])
    scene.new_authorizer()
    scene.trust.advance([scene.chain.light_block(41)])
    assert scene.trust.height == 41


def test_a_trusted_header_grows_old(scene: Scene) -> None:
    """After the trusting period the journal's header starts nothing any more."""
    scene.authorizer.authorize(scene.submission())
    scene.now_ns += (PERIOD_S + 10) * SECOND
    scene.entry = scene.chain.entry(PUBLIC, scene.epoch, key_id=KEY_ID)
    assert refused(scene, scene.submission()) is Refusal.HEADER


def test_too_many_headers(scene: Scene) -> None:
    """A bound before any work."""
    submission = scene.submission()
    submission.headers.extend([submission.headers[0]] * 1024)
    assert refused(scene, submission) is Refusal.MALFORMED


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"chain_id": "made-2"}, Refusal.WRONG_CHAIN),
        ({"request_id": b"short"}, Refusal.MALFORMED),
        ({"height": 10**6}, Refusal.MALFORMED),
        ({"parties": 7}, Refusal.WRONG_EPOCH),
        ({"threshold": 2}, Refusal.WRONG_EPOCH),
        ({"thresholds": config_pb2.Thresholds(public_decryption=1)}, Refusal.WRONG_EPOCH),
    ],
)
def test_proven_but_wrong_entries_are_refused(
    scene: Scene, changes: dict[str, object], refusal: Refusal
) -> None:
    """A proof alone is not enough: the content must fit this chain and its epoch."""
    assert refused(scene, scene.submission(**changes)) is refusal


@pytest.mark.parametrize(
    "change",
    [
        lambda epoch: setattr(epoch.parties[1], "verification_key", bytes(33)),
        lambda epoch: setattr(epoch.parties[1], "tls_certificate", CERTIFICATES[0]),
    ],
)
def test_we_must_be_the_party_of_the_epoch(
    scene: Scene, change: Callable[[config_pb2.Epoch], None]
) -> None:
    """An epoch with other keys under our number is not ours."""
    change(scene.epoch)
    scene.chain.set_epoch(scene.epoch)
    assert refused(scene, scene.submission()) is Refusal.NOT_A_PARTY


@pytest.mark.parametrize(
    ("indices", "threshold"), [([1, 2, 3, 3], 1), ([1, 2, 3, 5], 1), ([1, 2, 3, 4], 2)]
)
def test_epochs_that_our_arithmetic_does_not_serve(
    scene: Scene, indices: list[int], threshold: int
) -> None:
    """Numbers 1 to n, n at least 3t + 1."""
    for party, index in zip(scene.epoch.parties, indices, strict=True):
        party.index = index
    scene.epoch.threshold = threshold
    scene.chain.set_epoch(scene.epoch)
    assert refused(scene, scene.submission(threshold=threshold)) is Refusal.WRONG_EPOCH


def test_a_key_that_is_not_active_is_refused(scene: Scene) -> None:
    """The key record must be active and be the entry's."""
    scene.chain.set_key(asc_pb2.MaterialRecord(id=KEY_ID, parameters="test"))
    assert refused(scene, scene.submission()) is Refusal.KEY


def test_wrong_ciphertexts_are_refused(scene: Scene) -> None:
    """Bytes that do not hash to what they claim, or that nobody asked for."""
    submission = scene.submission()
    blob = core_pb2.Blob(digest=sha3_256(DATA), data=DATA + b"x")
    submission.ciphertexts[0].CopyFrom(blob)
    assert refused(scene, submission) is Refusal.CIPHERTEXT_DIGEST
    submission.ciphertexts[0].CopyFrom(core_pb2.Blob(digest=sha3_256(b"x"), data=b"x"))
    assert refused(scene, submission) is Refusal.CIPHERTEXT_DIGEST


def test_deadline_against_the_trusted_height(scene: Scene) -> None:
    """At the deadline a request is expired, accepted or not; below it is not."""
    deadline = scene.chain.height + 3
    submission = scene.submission(deadline_height=deadline)
    scene.chain.advance(deadline - 1)
    late = scene.chain.submission(scene.entry, [DATA])
    # The earlier proof does not help: what counts is what we know of the chain's height.
    submission.headers.extend(late.headers)
    for each in (submission, late):
        verdict = scene.authorizer.authorize(each)
        assert (verdict.state, verdict.permission) == (EXPIRED, None)
    assert scene.journal.counts() == (0, 0)


def test_fingerprint_is_sha256_of_der() -> None:
    """The identity that the transport compares."""
    assert len({fingerprint(der) for der in CERTIFICATES}) == 4
