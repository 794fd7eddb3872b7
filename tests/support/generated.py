"""Answers to what parties make together, signed as the schema says and not as the code under test does it."""

from __future__ import annotations

from typing import Final

from wire import eip712
from wire.digests import sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Secp256k1Signer

_KINDS: Final = {
    asc_pb2.REQUEST_KIND_CRS_GENERATION: ("crs",),
    asc_pb2.REQUEST_KIND_PREPROCESSING: ("preprocessing",),
    asc_pb2.REQUEST_KIND_EPOCH_CHANGE: ("resharing",),
    asc_pb2.REQUEST_KIND_KEY_DESTRUCTION: ("destruction",),
}


def generated(
    entry: asc_pb2.LogEntry, party: int, signer: Secp256k1Signer, content: str = "same"
) -> asc_pb2.Fulfil:
    """A party's answer; equal contents agree."""
    materials = [_material(entry, kind, content) for kind in _kinds(entry)]
    return asc_pb2.Fulfil(
        request_id=entry.request_id,
        party=party,
        generation=asc_pb2.GenerationResult(digests=materials),
        signature=signer.sign_digest(_signed(entry, materials)),
    )


def _kinds(entry: asc_pb2.LogEntry) -> tuple[str, ...]:
    if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION:
        return (
            ("public-key", "server-key") if entry.dealer else ("public-key", "server-key", "check")
        )
    return _KINDS[entry.kind]


def _material(entry: asc_pb2.LogEntry, kind: str, content: str) -> asc_pb2.MaterialDigest:
    digest = sha3_256(f"{kind} {content}".encode())
    if kind == "destruction" and content == "same":
        digest = sha3_256(b"tkms/destruction/v1" + entry.key_id + entry.request_id)
    stored = kind in {"public-key", "server-key", "check", "crs"}
    return asc_pb2.MaterialDigest(kind=kind, digest=digest, size=100 if stored else 0)


def _signed(entry: asc_pb2.LogEntry, materials: list[asc_pb2.MaterialDigest]) -> bytes:
    domain = isc_pb2.Domain(
        name=f"tkms {entry.chain_id}", version="1", chain_id=0, verifying_contract=bytes(20)
    )
    request, first = entry.request_id, materials[0].digest
    if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION:
        digests = [(material.kind, material.digest) for material in materials]
        return eip712.keygen_digest(domain, request, digests, entry.preprocessing_id)
    if entry.kind == asc_pb2.REQUEST_KIND_CRS_GENERATION:
        return eip712.crs_digest(domain, request, entry.max_bits, first)
    if entry.kind == asc_pb2.REQUEST_KIND_PREPROCESSING:
        return eip712.preprocessing_digest(domain, request, first)
    if entry.kind == asc_pb2.REQUEST_KIND_EPOCH_CHANGE:
        epochs = (entry.epoch_id, entry.next_epoch_id)
        return eip712.epoch_change_digest(domain, request, *epochs, first)
    return eip712.destruction_digest(domain, request, entry.key_id, entry.epoch_id, first)
