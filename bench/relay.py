"""The gateway's relay on a real chain: its rate, what it adds to a direct submission, its stream, a flood.

The flood is of submissions that the chain refuses; what it does to the node's checks of others is measured. One validator; node, relay and the load share the machine. Requests are public decryptions of registered
values; no core runs, for what is measured ends in the block.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc

from bench import blocks
from bench import chain as chain_bench
from bench.network import Network, network
from bench.report import Row, quantile_row, row
from bench.traffic import APPLICATION, Traffic
from cli.localnet.plan import Plan
from client.rpc import ChainRpc
from client.settings import read_secret_hex
from wire import tx
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Secp256k1Signer

_VALIDATORS = 1
_IN_FLIGHT = 64
_SECONDS = 8.0
_ROUNDS = 3
_SINGLE = 200
_MAX_FEE = 10**9


def measure() -> list[Row]:
    """`relay.submit_per_s`, `relay.added_ms`, `relay.stream_ms` and the relay's memory."""
    traffic: list[Traffic] = []

    def adapt(plan: Plan) -> Plan:
        traffic.append(chain_bench.with_genesis(plan))
        kept = ("node", "engine", "relay")
        return replace(plan, processes=tuple(p for p in plan.processes if p.name.startswith(kept)))

    with network(_VALIDATORS, "test", adapt=adapt) as running:
        rows = asyncio.run(_measure(running, traffic[0]))
        rows.append(row("relay.memory_mb", "MiB", [running.memory_mebibytes()["relay"]]))
    return rows


async def _measure(running: Network, traffic: Traffic) -> list[Row]:
    records = await chain_bench.prepare(running, traffic)
    async with grpc.aio.insecure_channel(running.plan.relay_address) as channel:
        relay = gateway_pb2_grpc.GatewayServiceStub(channel)
        rows = await _added(running, relay, records)
        rows += await _stream(running, relay, records)
        rows += await _flooded(running, relay, records)
        rates = [await _rate(running, relay, records) for _ in range(_ROUNDS)]
        rows.append(row("relay.submit_per_s", "1/s", rates))
    return rows


def _request(records: Sequence[isc_pb2.Ciphertext], number: int) -> Any:
    record = records[number % len(records)]
    return asc_pb2.RequestPublicDecryption(
        application=APPLICATION, key_id=record.key_id, ciphertexts=[record]
    )


async def _rate(running: Network, relay: Any, records: Sequence[isc_pb2.Ciphertext]) -> float:
    """Submissions a second that are on disk and that the node has checked; all come into blocks."""
    numbers = iter(range(10**9))
    end = time.monotonic() + _SECONDS
    last: list[bytes] = []

    async def worker() -> int:
        done = 0
        while time.monotonic() < end:
            submission = pb.SubmitRequest(
                nonce=os.urandom(16), public_decryption=_request(records, next(numbers))
            )
            answer = await relay.Submit(submission)
            last[:] = [answer.submission.request_id]
            done += 1
        return done

    started = time.monotonic()
    done = sum(await asyncio.gather(*(worker() for _ in range(_IN_FLIGHT))))
    rate = done / (time.monotonic() - started)
    await relay.WaitRequest(
        pb.WaitRequestRequest(request_id=last[0], until=pb.WAIT_UNTIL_INCLUDED), timeout=60
    )
    await blocks.drained([running.plan.operators[0].rpc_url])
    return rate


async def _added(running: Network, relay: Any, records: Sequence[isc_pb2.Ciphertext]) -> list[Row]:
    """One at a time, in turn: signed and offered to the node directly, and through the relay."""
    direct: list[float] = []
    relayed: list[float] = []
    async with ChainRpc(running.plan.operators[0].rpc_url) as rpc:
        for number in range(_SINGLE):
            request = _request(records, number)
            direct.append(await _directly(running, rpc, request))
            started = time.perf_counter()
            await relay.Submit(pb.SubmitRequest(nonce=os.urandom(16), public_decryption=request))
            relayed.append(1000 * (time.perf_counter() - started))
    base = statistics.median(direct)
    added = [sample - base for sample in relayed]
    return [
        quantile_row("relay.direct_ms.p50", "ms", direct, 0.5),
        quantile_row("relay.added_ms.p50", "ms", added, 0.5),
        quantile_row("relay.added_ms.p95", "ms", added, 0.95),
    ]


async def _directly(running: Network, rpc: ChainRpc, request: Any) -> float:
    """Milliseconds of one submission that is signed here and checked by the node."""
    payer = Secp256k1Signer(read_secret_hex(Path(running.plan.home / "relay" / "account.key")))
    expires = (await rpc.status()).latest_height + 1_000
    started = time.perf_counter()
    raw = tx.build(
        payer,
        running.plan.chain_id,
        [tx_pb2.Message(request_public_decryption=request)],
        expires_at_height=expires,
        max_fee=_MAX_FEE,
        nonce=os.urandom(16),
    )
    verdict = await rpc.broadcast_sync(raw)
    if verdict.code:
        raise RuntimeError(f"refused: {verdict.log}")
    return 1000 * (time.perf_counter() - started)


async def _flooded(
    running: Network, relay: Any, records: Sequence[isc_pb2.Ciphertext]
) -> list[Row]:
    """Direct submissions while callers without limits submit what CheckTx refuses, as fast as they can."""
    refused = 0
    stranger = isc_pb2.Ciphertext()
    stranger.CopyFrom(records[0])

    async def caller() -> None:
        nonlocal refused
        while True:
            stranger.handle = os.urandom(32)
            request = asc_pb2.RequestPublicDecryption(
                application=APPLICATION, key_id=stranger.key_id, ciphertexts=[stranger]
            )
            try:
                await relay.Submit(pb.SubmitRequest(public_decryption=request))
            except grpc.aio.AioRpcError:
                refused += 1

    flood = [asyncio.create_task(caller()) for _ in range(_IN_FLIGHT)]
    started = time.monotonic()
    try:
        async with ChainRpc(running.plan.operators[0].rpc_url) as rpc:
            samples = [
                await _directly(running, rpc, _request(records, number))
                for number in range(_SINGLE)
            ]
        rate = refused / (time.monotonic() - started)
    finally:
        for task in flood:
            task.cancel()
        await asyncio.gather(*flood, return_exceptions=True)
    return [
        row("relay.flood_per_s", "1/s", [rate]),
        quantile_row("relay.direct_flooded_ms.p50", "ms", samples, 0.5),
        quantile_row("relay.direct_flooded_ms.p95", "ms", samples, 0.95),
    ]


async def _stream(running: Network, relay: Any, records: Sequence[isc_pb2.Ciphertext]) -> list[Row]:
    """From the node's own news of a block to the stream's message about a request in it."""
    seen: dict[int, float] = {}
    late: list[float] = []
    head = (await relay.GetChainInfo(pb.GetChainInfoRequest())).head
    stream = relay.WatchRequests(pb.WatchRequestsRequest(after=head, kinds=[pb.EVENT_KIND_OPENED]))

    async def heights() -> None:
        async with ChainRpc(running.plan.operators[0].rpc_url) as rpc:
            while True:
                seen.setdefault((await rpc.status()).latest_height, time.perf_counter())
                await asyncio.sleep(0.005)

    async def submissions() -> None:
        for number in range(_SINGLE):
            request = _request(records, number)
            await relay.Submit(pb.SubmitRequest(nonce=os.urandom(16), public_decryption=request))
            await asyncio.sleep(0.02)

    tasks = [asyncio.create_task(heights()), asyncio.create_task(submissions())]
    async for message in stream:
        if message.HasField("event"):
            now = time.perf_counter()
            late.append(1000 * (now - seen.get(message.cursor.height, now)))
        if len(late) == _SINGLE:
            break
    stream.cancel()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return [
        quantile_row("relay.stream_ms.p50", "ms", late, 0.5),
        quantile_row("relay.stream_ms.p95", "ms", late, 0.95),
    ]
