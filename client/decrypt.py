"""Results of decryptions, believed only with evidence.

Public: at least t + 1 parties of the pinned epoch signed the same plaintexts (EIP-712), and the
chain proves epoch, request and agreement. User: every answer is authenticated, opened with the
user's key and decoded together with the others, so that up to t wrong answers neither change the
values nor stay unnamed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import tkms_kernel

from client.chain import Chain
from client.errors import ClientError, VerificationFailed
from client.evidence import Evidence, proven_request
from client.shares import ELEMENT_BYTES, MIN_PACKING, blocks_of, elements_of, packing_of, value_of
from client.storage import StorageClient
from wire.digests import keccak256, sha3_256
from wire.eip712 import (
    authorization_digest,
    decode_plaintexts,
    linker_digest,
    public_decryption_digest,
    user_decryption_digest,
)
from wire.fhe import FheType, plaintext_bytes
from wire.ids import RequestId
from wire.payload import PayloadError, SigncryptedShare, parse_payload, wrap_user_key
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import SignatureError, Signer, address_of, recover_address

_RING_BITS: Final = 128
_MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
_POLL_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class PublicDecryption:
    """Plaintexts with those who signed them."""

    request_id: RequestId
    values: tuple[int, ...]
    decrypted_result: bytes
    signers: tuple[int, ...]
    signatures: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class UserKeyPair:
    """ML-KEM-512 key pair of one user decryption; the secret half is never shown."""

    encapsulation_key: bytes
    decapsulation_key: bytes = field(repr=False)

    @property
    def public_key(self) -> bytes:
        """869 bytes as requests carry it."""
        return wrap_user_key(self.encapsulation_key)


@dataclass(frozen=True, slots=True)
class UserAnswer:
    """One party's response: payload bytes and the signature over them."""

    party: int
    payload: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class UserDecryption:
    """Plaintexts, the parties that gave them, and those whose shares were wrong."""

    values: tuple[int, ...]
    parties: tuple[int, ...]
    liars: tuple[int, ...]


def verify_public(evidence: Evidence, answers: Iterable[asc_pb2.Fulfil]) -> PublicDecryption:
    """Plaintexts that enough parties of the pinned epoch signed.

    Answers with a wrong signature, of strangers or repeated are not counted.

    Raises:
        VerificationFailed: not decided by the chain, too few signers, or not the agreed result.
    """
    entry, status = evidence.entry, evidence.status
    if status.status != asc_pb2.STATUS_FULFILLED:
        name = asc_pb2.Status.Name(status.status)
        raise VerificationFailed(f"the chain proves {name}, not an agreed result")
    signed: dict[bytes, dict[int, bytes]] = {}
    for answer in answers:
        result = answer.public_decryption.decrypted_result
        digest = public_decryption_digest(entry.domain, evidence.handles, result)
        if answer.request_id == entry.request_id and _signed_by(
            evidence, answer.party, digest, answer.signature
        ):
            signed.setdefault(result, {}).setdefault(answer.party, answer.signature)
    needed = max(entry.thresholds.public_decryption, entry.threshold + 1)
    for result, signatures in signed.items():
        digest = public_decryption_digest(entry.domain, evidence.handles, result)
        if len(signatures) >= needed and digest == status.agreed_digest:
            return _public(entry, result, signatures)
    found = max((len(signatures) for signatures in signed.values()), default=0)
    raise VerificationFailed(f"{found} parties signed one agreed result, {needed} are needed")


async def public_decryption(chain: Chain, request: RequestId) -> PublicDecryption:
    """Fetch and verify the result of a fulfilled public decryption.

    Raises:
        VerificationFailed: anything does not hold; see `verify_public`.
    """
    evidence = await proven_request(chain, request)
    view = await chain.request(request)
    return verify_public(evidence, [answer.fulfil for answer in view.answers])


def new_user_key() -> UserKeyPair:
    """Fresh key pair; use it for one request or a few, it protects no other."""
    encapsulation_key, decapsulation_key = tkms_kernel.mlkem512_generate()
    return UserKeyPair(bytes(encapsulation_key), bytes(decapsulation_key))


@dataclass(frozen=True, slots=True)
class Application:
    """Where an authorization is valid: application, its domain and the chain."""

    id: str
    domain: isc_pb2.Domain
    chain_id: str


def user_request(
    application: Application,
    ciphertexts: Sequence[isc_pb2.Ciphertext],
    user: Signer,
    public_key: bytes,
    expires_at_height: int,
    relayer: bytes = b"",
) -> asc_pb2.RequestUserDecryption:
    """Request for a user who signs here; wallets sign `wire.eip712.authorization_message` instead.

    All ciphertexts are of one key. `public_key` has 869 bytes. `relayer` is the account that shares in the
    price for bringing the request; whoever sends it names it, so the user does not sign it.
    """
    digest = authorization_digest(
        application.domain,
        public_key,
        [ciphertext.handle for ciphertext in ciphertexts],
        application.id,
        application.chain_id,
        expires_at_height,
    )
    return asc_pb2.RequestUserDecryption(
        application=application.id,
        key_id=ciphertexts[0].key_id,
        ciphertexts=ciphertexts,
        user=bytes(user.address),
        user_public_key=public_key,
        authorization_expires_at_height=expires_at_height,
        user_signature=user.sign_digest(digest),
        relayer=relayer,
    )


class Combiner:
    """Collects the answers to one user decryption until they give the plaintexts.

    `rejected` names each party whose answer was not usable, and why.
    """

    def __init__(self, evidence: Evidence, key: UserKeyPair) -> None:
        """Bind to a proven request and the key pair that it names.

        Raises:
            VerificationFailed: the request is not one to this key.
        """
        entry = evidence.entry
        if entry.user_public_key != key.public_key:
            raise VerificationFailed("the request is for another user key")
        self._evidence = evidence
        self._key = key
        self._link = linker_digest(
            entry.domain, entry.user_public_key, evidence.handles, entry.user
        )
        self._shares: dict[int, bytes] = {}
        # Signed by the party and unusable: the party's own doing, unlike a wrong signature.
        self._faulty: set[int] = set()
        self.rejected: dict[int, str] = {}

    def add(self, answer: UserAnswer) -> None:
        """Take an answer; a bad one is dropped and noted, the first good one of a party counts."""
        if answer.party in self._shares or answer.party in self._faulty:
            return
        entry = self._evidence.entry
        digest = user_decryption_digest(
            entry.domain,
            entry.user_public_key,
            self._evidence.handles,
            keccak256(answer.payload),
        )
        if not _signed_by(self._evidence, answer.party, digest, answer.signature):
            self.rejected[answer.party] = "not signed by that party of the pinned epoch"
            return
        try:
            self._shares[answer.party] = self._open(answer)
        except (PayloadError, VerificationFailed, tkms_kernel.KernelError) as error:
            self._faulty.add(answer.party)
            self.rejected[answer.party] = str(error)

    def result(self) -> UserDecryption | None:
        """Plaintexts, or None while more answers are needed.

        Raises:
            VerificationFailed: more parties lied than the threshold allows, or the noise is wrong.
        """
        entry = self._evidence.entry
        needed = max(entry.thresholds.user_decryption, 2 * entry.threshold + 1)
        if len(self._shares) < needed:
            return None
        if entry.threshold == 0:
            return UserDecryption(self._plain(self._shares[1]), (1,), ())
        try:
            opened = tkms_kernel.online_open(
                _RING_BITS,
                entry.parties,
                entry.threshold,
                entry.threshold,
                sorted(self._shares.items()),
                sorted(self._faulty),
            )
            if opened is None:
                return None
            elements, wrong = opened
            values = self._plaintexts(bytes(elements))
        except tkms_kernel.KernelError as error:
            raise VerificationFailed(f"the answers give no plaintext: {error}") from error
        for party in wrong:
            self.rejected[party] = "its share contradicts the others"
        liars = sorted({*wrong, *self._faulty})
        agreeing = tuple(party for party in sorted(self._shares) if party not in wrong)
        return UserDecryption(values, agreeing, tuple(liars))

    def _open(self, answer: UserAnswer) -> bytes:
        """Elements of all ciphertexts, one after the other."""
        payload = parse_payload(answer.payload)
        party = self._evidence.party(answer.party)
        entry = self._evidence.entry
        said = (payload.party, payload.degree, payload.link, payload.verification_key)
        if said != (answer.party, entry.threshold, self._link, party.verification_key):
            raise VerificationFailed("the payload contradicts the request")
        if len(payload.shares) != len(entry.ciphertexts):
            raise VerificationFailed("the payload has another number of ciphertexts")
        return b"".join(
            self._open_share(share, ciphertext, party.verification_key)
            for share, ciphertext in zip(payload.shares, entry.ciphertexts, strict=True)
        )

    def _open_share(
        self, share: SigncryptedShare, ciphertext: isc_pb2.Ciphertext, verification_key: bytes
    ) -> bytes:
        # One party alone (n = 1) sends the plaintext, not a share of it.
        alone = self._evidence.entry.threshold == 0
        packing = MIN_PACKING if alone else packing_of(ciphertext)
        if share.handle != ciphertext.handle or share.packing_factor != packing:
            raise VerificationFailed("the payload names another ciphertext or packing")
        data, fhe_type = tkms_kernel.open_signcryption(
            share.signcrypted,
            self._link,
            self._evidence.entry.user,
            self._key.encapsulation_key,
            self._key.decapsulation_key,
            verification_key,
        )
        if not fhe_type == share.fhe_type == ciphertext.fhe_type:
            raise VerificationFailed("the share is of another type")
        if alone:
            if len(data) != plaintext_bytes(FheType(fhe_type)):
                raise VerificationFailed("the plaintext has another length than its type")
            return bytes(data)
        elements = elements_of(ciphertext)
        body = bytes(data)[8:]
        if int.from_bytes(data[:8], "little") != elements or len(body) != elements * ELEMENT_BYTES:
            raise VerificationFailed("the share has another number of blocks")
        return body

    def _plain(self, joined: bytes) -> tuple[int, ...]:
        """Plaintexts of the only party, little-endian one after the other."""
        values: list[int] = []
        start = 0
        for ciphertext in self._evidence.entry.ciphertexts:
            fhe_type = FheType(ciphertext.fhe_type)
            end = start + plaintext_bytes(fhe_type)
            value = int.from_bytes(joined[start:end], "little")
            if value >> fhe_type.bits:
                raise VerificationFailed("the plaintext does not fit its type")
            values.append(value)
            start = end
        return tuple(values)

    def _plaintexts(self, opened: bytes) -> tuple[int, ...]:
        entry = self._evidence.entry
        values: list[int] = []
        start = 0
        for ciphertext in entry.ciphertexts:
            end = start + elements_of(ciphertext) * ELEMENT_BYTES
            blocks = tkms_kernel.round_squashed(
                opened[start:end], blocks_of(ciphertext), entry.parties, entry.threshold
            )
            values.append(value_of(ciphertext, blocks))
            start = end
        return tuple(values)


async def user_decryption(
    chain: Chain, storage: StorageClient, request: RequestId, key: UserKeyPair
) -> tuple[UserDecryption, Combiner]:
    """Wait for answers until they give the plaintexts; the caller bounds the time.

    Raises:
        VerificationFailed: the request closed and its answers do not give a plaintext.
    """
    combiner = Combiner(await proven_request(chain, request), key)
    while True:
        view = await chain.request(request)
        for answer in view.answers:
            if answer.WhichOneof("outcome") == "fulfil":
                await _collect(combiner, storage, answer.fulfil)
        result = combiner.result()
        if result is not None:
            return result, combiner
        if view.status.closed_height:
            raise VerificationFailed(
                f"the request closed without enough good answers: {combiner.rejected or 'too few'}"
            )
        await asyncio.sleep(_POLL_S)


async def _collect(combiner: Combiner, storage: StorageClient, fulfil: asc_pb2.Fulfil) -> None:
    """Give an answer to the combiner; a payload that storage does not serve is asked for again."""
    answer = fulfil.user_decryption
    payload = answer.payload
    if not payload:
        try:
            payload = await storage.get(answer.payload_digest, _MAX_PAYLOAD_BYTES)
        except ClientError as error:
            combiner.rejected[fulfil.party] = str(error)
            return
    if sha3_256(payload) == answer.payload_digest:
        combiner.rejected.pop(fulfil.party, None)
        combiner.add(UserAnswer(fulfil.party, payload, fulfil.signature))


def _signed_by(evidence: Evidence, party: int, digest: bytes, signature: bytes) -> bool:
    """Whether the party's key of the pinned epoch signed; strangers did not."""
    try:
        expected = address_of(evidence.party(party).verification_key)
        return recover_address(digest, signature) == expected
    except (SignatureError, VerificationFailed):
        return False


def _public(
    entry: asc_pb2.LogEntry, result: bytes, signatures: dict[int, bytes]
) -> PublicDecryption:
    try:
        values = decode_plaintexts(result, [item.fhe_type for item in entry.ciphertexts])
    except ValueError as error:
        raise VerificationFailed(f"the agreed result is malformed: {error}") from error
    signers = tuple(sorted(signatures))
    return PublicDecryption(
        RequestId(entry.request_id),
        tuple(values),
        result,
        signers,
        tuple(signatures[party] for party in signers),
    )
