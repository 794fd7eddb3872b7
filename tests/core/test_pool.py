"""Batches made ahead, by everybody or fetched, and slices that wait for them."""

import asyncio
import errno
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core import host as host_module
from core import pool as module
from core.host import StepsFactory
from core.pool import BATCH_BLOCKS, Pool, batch_name
from core.record_store import RecordStore
from core.records import Records
from core.slices import SliceError, Slices
from mpc.exchange import Exchange, ProtocolAbort, Setting, Steps, others, to_others
from mpc.names import session_id
from mpc.session import AbortReason
from tests.support.host_network import EPOCH, End, HostNetwork
from wire.ids import PartyId, RequestId

WAIT_S = 20.0
LOW = BATCH_BLOCKS
HIGH = 4 * BATCH_BLOCKS


def request(number: int) -> RequestId:
    """An id."""
    return RequestId(number.to_bytes(RequestId.LENGTH, "big"))


class World:
    """Pools of four parties; a batch's record is what everybody said in one round."""

    def __init__(self, root: Path) -> None:
        """Nobody runs yet."""
        self.root = root
        self.network = HostNetwork(4, 1)
        self.pools: dict[int, Pool] = {}
        self.made: list[tuple[int, bytes]] = []
        self.failing: set[bytes] = set()

    def start(self, number: int, blocks: int = HIGH) -> Pool:
        """A new process of a party, with the disk that it had."""
        party = PartyId(number)
        host = self.network.start(number)
        records = Records(End(self.network, party), RecordStore(self.root / str(number)))
        self.network.records[party] = records

        async def make(epoch_id: int, name: bytes) -> StepsFactory[bytes]:
            def steps(setting: Setting) -> Steps[bytes]:
                self.made.append((number, name))
                yield Exchange(to_others(setting, b"x"), others(setting))
                if name in self.failing:
                    raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "as planned")
                return b"record of " + name

            await asyncio.sleep(0)
            assert epoch_id == EPOCH
            return steps

        self.pools[number] = Pool(host, records, make, blocks)
        return self.pools[number]

    async def stop(self, number: int) -> None:
        """The process of a party ends."""
        await self.pools.pop(number).close()
        self.network.stop(number)

    def count(self, number: int, batch: int) -> int:
        """How often a party began to make a batch."""
        return self.made.count((number, batch_name(EPOCH, batch)))


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Parties that are quick to repair."""
    monkeypatch.setattr(module, "_FETCH_S", 0.1)
    monkeypatch.setattr(module, "_RETRY_S", 0.01)
    monkeypatch.setattr(module, "_SHORT_ROUND_S", 0.1)
    monkeypatch.setattr(host_module, "_SOON_S", 0.05)
    made = World(tmp_path)
    yield made
    for pool in made.pools.values():
        await pool.close()
    await made.network.close()


async def until(condition: object) -> None:
    """Wait for a condition."""
    assert callable(condition)
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


async def test_filled_to_the_high_watermark_and_refilled_below_the_low(world: World) -> None:
    """Nothing is made between the marks."""
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    pools = list(world.pools.values())
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in pools))
    made = len(world.made)
    for pool in pools:
        pool.reserve(EPOCH, request(1), 0, HIGH - LOW)
    await asyncio.sleep(0.05)
    assert len(world.made) == made
    for pool in pools:
        pool.reserve(EPOCH, request(2), HIGH - LOW, 1)
    await until(lambda: all(pool.available(EPOCH) >= HIGH for pool in pools))


async def test_slices_name_batches_and_blocks(world: World) -> None:
    """A slice may reach over several batches."""
    pools = [world.start(number, 0) for number in range(1, 5)]
    first, count = BATCH_BLOCKS - 8, BATCH_BLOCKS + 16
    for pool in pools:
        pool.reserve(EPOCH, request(1), first, count)
    found = await asyncio.gather(*(pool.take(EPOCH, first, count) for pool in pools))
    names = [batch_name(EPOCH, batch) for batch in range(3)]
    assert found[0] == found[3]
    assert [(s.name, s.record, s.first, s.count) for s in found[0]] == [
        (names[0], b"record of " + names[0], BATCH_BLOCKS - 8, 8),
        (names[1], b"record of " + names[1], 0, BATCH_BLOCKS),
        (names[2], b"record of " + names[2], 0, 8),
    ]


async def test_one_party_that_needs_a_batch_gets_it(world: World) -> None:
    """The others take part although they need nothing themselves."""
    pools = [world.start(number, 0) for number in range(1, 5)]
    for pool in pools:
        pool.begin(EPOCH)
    await asyncio.sleep(0.01)
    pools[2].reserve(EPOCH, request(1), 0, 4)
    (found,) = await asyncio.wait_for(pools[2].take(EPOCH, 0, 4), WAIT_S)
    assert found.record == b"record of " + batch_name(EPOCH, 0)
    await until(lambda: all(pool.available(EPOCH) == BATCH_BLOCKS for pool in (pools[0], pools[3])))


async def test_a_party_that_was_away_fetches(world: World) -> None:
    """What the others made without it comes from them, also when they have forgotten the run."""
    for number in (1, 2, 3):
        world.start(number).begin(EPOCH)
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in world.pools.values()))
    for number in (1, 2, 3):
        await world.stop(number)
        world.start(number).begin(EPOCH)
    late = world.start(4)
    late.begin(EPOCH)
    await until(lambda: late.available(EPOCH) == HIGH)
    assert [world.count(4, batch) for batch in range(4)] == [0, 0, 0, 0]


async def test_a_restart_keeps_batches_and_slices(world: World) -> None:
    """No batch is made twice, and no block is given twice."""
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in world.pools.values()))
    await world.stop(1)
    again = world.start(1)
    slices = Slices()
    slices.reserve(0, 10, request(1))
    again.restore(EPOCH, slices)
    again.begin(EPOCH)
    with pytest.raises(SliceError):
        again.reserve(EPOCH, request(2), 9, 1)
    await until(lambda: again.available(EPOCH) == HIGH - 10)
    assert [world.count(1, batch) for batch in range(4)] == [1, 1, 1, 1]


async def test_a_batch_that_fails_is_tried_again(world: World) -> None:
    """An abort is not the end of the producer."""
    world.failing = {batch_name(EPOCH, 0)}
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    await until(lambda: all(world.count(number, 0) for number in range(1, 5)))
    world.failing.clear()
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in world.pools.values()))


async def test_used_records_go(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When every request of a batch is closed, and not before."""
    monkeypatch.setattr(module, "_KEPT_BATCHES", 0)
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    pool = world.pools[1]
    await until(lambda: pool.available(EPOCH) == HIGH)
    folder = tmp_path / "1" / str(EPOCH)
    pool.reserve(EPOCH, request(1), 0, 100)
    pool.reserve(EPOCH, request(2), 100, 2 * BATCH_BLOCKS)
    before = len(list(folder.iterdir()))
    await pool.closed(EPOCH, request(2))
    assert len(list(folder.iterdir())) >= before
    await pool.closed(EPOCH, request(1))
    names = {path.name for path in folder.iterdir()}
    kept = [session_id(batch_name(EPOCH, batch)).hex() in names for batch in range(4)]
    assert kept == [False, False, True, True]


async def test_used_records_go_after_a_restart(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an earlier start used is on the disk, and goes by the same rule; a gap hides none of it."""
    monkeypatch.setattr(module, "_KEPT_BATCHES", 1)
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in world.pools.values()))
    await world.stop(1)
    pool = world.start(1, 0)
    store = world.network.records[PartyId(1)].store

    def kept() -> list[int]:
        names = {batch: session_id(batch_name(EPOCH, batch)) for batch in range(4)}
        return [batch for batch, name in names.items() if store.has(EPOCH, name)]

    store.remove(EPOCH, session_id(batch_name(EPOCH, 1)))
    slices = Slices()
    slices.reserve(0, 3 * BATCH_BLOCKS, request(1))
    slices.reserve(3 * BATCH_BLOCKS, 8, request(2))
    pool.restore(EPOCH, slices)
    pool.begin(EPOCH)
    await until(lambda: pool.available(EPOCH) == BATCH_BLOCKS - 8)
    await pool.closed(EPOCH, request(2))
    assert kept() == [0, 2, 3]
    await pool.closed(EPOCH, request(1))
    assert kept() == [2, 3]
    # What is used up is not taken for material: the next batch that is missing is the first unused.
    assert pool.available(EPOCH) == BATCH_BLOCKS - 8


async def test_a_full_disk_does_not_end_production(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches are made when there is room again."""
    put, full, refused = RecordStore.put, True, 0

    def putting(store: RecordStore, epoch_id: int, session: bytes, body: bytes) -> None:
        nonlocal refused
        if full:
            refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        put(store, epoch_id, session, body)

    monkeypatch.setattr(RecordStore, "put", putting)
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    await until(lambda: refused >= 4)
    full = False
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in world.pools.values()))


async def test_a_disk_that_cannot_be_read_does_not_end_production(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first batch: what is there is found by looking again."""
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in world.pools.values()))
    await world.stop(1)
    has, broken = RecordStore.has, [True, True]

    def having(store: RecordStore, epoch_id: int, session: bytes) -> bool:
        if broken and broken.pop():
            raise OSError(errno.EIO, "Input/output error")
        return has(store, epoch_id, session)

    monkeypatch.setattr(RecordStore, "has", having)
    pool = world.start(1)
    pool.begin(EPOCH)
    await until(lambda: pool.available(EPOCH) == HIGH)
    assert [world.count(1, batch) for batch in range(4)] == [1, 1, 1, 1]


async def test_a_batch_that_was_fetched_and_not_kept_is_not_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fetch that fails beside our own run is no batch: the same is tried again."""
    asked: list[bytes] = []

    async def fetch(_records: Records, name: bytes, _epoch_id: int) -> None:
        asked.append(name)
        if len(asked) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Records, "fetch", fetch)
    # Alone nobody finishes a run.
    monkeypatch.setattr(module, "_FETCH_S", 0)
    monkeypatch.setattr(module, "_SHORT_ROUND_S", 1000.0)
    pool = world.start(1)
    pool.begin(EPOCH)
    await until(lambda: len(asked) >= 4)
    assert set(asked) == {batch_name(EPOCH, 0)}
    assert pool.available(EPOCH) == 0


async def test_production_waits_while_somebody_is_served(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Online work first; a batch that a request waits for is made nevertheless."""
    monkeypatch.setattr(host_module, "_QUIET_CHECKS", 10_000)
    for number in range(1, 5):
        world.start(number)
    host = world.network.hosts[PartyId(1)]
    online = asyncio.create_task(host.run(b"online", EPOCH, endless))
    await asyncio.sleep(0)
    for pool in world.pools.values():
        pool.begin(EPOCH)
    await asyncio.sleep(0.1)
    assert world.count(1, 0) == 0
    monkeypatch.setattr(host_module, "_QUIET_CHECKS", 5)
    world.pools[1].reserve(EPOCH, request(1), 0, 4)
    await asyncio.wait_for(world.pools[1].take(EPOCH, 0, 4), WAIT_S)
    # A run that goes on for ever does not let the pool run dry.
    await until(lambda: world.pools[1].available(EPOCH) >= LOW)
    online.cancel()
    with pytest.raises(asyncio.CancelledError):
        await online


async def test_a_batch_that_a_peer_began_gives_way_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A core that is woken while it serves somebody goes on serving; a later request hurries what comes before it."""
    for number in range(1, 5):
        world.start(number).begin(EPOCH)
    await until(lambda: all(pool.available(EPOCH) == HIGH for pool in world.pools.values()))
    monkeypatch.setattr(host_module, "_QUIET_CHECKS", 10_000)
    online = asyncio.create_task(world.network.hosts[PartyId(1)].run(b"online", EPOCH, endless))
    next_batch = HIGH // BATCH_BLOCKS
    for number in (2, 3, 4):
        world.pools[number].reserve(EPOCH, request(1), 0, HIGH - LOW + 1)
    await until(lambda: all(world.count(number, next_batch) for number in (2, 3, 4)))
    await asyncio.sleep(0.1)
    assert world.count(1, next_batch) == 0
    pool = world.pools[1]
    pool.reserve(EPOCH, request(1), 0, HIGH - LOW + 1)
    first = (next_batch + 1) * BATCH_BLOCKS
    pool.reserve(EPOCH, request(2), first, 4)
    taken = await asyncio.wait_for(pool.take(EPOCH, first, 4), WAIT_S)
    assert [part.name for part in taken] == [batch_name(EPOCH, next_batch + 1)]
    assert world.count(1, next_batch) == 1
    online.cancel()
    with pytest.raises(asyncio.CancelledError):
        await online


def endless(setting: Setting) -> Steps[None]:
    """Somebody is served for as long as the test wants."""
    yield Exchange({}, others(setting), lambda heard: len(heard) > 3)


async def test_an_epoch_that_is_over(world: World) -> None:
    """Its producer ends."""
    pool = world.start(1)
    pool.begin(EPOCH)
    pool.drop(EPOCH)
    pool.drop(EPOCH)
    assert pool.available(EPOCH) == 0
