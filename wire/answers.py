"""What a party signs when it answers a request, and the proof that it signed two different answers.

Pure: the chain uses it to check answers, and anybody to judge an EvidenceRecord without believing the chain.
"""

from __future__ import annotations

from collections.abc import Sequence

from wire.digests import sha3_256
from wire.eip712 import (
    crs_digest,
    destruction_digest,
    epoch_change_digest,
    keygen_digest,
    preprocessing_digest,
    public_decryption_digest,
    user_decryption_digest,
)
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.signing import SignatureError, address_of, recover_address


class NoEquivocation(ValueError):  # noqa: N818 - a verdict about a record, not a malfunction
    """The record does not show that the party signed two different answers."""


def answering_epoch_id(entry: asc_pb2.LogEntry) -> int:
    """Epoch whose parties answer: of a change of epochs the next one, whose shares it makes."""
    return entry.next_epoch_id or entry.epoch_id


def destruction_statement(entry: asc_pb2.LogEntry) -> bytes:
    """Digest that every party answers to a key destruction with: it has erased its shares of the key."""
    return sha3_256(b"tkms/destruction/v1" + entry.key_id + entry.request_id)


def signed_digest(entry: asc_pb2.LogEntry, answer: asc_pb2.Fulfil) -> bytes:
    """EIP-712 digest that the answer's signature is over; the result must be of the request's kind."""
    handles = [ciphertext.handle for ciphertext in entry.ciphertexts]
    if entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
        result = answer.public_decryption.decrypted_result
        return public_decryption_digest(entry.domain, handles, result)
    if entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION:
        keccak = answer.user_decryption.payload_keccak
        return user_decryption_digest(entry.domain, entry.user_public_key, handles, keccak)
    return _generation_digest(entry, answer.generation.digests)


def verify_equivocation(record: asc_pb2.EvidenceRecord, entry: asc_pb2.LogEntry) -> None:
    """Check that the holder of the record's verification key signed two different answers to the request.

    Whose key that is, the epoch's record tells. An answer whose plaintext was pruned before the evidence
    arrived is judged by its digest alone.

    Raises:
        NoEquivocation: anything is missing.
    """
    if record.request_id != entry.request_id or record.epoch_id != answering_epoch_id(entry):
        raise NoEquivocation("the record is about another request")
    if record.first_digest == record.second_digest:
        raise NoEquivocation("the answers are the same")
    for digest, answer in (
        (record.first_digest, record.first),
        (record.second_digest, record.second),
    ):
        try:
            signer = recover_address(digest, answer.signature)
            expected = address_of(record.verification_key)
        except SignatureError as error:
            raise NoEquivocation(str(error)) from None
        if signer != expected:
            raise NoEquivocation(f"{signer} signed an answer")
        if not _is_pruned(answer) and _digest_or_none(entry, answer) != digest:
            raise NoEquivocation("a digest is not that of its answer")


def _generation_digest(
    entry: asc_pb2.LogEntry, materials: Sequence[asc_pb2.MaterialDigest]
) -> bytes:
    domain, request_id, first = entry.domain, entry.request_id, materials[0].digest
    if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION:
        digests = [(material.kind, material.digest) for material in materials]
        return keygen_digest(domain, request_id, digests, entry.preprocessing_id)
    if entry.kind == asc_pb2.REQUEST_KIND_CRS_GENERATION:
        return crs_digest(domain, request_id, entry.max_bits, first)
    if entry.kind == asc_pb2.REQUEST_KIND_PREPROCESSING:
        return preprocessing_digest(domain, request_id, first)
    if entry.kind == asc_pb2.REQUEST_KIND_EPOCH_CHANGE:
        epochs = (entry.epoch_id, entry.next_epoch_id)
        return epoch_change_digest(domain, request_id, *epochs, first)
    return destruction_digest(domain, request_id, entry.key_id, entry.epoch_id, first)


def _digest_or_none(entry: asc_pb2.LogEntry, answer: asc_pb2.Fulfil) -> bytes | None:
    try:
        return signed_digest(entry, answer)
    except (KeyError, IndexError, ValueError):
        # No answer of the request's kind.
        return None


def _is_pruned(answer: asc_pb2.Fulfil) -> bool:
    if answer.WhichOneof("result") != "public_decryption":
        return False
    return not answer.public_decryption.decrypted_result
