"""Cores of one party pass each other the messages of peers: a peer reaches any of them, one works.

Over unix sockets of mode 0600 in the common home, frames of one kind byte and a body:
    OWN       number of a seat, and a session (or request) whose run is there: send it what comes for that
    EPOCH     an epoch that a core has proof of
    LINE      what a follower tells the first core (core.following)
    ERASED    an epoch some of whose secrets one of us has erased
    HEARD     epoch and number of a party that was just heard: it can be spoken to
    MESSAGE   an encoded envelope whose sender was authenticated by the core that received it
A message for a run that nobody has announced goes to all of them: whoever begins it has it then.
"""

import asyncio
import contextlib
import os
import struct
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog
from google.protobuf.message import DecodeError

from core.errors import PeerError
from core.frames import Frames, frame
from core.seats import PRIMARY, Seat
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

_OWN, _MESSAGE, _HEARD, _EPOCH, _LINE, _ERASED = b"O", b"M", b"H", b"E", b"L", b"X"
_PEER = struct.Struct(">QI")
_MAX_OWNERS = 100_000
_MAX_BUFFER = 64 * 2**20
_READ_BYTES = 2**18
_RETRY_S = 0.1

log = structlog.get_logger("core.siblings")

Receiver = Callable[[PartyId, peer_pb2.Envelope], Awaitable[None] | None]


class Siblings:
    """One core's connections to the others of its party."""

    def __init__(self, folder: Path, seat: Seat, receiver: Receiver) -> None:
        """`receiver` takes messages for runs that are or may be here."""
        self._folder = folder
        self._seat = seat
        self._receiver = receiver
        self._epochs: dict[int, bytes] = {}
        self._owners: OrderedDict[bytes, int] = OrderedDict()
        self._writers: dict[int, asyncio.StreamWriter] = {}
        self._incoming: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.dropped = 0
        # Called with epoch and party when a sibling has heard a peer.
        self.on_heard: Callable[[int, PartyId], None] = lambda _epoch_id, _party: None

        # Called with an epoch that a sibling has proof of.
        self.on_epoch: Callable[[config_pb2.Epoch], None] = lambda _epoch: None

        self.on_line: Callable[[bytes], None] = lambda _line: None
        self.on_erased: Callable[[int], None] = lambda _epoch_id: None

    async def start(self) -> None:
        """Listen, and connect to the others as they appear."""
        path = self._path(self._seat.number)
        path.unlink(missing_ok=True)
        before = os.umask(0o177)
        try:
            self._server = await asyncio.start_unix_server(self._serve, path)
        finally:
            os.umask(before)
        for number in range(1, self._seat.count + 1):
            if number != self._seat.number:
                self._tasks.add(asyncio.create_task(self._connect(number)))

    async def stop(self) -> None:
        """Close everything."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        serving = [task for task in self._incoming.values() if task is not None]
        for writer in (*self._writers.values(), *self._incoming):
            writer.close()
        await asyncio.gather(*serving, return_exceptions=True)

    def own(self, run: bytes) -> None:
        """A run is here from now on; the others are told once."""
        if self._owners.get(run) == self._seat.number:
            return
        self._note(run, self._seat.number)
        for number in list(self._writers):
            self._send(number, self._announcement(run))

    def tell_primary(self, line: bytes) -> None:
        """Tell the first core something, if it is there."""
        if PRIMARY in self._writers:
            self._send(PRIMARY, _LINE + line)

    def erased(self, epoch_id: int) -> None:
        """Tell the others that secrets of an epoch are gone."""
        for number in list(self._writers):
            self._send(number, _ERASED + epoch_id.to_bytes(8, "big"))

    def learned(self, epoch: config_pb2.Epoch) -> None:
        """Tell the others, and whoever comes later, of an epoch: a peer of it may reach any of us."""
        if epoch.id in self._epochs:
            return
        self._epochs[epoch.id] = epoch.SerializeToString()
        for number in list(self._writers):
            self._send(number, _EPOCH + self._epochs[epoch.id])

    def heard(self, epoch_id: int, party: PartyId) -> None:
        """Tell the others that a peer is there."""
        for number in list(self._writers):
            self._send(number, _HEARD + _PEER.pack(epoch_id, party))

    def receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> Awaitable[None] | None:
        """A message of a peer: to whoever works on it."""
        owner = self._owners.get(run_of(envelope))
        if owner == self._seat.number or envelope.WhichOneof("payload") == "record_ask":
            return self._receiver(sender, envelope)
        message = _MESSAGE + envelope.SerializeToString()
        if owner is not None and owner in self._writers:
            self._send(owner, message)
            return None
        for number in list(self._writers):
            self._send(number, message)
        return self._receiver(sender, envelope)

    def _announcement(self, run: bytes) -> bytes:
        return _OWN + bytes([self._seat.number]) + run

    def _note(self, run: bytes, number: int) -> None:
        self._owners[run] = number
        self._owners.move_to_end(run)
        while len(self._owners) > _MAX_OWNERS:
            self._owners.popitem(last=False)

    def _send(self, number: int, message: bytes) -> None:
        writer = self._writers[number]
        # Peers heal what gets lost; a sibling that hangs must not take our memory.
        if writer.transport.get_write_buffer_size() > _MAX_BUFFER:
            self.dropped += 1
            return
        writer.write(frame(message))

    async def _connect(self, number: int) -> None:
        """Keep a connection to one sibling; what it announced is forgotten when it ends."""
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_unix_connection(self._path(number))
                self._writers[number] = writer
                for epoch in self._epochs.values():
                    self._send(number, _EPOCH + epoch)
                for run, owner in self._owners.items():
                    if owner == self._seat.number:
                        self._send(number, self._announcement(run))
                await reader.read()
                writer.close()
            self._writers.pop(number, None)
            gone = [run for run, owner in self._owners.items() if owner == number]
            for run in gone:
                del self._owners[run]
            await asyncio.sleep(_RETRY_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """What one sibling sends us."""
        frames = Frames()
        self._incoming[writer] = asyncio.current_task()
        # A connection that breaks or is closed by us is the end of it; who is there connects again.
        try:
            while data := await reader.read(_READ_BYTES):
                frames.add(data)
                while (message := frames.next()) is not None:
                    await self._taken(message)
        except (OSError, PeerError, DecodeError) as error:
            log.warning("sibling broke off", reason=str(error))
        finally:
            del self._incoming[writer]
            writer.close()

    async def _taken(self, message: bytes) -> None:
        kind, body = message[:1], message[1:]
        if (kind == _OWN and not body) or (kind == _HEARD and len(body) != _PEER.size):
            raise PeerError("a frame of another length")
        if kind == _OWN:
            self._note(body[1:], body[0])
            return
        if self._told(kind, body):
            return
        envelope = peer_pb2.Envelope.FromString(body)
        waiting = self._receiver(PartyId(envelope.sender), envelope)
        if waiting is not None:
            await waiting

    def _told(self, kind: bytes, body: bytes) -> bool:
        """Act on everything that is not a peer's message."""
        if kind == _EPOCH:
            self.on_epoch(config_pb2.Epoch.FromString(body))
        elif kind == _HEARD:
            epoch_id, party = _PEER.unpack(body)
            self.on_heard(epoch_id, PartyId(party))
        elif kind == _LINE:
            self.on_line(body)
        elif kind == _ERASED:
            self.on_erased(int.from_bytes(body, "big"))
        return kind != _MESSAGE

    def _path(self, number: int) -> Path:
        return self._folder / f"sibling-{number}.sock"


def run_of(envelope: peer_pb2.Envelope) -> bytes:
    """What says whose message it is: session, record, or request."""
    kind = envelope.WhichOneof("payload")
    if kind == "round_message":
        return envelope.round_message.session_id
    if kind in {"record_ask", "record_part"}:
        return b"record" + bytes(getattr(envelope, kind).session_id)
    return envelope.request_id
