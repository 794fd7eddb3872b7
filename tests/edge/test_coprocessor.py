"""The stand-in computes on real (toy) ciphertexts with keys that the chain names, and registers results."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from client.encrypt import encrypt, input_metadata
from client.storage import StorageClient
from edge.coprocessor.main import build_app
from edge.coprocessor.settings import CoprocessorSettings
from tests.support.chain import ALICE, BOB, CHAIN_ID, account, message
from tests.support.edge_servers import TOKEN, Served, serving, storage_server
from tests.support.rpc_node import RpcNode
from tests.support.shop import APPLICATION, generate_crs, start_shop
from tests.support.toy_material import toy_material
from wire.digests import sha3_256, sha256
from wire.fhe import FheType
from wire.ids import HandleId
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.state.v1 import state_pb2

DELEGATE = account("coprocessor")
MAX_BITS = 64


@dataclass
class Shop:
    """The stand-in's surroundings."""

    node: RpcNode
    storage: Served
    key_id: bytes
    crs_id: bytes
    home: Path

    def list_of(self, *values: tuple[FheType, int], application: str = APPLICATION) -> bytes:
        """Proven list for ALICE."""
        _, material, crs = toy_material(MAX_BITS)
        metadata = input_metadata(application, ALICE.address)
        return encrypt(values, material["public-key"], crs, metadata)

    @contextlib.asynccontextmanager
    async def coprocessor(self) -> AsyncIterator["Caller"]:
        """A running stand-in."""
        settings = CoprocessorSettings(
            listen="127.0.0.1:0",
            chain_id=CHAIN_ID,
            rpc_url=self.node.url,
            storage_url=self.storage.url,
            account_key="account.key",
            application=APPLICATION,
            database="coprocessor.db",
            max_bits=MAX_BITS,
            trusted_validators_hash=self.node.validators_hash.hex(),
        )
        app = await build_app(settings, self.home)
        async with serving(app) as url, aiohttp.ClientSession(url) as session:
            yield Caller(self, session)


@dataclass
class Caller:
    """HTTP calls of a user."""

    shop: Shop
    session: aiohttp.ClientSession

    async def post(self, path: str, status: int = 200, **arguments: Any) -> Any:
        """JSON answer of a call that must end with `status`."""
        async with self.session.post(path, **arguments) as response:
            answer = await response.json(content_type=None)
            assert response.status == status, answer
            return answer

    async def inputs(self, proven_list: bytes, status: int = 200) -> Any:
        """Hand in a list."""
        parameters = {
            "application": APPLICATION,
            "key_id": self.shop.key_id.hex(),
            "crs_id": self.shop.crs_id.hex(),
            "account": ALICE.address.value.hex(),
        }
        return await self.post("/v1/inputs", status, params=parameters, data=proven_list)

    async def compute(self, operation: str, *operands: str, status: int = 200) -> Any:
        """One operation."""
        body = {"operation": operation, "operands": list(operands)}
        return await self.post("/v1/operations", status, json=body)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """Chain, storage with the material, and a home for the stand-in."""
    _, material, crs = toy_material(MAX_BITS)
    for name in ("chain", "home"):
        (tmp_path / name).mkdir()
    chain, key_id = start_shop(tmp_path / "chain", material, bytes(DELEGATE.address))
    crs_id = generate_crs(chain, key_id, MAX_BITS, crs)
    # The delegate pays for its registrations.
    funding = bank_pb2.Transfer(recipient=bytes(DELEGATE.address), amount=10_000)
    assert chain.send(BOB, message(transfer=funding)).ok
    secret = tmp_path / "home" / "account.key"
    secret.write_text(sha256(b"test account coprocessor").hex())
    secret.chmod(0o600)
    node = RpcNode(chain)
    async with (
        node.serve(),
        storage_server(tmp_path / "storage", max_bytes=2**30) as storage,
        StorageClient(storage.url, TOKEN) as client,
    ):
        for data in (*material.values(), crs):
            await client.put(data, "public")
        yield Shop(node, storage, key_id, crs_id, tmp_path / "home")
    chain.close()


async def test_inputs_operations_and_preparation(shop: Shop) -> None:
    """Two inputs, a sum, a comparison and a choice; the result is stored, registered and right."""
    async with shop.coprocessor() as caller:
        answer = await caller.inputs(shop.list_of((FheType.EUINT8, 200), (FheType.EUINT8, 100)))
        first, second = (item["handle"] for item in answer["handles"])
        raw = bytes(HandleId.parse(second))
        assert raw[21:] == bytes([1]) + (8006).to_bytes(8, "big") + bytes([2, 0])
        total = await caller.compute("add", first, second)
        larger = await caller.compute("gt", first, second)
        assert larger["fhe_type"] == FheType.EBOOL
        chosen = await caller.compute("select", larger["handle"], total["handle"], first)
        wanted = {"handles": [chosen["handle"]], "format": 2}
        (prepared,) = await caller.post("/v1/prepare", json=wanted)
        (again,) = await caller.post("/v1/prepare", json=wanted)
        assert again == {**prepared, "transaction": ""}
        (ordinary,) = await caller.post("/v1/prepare", json={"handles": [total["handle"]]})
        assert ordinary["format"] == 1
        health = await (await caller.session.get("/healthz")).json()
        assert health["service"] == "coprocessor stand-in"
    async with StorageClient(shop.storage.url) as client:
        squashed = await client.get(bytes.fromhex(prepared["digest"]))
        data = await client.get(bytes.fromhex(ordinary["digest"]))
        assert toy_material(MAX_BITS)[0].decrypt(data, FheType.EUINT8, 1) == (200 + 100) % 256
    assert toy_material(MAX_BITS)[0].decrypt(squashed, FheType.EUINT8, 2) == (200 + 100) % 256
    data = APPLICATION.encode() + b"\0" + bytes(HandleId.parse(chosen["handle"]))
    view = state_pb2.HandleView.FromString(shop.node.chain.query("/isc/handle", data))
    assert view.ciphertext.digest == sha3_256(squashed)
    assert view.ciphertext.size == len(squashed) == prepared["size"]


async def test_restart_loses_nothing(shop: Shop) -> None:
    """Handles are known to the next process; the same list gives the same handles."""
    proven_list = shop.list_of((FheType.EUINT8, 9))
    async with shop.coprocessor() as caller:
        before = await caller.inputs(proven_list)
    async with shop.coprocessor() as caller:
        handle = before["handles"][0]["handle"]
        doubled = await caller.compute("add", handle, handle)
        assert doubled["fhe_type"] == FheType.EUINT8
        assert await caller.inputs(proven_list) == before


async def test_foreign_and_malformed_inputs_are_refused(shop: Shop) -> None:
    """A list proven for another application, garbage, unknown handles and operations have no effect."""
    async with shop.coprocessor() as caller:
        foreign = shop.list_of((FheType.EUINT8, 1), application="bazaar")
        refusal = await caller.inputs(foreign, 422)
        assert refusal["title"] == "proof does not hold"
        await caller.inputs(b"garbage", 422)
        await caller.compute("add", "0x" + "11" * 32, "0x" + "11" * 32, status=404)
        answer = await caller.inputs(shop.list_of((FheType.EUINT8, 1), (FheType.EUINT16, 1)))
        small, large = (item["handle"] for item in answer["handles"])
        await caller.compute("divide", small, small, status=400)
        await caller.compute("add", small, status=400)
        await caller.compute("add", small, large, status=400)
        await caller.compute("select", small, small, small, status=400)
        await caller.post("/v1/operations", 400, data=b"[]")
        await caller.post("/v1/prepare", 400, json={"handles": [small], "format": 4})
