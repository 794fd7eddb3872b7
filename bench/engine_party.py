"""One party of the engine benchmark: real streams, one process, orders on standard input.

`python -m bench.engine_party FOLDER NUMBER` reads one JSON order a line and answers each with one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog
import tkms_kernel as kernel

from bench.engine_squashed import SquashedValue, open_squashed
from core.circles import Address
from core.host import Host
from core.peers import Peers
from core.sent import SentMessages
from core.threads import with_background
from core.tls import Identity
from mpc.exchange import Exchange, Setting, Steps, others, to_others
from mpc.names import run_name
from mpc.preprocessing import (
    Batch,
    BatchKind,
    Material,
    Record,
    preprocess,
    rounding_material,
)
from mpc.rounding import OrdinaryCiphertext, decrypt_publicly
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

EPOCH = 1
POOL_BLOCKS = 1024
_KINDS = {"bits": BatchKind.BITS, "triples": BatchKind.TRIPLES, "pool": BatchKind.ROUNDING}
_FAULTS: dict[str, Callable[[bytes], bytes | None]] = {
    "wrong": lambda payload: bytes(byte ^ 0x5A for byte in payload),
    "silent": lambda _: None,
}


@dataclass(frozen=True, slots=True)
class Order:
    """What to run: `count` runs from number `first` on, `together` at a time.

    work      talk (messages of `size` bytes, no arithmetic), bits, triples, pool (batches of `size`),
              ordinary, squashed (decryptions of `fhe_type`); or fault (becomes `fault`)
    busy      whether batches of the pool are made in the background meanwhile
    """

    work: str
    first: int = 0
    count: int = 1
    together: int = 1
    size: int = 0
    fhe_type: int = 0
    # Decimal: the value is checked, and JSON readers may round large numbers.
    value: str = ""
    background: bool = False
    fault: str = ""
    busy: bool = False


class Counting:
    """The transport, counting what is sent."""

    def __init__(self, peers: Peers) -> None:
        """Bind."""
        self._peers = peers
        self.bytes = 0
        self.messages = 0

    def setting(self, epoch_id: int) -> Setting:
        """As the transport."""
        return self._peers.setting(epoch_id)

    def connected(self, epoch_id: int) -> bool:
        """As the transport."""
        return self._peers.connected(epoch_id)

    def send_to(
        self, recipient: Address, envelope: peer_pb2.Envelope, *, background: bool = False
    ) -> None:
        """Count and send."""
        self.bytes += envelope.ByteSize()
        self.messages += 1
        self._peers.send_to(recipient, envelope, background=background)


class Party:
    """Everything that one party has."""

    def __init__(self, folder: Path, number: int) -> None:
        """Read keys, certificates and ciphertexts."""
        self._folder = folder
        self._epoch = config_pb2.Epoch.FromString((folder / "epoch").read_bytes())
        self._prss = kernel.PrssKeys.from_bytes((folder / f"{number}.prss").read_bytes())
        shares = sorted(folder.glob(f"{number}.*.share"))
        self._shares = {
            p.name.split(".")[1]: kernel.KeyShare.from_bytes(p.read_bytes()) for p in shares
        }
        self._records: dict[int, Record] = {}
        # Batches made behind online work.
        self._made = 0
        names = (f"{number}.key.pem", f"{number}.certificate.pem")
        identity = Identity(*((folder / name).read_bytes() for name in names))
        listen = next(p.peer_address for p in self._epoch.parties if p.index == number)
        self.peers = Peers(identity, listen, self._receive)
        self.network = Counting(self.peers)
        threads = with_background(ThreadPoolExecutor(2))
        self.host = Host(self.network, threads, SentMessages(time.monotonic, None))

    def _receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        self.host.receive(sender, envelope)

    async def connect(self) -> None:
        """Reach everybody."""
        self.peers.learn(self._epoch)
        await self.peers.start()
        while not self.peers.connected(EPOCH):  # noqa: ASYNC110 - once, at the begin
            await asyncio.sleep(0.01)

    async def obey(self, order: Order) -> dict[str, object]:
        """Times of all runs in milliseconds, and what they cost here."""
        if order.work == "fault":
            self.host.spoil = _FAULTS.get(order.fault)
            return {}
        numbers = iter(range(order.first, order.first + order.count))
        work = self._work(order)
        times: list[float] = []

        async def worker() -> None:
            for number in numbers:
                before = time.perf_counter()
                await work(number)
                times.append(1000 * (time.perf_counter() - before))

        sent = self.network.bytes, self.network.messages
        made = self._made
        wall, cpu = time.perf_counter(), time.process_time()
        behind = asyncio.create_task(self._behind(order.first)) if order.busy else None
        await asyncio.gather(*(worker() for _ in range(order.together)))
        if behind is not None:
            behind.cancel()
            await asyncio.gather(behind, return_exceptions=True)
        return {
            "times": times,
            "wall": time.perf_counter() - wall,
            "cpu": time.process_time() - cpu,
            "bytes": self.network.bytes - sent[0],
            "messages": self.network.messages - sent[1],
            "batches": self._made - made,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }

    async def _behind(self, first: int) -> None:
        """Batches without end that give way, as those of a core's pool."""
        order = Order("pool", size=POOL_BLOCKS, background=True)
        number = (first + 1) << 32
        while True:
            await self._preprocess(order, number, gives_way=True)
            del self._records[number]
            self._made += 1
            number += 1

    def _work(self, order: Order) -> Callable[[int], Awaitable[None]]:
        """One run by number."""
        if order.work in _KINDS:
            return lambda number: self._preprocess(order, number)
        if order.work == "ordinary":
            path = self._folder / f"ordinary.{order.fhe_type}"
            ciphertext = OrdinaryCiphertext(path.read_bytes(), order.fhe_type)
            return lambda number: self._round(order, ciphertext, number)
        if order.work == "squashed":
            value = SquashedValue(self._folder, order.fhe_type)
            return lambda number: self._open(order, value, number)
        return lambda number: self._talk(order, number)

    async def _talk(self, order: Order, number: int) -> None:
        def steps(setting: Setting) -> Steps[None]:
            yield Exchange(to_others(setting, bytes(order.size)), others(setting))

        name = run_name("talk", EPOCH, number.to_bytes(8, "big"))
        await self.host.run(name, EPOCH, steps, background=order.background)

    async def _preprocess(self, order: Order, number: int, *, gives_way: bool = False) -> None:
        batch = Batch(_KINDS[order.work], 64, order.size)
        name = _name(order.work, number)

        def steps(setting: Setting) -> Steps[Record]:
            return preprocess(setting, self._prss, name, batch)

        record = await self.host.run(
            name,
            EPOCH,
            steps,
            background=order.background,
            gives_way=lambda: gives_way,
            round_timeout_s=5,
        )
        if order.work == "pool":
            self._records[number] = record

    async def _round(self, order: Order, ciphertext: OrdinaryCiphertext, number: int) -> None:
        loop = asyncio.get_running_loop()
        material = await loop.run_in_executor(None, self._material, order.fhe_type, number)

        def steps(setting: Setting) -> Steps[tuple[int, ...]]:
            return decrypt_publicly(setting, self._shares["ordinary"], [ciphertext], material)

        values = await self.host.run(_name("decryption", number), EPOCH, steps)
        if values != (int(order.value),):
            raise ValueError(f"decrypted {values}")

    async def _open(self, order: Order, value: SquashedValue, number: int) -> None:
        name = _name("squashed", number)

        def steps(setting: Setting) -> Steps[tuple[int, ...]]:
            return open_squashed(setting, self._shares["squashed"], self._prss, value, name)

        values = await self.host.run(name, EPOCH, steps)
        if values != (int(order.value),):
            raise ValueError(f"decrypted {values}")

    def _material(self, fhe_type: int, number: int) -> Material:
        """A slice of the pool for a run: whole values in each batch.

        It is used again and again, which only a benchmark with public values may do.
        """
        blocks = kernel.ordinary_blocks(fhe_type)
        batch, place = divmod(number, POOL_BLOCKS // blocks)
        batch %= len(self._records)
        begin = place * blocks
        first = begin - begin % 4
        count = -(-(begin + blocks - first) // 4) * 4
        name = _name("pool", batch)
        whole = rounding_material(self._prss, name, self._records[batch], first, count)
        return whole.part(begin - first, blocks)


def _name(kind: str, number: int) -> bytes:
    return run_name(kind, EPOCH, number.to_bytes(8, "big"))


async def serve(folder: Path, number: int) -> None:
    """Connect, then obey."""
    party = Party(folder, number)
    await party.connect()
    print(json.dumps({"ready": True}), flush=True)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(await party.obey(Order(**json.loads(line)))), flush=True)
    await party.host.close()
    await party.peers.stop()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
