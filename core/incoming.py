"""One incoming stream: whose it is, what it says, and what was taken of it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

import structlog
from google.protobuf.message import DecodeError

from core.certificates import fingerprint
from core.errors import PeerError
from core.frames import REFUSED, UNKNOWN_EPOCH, Frames, number
from core.roster import Roster, UnknownEpochError
from core.tls import tune
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

Receiver = Callable[[PartyId, peer_pb2.Envelope], Awaitable[None] | None]
"""Takes a message; when it gives something to await, the stream's next message waits for that."""

_ACKNOWLEDGE_S = 0.05
"""Numbers go back this late, so that many messages are acknowledged by one."""

_ACKNOWLEDGE_MESSAGES = 256

log = structlog.get_logger("core.incoming")


class Owner(Protocol):
    """What a stream needs of the server that accepted it."""

    roster: Roster
    refused: int

    def opened(self, stream: "Incoming") -> None:
        """A stream is open."""
        ...

    def heard(self, epoch_id: int, sender: PartyId) -> None:
        """A party's first message came on a stream."""
        ...

    def closed(self, stream: "Incoming") -> None:
        """A stream is over."""
        ...


class Incoming(asyncio.Protocol):
    """One accepted connection."""

    def __init__(self, owner: Owner, receiver: Receiver) -> None:
        """Bind to the server and to what takes messages."""
        self._owner = owner
        self._receiver = receiver
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._taken = 0
        self._told = 0
        self.certificate = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake proved that the peer holds a known certificate's key."""
        self._transport = cast("asyncio.Transport", transport)
        tune(transport.get_extra_info("socket"))
        self.certificate = fingerprint(
            transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
        )
        self._owner.opened(self)
        self._transport.write(number(0))

    def data_received(self, data: bytes) -> None:
        """Take all messages that are whole now."""
        self._frames.add(data)
        if self._task is None:
            self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the stream."""
        del exc
        if self._timer:
            self._timer.cancel()
        if self._task:
            self._task.cancel()
        self._transport = None
        self._owner.closed(self)

    def close(self) -> None:
        """End now; what was taken is acknowledged first."""
        self._tell()
        if self._transport:
            self._transport.abort()

    def _take(self) -> None:
        """Hand over message after message, until one must be awaited."""
        try:
            while self._transport and not self._transport.is_closing():
                message = self._frames.next()
                if message is None:
                    return
                waiting = self._hand_over(peer_pb2.Envelope.FromString(message))
                if waiting is not None:
                    self._transport.pause_reading()
                    self._task = self._loop.create_task(self._await(waiting))
                    return
                self._count()
        except UnknownEpochError as error:
            self._end(UNKNOWN_EPOCH, error)
        except (PeerError, DecodeError) as error:
            self._owner.refused += 1
            log.warning("peer message refused", reason=str(error))
            self._end(REFUSED, error)

    def _hand_over(self, envelope: peer_pb2.Envelope) -> Awaitable[None] | None:
        """Rule 2 of `peers`, then the receiver."""
        sender = self._owner.roster.require_sender(
            envelope.epoch_id, envelope.sender, self.certificate
        )
        if not self._taken:
            self._owner.heard(envelope.epoch_id, sender)
        return self._receiver(sender, envelope)

    async def _await(self, waiting: Awaitable[None]) -> None:
        """One message that takes time; then the rest."""
        try:
            await waiting
            self._task = None
            self._count()
            if self._transport:
                self._transport.resume_reading()
            self._take()
        except Exception:  # the root of a task: the peer comes again with what was not taken
            log.exception("a peer message was not taken")
            self.close()

    def _count(self) -> None:
        """Acknowledge, soon."""
        self._taken += 1
        if self._taken - self._told >= _ACKNOWLEDGE_MESSAGES:
            self._tell()
        elif self._timer is None:
            self._timer = self._loop.call_later(_ACKNOWLEDGE_S, self._tell)

    def _tell(self) -> None:
        """Say how many messages were taken."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        if self._transport and self._told != self._taken:
            self._told = self._taken
            self._transport.write(number(self._taken))

    def _end(self, code: int, error: Exception) -> None:
        """Say why, and close."""
        log.debug("peer stream closed", reason=str(error))
        self._tell()
        if self._transport:
            self._transport.write(number(code))
            self._transport.close()
