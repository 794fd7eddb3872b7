"""A connector that is killed at any moment answers each request exactly once."""

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.chain import Chain as ClientChain
from client.evidence import proven_request
from client.rpc import ChainRpc
from client.storage import StorageClient
from tests.support.answering_core import AnsweringCore
from tests.support.chain import ALICE, CHAIN_ID, party_account
from tests.support.edge_servers import storage_server
from tests.support.rpc_node import RpcNode
from tests.support.shop import ciphertext, request_messages, start_shop
from wire.digests import sha256
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2

PROGRAM = "import pathlib, sys; from connector.main import run; run(pathlib.Path(sys.argv[1]))"
ROOT = Path(__file__).parents[2]


@dataclass
class Operator:
    """Node, core, storage and the connector's home."""

    node: RpcNode
    core: AnsweringCore
    storage: StorageClient
    key_id: bytes
    home: Path
    opened: list[RequestId]

    async def open_request(self) -> RequestId:
        """Store a ciphertext and request its decryption, through the client."""
        record, data = ciphertext(f"value {len(self.opened)}", self.key_id)
        await self.storage.put(data, "ciphertext")
        async with ChainRpc(self.node.url) as rpc:
            chain = await ClientChain.connect(rpc, validators_hash=self.node.validators_hash)
            submitted = await chain.submit(request_messages(record), ALICE, ttl_blocks=90)
            outcome = await chain.wait(submitted, 30)
        assert outcome.request_ids == submitted.request_ids
        self.opened.append(submitted.request_ids[0])
        return submitted.request_ids[0]

    async def start(self) -> asyncio.subprocess.Process:
        """Start the connector's process and return when it is ready."""
        process, _ = await self.start_watched()
        return process

    async def start_watched(self) -> tuple[asyncio.subprocess.Process, str]:
        """The same, and the address of its numbers, empty where it has none."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            str(self.home),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"},
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        url = ""
        async with asyncio.timeout(30):
            while b"event=ready" not in (line := await process.stderr.readline()):
                assert line, "the connector ended before it was ready"
                if b"event=metrics" in line:
                    url = line.decode().rpartition("url=")[2].strip()
        return process, url

    async def answered(self) -> None:
        """Wait until the chain has this party's answer to every request."""
        async with asyncio.timeout(60):
            for request in self.opened:
                while not self.status(request).answered:
                    await self.node.next_block()

    async def idle(self) -> None:
        """Wait until the connector has stopped asking about transactions: it knows all fates."""
        async with asyncio.timeout(60):
            while self.node.chain.height < self.node.last_lookup + 20:
                await self.node.next_block()

    def status(self, request: RequestId) -> asc_pb2.RequestStatus:
        """Status as the application has it."""
        raw = self.node.chain.query("/store", b"asc/status/" + bytes(request))
        return asc_pb2.RequestStatus.FromString(raw)

    def effects(self) -> list[str]:
        """Requests for which an answer of ours took effect, once an effect."""
        return [
            attributes["request_id"]
            for _, result in self.node.results
            for kind, attributes in result.events
            if kind == "request_answered"
        ]

    def rows(self, table: str) -> dict[str, int]:
        """Rows by state in the connector's database; the connector must not run."""
        with contextlib.closing(sqlite3.connect(self.home / "connector.db")) as connection:
            found = connection.execute(f"SELECT state, count(*) FROM {table} GROUP BY state")  # noqa: S608 - fixed names
            return dict(found.fetchall())


@contextlib.asynccontextmanager
async def operator(folder: Path, lose_every: int = 0) -> AsyncIterator[Operator]:
    """Everything around a connector of party 1."""
    for name in ("chain", "core", "connector"):
        (folder / name).mkdir()
    chain, key_id = start_shop(folder / "chain")
    node = RpcNode(chain, lose_every=lose_every)
    core = AnsweringCore(folder / "core", node.validators_hash)
    home = folder / "connector"
    secret = home / "account.key"
    secret.write_text(sha256(b"test account party 1").hex())
    secret.chmod(0o600)
    async with (
        node.serve(),
        core.serve(),
        storage_server(folder / "storage") as storage,
        StorageClient(storage.url) as client,
    ):
        (home / "connector.toml").write_text(
            f'chain_id = "{CHAIN_ID}"\nrpc_url = "{node.url}"\ncore_socket = "{core.socket}"\n'
            f'storage_url = "{storage.url}"\ndatabase = "connector.db"\n'
            f'account_key = "account.key"\nparty = 1\npoll_seconds = 0.05\n'
            f'trusted_validators_hash = "{node.validators_hash.hex()}"\n'
        )
        yield Operator(node, core, client, key_id, home, [])
    chain.close()


def test_account_of_the_tests_is_the_partys() -> None:
    """The secret written to the connector's home is that of party 1's account."""
    assert (
        party_account(1).address == type(party_account(1))(sha256(b"test account party 1")).address
    )


async def test_request_is_answered_and_process_stops_cleanly(tmp_path: Path) -> None:
    """From request to answer on the chain; SIGTERM ends the process with code 0."""
    async with operator(tmp_path) as parts:
        process = await parts.start()
        request = await parts.open_request()
        await parts.answered()
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert parts.status(request).answered == [1]
        assert parts.core.missing == []
        async with ChainRpc(parts.node.url) as rpc:
            chain = await ClientChain.connect(rpc, validators_hash=parts.node.validators_hash)
            evidence = await proven_request(chain, request)
        assert evidence.status.answered == [1]
        assert evidence.entry.request_id == bytes(request)


@pytest.mark.parametrize("seed", [1, 2])
async def test_kill_at_random_moments_gives_exactly_one_effect(tmp_path: Path, seed: int) -> None:
    """Killed again and again, with transactions lost by the node, each request has one answer."""
    chance = random.Random(seed)
    async with operator(tmp_path, lose_every=3) as parts:
        for _ in range(6):
            for _ in range(chance.randrange(1, 4)):
                await parts.open_request()
            process = await parts.start()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), chance.uniform(0, 0.6))
            assert process.returncode is None
            process.kill()
            await process.wait()
        process = await parts.start()
        await parts.answered()
        await parts.idle()
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert sorted(parts.effects()) == sorted(str(request) for request in parts.opened)
        assert parts.node.lost > 0
        for request in parts.opened:
            assert not parts.status(request).conflicts
        assert parts.rows("answer") == {"done": len(parts.opened)}
        assert set(parts.rows("work")) <= {"submitted", "settled"}
        assert "open" not in parts.rows("outgoing")
