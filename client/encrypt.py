"""Inputs: material of a key, verified by its on-chain record, and proven encrypted lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import tkms_kernel
from google.protobuf.message import DecodeError

from client import keys
from client.chain import Chain
from client.errors import VerificationFailed
from client.storage import StorageClient
from wire.digests import sha3_256
from wire.fhe import FheType
from wire.ids import Address, KeyId
from wire.pb.tkms.asc.v1 import asc_pb2

PUBLIC_KEY: Final = "public-key"
SERVER_KEY: Final = "server-key"
CRS: Final = "crs"
_INPUT_SEPARATOR: Final = b"tkms/input/v1"


async def key_record(chain: Chain, key_id: KeyId) -> asc_pb2.MaterialRecord:
    """Proven record of a key.

    Raises:
        VerificationFailed: no such key, or not active.
    """
    return await _record(chain, keys.key_record(bytes(key_id)), key_id)


async def crs_record(chain: Chain, crs_id: KeyId) -> asc_pb2.MaterialRecord:
    """Proven record of a reference string.

    Raises:
        VerificationFailed: no such string, or not active.
    """
    return await _record(chain, keys.crs_record(bytes(crs_id)), crs_id)


async def material(storage: StorageClient, record: asc_pb2.MaterialRecord, kind: str) -> bytes:
    """Bytes that a record names, checked against its digest.

    Raises:
        VerificationFailed: the record has no such material, or storage serves other bytes.
        StorageError, Unreachable: storage does not have it or does not answer.
    """
    for entry in record.digests:
        if entry.kind == kind:
            return await storage.get(entry.digest, entry.size)
    raise VerificationFailed(f"{record.id.hex()} has no {kind}")


def input_metadata(application: str, account: Address) -> bytes:
    """What an input's proof is bound to: nobody else, and no other application, can use it."""
    return sha3_256(_INPUT_SEPARATOR + application.encode() + bytes(account))


def encrypt(
    values: Sequence[tuple[FheType, int]], public_key: bytes, crs: bytes, metadata: bytes
) -> bytes:
    """Proven compact list of typed values. Takes seconds with production parameters: use a thread.

    Raises:
        ValueError: a value does not fit its type, or the list does not fit the reference string.
    """
    key = tkms_kernel.CompactPublicKey.load(public_key)
    # The caller pinned the digest of these bytes by the on-chain record.
    reference = tkms_kernel.Crs.load(crs, checked=True)
    listed = [(int(fhe_type), value) for fhe_type, value in values]
    return bytes(key.encrypt_list(listed, reference, metadata))


async def _record(chain: Chain, key: bytes, material_id: KeyId) -> asc_pb2.MaterialRecord:
    proven = await chain.proven_value(key)
    if proven.value is None:
        raise VerificationFailed(f"the state proves that {material_id} does not exist")
    try:
        record = asc_pb2.MaterialRecord.FromString(proven.value)
    except DecodeError as error:
        raise VerificationFailed("the proven record is not of this schema") from error
    if record.id != bytes(material_id) or record.status != asc_pb2.KEY_STATUS_ACTIVE:
        raise VerificationFailed(f"{material_id} is not active")
    return record
