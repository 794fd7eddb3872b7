"""Is one party's answer well-formed and signed? Nothing here reads or writes state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wire.answers import destruction_statement, signed_digest
from wire.digests import keccak256, sha3_256
from wire.eip712 import decode_plaintexts, linker_digest
from wire.ids import Digest32
from wire.payload import PayloadError, UserPayload, parse_payload
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.signing import SignatureError, address_of, recover_address

# What a result of each kind is called in Fulfil.result.
_RESULTS: Final = {
    asc_pb2.REQUEST_KIND_KEY_GENERATION: "generation",
    asc_pb2.REQUEST_KIND_CRS_GENERATION: "generation",
    asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION: "public_decryption",
    asc_pb2.REQUEST_KIND_USER_DECRYPTION: "user_decryption",
    asc_pb2.REQUEST_KIND_PREPROCESSING: "generation",
    asc_pb2.REQUEST_KIND_EPOCH_CHANGE: "generation",
    asc_pb2.REQUEST_KIND_KEY_DESTRUCTION: "generation",
}
# Kinds of the materials of a generation, sorted. Those of a dealt key may lack the check ciphertext.
_MATERIALS: Final = {
    asc_pb2.REQUEST_KIND_KEY_GENERATION: ["check", "public-key", "server-key"],
    asc_pb2.REQUEST_KIND_CRS_GENERATION: ["crs"],
    asc_pb2.REQUEST_KIND_PREPROCESSING: ["preprocessing"],
    asc_pb2.REQUEST_KIND_EPOCH_CHANGE: ["resharing"],
    asc_pb2.REQUEST_KIND_KEY_DESTRUCTION: ["destruction"],
}
_DEALT_KEY_MATERIALS: Final = ["public-key", "server-key"]
# Nothing of these is stored: the digest is all there is.
_NOT_STORED: Final = ("preprocessing", "resharing", "destruction")
# 2048 plaintext bits are 1024 blocks of at most 64 bytes a share; signcryption adds about 1 KiB
# a ciphertext.
_MAX_USER_PAYLOAD_BYTES: Final = 1 << 20
_AGREEMENT_SEPARATOR: Final = b"tkms/generation/v1"


@dataclass(frozen=True, slots=True)
class CheckedResult:
    """Digests of a result that passed all checks.

    `canonical` is what equal answers share; `identity` tells whether two answers of one party are
    the same; `signed` is what its signature is over.
    """

    canonical: bytes
    identity: bytes
    signed: bytes


def check_result(
    entry: asc_pb2.LogEntry,
    party: config_pb2.Party,
    fulfil: asc_pb2.Fulfil,
    inline_limit: int,
) -> CheckedResult:
    """Check kind, form and signature.

    Raises:
        Rejection: KIND_MISMATCH, BAD_RESULT or BAD_RESULT_SIGNATURE.
    """
    kind = fulfil.WhichOneof("result")
    if kind != _RESULTS[entry.kind]:
        raise Rejection(Reason.KIND_MISMATCH, f"{kind} for {asc_pb2.RequestKind.Name(entry.kind)}")
    if kind == "public_decryption":
        _check_plaintexts(entry, fulfil.public_decryption)
        signed = canonical = identity = signed_digest(entry, fulfil)
    elif kind == "user_decryption":
        _check_user(entry, party, fulfil.user_decryption, inline_limit)
        signed = signed_digest(entry, fulfil)
        canonical = sha3_256(_link(entry))
        identity = fulfil.user_decryption.payload_digest
    else:
        _check_generation(entry, fulfil.generation)
        signed = signed_digest(entry, fulfil)
        canonical = identity = _with_sizes(signed, fulfil.generation)
    _require_signature(party, signed, fulfil.signature)
    return CheckedResult(canonical, identity, signed)


def answer_identity(answer: asc_pb2.Answer) -> bytes:
    """Identity of a stored answer; it survives pruning."""
    if answer.WhichOneof("outcome") == "failure":
        return failure_identity(answer.failure)
    if answer.fulfil.WhichOneof("result") == "user_decryption":
        return answer.fulfil.user_decryption.payload_digest
    return answer.canonical_digest


def carries_payload(answer: asc_pb2.Answer) -> bool:
    """Whether the answer holds what is dropped after the retention window."""
    result = answer.fulfil
    return bool(result.public_decryption.decrypted_result or result.user_decryption.payload)


def drop_payload(answer: asc_pb2.Answer) -> None:
    """Drop what is large; digests and the signature stay, so a kept copy can still be checked."""
    kind = answer.fulfil.WhichOneof("result")
    if kind == "public_decryption":
        answer.fulfil.public_decryption.ClearField("decrypted_result")
    elif kind == "user_decryption":
        answer.fulfil.user_decryption.ClearField("payload")


def failure_identity(code: int) -> bytes:
    """Identity of a failure report."""
    return sha3_256(b"tkms/failure/v1" + code.to_bytes(4, "big"))


def _handles(entry: asc_pb2.LogEntry) -> list[bytes]:
    return [ciphertext.handle for ciphertext in entry.ciphertexts]


def _link(entry: asc_pb2.LogEntry) -> bytes:
    return linker_digest(entry.domain, entry.user_public_key, _handles(entry), entry.user)


def _check_plaintexts(entry: asc_pb2.LogEntry, result: asc_pb2.PublicDecryptionResult) -> None:
    types = [ciphertext.fhe_type for ciphertext in entry.ciphertexts]
    try:
        decode_plaintexts(result.decrypted_result, types)
    except ValueError as error:
        raise Rejection(Reason.BAD_RESULT, str(error)) from None


def _check_user(
    entry: asc_pb2.LogEntry,
    party: config_pb2.Party,
    result: asc_pb2.UserDecryptionResult,
    inline_limit: int,
) -> None:
    if (
        len(result.payload_digest) != Digest32.LENGTH
        or len(result.payload_keccak) != Digest32.LENGTH
    ):
        raise Rejection(Reason.BAD_RESULT, "the payload's digests have 32 bytes")
    if not 0 < result.payload_size <= _MAX_USER_PAYLOAD_BYTES:
        raise Rejection(Reason.BAD_RESULT, f"{result.payload_size} bytes of payload")
    if result.payload:
        _check_inline(entry, party, result, inline_limit)


def _check_inline(
    entry: asc_pb2.LogEntry,
    party: config_pb2.Party,
    result: asc_pb2.UserDecryptionResult,
    inline_limit: int,
) -> None:
    payload = result.payload
    if len(payload) > inline_limit:
        raise Rejection(Reason.BAD_RESULT, f"at most {inline_limit} bytes are stored inline")
    described = (result.payload_size, result.payload_digest, result.payload_keccak)
    if described != (len(payload), sha3_256(payload), keccak256(payload)):
        raise Rejection(Reason.BAD_RESULT, "size or digests are not those of the payload")
    try:
        parsed = parse_payload(payload)
    except PayloadError as error:
        raise Rejection(Reason.BAD_RESULT, str(error)) from None
    _check_payload(entry, party, parsed)


def _check_payload(entry: asc_pb2.LogEntry, party: config_pb2.Party, payload: UserPayload) -> None:
    asked = [(ciphertext.handle, ciphertext.fhe_type) for ciphertext in entry.ciphertexts]
    checks = (
        ("verification key", payload.verification_key == party.verification_key),
        ("link", payload.link == _link(entry)),
        ("party", payload.party == party.index),
        ("degree", payload.degree == entry.threshold),
        ("shares", [(share.handle, share.fhe_type) for share in payload.shares] == asked),
    )
    for name, equal in checks:
        if not equal:
            raise Rejection(Reason.BAD_RESULT, f"the payload's {name} is not the expected one")


def _check_generation(entry: asc_pb2.LogEntry, result: asc_pb2.GenerationResult) -> None:
    kinds = sorted(material.kind for material in result.digests)
    if kinds not in _accepted_materials(entry):
        raise Rejection(Reason.BAD_RESULT, f"materials are {kinds}")
    for material in result.digests:
        sized = bool(material.size) or material.kind in _NOT_STORED
        if len(material.digest) != Digest32.LENGTH or not sized:
            raise Rejection(Reason.BAD_RESULT, f"digest or size of {material.kind}")
    # All parties say the same words of a destruction: a digest of other words says nothing.
    is_destruction = entry.kind == asc_pb2.REQUEST_KIND_KEY_DESTRUCTION
    if is_destruction and result.digests[0].digest != destruction_statement(entry):
        raise Rejection(Reason.BAD_RESULT, "the statement of destruction is another")


def _accepted_materials(entry: asc_pb2.LogEntry) -> list[list[str]]:
    dealt_key = entry.dealer and entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION
    return [_MATERIALS[entry.kind], *([_DEALT_KEY_MATERIALS] if dealt_key else [])]


def _with_sizes(signed: bytes, result: asc_pb2.GenerationResult) -> bytes:
    # The sizes get into the key's record too, but the signed structs do not hold them.
    sizes = b"".join(material.size.to_bytes(8, "big") for material in result.digests)
    return sha3_256(_AGREEMENT_SEPARATOR + signed + sizes)


def _require_signature(party: config_pb2.Party, digest: bytes, signature: bytes) -> None:
    try:
        signer = recover_address(digest, signature)
    except SignatureError as error:
        raise Rejection(Reason.BAD_RESULT_SIGNATURE, str(error)) from None
    if signer != address_of(party.verification_key):
        raise Rejection(Reason.BAD_RESULT_SIGNATURE, f"{signer} signed")
