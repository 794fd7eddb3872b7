"""The key that a program encrypts under is the one that the chain proves, or none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.chain import Chain
from client.encrypt import encryption_key
from client.errors import NoMaterial, StorageError, VerificationFailed
from client.rpc import ChainRpc
from client.storage import StorageClient
from tests.connector.relay.world import World, world
from tests.support.chain import ADMIN, CHAIN_ID, message
from tests.support.edge_servers import TOKEN, storage_server
from tests.support.shop import agree, generate_crs
from wire.digests import sha3_256
from wire.ids import KeyId
from wire.pb.tkms.asc.v1 import asc_pb2


@dataclass
class Surroundings:
    """A chain with a key, a client of it, and storage with the key's bytes."""

    made: World
    chain: Chain
    storage: StorageClient
    bodies: Path

    def second_key(self) -> bytes:
        """Another active key."""
        request = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
        key_id = self.made.chain.send(ADMIN, message(request_key_generation=request)).request_id
        agree(self.made.chain, key_id, {"public-key": b"second", "server-key": b"server"})
        return key_id

    def crs(self, key_id: bytes, crs: bytes = b"crs") -> KeyId:
        """A reference string of a key."""
        found = generate_crs(self.made.chain, key_id, 64, crs)
        self.made.node.adopt()
        return KeyId(found)


@asynccontextmanager
async def surroundings(folder: Path) -> AsyncIterator[Surroundings]:
    """All of it, running."""
    async with (
        world(folder) as made,
        storage_server(folder / "storage") as served,
        StorageClient(served.url, TOKEN) as storage,
        ChainRpc(made.node.url) as rpc,
    ):
        for data in (b"public-key", b"server-key", b"crs", b"second"):
            await storage.put(data, "public")
        trusted = made.node.validators_hash
        chain = await Chain.connect(rpc, validators_hash=trusted, chain_id=CHAIN_ID)
        yield Surroundings(made, chain, storage, served.folder)


async def test_the_newest_key_unless_one_is_named(tmp_path: Path) -> None:
    """Bytes are those of the records; names lead to others."""
    async with surroundings(tmp_path) as here:
        first = here.crs(here.made.key_id)
        second_id = here.second_key()
        second = here.crs(second_id)
        newest = await encryption_key(here.chain, here.storage)
        assert (newest.key.id, newest.public_key_bytes) == (second_id, b"second")
        assert (newest.reference_string.id, newest.reference_string_bytes) == (second.value, b"crs")
        named = await encryption_key(here.chain, here.storage, KeyId(here.made.key_id))
        assert (named.key.id, named.reference_string.id) == (here.made.key_id, first.value)
        older = await encryption_key(here.chain, here.storage, crs_id=second)
        assert older.key.id == second_id


async def test_a_string_of_another_key_is_refused(tmp_path: Path) -> None:
    """Proofs made with it would be worthless; it is not the coprocessor that should find out."""
    async with surroundings(tmp_path) as here:
        second = here.crs(here.second_key())
        with pytest.raises(VerificationFailed, match="is not of key"):
            await encryption_key(here.chain, here.storage, KeyId(here.made.key_id), second)


async def test_what_is_not_there(tmp_path: Path) -> None:
    """No string, no such key, no bytes: each with its own words."""
    async with surroundings(tmp_path) as here:
        with pytest.raises(NoMaterial, match="no reference string"):
            await encryption_key(here.chain, here.storage)
        string = here.crs(here.made.key_id, b"nobody stored this")
        with pytest.raises(VerificationFailed, match="does not exist"):
            await encryption_key(here.chain, here.storage, KeyId(bytes(20)), string)
        with pytest.raises(StorageError):
            await encryption_key(here.chain, here.storage)


async def test_storage_cannot_slip_in_another_key(tmp_path: Path) -> None:
    """Whoever made a key can read what is encrypted under it: other bytes are never taken."""
    async with surroundings(tmp_path) as here:
        here.crs(here.made.key_id)
        digest = sha3_256(b"public-key").hex()
        (body,) = [path for path in here.bodies.rglob("*") if path.name.startswith(digest)]
        body.write_bytes(b"publiC-key")
        with pytest.raises((VerificationFailed, StorageError)):
            await encryption_key(here.chain, here.storage)
