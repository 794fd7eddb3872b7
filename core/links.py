"""One outgoing stream to one peer: kept open, resumed with back-off, unacknowledged sent again."""

import asyncio
import contextlib
from collections import deque
from typing import cast

import structlog

from core.certificates import server_name
from core.errors import PeerError
from core.frames import PROTOCOL, REFUSED, UNKNOWN_EPOCH, Numbers, frame
from core.tls import Identity, client_context, tune
from wire.pb.tkms.config.v1 import config_pb2

_MAX_PENDING = 10_000
_MAX_PENDING_BYTES = 256 * 2**20
_MAX_WRITE_BYTES = 2**20
"""Handed to the connection at once; below it, later messages do not wait behind much."""

_FIRST_BACK_OFF_S = 0.1
_LAST_BACK_OFF_S = 5.0
_CONNECT_S = 15.0

log = structlog.get_logger("core.links")


class Link:
    """Ordered delivery to one peer while both live; `send` never blocks."""

    __slots__ = (
        "_identity",
        "_party",
        "_pending_bytes",
        "_retry",
        "_stream",
        "_task",
        "_unacknowledged",
        "_unsent",
        "connected",
        "dropped",
    )

    def __init__(self, identity: Identity, party: config_pb2.Party) -> None:
        """Prepare; `start` opens the stream."""
        self._identity = identity
        self._party = party
        self._unsent: deque[bytes] = deque()
        self._unacknowledged: deque[bytes] = deque()
        self._pending_bytes = 0
        self._retry = asyncio.Event()
        self._stream: _Stream | None = None
        self._task: asyncio.Task[None] | None = None
        self.connected = False
        self.dropped = 0

    def start(self) -> None:
        """Begin connecting in the background."""
        self._task = asyncio.create_task(self._run(), name=f"link to party {self._party.index}")

    async def stop(self) -> None:
        """Close the stream; what was not acknowledged is lost here and repaired by the runner."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def retry(self) -> None:
        """Connect now if not connected: the peer was just heard."""
        self._retry.set()

    def send(self, message: bytes) -> bool:
        """Queue a message; False and counted when the queue is full."""
        size = len(message)
        many = len(self._unsent) + len(self._unacknowledged) >= _MAX_PENDING
        if many or self._pending_bytes + size > _MAX_PENDING_BYTES:
            self.dropped += 1
            return False
        self._unsent.append(frame(message))
        self._pending_bytes += size
        if self._stream is not None:
            self._stream.wake()
        return True

    def next(self) -> bytes:
        """What is to be sent now, as much as fits in one write; empty when all was sent."""
        parts: list[bytes] = []
        size = 0
        while self._unsent and (not parts or size + len(self._unsent[0]) <= _MAX_WRITE_BYTES):
            parts.append(self._unsent.popleft())
            size += len(parts[-1])
        self._unacknowledged.extend(parts)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def acknowledge(self, count: int) -> None:
        """Forget the oldest messages: the peer has them.

        Raises
        ------
        PeerError
            So many were not sent.
        """
        if not 0 <= count <= len(self._unacknowledged):
            raise PeerError("the peer acknowledged more than was sent")
        for _ in range(count):
            self._pending_bytes -= len(self._unacknowledged.popleft()) - len(frame(b""))
        self.connected = True

    async def _run(self) -> None:
        """Connect until stopped."""
        loop = asyncio.get_running_loop()
        back_off = _FIRST_BACK_OFF_S
        while True:
            started = loop.time()
            self._retry.clear()
            try:
                await self._connect()
            except (OSError, ValueError, PeerError) as error:
                log.debug("peer stream ended", peer=self._party.index, reason=str(error))
            if loop.time() - started > _LAST_BACK_OFF_S:
                back_off = _FIRST_BACK_OFF_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(back_off):
                    await self._retry.wait()
            back_off = min(2 * back_off, _LAST_BACK_OFF_S)

    async def _connect(self) -> None:
        """One connection until it ends."""
        certificate = self._party.tls_certificate
        host, _, port = self._party.peer_address.rpartition(":")
        async with asyncio.timeout(_CONNECT_S):
            _, stream = await asyncio.get_running_loop().create_connection(
                lambda: _Stream(self),
                host.strip("[]"),
                int(port),
                ssl=client_context(self._identity, certificate),
                server_hostname=server_name(certificate),
            )
        self._unsent.extendleft(reversed(self._unacknowledged))
        self._unacknowledged.clear()
        self._stream = stream
        try:
            stream.wake()
            await stream.ended
        finally:
            self._stream = None
            self.connected = False
            stream.close()


class _Stream(asyncio.Protocol):
    """One connection of a link."""

    def __init__(self, link: Link) -> None:
        """Nothing is sent yet."""
        self._link = link
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._numbers = Numbers()
        self._received = 0
        self._full = False
        self._planned = False
        self.ended: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over; the peer has not accepted us yet."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_MAX_WRITE_BYTES)
        tune(transport.get_extra_info("socket"))
        chosen = transport.get_extra_info("ssl_object")
        if chosen.selected_alpn_protocol() != PROTOCOL:
            self._fail(PeerError("the peer speaks another protocol"))

    def wake(self) -> None:
        """Something is to be sent: all of this moment goes in one write."""
        if not self._planned and not self._full:
            self._planned = True
            self._loop.call_soon(self._write)

    def pause_writing(self) -> None:
        """The peer or the network is slower than we are."""
        self._full = True

    def resume_writing(self) -> None:
        """Go on."""
        self._full = False
        self.wake()

    def data_received(self, data: bytes) -> None:
        """Forget what the peer has."""
        for number in self._numbers.add(data):
            if number in {REFUSED, UNKNOWN_EPOCH}:
                reason = "refused" if number == REFUSED else "the epoch is unknown there"
                self._fail(PeerError(reason))
                return
            try:
                self._link.acknowledge(number - self._received)
            except PeerError as error:
                self._fail(error)
                return
            self._received = number

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._fail(exc or PeerError("closed"))

    def close(self) -> None:
        """End now."""
        if self._transport:
            self._transport.abort()

    def _write(self) -> None:
        """Send what this stream has not sent."""
        self._planned = False
        while self._transport and not self._full and not self._transport.is_closing():
            data = self._link.next()
            if not data:
                return
            self._transport.write(data)

    def _fail(self, error: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(error)
