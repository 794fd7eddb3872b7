"""Records that one party lost or never had."""

import asyncio
from pathlib import Path

import pytest

from core import records as module
from core.circles import Address
from core.record_store import RecordStore, digest_of
from core.records import Records
from mpc.exchange import Setting
from mpc.names import session_id
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

NAME = b"a batch"
EPOCH = 3
BODY = bytes(range(256)) * 20


class Circle:
    """Records of four parties, and what a liar among them does."""

    def __init__(self, root: Path) -> None:
        """Everybody has an empty folder."""
        self.parties = {
            PartyId(number): Records(End(self, PartyId(number)), RecordStore(root / str(number)))
            for number in range(1, 5)
        }
        self.silent: set[int] = set()
        self.asked: list[int] = []

    def deliver(self, sender: PartyId, recipient: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Put a message through."""
        if sender in self.silent:
            return
        if envelope.HasField("record_ask"):
            self.asked.append(int(recipient))
        copy = peer_pb2.Envelope.FromString(envelope.SerializeToString())
        asyncio.get_running_loop().call_soon(self.parties[recipient].receive, sender, copy)

    async def give(self, bodies: dict[int, bytes]) -> None:
        """Parties that have a record."""
        for number, body in bodies.items():
            await self.parties[PartyId(number)].keep(NAME, EPOCH, body)


class End:
    """One party's transport."""

    def __init__(self, circle: Circle, party: PartyId) -> None:
        """Bind."""
        self._circle = circle
        self._party = party

    def setting(self, epoch_id: int) -> Setting:
        """Four parties, one may lie."""
        del epoch_id
        return Setting(4, 1, self._party)

    def connected(self, epoch_id: int) -> bool:
        """Whether nobody is down."""
        return epoch_id > 0

    def send_to(
        self, recipient: Address, envelope: peer_pb2.Envelope, *, background: bool = False
    ) -> None:
        """Deliver; records never delay online work."""
        assert background
        self._circle.deliver(self._party, recipient.party, envelope)


@pytest.fixture
def circle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Circle:
    """Small parts, short waits."""
    monkeypatch.setattr(module, "PART_BYTES", 1000)
    monkeypatch.setattr(module, "_FACTS_S", 2.0)
    monkeypatch.setattr(module, "_PART_S", 1.0)
    return Circle(tmp_path)


async def test_fetched_part_by_part_and_kept(circle: Circle) -> None:
    """The second time nobody is asked."""
    await circle.give({1: BODY, 2: BODY, 3: BODY})
    four = circle.parties[PartyId(4)]
    assert await four.fetch(NAME, EPOCH) == BODY
    assert len(circle.asked) == 3 + 6
    assert await four.fetch(NAME, EPOCH) == BODY
    assert len(circle.asked) == 3 + 6


async def test_one_peer_is_not_enough(circle: Circle) -> None:
    """A digest that only a liar names is not taken, whatever the others miss."""
    await circle.give({1: b"lie"})
    four = circle.parties[PartyId(4)]
    assert await four.fetch(NAME, EPOCH) is None
    circle.silent = {2, 3}
    assert await four.fetch(NAME, EPOCH) is None


async def test_a_liar_among_the_providers(circle: Circle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names the true digest and gives other bytes is passed over."""
    await circle.give({1: BODY, 2: BODY, 3: BODY})
    store = circle.parties[PartyId(1)].store
    store.facts(EPOCH, session_id(NAME))
    store._path(EPOCH, session_id(NAME)).write_bytes(b"x" * len(BODY))
    assert await circle.parties[PartyId(4)].fetch(NAME, EPOCH) == BODY


async def test_a_provider_that_stops(circle: Circle) -> None:
    """Who falls silent in the middle costs a timer."""
    await circle.give({1: BODY, 2: BODY})
    four = circle.parties[PartyId(4)]
    task = asyncio.create_task(four.fetch(NAME, EPOCH))
    while 1 not in circle.asked[3:]:  # noqa: ASYNC110 - the first part
        await asyncio.sleep(0.001)
    circle.silent = {1}
    assert await task == BODY


async def test_a_different_liar_does_not_hide_the_record(circle: Circle) -> None:
    """Two honest digests outweigh one that is not theirs."""
    await circle.give({1: b"lie", 2: BODY, 3: BODY})
    assert await circle.parties[PartyId(4)].fetch(NAME, EPOCH) == BODY


async def test_nobody_has_it(circle: Circle) -> None:
    """A fetch ends as soon as n - t have nothing."""
    circle.silent = {1}
    assert await circle.parties[PartyId(4)].fetch(NAME, EPOCH) is None


async def test_unasked_parts_are_ignored(circle: Circle) -> None:
    """Only the provider, at the place that was asked for."""
    four = circle.parties[PartyId(4)]
    part = peer_pb2.RecordPart(session_id=session_id(NAME), data=b"x")
    four.receive(PartyId(1), peer_pb2.Envelope(epoch_id=EPOCH, sender=1, record_part=part))
    await circle.give({1: BODY, 2: BODY, 3: BODY})
    task = asyncio.create_task(four.fetch(NAME, EPOCH))
    for number in range(2000):
        evil = peer_pb2.RecordPart(session_id=session_id(NAME), offset=number, data=b"evil")
        four.receive(PartyId(2), peer_pb2.Envelope(epoch_id=EPOCH, sender=2, record_part=evil))
        if number % 100 == 0:
            await asyncio.sleep(0)
    assert await task == BODY


async def test_a_flood_of_asks_is_bounded(circle: Circle) -> None:
    """Few answers at a time to one peer, and none of more than a part."""
    await circle.give({1: BODY})
    one = circle.parties[PartyId(1)]
    for _ in range(1000):
        ask = peer_pb2.RecordAsk(session_id=session_id(NAME), length=1)
        one.receive(PartyId(2), peer_pb2.Envelope(epoch_id=EPOCH, sender=2, record_ask=ask))
    assert len(one._tasks) == module._MAX_ANSWERS
    long = peer_pb2.RecordAsk(session_id=session_id(NAME), length=2**40)
    one.receive(PartyId(3), peer_pb2.Envelope(epoch_id=EPOCH, sender=3, record_ask=long))
    assert len(one._tasks) == module._MAX_ANSWERS
    await one.close()


async def test_a_place_far_behind_the_end_is_not_looked_for(circle: Circle) -> None:
    """Files cannot be read there, whatever a peer asks."""
    await circle.give({1: BODY})
    one = circle.parties[PartyId(1)]
    for offset in (2**63 - 1, 2**63, 2**64 - 1, module.MAX_RECORD_BYTES + 1):
        ask = peer_pb2.RecordAsk(session_id=session_id(NAME), offset=offset, length=1)
        one.receive(PartyId(2), peer_pb2.Envelope(epoch_id=EPOCH, sender=2, record_ask=ask))
    assert not one._tasks
    ask = peer_pb2.RecordAsk(session_id=session_id(NAME), offset=module.MAX_RECORD_BYTES, length=1)
    one.receive(PartyId(2), peer_pb2.Envelope(epoch_id=EPOCH, sender=2, record_ask=ask))
    (task,) = one._tasks
    await task


async def test_a_provider_that_gives_crumbs(
    circle: Circle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte at a time would take for ever: the next provider is asked."""
    await circle.give({1: BODY, 2: BODY})
    stingy, whole = circle.parties[PartyId(1)].store, RecordStore.part
    crumbs: list[int] = []

    def part(store: RecordStore, epoch_id: int, session: bytes, offset: int, length: int) -> bytes:
        if store is not stingy:
            return whole(store, epoch_id, session, offset, length)
        crumbs.append(length)
        return whole(store, epoch_id, session, offset, 1)

    monkeypatch.setattr(RecordStore, "part", part)
    assert await circle.parties[PartyId(4)].fetch(NAME, EPOCH) == BODY
    assert len(crumbs) == 1


def test_store(tmp_path: Path) -> None:
    """Whole records, by epoch and run."""
    store = RecordStore(tmp_path / "records")
    store.put(1, b"a" * 16, b"body")
    store.put(2, b"a" * 16, b"other")
    again = RecordStore(tmp_path / "records")
    assert again.get(1, b"a" * 16) == b"body"
    assert again.facts(2, b"a" * 16) == (digest_of(b"other"), 5)
    assert again.part(1, b"a" * 16, 1, 2) == b"od"
    assert again.facts(1, b"b" * 16) is None
    again.remove_epoch(1)
    again.remove(2, b"c" * 16)
    assert not again.has(1, b"a" * 16)
    assert again.has(2, b"a" * 16)
