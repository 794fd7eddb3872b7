"""Inputs: lists of encrypted values with a proof, under a key that the chain names.

key = await encryption_key(chain, storage)
proven = await key.encrypt([(FheType.EUINT64, 1_000)], "demo", account)
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import tkms_kernel

from client.chain import Chain
from client.errors import VerificationFailed
from client.material import (
    CRS,
    PUBLIC_KEY,
    crs_record,
    key_record,
    material,
    newest_material,
    newest_reference_string,
)
from client.storage import StorageClient
from wire.digests import sha3_256
from wire.fhe import FheType
from wire.ids import Address, KeyId
from wire.pb.tkms.asc.v1 import asc_pb2

_INPUT_SEPARATOR: Final = b"tkms/input/v1"


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A public key and a reference string with their proven records; good for any number of lists.

    `key.dealer` and `key.parameters` say whether the key protects anything: warn where it does not.
    """

    key: asc_pb2.MaterialRecord
    reference_string: asc_pb2.MaterialRecord
    public_key_bytes: bytes = field(repr=False)
    reference_string_bytes: bytes = field(repr=False)

    async def encrypt(
        self, values: Sequence[tuple[FheType, int]], application: str, account: Address
    ) -> bytes:
        """Proven compact list that only this account can hand in, and only to this application.

        Takes seconds with production parameters, in a thread.

        Raises:
            ValueError: a value does not fit its type, or the list does not fit the reference string.
        """
        metadata = input_metadata(application, account)
        return await asyncio.to_thread(
            encrypt, values, self.public_key_bytes, self.reference_string_bytes, metadata
        )


async def encryption_key(
    chain: Chain, storage: StorageClient, key_id: KeyId | None = None, crs_id: KeyId | None = None
) -> EncryptionKey:
    """Prove the records, fetch the bytes, check their digests; the newest active key unless one is named.

    Raises:
        NoMaterial: there is no active key, or it has no reference string.
        VerificationFailed: what was named is not active, the string is of another key, storage serves other
            bytes.
        StorageError, Unreachable: storage does not have it or does not answer.
    """
    if key_id is None:
        key_id, newest = await newest_material(chain)
    else:
        newest = crs_id or await newest_reference_string(chain, key_id)
    key = await key_record(chain, key_id)
    reference_string = await crs_record(chain, crs_id or newest)
    if reference_string.key_id != key.id:
        raise VerificationFailed(
            f"reference string {reference_string.id.hex()} is not of key {key.id.hex()}"
        )
    return EncryptionKey(
        key,
        reference_string,
        await material(storage, key, PUBLIC_KEY),
        await material(storage, reference_string, CRS),
    )


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
