"""Target `peers`: what another core puts on a stream, through frames, envelopes and everybody who takes them.

The real stream, roster, host with a run, records and runner; sockets and threads' work are played. No
exception may leave, exactly the good messages before the first bad one are taken, and what is kept is bounded.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from google.protobuf.message import DecodeError

from core.circles import Address
from core.codec import payload_of
from core.errors import PeerError, RunAborted
from core.frames import REFUSED, UNKNOWN_EPOCH, Frames, Numbers, frame
from core.host import Host
from core.inbox import Inbox
from core.incoming import Incoming
from core.journal import Journal
from core.parts import Limits
from core.record_store import RecordStore
from core.records import Records
from core.roster import Roster, UnknownEpochError
from core.runner import Runner
from core.seats import Seat
from core.sent import SentMessages
from core.siblings import Siblings
from core.threads import Threads, with_background
from mpc.broadcast import broadcast
from mpc.dealing import Deal, Dealing
from mpc.exchange import Setting
from mpc.names import session_id
from mpc.public_decryption import Item, PublicDecryption
from mpc.session import MaskedShares
from tests.fuzz.choices import Choices
from tests.fuzz.mutation import Dictionary, mutate
from tests.fuzz.spoil import bounded, scratch, spoil
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

_EPOCH: Final = 1
_SENDER: Final = PartyId(2)
_CERTIFICATES: Final = [bytes([number]) * 40 for number in range(5)]
_RUN: Final = b"a run"
_RECORD: Final = b"a record"
_BODY: Final = bytes(range(200))
_REQUEST: Final = bytes([5]) * 20
_DIGEST: Final = bytes([6]) * 32
_DICTIONARY: Final = Dictionary(
    [session_id(_RUN), session_id(_RECORD), _REQUEST, _DIGEST, b"", bytes(16)],
    [0, 1, 2, 3, 4, 4096, 4097, 2**63 - 1, 2**63],
)
_ITEM: Final = Item(_DIGEST, 4, 2)


def peers(data: bytes) -> None:
    """One stream."""
    problems: list[dict[str, Any]] = []
    with bounded(), asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda _, context: problems.append(context))
        runner.run(_input(Choices(data)))
    assert not problems, problems


async def _input(choices: Choices) -> None:
    core = _Core()
    action = choices.below(8)
    if action == 7:
        await _siblings(choices)
    elif action == 6:
        _numbers(choices)
    else:
        await _stream(core, choices)
    await core.close()


async def _stream(core: _Core, choices: Choices) -> None:
    run = asyncio.create_task(
        core.host.run(_RUN, _EPOCH, lambda setting: broadcast(setting, b"ours"))
    )
    await asyncio.sleep(0)
    transport = _Transport()
    stream = Incoming(core, core.receive)
    stream.connection_made(cast("asyncio.BaseTransport", transport))
    data = _made_stream(choices)
    position = 0
    while position < len(data):
        size = 1 + choices.below(choices.pick((2000, 50, 3)))
        if not transport.closing:
            stream.data_received(data[position : position + size])
        position += size
    while (task := stream._task) is not None:
        await asyncio.wait([task])
        assert task.exception() is None
    good, code = _expected(core.roster, data)
    stream.close()
    told = Numbers().add(b"".join(transport.written))
    assert stream._taken == good
    assert max((number for number in told if number < REFUSED), default=0) == good
    assert [number for number in told if number >= REFUSED] == code
    assert core.taken == good
    run.cancel()
    (end,) = await asyncio.gather(run, return_exceptions=True)
    assert isinstance(end, dict | RunAborted | asyncio.CancelledError)


class _Core:
    """Wired as in `core.main`."""

    def __init__(self) -> None:
        self.roster = _roster()
        self.refused = 0
        self.taken = 0
        loop = asyncio.get_running_loop()
        self.host = Host(cast("Any", self), _threads(), SentMessages(loop.time, None), loop.time)
        store = RecordStore(scratch() / "records")
        if not store.has(_EPOCH, session_id(_RECORD)):
            store.put(_EPOCH, session_id(_RECORD), _BODY)
        self.records = Records(cast("Any", self), store)
        self._fetch = asyncio.create_task(self.records.fetch(b"another record", _EPOCH))
        parts = SimpleNamespace(
            inbox=Inbox(loop.time),
            journal=_journal(),
            dealer=SimpleNamespace(stored=lambda *_: None),
            peers=self,
        )
        self.runner = Runner(cast("Any", parts), Limits(), lambda: None)

    def receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> Awaitable[None] | None:
        """As the core gives messages on."""
        assert sender == _SENDER
        self.taken += 1
        _session(sender, envelope)
        if envelope.HasField("round_message"):
            self.host.receive(sender, envelope)
            return None
        if envelope.HasField("record_ask") or envelope.HasField("record_part"):
            self.records.receive(sender, envelope)
            return None
        return self.runner.receive(sender, envelope)

    async def close(self) -> None:
        """End what an input began."""
        self._fetch.cancel()
        await asyncio.gather(self._fetch, return_exceptions=True)
        await asyncio.sleep(0)
        pending = list(self.records._tasks)
        if pending:
            await asyncio.wait(pending, timeout=1)
        await self.records.close()
        await self.host.close()

    def setting(self, epoch_id: int) -> Setting:
        """We are party 1."""
        return self.roster.setting(epoch_id, _CERTIFICATES[1])

    def connected(self, epoch_id: int) -> bool:
        """Everybody is there."""
        return epoch_id == _EPOCH

    def send_to(
        self, recipient: Address, envelope: peer_pb2.Envelope, *, background: bool = False
    ) -> None:
        """Nowhere."""
        del background
        assert recipient.party in self.roster.parties(recipient.epoch_id)
        assert len(envelope.SerializeToString()) < 2**20

    def send(self, recipient: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Nowhere."""
        self.send_to(Address(envelope.epoch_id, recipient), envelope)

    def opened(self, stream: Incoming) -> None:
        """A stream is open."""

    def heard(self, epoch_id: int, sender: PartyId) -> None:
        """A party's first message came."""

    def closed(self, stream: Incoming) -> None:
        """A stream is over."""


class _Transport:
    """What is written, and whose certificate the other end has."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.closing = False

    def get_extra_info(self, name: str) -> object:
        """Socket and certificate."""
        if name == "socket":
            return SimpleNamespace(setsockopt=lambda *_: None)
        return SimpleNamespace(getpeercert=lambda binary_form: binary_form and _CERTIFICATES[2])

    def write(self, data: bytes) -> None:
        """Keep it."""
        self.written.append(data)

    def close(self) -> None:
        """No more is read."""
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self.closing

    def pause_reading(self) -> None:
        """The data keeps coming: some was on its way."""

    resume_reading = pause_reading


@functools.cache
def _roster() -> Roster:
    roster = Roster()
    parties = [
        config_pb2.Party(index=number, tls_certificate=_CERTIFICATES[number])
        for number in range(1, 5)
    ]
    roster.learn(config_pb2.Epoch(id=_EPOCH, threshold=1, parties=parties))
    return roster


@functools.cache
def _journal() -> Journal:
    return Journal(scratch() / "journal.db", "fuzz", 1)


@functools.cache
def _threads() -> Threads:
    return with_background(ThreadPoolExecutor(1))


def _made_stream(choices: Choices) -> bytes:
    """Frames of good and changed messages, and bytes."""
    parts = []
    for _ in range(choices.below(10)):
        action = choices.below(12)
        if action == 0:
            parts.append(choices.some(60))
        elif action == 1:
            parts.append(frame(choices.some(200)))
        else:
            parts.append(frame(_envelope(choices)))
    return b"".join(parts)


def _envelope(choices: Choices) -> bytes:
    """A message of any kind, mostly from whom it says."""
    round_message = peer_pb2.RoundMessage(
        session_id=session_id(_RUN), round=choices.below(4), payload=choices.some(300)
    )
    shares = [peer_pb2.MaskedShare(ciphertext_digest=_DIGEST, elements=choices.some(64))]
    ask = peer_pb2.RecordAsk(session_id=session_id(_RECORD), offset=choices.below(300), length=50)
    part = peer_pb2.RecordPart(
        session_id=session_id(b"another record"), digest=_DIGEST, size=choices.below(500)
    )
    bodies: tuple[dict[str, Any], ...] = (
        {"round_message": round_message},
        {"record_ask": ask},
        {"record_part": part},
        {"request_id": _REQUEST, "masked_shares": peer_pb2.MaskedShares(shares=shares)},
        {"request_id": _REQUEST, "deal": peer_pb2.Deal(key_share=choices.some(20))},
        {},
    )
    envelope = peer_pb2.Envelope(epoch_id=_EPOCH, sender=_SENDER, **choices.pick(bodies))
    for _ in range(choices.below(4)):
        mutate(envelope, choices, _DICTIONARY)
    if not choices.chance(30):
        envelope.epoch_id, envelope.sender = _EPOCH, _SENDER
    data = envelope.SerializeToString()
    return spoil(data, choices) if choices.chance(40) else data


def _expected(roster: Roster, data: bytes) -> tuple[int, list[int]]:
    """How many messages a reader of the whole stream takes, and why it ends it."""
    frames = Frames()
    frames.add(data)
    good = 0
    try:
        while (message := frames.next()) is not None:
            envelope = peer_pb2.Envelope.FromString(message)
            known = envelope.sender <= 4 and envelope.epoch_id == _EPOCH
            certificate = _CERTIFICATES[envelope.sender] if known else b""
            roster.parties(envelope.epoch_id)
            if certificate != _CERTIFICATES[_SENDER]:
                return good, [REFUSED]
            good += 1
    except UnknownEpochError:
        return good, [UNKNOWN_EPOCH]
    except (PeerError, DecodeError):
        return good, [REFUSED]
    return good, []


def _session(sender: PartyId, envelope: peer_pb2.Envelope) -> None:
    """The sessions of one round, which the runner would give it to."""
    payload = payload_of(envelope)
    if isinstance(payload, MaskedShares):
        session = PublicDecryption(Setting(4, 1, PartyId(1)), [_ITEM], [bytes(_ITEM.size)])
        session.start()
        for party in (sender, PartyId(3), PartyId(4)):
            session.feed(party, payload)
    elif isinstance(payload, Deal):
        dealing = Dealing(PartyId(1), sender, lambda deal: deal.parameters == "test")
        dealing.start()
        dealing.feed(sender, payload)


async def _siblings(choices: Choices) -> None:
    """The stream of another process of this party."""
    siblings = Siblings(Path("unused"), Seat(1, 3), lambda _sender, _envelope: None)
    siblings.on_epoch = Roster().learn
    reader = asyncio.StreamReader()
    for _ in range(choices.below(6)):
        kind = choices.pick((b"O", b"M", b"H", b"E", b"L", b"X", b"?", b""))
        body = _envelope(choices) if kind == b"M" else choices.some(40)
        reader.feed_data(frame(kind + body))
    reader.feed_data(choices.some(20))
    reader.feed_eof()
    await siblings._serve(reader, cast("Any", _Transport()))


def _numbers(choices: Choices) -> None:
    """What comes back on a stream, in any pieces."""
    data = choices.some(200)
    numbers = Numbers()
    found: list[int] = []
    position = 0
    while position < len(data):
        size = 1 + choices.below(20)
        found += numbers.add(data[position : position + size])
        position += size
    assert found == Numbers().add(data)
