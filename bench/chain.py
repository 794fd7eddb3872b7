"""Transactions, requests and answers a second on one validator and on four, beside the built-in kvstore.

kvstore and our application run one after the other in homes made alike, under load of the same size and shape. Everything
is counted from blocks: what was executed with success, from the first transaction sent until the last one was decided.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bench import blocks, load
from bench.network import Network, network
from bench.report import Row
from bench.traffic import (
    ANSWERS_A_TRANSACTION,
    REQUESTS_A_TRANSACTION,
    Traffic,
    key_values,
    requests_of,
)
from cli.genesis import state as genesis_state
from cli.localnet.plan import Plan
from client.rpc import ChainRpc
from wire import tx
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2

_SECONDS = 12.0
_INCLUDED_S = 30.0


@dataclass(frozen=True, slots=True)
class _Size:
    """How much is made in advance: more than can be committed in the time."""

    validators: int
    key_values: int
    transfers: int
    requests: int
    answers: int


_SIZES = (
    _Size(validators=1, key_values=260_000, transfers=90_000, requests=75_000, answers=75_000),
    _Size(validators=4, key_values=90_000, transfers=40_000, requests=25_000, answers=25_000),
)


def measure() -> list[Row]:
    """`chain.kvstore_tx_per_s`, `.committed_tx_per_s`, `.requests_per_s`, `.fulfilments_per_s`, and ratios."""
    rows: list[Row] = []
    for size in _SIZES:
        rows += _measure(size)
    return rows


def _measure(size: _Size) -> list[Row]:
    traffic: list[Traffic] = []

    def adapt(plan: Plan) -> Plan:
        traffic.append(with_genesis(plan))
        return plan

    suffix = f"{size.validators}v"
    with network(size.validators, "test", chain_only=True, adapt=_built_in("kvstore")) as running:
        length = len(next(Traffic(running.plan.chain_id).transfers(1)))
        made = list(key_values(size.key_values, length))
        # kvstore fails nothing that it lets in, and its results are megabytes a block.
        kvstore, _ = asyncio.run(_run(running, made, load.SMALL, check=False))
    base = _row(f"chain.kvstore_tx_per_s.{suffix}", kvstore, 1)
    rows = [base]
    with network(size.validators, "test", chain_only=True, adapt=adapt) as running:
        for name, rates, messages in _ours(running, traffic[0], size):
            row = _row(f"chain.{name}_per_s.{suffix}", rates, messages)
            ratio = Row(
                f"chain.{name}_ratio.{suffix}",
                row.value / base.value,
                "of kvstore",
                row.min / base.value,
                row.max / base.value,
                row.runs,
            )
            rows += [row, ratio]
    return rows


def _ours(running: Network, traffic: Traffic, size: _Size) -> list[tuple[str, blocks.Rates, int]]:
    made = list(traffic.transfers(size.transfers))
    transfers, _ = asyncio.run(_run(running, made, load.SMALL))
    records = asyncio.run(prepare(running, traffic))
    made = list(traffic.requests(records, size.requests))
    requests, opened = asyncio.run(_run(running, made, load.LARGE))
    found = requests_of(raw for block in opened for raw in block.succeeded)
    made = list(traffic.answers(found, size.answers))
    answers, _ = asyncio.run(_run(running, made, load.LARGE))
    return [
        ("committed_tx", transfers, 1),
        ("requests", requests, REQUESTS_A_TRANSACTION),
        ("fulfilments", answers, ANSWERS_A_TRANSACTION),
    ]


async def _run(
    running: Network, transactions: Sequence[bytes], shape: load.Shape, *, check: bool = True
) -> tuple[blocks.Rates, list[blocks.Block]]:
    """Send to all nodes alike; rates while the load ran, and all blocks until nothing was left."""
    urls = [operator.rpc_url for operator in running.plan.operators]
    for url in urls:
        await blocks.caught_up(url)
    async with ChainRpc(urls[0]) as rpc:
        before = (await rpc.status()).latest_height
    sent = await asyncio.to_thread(load.send, urls, transactions, shape, _SECONDS)
    await blocks.drained(urls)
    found = await blocks.read(urls[0], before, check=check)
    failed = sum(block.failed for block in found)
    if failed:
        raise RuntimeError(f"{failed} transactions failed in blocks")
    return blocks.rates(found, sent), found


async def prepare(running: Network, traffic: Traffic) -> list[isc_pb2.Ciphertext]:
    """Agree on a key and register ciphertexts, by real messages."""
    async with ChainRpc(running.plan.operators[0].rpc_url) as rpc:
        opening = traffic.key_request()
        await _include(rpc, [opening])
        key_id = bytes(tx.decode(opening).request_id(0))
        entry = (await _request(rpc, key_id)).entry
        await _include(rpc, traffic.key_answers(entry))
        records = traffic.ciphertexts(key_id)
        await _include(rpc, traffic.registrations(records))
    return records


async def _request(rpc: ChainRpc, request_id: bytes) -> state_pb2.RequestView:
    answer = await rpc.abci_query("/asc/request", request_id)
    if answer.code != 0:
        raise RuntimeError(f"the chain does not know the request for a key: {answer.log}")
    return state_pb2.RequestView.FromString(answer.value)


async def _include(rpc: ChainRpc, transactions: Sequence[bytes]) -> None:
    """Send, and wait until all are in blocks and succeeded."""
    for raw in transactions:
        verdict = await rpc.broadcast_sync(raw)
        if verdict.code != 0:
            raise RuntimeError(f"refused: {verdict.log}")
    for raw in transactions:
        for _ in range(int(_INCLUDED_S / 0.1)):
            found = await rpc.tx(hashlib.sha256(raw).digest())
            if found is not None:
                break
            await asyncio.sleep(0.1)
        else:
            raise RuntimeError("a transaction was not included")
        if found.code != 0:
            raise RuntimeError(f"failed: {found.log}")


def with_genesis(plan: Plan) -> Traffic:
    """Put the bench's parties and accounts into the genesis of every node."""
    traffic = Traffic(plan.chain_id)
    paths = [plan.folder(operator) / "config" / "genesis.json" for operator in plan.operators]
    document = json.loads(paths[0].read_text("utf-8"))
    # Made once: it holds fresh certificates, and all nodes must have the same bytes.
    changed = traffic.genesis(genesis_state.parse(document["app_state"]))
    document["app_state"] = genesis_state.as_json(changed)
    for path in paths:
        path.write_text(json.dumps(document), encoding="utf-8")
    return traffic


def _built_in(name: str) -> Callable[[Plan], Plan]:
    """Run the engines with an application of their own and no node processes."""

    def adapt(plan: Plan) -> Plan:
        engines = [
            replace(process, argv=(*process.argv, "--proxy_app", name), after=())
            for process in plan.processes
            if process.name.startswith("engine")
        ]
        return replace(plan, processes=tuple(engines))

    return adapt


def _row(name: str, rates: blocks.Rates, messages: int) -> Row:
    """Mean over the whole time; minimum and maximum of its windows."""
    windows = [rate * messages for rate in rates.windows]
    unit = "1/s" if messages > 1 else "tx/s"
    return Row(name, rates.mean * messages, unit, min(windows), max(windows), len(windows))
