"""What an attacker of a running local network holds: accounts, sockets, disks and every RPC port."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import grpc

from cli.keystore import LOCALNET_PASSPHRASE, Keystore, read_passphrase
from cli.localnet import life
from cli.localnet.plan import APPLICATION
from client.chain import Chain, Outcome
from client.requests import registered
from client.rpc import ChainRpc
from client.storage import StorageClient
from connector.core import open_channel
from connector.settings import core_endpoint, load
from tests.localnet.harness import Network
from wire.digests import sha3_256
from wire.fhe import FheType, Format
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Secp256k1Signer

T = TypeVar("T")

ENOUGH = 10_000_000
CALL_S = 30.0


@dataclass(frozen=True)
class World:
    """A network with a key and good public values."""

    network: Network
    prepared: list[tuple[str, int]]

    @property
    def home(self) -> Path:
        """Folder of the network."""
        return self.network.home

    @property
    def chain_id(self) -> str:
        """Id of the chain."""
        return self.network.plan.chain_id

    @asynccontextmanager
    async def chain(self, operator: int = 1) -> AsyncIterator[Chain]:
        """The chain through one operator's node."""
        plan = self.network.plan
        async with ChainRpc(plan.operators[operator - 1].rpc_url) as rpc:
            trusted = bytes.fromhex(plan.validators_hash)
            yield await Chain.connect(rpc, validators_hash=trusted, chain_id=plan.chain_id)

    def signer(self, name: str) -> Secp256k1Signer:
        """An account of the keystore."""
        return Secp256k1Signer(self.secret(name))

    def secret(self, name: str) -> bytes:
        """The secret of an account of the keystore."""
        folder = self.home / "accounts"
        passphrase = read_passphrase(folder / LOCALNET_PASSPHRASE)
        return Keystore(folder).secret(name, passphrase)

    @property
    def delegate(self) -> Secp256k1Signer:
        """The coprocessor's account: it speaks for the application."""
        secret = (self.home / "coprocessor" / "account.key").read_text("ascii")
        return Secp256k1Signer(bytes.fromhex(secret))

    def accepted(self) -> dict[int, set[bytes]]:
        """Ids of the requests that each core ever accepted, by its journal on disk."""
        found = {}
        for operator in self.network.plan.operators:
            path = self.network.plan.folder(operator) / "core" / "journal.db"
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                rows = connection.execute("SELECT id FROM request").fetchall()
            found[operator.index] = {bytes(row[0]) for row in rows}
        return found

    def require_all_well(self) -> None:
        """Every process is ready and none was ever restarted."""
        states = life.ask(self.home, "status")
        bad = [s for s in states if s["state"] != "ready" or s["restarts"] != 0]
        assert len(states) == 18
        assert bad == [], bad

    async def good(self, chain: Chain, index: int = 0) -> isc_pb2.Ciphertext:
        """Registration of a prepared value."""
        handle = bytes.fromhex(self.prepared[index][0].removeprefix("0x"))
        return (await registered(chain, APPLICATION, [handle]))[0]

    async def put(self, data: bytes) -> None:
        """Store a ciphertext as anybody may."""
        async with StorageClient(self.network.plan.storage_url) as storage:
            await storage.put(data, "ciphertext")

    def blob_path(self, digest: bytes) -> Path:
        """Where storage keeps a body on disk."""
        (path,) = (self.home / "storage" / "blobs").rglob(digest.hex())
        return path

    async def register(self, chain: Chain, ciphertexts: Sequence[isc_pb2.Ciphertext]) -> None:
        """Vouch for ciphertexts as the delegate, and give them to everybody and to alice."""
        vouched = message(
            register_ciphertexts=isc_pb2.RegisterCiphertexts(
                application=APPLICATION, ciphertexts=ciphertexts
            )
        )
        permissions = []
        alice = bytes(self.signer("alice").address)
        for ciphertext in ciphertexts:
            names = {"application": APPLICATION, "handle": ciphertext.handle}
            permissions.append(message(set_public=isc_pb2.SetPublic(**names, allowed=True)))
            permissions.append(message(grant_access=isc_pb2.GrantAccess(**names, account=alice)))
        await send(chain, [vouched], self.delegate)
        await send(chain, permissions, self.delegate)

    @asynccontextmanager
    async def core(self, operator: int) -> AsyncIterator[core_pb2_grpc.CoreServiceStub]:
        """An operator's core, as its connector reaches it."""
        folder = self.home / f"node{operator}" / "connector"
        async with open_channel(*core_endpoint(load(folder), folder)) as channel:
            yield core_pb2_grpc.CoreServiceStub(channel)


async def submit(
    core: core_pb2_grpc.CoreServiceStub, request: core_pb2.SubmitRequest
) -> tuple[grpc.StatusCode, str]:
    """Status and words (or the work state's name) with which a core answers a submission."""
    try:
        reply = await core.Submit(request, timeout=CALL_S)
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, core_pb2.WorkState.Name(reply.state)


def message(**kind: object) -> tx_pb2.Message:
    """A message of one kind."""
    return tx_pb2.Message(**kind)


def describe(
    data: bytes,
    key_id: bytes,
    fhe_type: int = FheType.EUINT8,
    number: int = Format.BIG_COMPRESSED,
) -> isc_pb2.Ciphertext:
    """Right digest and size of whatever bytes, under a handle of their own."""
    return isc_pb2.Ciphertext(
        handle=sha3_256(b"handle" + data + bytes([fhe_type, number])),
        digest=sha3_256(data),
        fhe_type=fhe_type,
        format=number,
        size=len(data),
        key_id=key_id,
    )


def public_request(*ciphertexts: isc_pb2.Ciphertext) -> tx_pb2.Message:
    """Ask for values that everybody will see."""
    return message(
        request_public_decryption=asc_pb2.RequestPublicDecryption(
            application=APPLICATION, key_id=ciphertexts[0].key_id, ciphertexts=ciphertexts
        )
    )


async def send(
    chain: Chain, messages: Sequence[tx_pb2.Message], signer: Secp256k1Signer
) -> Outcome:
    """Send and wait until a block has it; it must take effect."""
    return await chain.wait(await chain.submit(messages, signer))


async def account(chain: Chain, signer: Secp256k1Signer) -> bank_pb2.Account:
    """Balance and escrow."""
    raw = await chain.query("/account", bytes(signer.address))
    return state_pb2.AccountView.FromString(raw).account


async def eventually(probe: Callable[[], Awaitable[T | None]], seconds: float = 30.0) -> T:
    """Ask the outside world until it has an answer; that answer."""
    async with asyncio.timeout(seconds):
        while True:
            found = await probe()
            if found:
                return found
            await asyncio.sleep(0.1)


async def ended(
    chain: Chain, requests: Sequence[bytes], seconds: float = 60.0
) -> list[state_pb2.RequestView]:
    """Wait until all requests are closed; their views in order."""

    async def views() -> list[state_pb2.RequestView]:
        found = [
            state_pb2.RequestView.FromString(await chain.query("/asc/request", request))
            for request in requests
        ]
        return found if all(view.status.closed_height for view in found) else []

    return await eventually(views, seconds)


async def blocks(chain: Chain, count: int) -> None:
    """Wait for so many new blocks."""
    wanted = await chain.height() + count

    async def reached() -> bool:
        return await chain.height() >= wanted

    await eventually(reached)
