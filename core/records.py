"""Records of runs: kept, shown to peers, and fetched from them by a party that was not there.

Rules
1. Honest parties agree on a record, because its values came by reliable broadcast or robust opening.
   So t + 1 equal digests name the true one, whoever then gives the bytes.
2. A peer is given a few answers at a time: asking more brings nothing.
3. A fetch ends without a record when n - t peers have none, or in time.
"""

import asyncio
from dataclasses import dataclass, field

import structlog

from core.circles import Address
from core.host import Network
from core.record_store import MAX_RECORD_BYTES, RecordStore, digest_of
from mpc.exchange import Setting, others
from mpc.names import SESSION_ID_BYTES, session_id
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

PART_BYTES = 2**20
_MAX_ANSWERS = 8
_FACTS_S = 5.0
_PART_S = 20.0

log = structlog.get_logger("core.records")


@dataclass(slots=True)
class _Fetch:
    """One record that we look for: what peers say they have, and the part that we wait for."""

    facts: dict[PartyId, tuple[bytes, int] | None] = field(default_factory=dict)
    provider: PartyId | None = None
    offset: int = 0
    part: bytes | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Records:
    """Records of one core."""

    __slots__ = ("_busy", "_fetches", "_network", "_tasks", "store")

    def __init__(self, network: Network, store: RecordStore) -> None:
        """Bind to the transport and the disk."""
        self._network = network
        self._fetches: dict[tuple[int, bytes], _Fetch] = {}
        self._busy: dict[PartyId, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.store = store

    async def keep(self, name: bytes, epoch_id: int, body: bytes) -> None:
        """Store what a run opened; from then on peers can have it."""
        await asyncio.to_thread(self.store.put, epoch_id, session_id(name), body)

    async def get(self, name: bytes, epoch_id: int) -> bytes | None:
        """A record that is here."""
        return await asyncio.to_thread(self.store.get, epoch_id, session_id(name))

    async def fetch(self, name: bytes, epoch_id: int) -> bytes | None:
        """A record from here or from peers, kept; None when they have none."""
        session = session_id(name)
        body = await self.get(name, epoch_id)
        if body is not None or (epoch_id, session) in self._fetches:
            return body
        fetch = _Fetch()
        self._fetches[epoch_id, session] = fetch
        try:
            body = await self._fetch(fetch, epoch_id, session)
        finally:
            del self._fetches[epoch_id, session]
        if body is not None:
            await asyncio.to_thread(self.store.put, epoch_id, session, body)
            log.info("record fetched from peers", epoch=epoch_id, bytes=len(body))
        return body

    def receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Take an ask or an answer of a peer that the transport has authenticated."""
        if envelope.HasField("record_ask"):
            self._asked(sender, envelope.epoch_id, envelope.record_ask)
            return
        part = envelope.record_part
        fetch = self._fetches.get((envelope.epoch_id, part.session_id))
        if fetch is None:
            return
        if not part.data:
            known = (part.digest, part.size) if part.digest else None
            fetch.facts.setdefault(sender, known)
        elif sender == fetch.provider and part.offset == fetch.offset:
            fetch.part = part.data
        fetch.changed.set()

    async def close(self) -> None:
        """End answers in progress."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _fetch(self, fetch: _Fetch, epoch_id: int, session: bytes) -> bytes | None:
        """Rule 1."""
        setting = self._network.setting(epoch_id)
        for party in sorted(others(setting)):
            self._ask(party, epoch_id, session, 0, 0)
        try:
            async with asyncio.timeout(_FACTS_S):
                chosen = await self._chosen(fetch, setting)
        except TimeoutError:
            return None
        if chosen is None or not 0 < chosen[1] <= MAX_RECORD_BYTES:
            return None
        for provider in sorted(p for p, facts in fetch.facts.items() if facts == chosen):
            body = await self._download(fetch, epoch_id, session, provider, chosen[1])
            if await asyncio.to_thread(digest_of, body) == chosen[0]:
                return body
            log.warning("peer gave another record than it named", peer=provider)
        return None

    @staticmethod
    async def _chosen(fetch: _Fetch, setting: Setting) -> tuple[bytes, int] | None:
        """What t + 1 peers name; None when n - t parties, with us, have nothing."""
        while True:
            await fetch.changed.wait()
            fetch.changed.clear()
            named = [facts for facts in fetch.facts.values() if facts is not None]
            for facts in named:
                if named.count(facts) > setting.threshold:
                    return facts
            if len(fetch.facts) - len(named) >= setting.parties - setting.threshold - 1:
                return None

    async def _download(
        self, fetch: _Fetch, epoch_id: int, session: bytes, provider: PartyId, size: int
    ) -> bytes:
        """All parts from one peer; short when it stops."""
        body = bytearray()
        fetch.provider = provider
        while len(body) < size:
            fetch.offset, fetch.part = len(body), None
            self._ask(provider, epoch_id, session, len(body), PART_BYTES)
            try:
                async with asyncio.timeout(_PART_S):
                    while fetch.part is None:
                        fetch.changed.clear()
                        await fetch.changed.wait()
            except TimeoutError:
                break
            # Whole parts only: a provider that gives crumbs would keep us for ever.
            if len(fetch.part) != min(PART_BYTES, size - len(body)):
                break
            body += fetch.part
        return bytes(body)

    def _ask(self, party: PartyId, epoch_id: int, session: bytes, offset: int, length: int) -> None:
        ask = peer_pb2.RecordAsk(session_id=session, offset=offset, length=length)
        self._send(party, epoch_id, record_ask=ask)

    def _send(self, party: PartyId, epoch_id: int, **payload: object) -> None:
        own = self._network.setting(epoch_id).party
        envelope = peer_pb2.Envelope(epoch_id=epoch_id, sender=own, **payload)  # type: ignore[arg-type]  # one of two
        self._network.send_to(Address(epoch_id, party), envelope, background=True)

    def _asked(self, sender: PartyId, epoch_id: int, ask: peer_pb2.RecordAsk) -> None:
        """Rule 2."""
        # Files end long before the largest number does: seeking there fails.
        within = ask.offset <= MAX_RECORD_BYTES and ask.length <= PART_BYTES
        busy = self._busy.get(sender, 0)
        if busy >= _MAX_ANSWERS or not within or len(ask.session_id) != SESSION_ID_BYTES:
            return
        self._busy[sender] = busy + 1
        task = asyncio.create_task(self._answer(sender, epoch_id, ask))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: self._busy.update({sender: self._busy[sender] - 1}))

    async def _answer(self, sender: PartyId, epoch_id: int, ask: peer_pb2.RecordAsk) -> None:
        """What we have, or the part that was asked for."""
        session = ask.session_id
        part = peer_pb2.RecordPart(session_id=session, offset=ask.offset)
        if ask.length:
            part.data = await asyncio.to_thread(
                self.store.part, epoch_id, session, ask.offset, ask.length
            )
            if not part.data:
                return
        else:
            facts = await asyncio.to_thread(self.store.facts, epoch_id, session)
            if facts is not None:
                part.digest, part.size = facts
        self._send(sender, epoch_id, record_part=part)
