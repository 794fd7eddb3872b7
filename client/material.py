"""Public material: which key is the newest, its proven record, bytes that have the record's digest."""

from __future__ import annotations

from typing import Final

from google.protobuf.message import DecodeError

from client import keys
from client.chain import Chain
from client.errors import NoMaterial, VerificationFailed
from client.storage import StorageClient
from wire.ids import KeyId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2

PUBLIC_KEY: Final = "public-key"
SERVER_KEY: Final = "server-key"
CRS: Final = "crs"
_ACTIVE: Final = asc_pb2.KEY_STATUS_ACTIVE


async def newest_material(chain: Chain) -> tuple[KeyId, KeyId]:
    """Newest active key and its newest reference string.

    The list is the node's word: prove the records before use.

    Raises:
        NoMaterial: there is no active key, or none of its strings.
    """
    listed = state_pb2.MaterialList.FromString(await chain.query("/asc/material"))
    active = [view.record for view in listed.keys if view.record.status == _ACTIVE]
    if not active:
        raise NoMaterial("the chain has no active key")
    key = max(active, key=lambda record: record.active_height)
    return KeyId(key.id), await newest_reference_string(chain, KeyId(key.id))


async def newest_reference_string(chain: Chain, key: KeyId) -> KeyId:
    """Newest active reference string of a key.

    Raises:
        NoMaterial: it has none.
    """
    listed = state_pb2.MaterialList.FromString(await chain.query("/asc/material"))
    strings = [
        view.record
        for view in listed.crs
        if view.record.key_id == bytes(key) and view.record.status == _ACTIVE
    ]
    if not strings:
        raise NoMaterial(f"key {key} has no reference string")
    return KeyId(max(strings, key=lambda record: record.active_height).id)


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


async def _record(chain: Chain, key: bytes, material_id: KeyId) -> asc_pb2.MaterialRecord:
    proven = await chain.proven_value(key)
    if proven.value is None:
        raise VerificationFailed(f"the state proves that {material_id} does not exist")
    try:
        record = asc_pb2.MaterialRecord.FromString(proven.value)
    except DecodeError as error:
        raise VerificationFailed("the proven record is not of this schema") from error
    if record.id != bytes(material_id) or record.status != _ACTIVE:
        raise VerificationFailed(f"{material_id} is not active")
    return record
