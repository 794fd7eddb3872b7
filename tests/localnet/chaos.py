"""What disturbs a network, and the traffic that goes on meanwhile."""

from __future__ import annotations

import asyncio
import base64
import os
import random
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from cli.localnet import life
from cli.localnet.plan import Plan
from client.chain import Chain
from client.errors import ClientError
from client.rpc import ChainRpc
from tests.localnet.world import APPLICATION, World, message, public_request
from tests.support.namespace import Namespace
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import Secp256k1Signer
from wire.tx import build

FROZEN, KILLED, CUT = 2, 3, 4
TTL_BLOCKS = 90
ACCOUNTS = ("alice", "bob", "demo")
_SCAN_S = 0.3
_RESEND_S = 4.0


def behind_a_cable(plan: Plan, namespace: Namespace) -> Plan:
    """Move one operator's engine into a namespace; the others dial it there, its RPC keeps its address."""
    operator = plan.operators[CUT - 1]
    places = (f"127.0.0.1:{operator.p2p_port}", f"127.0.0.1:{operator.rpc_port}")
    for other in plan.operators:
        path = plan.folder(other) / "config/config.toml"
        text = path.read_text()
        for place in places:
            text = text.replace(place, place.replace("127.0.0.1", namespace.address))
        if other.index == CUT:
            text = re.sub(r"(?m)^persistent_peers = .*$", 'persistent_peers = ""', text)
        path.write_text(text)
    moved = [
        replace(process, argv=namespace.command(*process.argv))
        if process.name == f"engine{CUT}"
        else process
        for process in plan.processes
    ]
    return replace(plan, processes=tuple(moved))


def with_records(plan: Plan) -> None:
    """Let every node record its engine's calls."""
    for operator in plan.operators:
        path = plan.folder(operator) / "app/node.toml"
        path.write_text(path.read_text() + 'record_calls = "calls.log"\n')


@dataclass
class Chaos:
    """Freezes, kills and cuts, each on its own operator."""

    home: Path
    namespace: Namespace | None
    seconds: float
    cut_seconds: float
    done: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        """Go on for the whole time, then leave everything well."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._until_the_end(self._freeze))
            group.create_task(self._until_the_end(self._kill))
            group.create_task(self._cut())

    async def _until_the_end(self, step: Callable[[random.Random], Awaitable[None]]) -> None:
        chance = random.Random(step.__name__)
        end = asyncio.get_running_loop().time() + self.seconds
        while asyncio.get_running_loop().time() < end:
            await step(chance)

    async def _freeze(self, chance: random.Random) -> None:
        """Stop a node and its engine in the middle of whatever they do."""
        pids = self._pids(f"node{FROZEN}", f"engine{FROZEN}")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(chance.uniform(1, 5))
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        self.done["frozen"] += 1
        await asyncio.sleep(chance.uniform(4, 10))

    async def _kill(self, chance: random.Random) -> None:
        """Kill a process without warning every twenty seconds; the supervisor starts it again."""
        victim = chance.choice(["node", "node", "engine", "core", "connector"])
        await asyncio.to_thread(life.ask, self.home, "kill", [f"{victim}{KILLED}"])
        self.done[f"killed {victim}"] += 1
        await asyncio.sleep(20)

    async def _cut(self) -> None:
        """Pull the cable once, from a third of the time on."""
        await asyncio.sleep(self.seconds / 3)
        if self.namespace is None:
            pids = self._pids(f"engine{CUT}")
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            await asyncio.sleep(self.cut_seconds)
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        else:
            self.namespace.cut()
            await asyncio.sleep(self.cut_seconds)
            self.namespace.heal()
        self.done["cut"] += 1

    def _pids(self, *names: str) -> list[int]:
        states = life.ask(self.home, "status")
        return [int(state["pid"]) for state in states if state["name"] in names and state["pid"]]


@dataclass
class Sent:
    """A transaction that somebody waits for."""

    raw: bytes
    expires: int
    # Whether a node answered with code 0.
    accepted: bool = False
    amount: int = 0


class Traffic:
    """Transfers through all nodes, permissions, and requests that real parties answer."""

    def __init__(self, world: World) -> None:
        self.waiting: dict[bytes, Sent] = {}
        self.included: dict[bytes, tuple[int, int]] = {}
        self.transferred = 0
        self.lost: list[Sent] = []
        self.requests: dict[bytes, int] = {}
        self.refused: Counter[str] = Counter()
        self.closed: Counter[bytes] = Counter()
        self.height = 0
        # Only receives: what it has is the sum of all transfers that took effect.
        self.sink = os.urandom(20)
        self._world = world
        self._plan = world.network.plan
        self._chance = random.Random(7)
        self._signers = {name: world.signer(name) for name in ACCOUNTS}

    async def run(self, seconds: float) -> None:
        """Go on for some time."""
        # Transactions live so many blocks from the height that is known.
        await self._scan()
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self._watch()),
                group.create_task(self._every(0.1, self._transfer)),
                group.create_task(self._every(3.0, self._request)),
                group.create_task(self._every(2.0, self._grant)),
                group.create_task(self._every(_RESEND_S, self._resend)),
            ]
            await asyncio.sleep(seconds)
            for task in tasks:
                task.cancel()

    async def settle(self, seconds: float) -> None:
        """Wait until nothing is open: each transaction included or expired, each request closed."""
        async with asyncio.timeout(seconds):
            while self.waiting or self.requests.keys() - self.closed.keys():
                await self._scan()
                await self._resend()
                await asyncio.sleep(0.5)

    async def _every(self, seconds: float, step: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await step()
            except (ClientError, aiohttp.ClientError, TimeoutError, OSError) as error:
                # A node that is away refuses; the drill goes on.
                self.refused[type(error).__name__] += 1
            await asyncio.sleep(seconds)

    async def _watch(self) -> None:
        await self._every(_SCAN_S, self._scan)

    async def _transfer(self) -> None:
        """Through any node, as its neighbours' users do."""
        amount = self._chance.randint(1, 1000)
        transfer = message(transfer=bank_pb2.Transfer(recipient=self.sink, amount=amount))
        signer = self._signers[self._chance.choice(ACCOUNTS)]
        sent = self._signed(signer, [transfer])
        sent.amount = amount
        await self._offer(sent, self._chance.randint(1, len(self._plan.operators)))

    async def _grant(self) -> None:
        """Another kind of message, by the coprocessor's account."""
        handle = bytes.fromhex(self._world.prepared[0][0].removeprefix("0x"))
        account = self._chance.randbytes(20)
        grant = isc_pb2.GrantAccess(application=APPLICATION, handle=handle, account=account)
        await self._offer(self._signed(self._world.delegate, [message(grant_access=grant)]), 1)

    async def _request(self) -> None:
        """Ask the parties for a public value."""
        index = self._chance.randrange(len(self._world.prepared))
        async with self._world.chain() as chain:
            wanted = await self._world.good(chain, index)
            submitted = await chain.build([public_request(wanted)], self._signers["alice"])
        sent = Sent(submitted.raw, submitted.expires_at_height)
        (request,) = submitted.request_ids
        self.requests[bytes(request)] = self._world.prepared[index][1]
        await self._offer(sent, 1)

    def _signed(self, signer: Secp256k1Signer, messages: list[Any]) -> Sent:
        expires = self.height + TTL_BLOCKS
        raw = build(
            signer,
            self._plan.chain_id,
            messages,
            expires_at_height=expires,
            max_fee=10_000_000,
            nonce=self._chance.randbytes(16),
        )
        return Sent(raw, expires)

    async def _offer(self, sent: Sent, operator: int) -> None:
        self.waiting.setdefault(sent.raw, sent)
        async with ChainRpc(self._plan.operators[operator - 1].rpc_url) as rpc, asyncio.timeout(3):
            answer = await rpc.broadcast_sync(sent.raw)
        if answer.code == 0:
            sent.accepted = True

    async def _resend(self) -> None:
        """Offer again what waits; a mempool is not durable. What has expired cannot come any more."""
        for sent in list(self.waiting.values()):
            if self.height > sent.expires + 1:
                del self.waiting[sent.raw]
                self.lost.append(sent)
            elif sent.raw in self.waiting:
                await self._offer(sent, 1)

    async def _scan(self) -> None:
        """Read new blocks: no transaction twice, no request closed twice."""
        async with ChainRpc(self._plan.operators[0].rpc_url) as rpc, asyncio.timeout(30):
            last = (await rpc.status()).latest_height - 1
            while self.height < last:
                height = str(self.height + 1)
                block = await rpc.document("block", height=height)
                results = await rpc.document("block_results", height=height)
                self._read(block["block"]["data"]["txs"] or [], results)
                self.height += 1

    def _read(self, raws: list[str], results: dict[str, Any]) -> None:
        events = list(results.get("finalize_block_events") or [])
        for text, result in zip(raws, results.get("txs_results") or [], strict=True):
            raw = base64.b64decode(text)
            events += result.get("events") or []
            assert raw not in self.included, "a transaction is in two blocks"
            self.included[raw] = (self.height + 1, int(result["code"]))
            sent = self.waiting.pop(raw, None)
            if sent is not None and result["code"] == 0:
                self.transferred += sent.amount
        for event in events:
            if event["type"] == "request_closed":
                names = {entry["key"]: entry["value"] for entry in event["attributes"]}
                self.closed[bytes.fromhex(names["request_id"])] += 1


async def headers(world: World, operator: int, last: int) -> list[tuple[int, str, str]]:
    """Height, block hash and app hash of every block of a node, to `last`."""
    found = []
    async with ChainRpc(world.network.plan.operators[operator - 1].rpc_url) as rpc:
        for begin in range(1, last + 1, 20):
            end = min(begin + 19, last)
            page = await rpc.document("blockchain", minHeight=str(begin), maxHeight=str(end))
            found += [
                (
                    int(meta["header"]["height"]),
                    meta["block_id"]["hash"],
                    meta["header"]["app_hash"],
                )
                for meta in page["block_metas"]
            ]
    return sorted(found)


async def heights(world: World) -> list[int]:
    """Latest height of each node."""
    found = []
    for operator in world.network.plan.operators:
        async with ChainRpc(operator.rpc_url) as rpc:
            found.append((await rpc.status()).latest_height)
    return found


async def statuses(chain: Chain, requests: list[bytes]) -> Counter[str]:
    """How requests ended."""
    from wire.ids import RequestId
    from wire.pb.tkms.asc.v1 import asc_pb2

    views = [await chain.request(RequestId(request)) for request in requests]
    return Counter(asc_pb2.Status.Name(view.status.status) for view in views)
