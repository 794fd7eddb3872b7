"""Committed transactions a second: pre-signed transfers, counted from blocks, never from what was sent."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bench.network import Network, network
from bench.report import Row
from cli.keystore import LOCALNET_PASSPHRASE, Keystore, read_passphrase
from client.rpc import ChainRpc
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Secp256k1Signer
from wire.tx import build

_CONNECTIONS = 32
_BATCH = 10
_SECONDS = 12.0
_WARM_BLOCKS = 2


def measure() -> list[Row]:
    """`chain.committed_tx_per_s.1v` and `.4v`."""
    rows = []
    for validators, count in ((1, 60_000), (4, 24_000)):
        with network(validators, "test", chain_only=True) as running:
            name = f"chain.committed_tx_per_s.{validators}v"
            rows.append(asyncio.run(_committed_per_second(running, count, name)))
    return rows


async def _committed_per_second(running: Network, count: int, name: str) -> Row:
    plan = running.plan
    async with ChainRpc(plan.operators[0].rpc_url) as rpc:
        start = (await rpc.status()).latest_height
        expires = start + 1500
        signer = Secp256k1Signer(os.urandom(32))
        await _fund(rpc, plan.chain_id, plan.home, signer, expires)
        raws = [_transfer(signer, plan.chain_id, expires) for _ in range(count)]
        first = (await rpc.status()).latest_height
        await _send_all(plan.operators[0].rpc_url, raws)
        last = (await rpc.status()).latest_height
        blocks = [await _block(rpc, height) for height in range(first, last + 1)]
    busy = [entry for entry in blocks if entry[1] > 0]
    # Per-block rates over the busy part, without the first blocks that fill the mempool.
    rates = []
    for before, after in zip(busy[_WARM_BLOCKS:-1], busy[_WARM_BLOCKS + 1 :], strict=True):
        seconds = (after[0] - before[0]).total_seconds()
        rates.append(after[1] / seconds)
    if not rates:
        raise RuntimeError("no busy blocks: the load did not arrive")
    total = sum(entry[1] for entry in busy[_WARM_BLOCKS + 1 :])
    span = (busy[-1][0] - busy[_WARM_BLOCKS][0]).total_seconds()
    # Mean over the busy time, with the slowest and the quickest block; as many runs as blocks.
    return Row(name, total / span, "tx/s", min(rates), max(rates), len(rates))


async def _fund(
    rpc: ChainRpc, chain_id: str, home: Path, signer: Secp256k1Signer, expires: int
) -> None:
    accounts = home / "accounts"
    passphrase = read_passphrase(accounts / LOCALNET_PASSPHRASE)
    payer = Keystore(accounts).signer("alice", passphrase)
    message = tx_pb2.Message(
        transfer=bank_pb2.Transfer(recipient=bytes(signer.address), amount=100_000_000_000)
    )
    raw = build(
        payer,
        chain_id,
        [message],
        expires_at_height=expires,
        max_fee=1_000_000_000,
        nonce=os.urandom(16),
    )
    answer = await rpc.broadcast_sync(raw)
    if answer.code != 0:
        raise RuntimeError(f"funding was refused: {answer.log}")
    await asyncio.sleep(2)


def _transfer(signer: Secp256k1Signer, chain_id: str, expires: int) -> bytes:
    message = tx_pb2.Message(transfer=bank_pb2.Transfer(recipient=os.urandom(20), amount=1))
    return build(
        signer,
        chain_id,
        [message],
        expires_at_height=expires,
        max_fee=1_000_000,
        nonce=os.urandom(16),
    )


async def _send_all(url: str, raws: list[bytes]) -> None:
    queue: asyncio.Queue[list[bytes]] = asyncio.Queue()
    for index in range(0, len(raws), _BATCH):
        queue.put_nowait(raws[index : index + _BATCH])
    deadline = time.monotonic() + _SECONDS
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with aiohttp.ClientSession(connector=connector) as session:
        workers = [_worker(session, url, queue, deadline) for _ in range(_CONNECTIONS)]
        await asyncio.gather(*workers)


async def _worker(
    session: aiohttp.ClientSession, url: str, queue: asyncio.Queue[list[bytes]], deadline: float
) -> None:
    while time.monotonic() < deadline and not queue.empty():
        batch = queue.get_nowait()
        calls = [
            {
                "jsonrpc": "2.0",
                "id": index,
                "method": "broadcast_tx_sync",
                "params": {"tx": base64.b64encode(raw).decode()},
            }
            for index, raw in enumerate(batch)
        ]
        async with session.post(url, json=calls) as response:
            answers = json.loads(await response.read())
        if any("error" in answer for answer in answers):
            # The mempool is full: give it a moment, these transactions are dropped.
            await asyncio.sleep(0.1)


async def _block(rpc: ChainRpc, height: int) -> tuple[datetime, int]:
    document = await rpc.call("block", {"height": str(height)})
    header = document["block"]["header"]
    moment = datetime.fromisoformat(header["time"][:26].rstrip("Z")).replace(tzinfo=UTC)
    return moment, len(document["block"]["data"]["txs"] or [])
