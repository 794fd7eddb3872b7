"""The pool of preprocessed material: made ahead in the background, used once, in the chain's order.

Rules
1. Batch number b of an epoch covers the 2-bit blocks from b * BATCH_BLOCKS on; the chain gives every
   request its slice of blocks (`LogEntry.first_block`), so parties agree without talking.
2. A batch is a record. It is made by a background run of all parties, or fetched when peers have it.
3. Below the low watermark batches are made until the high one is reached, one after the other. They
   give way to online work (rule 1 of `core/host.py`), unless a request waits for a batch.
4. A block is for one request only. Requests and their slices are durable in the journal before they
   run, so a slice that overlaps another request's is refused also after a restart.
5. A record is deleted some batches after everything in it belongs to closed requests.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog

from core.host import Host, StepsFactory
from core.records import Records
from core.slices import Slices
from mpc.names import run_name, session_id
from wire.ids import RequestId

BATCH_BLOCKS: Final = 1024
"""32 values of 64 bits; about a megabyte to every peer. The same for all parties."""

_EXPECTED = 2
"""Batches ahead that a peer may begin here."""

_CACHED_BATCHES = 4
_KEPT_BATCHES = 8
"""Used batches that stay for peers that are behind."""

_LOOK_BACK_BATCHES = 1024
"""Before those: what an end between the closing of an old request and the deletion has left."""

_LONG_ROUND_S = 10.0
_SHORT_ROUND_S = 1.0
_FETCH_S = 5.0
_RETRY_S = 2.0

log = structlog.get_logger("core.pool")


@dataclass(frozen=True, slots=True)
class Slice:
    """Blocks of one batch for one request: the batch's name and record, and which blocks of it."""

    name: bytes
    record: bytes = field(repr=False)
    first: int
    count: int


@dataclass(slots=True)
class _Epoch:
    """One epoch's pool: which batches are here, who uses what."""

    ready: set[int] = field(default_factory=set)
    slices: Slices = field(default_factory=Slices)
    wanted: set[int] = field(default_factory=set)
    # Batches that a peer began: we take part, but give way as with our own.
    begun: set[int] = field(default_factory=set)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    produced: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    # Whether the disk was looked at, and whether we are between the watermarks on the way up.
    looked: bool = False
    filling: bool = False


MakeBatch = Callable[[int, bytes], Awaitable[StepsFactory[bytes]]]
"""Epoch and name of a batch: the protocol that makes its record."""


class Pool:
    """Preprocessed material of one core."""

    __slots__ = (
        "_bodies",
        "_epochs",
        "_high",
        "_host",
        "_low",
        "_make_batch",
        "_records",
        "_round_s",
    )

    def __init__(self, host: Host, records: Records, make: MakeBatch, blocks: int) -> None:
        """`blocks` are kept ahead: below a quarter of it we produce, until they are there."""
        self._host = host
        self._records = records
        self._make_batch = make
        self._low, self._high = blocks // 4, blocks
        self._epochs: dict[int, _Epoch] = {}
        self._bodies: dict[bytes, bytes] = {}
        self._round_s = _LONG_ROUND_S

    def begin(self, epoch_id: int) -> None:
        """Keep an epoch's pool filled from now on."""
        epoch = self._epochs.setdefault(epoch_id, _Epoch())
        if epoch.task is None:
            epoch.task = asyncio.create_task(self._produce(epoch_id, epoch), name="pool")

    def drop(self, epoch_id: int) -> None:
        """Make no more for an epoch that is over."""
        epoch = self._epochs.pop(epoch_id, None)
        if epoch is not None and epoch.task is not None:
            epoch.task.cancel()

    async def close(self) -> None:
        """Stop all producers; batches in progress are made again after the next start."""
        tasks = [epoch.task for epoch in self._epochs.values() if epoch.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def restore(self, epoch_id: int, slices: Slices) -> None:
        """What was used before this start."""
        self._epochs.setdefault(epoch_id, _Epoch()).slices = slices

    def reserve(self, epoch_id: int, request_id: RequestId, first: int, count: int) -> None:
        """Rule 4, for a request that the journal has accepted. The same again changes nothing.

        Raises
        ------
        SliceError
            When blocks of the slice belong to another request.
        """
        epoch = self._epochs.setdefault(epoch_id, _Epoch())
        epoch.slices.reserve(first, count, request_id)
        epoch.changed.set()

    async def take(self, epoch_id: int, first: int, count: int) -> list[Slice]:
        """Material of a reserved slice, waiting for batches that are not here yet."""
        epoch = self._epochs[epoch_id]
        slices = []
        for number in range(first // BATCH_BLOCKS, -(-(first + count) // BATCH_BLOCKS)):
            name = batch_name(epoch_id, number)
            record = await self._wait_for(epoch_id, epoch, number)
            start = max(first, number * BATCH_BLOCKS)
            stop = min(first + count, (number + 1) * BATCH_BLOCKS)
            slices.append(Slice(name, record, start - number * BATCH_BLOCKS, stop - start))
        return slices

    async def closed(self, epoch_id: int, request_id: RequestId) -> None:
        """Rule 5: a request that needs its slice no more."""
        epoch = self._epochs.get(epoch_id)
        if epoch is None:
            return
        epoch.slices.close(request_id)
        below = epoch.slices.lowest_open // BATCH_BLOCKS - _KEPT_BATCHES
        for number in sorted(number for number in epoch.ready if number < below):
            epoch.ready.discard(number)
            session = session_id(batch_name(epoch_id, number))
            await asyncio.to_thread(self._records.store.remove, epoch_id, session)

    def available(self, epoch_id: int) -> int:
        """Blocks that are ready and used by nobody."""
        epoch = self._epochs.get(epoch_id, _Epoch())
        return max(0, self._first_missing(epoch) * BATCH_BLOCKS - epoch.slices.end)

    def want(self, epoch_id: int, number: int) -> None:
        """Make a batch at once, unless it is here."""
        self.begin(epoch_id)
        epoch = self._epochs[epoch_id]
        if number not in epoch.ready:
            epoch.wanted.add(number)
            epoch.changed.set()

    def release(self, epoch_id: int, request_id: RequestId) -> None:
        """Note that a request needs its slice no more; nothing is deleted."""
        epoch = self._epochs.get(epoch_id)
        if epoch is not None:
            epoch.slices.close(request_id)

    async def _wait_for(self, epoch_id: int, epoch: _Epoch, number: int) -> bytes:
        """One record; its batch is made at once."""
        name = batch_name(epoch_id, number)
        self.begin(epoch_id)
        record = self._bodies.get(name) or await self._record(epoch_id, number)
        epoch.ready.add(number)
        self._bodies[name] = record
        while len(self._bodies) > _CACHED_BATCHES:
            del self._bodies[next(iter(self._bodies))]
        return record

    async def _record(self, epoch_id: int, number: int) -> bytes:
        """From the disk, as soon as it is there."""
        epoch = self._epochs[epoch_id]
        name = batch_name(epoch_id, number)
        while (record := await self._records.get(name, epoch_id)) is None:
            epoch.ready.discard(number)
            self.want(epoch_id, number)
            produced = epoch.produced
            await produced.wait()
        return record

    async def _produce(self, epoch_id: int, epoch: _Epoch) -> None:
        """Rules 2 and 3, until cancelled. A full disk ends nothing: it has room again some day."""
        while True:
            try:
                await self._advance(epoch_id, epoch)
            except Exception as error:  # noqa: BLE001 - the root of a task
                reason = str(error) or repr(error)
                log.warning("a batch was not made", batch=self._next(epoch), reason=reason)
                await asyncio.sleep(_RETRY_S)

    async def _advance(self, epoch_id: int, epoch: _Epoch) -> None:
        """Make one batch, or wait until one is needed."""
        if not epoch.looked:
            slices = epoch.slices
            back = slices.lowest_open // BATCH_BLOCKS - _KEPT_BATCHES - _LOOK_BACK_BATCHES
            unused = slices.end // BATCH_BLOCKS
            epoch.ready |= await asyncio.to_thread(self._look, epoch_id, max(0, back), unused)
            epoch.looked = True
        epoch.changed.clear()
        available = self.available(epoch_id)
        epoch.filling = available < (self._high if epoch.filling else self._low)
        number = self._next(epoch)
        if not epoch.filling and not epoch.wanted and not epoch.begun:
            self._expect(epoch_id, epoch, number)
            await epoch.changed.wait()
            return
        await self._make(epoch_id, number)
        epoch.ready.add(number)
        epoch.wanted.discard(number)
        epoch.begun.discard(number)
        produced, epoch.produced = epoch.produced, asyncio.Event()
        produced.set()

    def _look(self, epoch_id: int, back: int, unused: int) -> set[int]:
        """Batches on disk from an earlier start: used ones, with gaps, that rule 5 deletes, and those ahead."""
        store = self._records.store

        def has(number: int) -> bool:
            return store.has(epoch_id, session_id(batch_name(epoch_id, number)))

        ahead = itertools.takewhile(has, itertools.count(unused))
        return {*filter(has, range(back, unused)), *ahead}

    def _next(self, epoch: _Epoch) -> int:
        """The first that a request waits for or a peer began, else the first that is not here."""
        called = epoch.wanted | epoch.begun
        return min(called) if called else self._first_missing(epoch)

    @staticmethod
    def _first_missing(epoch: _Epoch) -> int:
        """The first batch that is not here, from where nothing is used on."""
        number = epoch.slices.end // BATCH_BLOCKS
        while number in epoch.ready:
            number += 1
        return number

    def _expect(self, epoch_id: int, epoch: _Epoch, number: int) -> None:
        """A peer that begins one of the next batches wakes us."""

        def wake(begun: int) -> None:
            if begun not in epoch.ready:
                epoch.begun.add(begun)
                epoch.changed.set()

        for ahead in range(number, number + _EXPECTED):
            self._host.expect(batch_name(epoch_id, ahead), lambda n=ahead: wake(n))  # type: ignore[misc]  # binds

    async def _make(self, epoch_id: int, number: int) -> None:
        """One record here, whoever makes it."""
        name = batch_name(epoch_id, number)
        if await self._records.fetch(name, epoch_id) is not None:
            return
        # Whatever batch a request waits for: this one comes before it.
        wanted = self._epochs[epoch_id].wanted
        making = asyncio.create_task(self._run(epoch_id, name, lambda: not wanted))
        fetching = asyncio.create_task(self._fetch(epoch_id, name))
        try:
            await asyncio.wait({making, fetching}, return_when=asyncio.FIRST_COMPLETED)
            if making.done():
                await self._records.keep(name, epoch_id, making.result())
            else:
                # It has looked until it had the batch, unless the disk refused that.
                fetching.result()
        finally:
            for task in (making, fetching):
                task.cancel()
            await asyncio.gather(making, fetching, return_exceptions=True)

    async def _run(self, epoch_id: int, name: bytes, gives_way: Callable[[], bool]) -> bytes:
        """Make a batch with the peers. Who is silent again and again costs little."""
        steps = await self._make_batch(epoch_id, name)
        before = self._host.timeouts
        round_s = self._round_s if self._host.connected(epoch_id) else _SHORT_ROUND_S
        try:
            return await self._host.run(
                name,
                epoch_id,
                steps,
                background=True,
                gives_way=gives_way,
                round_timeout_s=round_s,
            )
        finally:
            silent = self._host.timeouts > before
            self._round_s = _SHORT_ROUND_S if silent else min(2 * self._round_s, _LONG_ROUND_S)

    async def _fetch(self, epoch_id: int, name: bytes) -> None:
        """Look again and again whether peers have finished without us."""
        while True:
            await asyncio.sleep(_FETCH_S)
            if await self._records.fetch(name, epoch_id) is not None:
                return


def batch_name(epoch_id: int, number: int) -> bytes:
    """Name of the run that makes a batch."""
    return run_name("pool", epoch_id, number.to_bytes(8, "big"), BATCH_BLOCKS.to_bytes(4, "big"))
