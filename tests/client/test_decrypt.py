"""Results are believed only with signatures of the pinned epoch; liars are named."""

import dataclasses
import functools

import pytest
import tkms_kernel as kernel

from client.decrypt import Combiner, UserAnswer, UserKeyPair, verify_public
from client.errors import VerificationFailed
from client.evidence import Evidence
from wire.digests import keccak256, sha256
from wire.eip712 import (
    encode_plaintexts,
    linker_digest,
    public_decryption_digest,
    user_decryption_digest,
)
from wire.payload import SigncryptedShare, UserPayload, build_payload, wrap_user_key
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Secp256k1Signer

PARTIES, THRESHOLD, FORMAT = 4, 1, 2
VALUES = ((2, 201), (5, 2**40 + 7))
DOMAIN = isc_pb2.Domain(
    name="Decryption", version="1", chain_id=8006, verifying_contract=bytes(range(20))
)
USER = bytes(range(40, 60))


def secret(party: int) -> bytes:
    """Toy signing key of a party."""
    return sha256(b"party %d" % party)


def signer(party: int) -> Secp256k1Signer:
    """Signer of a party."""
    return Secp256k1Signer(secret(party))


@functools.cache
def user_key() -> UserKeyPair:
    """Key pair of the user."""
    return UserKeyPair(*kernel.mlkem512_generate(bytes(range(64))))


def evidence(status: int = asc_pb2.STATUS_FULFILLED, result: bytes = b"") -> Evidence:
    """Records as a proof would give them: four parties, two ciphertexts."""
    thresholds = config_pb2.Thresholds(public_decryption=2, user_decryption=3, generation=3)
    epoch = config_pb2.Epoch(
        id=7,
        threshold=THRESHOLD,
        thresholds=thresholds,
        parties=[
            config_pb2.Party(index=party, verification_key=signer(party).verification_key)
            for party in range(1, PARTIES + 1)
        ],
    )
    entry = asc_pb2.LogEntry(
        sequence=1,
        request_id=bytes(range(20)),
        epoch_id=7,
        parties=PARTIES,
        threshold=THRESHOLD,
        thresholds=thresholds,
        domain=DOMAIN,
        user=USER,
        user_public_key=wrap_user_key(user_key().encapsulation_key),
        ciphertexts=[
            isc_pb2.Ciphertext(handle=bytes([index]) * 32, fhe_type=fhe_type, format=FORMAT)
            for index, (fhe_type, _) in enumerate(VALUES, 1)
        ],
    )
    handles = [ciphertext.handle for ciphertext in entry.ciphertexts]
    agreed = public_decryption_digest(DOMAIN, handles, result or encode_plaintexts(VALUES))
    record = asc_pb2.RequestStatus(
        request_id=entry.request_id, sequence=1, status=status, agreed_digest=agreed
    )
    return Evidence(entry, record, epoch, 10)


def public_answer(party: int, result: bytes, signing: int | None = None) -> asc_pb2.Fulfil:
    """Answer of `party`, signed with the key of `signing`."""
    proof = evidence()
    digest = public_decryption_digest(DOMAIN, proof.handles, result)
    return asc_pb2.Fulfil(
        request_id=proof.entry.request_id,
        party=party,
        public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=result),
        signature=signer(signing or party).sign_digest(digest),
    )


RIGHT = encode_plaintexts(VALUES)
WRONG = encode_plaintexts([(2, 202), (5, 1)])


def test_two_signers_of_four_are_believed() -> None:
    """T + 1 parties that signed the agreed result give the plaintexts."""
    found = verify_public(evidence(), [public_answer(2, RIGHT), public_answer(4, RIGHT)])
    assert found.values == (201, 2**40 + 7)
    assert found.signers == (2, 4)


@pytest.mark.parametrize(
    "answers",
    [
        [(2, RIGHT, 2)],
        [(2, RIGHT, 2), (2, RIGHT, 2)],
        [(2, RIGHT, 2), (3, RIGHT, 2)],
        [(2, RIGHT, 2), (5, RIGHT, 5)],
        [(2, RIGHT, 2), (3, WRONG, 3)],
        [(3, WRONG, 3), (4, WRONG, 4)],
        [],
    ],
    ids=["one", "same-twice", "forged", "stranger", "other-result", "not-agreed", "none"],
)
def test_too_few_honest_signatures_are_refused(answers: list[tuple[int, bytes, int]]) -> None:
    """Repeated, forged, foreign or different answers do not add up to t + 1."""
    given = [public_answer(party, result, signing) for party, result, signing in answers]
    with pytest.raises(VerificationFailed):
        verify_public(evidence(), given)


def test_undecided_request_has_no_result() -> None:
    """Signatures alone do not replace the chain's agreement."""
    proof = evidence(asc_pb2.STATUS_PENDING)
    with pytest.raises(VerificationFailed, match="PENDING"):
        verify_public(proof, [public_answer(1, RIGHT), public_answer(2, RIGHT)])


def test_epoch_that_the_request_does_not_pin_is_refused() -> None:
    """Parties of another epoch, number or threshold are not the ones asked."""
    proof = evidence()
    for change in ({"id": 8}, {"threshold": 0}):
        epoch = config_pb2.Epoch()
        epoch.CopyFrom(proof.epoch)
        for name, value in change.items():
            setattr(epoch, name, value)
        with pytest.raises(VerificationFailed):
            dataclasses.replace(proof, epoch=epoch)
    fewer = config_pb2.Epoch()
    fewer.CopyFrom(proof.epoch)
    del fewer.parties[3]
    with pytest.raises(VerificationFailed):
        dataclasses.replace(proof, epoch=fewer)


@functools.cache
def shares() -> dict[int, list[bytes]]:
    """Real partial decryptions of the two values, by party (toy parameters)."""
    client_key = kernel.ClientKey.generate("test", bytes(32))
    server = kernel.ServerKey.load(client_key.server_key())
    squashed = [
        server.squash(client_key.encrypt(fhe_type, value), fhe_type, compressed=True)
        for fhe_type, value in VALUES
    ]
    masks = kernel.PrssKeys.deal(PARTIES, THRESHOLD, bytes(32))
    return {
        share.party: [
            share.partial_decrypt(data, fhe_type, FORMAT, prss, b"request")
            for data, (fhe_type, _) in zip(squashed, VALUES, strict=True)
        ]
        for share, prss in zip(client_key.deal(PARTIES, THRESHOLD), masks, strict=True)
    }


def altered(data: bytes) -> bytes:
    """The share with one bit of its first word flipped."""
    return bytes([data[0] ^ 1]) + data[1:]


def user_answer(
    party: int,
    *,
    lie: bool = False,
    signing: int | None = None,
    sealing: int | None = None,
    link: bytes | None = None,
    says_party: int | None = None,
    count: int = len(VALUES),
) -> UserAnswer:
    """One party's response; keyword arguments make it wrong in one way."""
    proof = evidence()
    entry = proof.entry
    right_link = linker_digest(DOMAIN, entry.user_public_key, proof.handles, USER)
    sealed = []
    for data, ciphertext in zip(shares()[party], entry.ciphertexts, strict=True):
        body = altered(data) if lie else data
        vector = (len(body) // 64).to_bytes(8, "little") + body
        cipher = kernel.signcrypt_share(
            vector,
            ciphertext.fhe_type,
            right_link,
            USER,
            user_key().encapsulation_key,
            secret(sealing or party),
        )
        sealed.append(SigncryptedShare(ciphertext.fhe_type, cipher, ciphertext.handle, 2))
    payload = build_payload(
        UserPayload(
            signer(party).verification_key,
            link or right_link,
            tuple(sealed[:count]),
            says_party or party,
            THRESHOLD,
        )
    )
    digest = user_decryption_digest(
        DOMAIN, entry.user_public_key, proof.handles, keccak256(payload)
    )
    return UserAnswer(party, payload, signer(signing or party).sign_digest(digest))


def combiner(*answers: UserAnswer) -> Combiner:
    """A combiner that was given these answers."""
    made = Combiner(evidence(asc_pb2.STATUS_PENDING), user_key())
    for answer in answers:
        made.add(answer)
    return made


@pytest.mark.parametrize("absent", [1, 2, 3, 4])
def test_three_of_four_answers_give_the_plaintexts(absent: int) -> None:
    """2t + 1 good answers suffice, whichever party is missing."""
    given = [user_answer(party) for party in range(1, 5) if party != absent]
    found = combiner(*given).result()
    assert found is not None
    assert found.values == (201, 2**40 + 7)
    assert found.liars == ()


def test_two_answers_are_not_enough() -> None:
    """Below 2t + 1 nothing is decoded; a repeated answer counts once."""
    waiting = combiner(user_answer(1), user_answer(2), user_answer(2))
    assert waiting.result() is None
    waiting.add(user_answer(4))
    found = waiting.result()
    assert found is not None
    assert found.parties == (1, 2, 4)


@pytest.mark.parametrize("liar", [1, 3])
def test_liar_is_waited_out_and_named(liar: int) -> None:
    """With a wrong share among three the fourth is waited for; then the liar is named."""
    honest = [party for party in range(1, 5) if party != liar]
    waiting = combiner(user_answer(liar, lie=True), *(user_answer(p) for p in honest[:2]))
    assert waiting.result() is None
    waiting.add(user_answer(honest[2]))
    found = waiting.result()
    assert found is not None
    assert found.values == (201, 2**40 + 7)
    assert found.liars == (liar,)
    assert found.parties == tuple(honest)
    assert "contradicts" in waiting.rejected[liar]


def test_two_liars_give_no_plaintext() -> None:
    """More wrong shares than the threshold never become a value."""
    made = combiner(
        user_answer(1, lie=True), user_answer(2, lie=True), user_answer(3), user_answer(4)
    )
    try:
        assert made.result() is None
    except VerificationFailed as error:
        assert "no plaintext" in str(error)  # noqa: PT017 - both endings are right


def test_forged_answer_is_dropped_without_blaming_the_party() -> None:
    """A wrong signature says nothing about the party whose name it bears."""
    made = combiner(user_answer(1, signing=2), user_answer(2), user_answer(3), user_answer(4))
    found = made.result()
    assert found is not None
    assert found.liars == ()
    assert "not signed" in made.rejected[1]
    made.add(user_answer(1))
    after = made.result()
    assert after is not None
    assert after.parties == (1, 2, 3, 4)


@pytest.mark.parametrize(
    "lie",
    [
        {"link": bytes(32)},
        {"says_party": 2},
        {"sealing": 2},
        {"count": 1},
    ],
    ids=["link", "party", "sealed-by-another", "ciphertext-missing"],
)
def test_signed_nonsense_is_the_partys_fault(lie: dict[str, object]) -> None:
    """A party that signed an unusable payload is named, and the others still give the values."""
    made = combiner(
        user_answer(1, **lie),  # type: ignore[arg-type]  # one lie at a time
        *(user_answer(party) for party in (2, 3, 4)),
    )
    found = made.result()
    assert found is not None
    assert found.values == (201, 2**40 + 7)
    assert found.liars == (1,)


def test_answers_to_another_key_are_refused() -> None:
    """A key pair that the request does not name cannot be used by mistake."""
    other = UserKeyPair(*kernel.mlkem512_generate(bytes(64)))
    with pytest.raises(VerificationFailed):
        Combiner(evidence(), other)


def test_secret_key_is_not_shown() -> None:
    """The representation of a key pair does not hold its secret half."""
    assert user_key().decapsulation_key.hex()[:16] not in repr(user_key())
    assert "decapsulation_key" not in repr(user_key())


def test_the_parties_of_the_next_epoch_answer_a_change_of_epochs() -> None:
    """And nobody else's record is taken for theirs."""
    found = evidence()
    entry = asc_pb2.LogEntry()
    entry.CopyFrom(found.entry)
    entry.next_epoch_id = 8
    epoch = config_pb2.Epoch()
    epoch.CopyFrom(found.epoch)
    with pytest.raises(VerificationFailed, match="whose parties answer"):
        dataclasses.replace(found, entry=entry)
    epoch.id = 8
    assert dataclasses.replace(found, entry=entry, epoch=epoch).epoch.id == 8
