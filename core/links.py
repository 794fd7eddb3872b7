"""One outgoing stream to one peer: kept open, resumed with back-off, unacknowledged sent again."""

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass

import grpc
import structlog

from core.certificates import server_name, to_pem
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2, peer_pb2_grpc

MAX_MESSAGE_BYTES = 64 * 2**20
"""A dealt key share is below 1 MiB; masked shares are 64 bytes for four blocks."""

_MAX_PENDING = 10_000
_MAX_PENDING_BYTES = 256 * 2**20
_FIRST_BACK_OFF_S = 0.1
_LAST_BACK_OFF_S = 5.0

CHANNEL_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)

log = structlog.get_logger("core.links")


@dataclass(frozen=True, slots=True)
class Identity:
    """Our own end of a connection: PEM of key and certificate."""

    key: bytes
    certificate: bytes

    def __repr__(self) -> str:
        """Hide the key."""
        return "Identity(...)"


class Link:
    """Ordered delivery to one peer while both live; `send` never blocks."""

    __slots__ = (
        "_identity",
        "_party",
        "_pending",
        "_pending_bytes",
        "_retry",
        "_sent",
        "_stopping",
        "_task",
        "_wake",
        "connected",
        "dropped",
    )

    def __init__(self, identity: Identity, party: config_pb2.Party) -> None:
        """Prepare; `start` opens the stream."""
        self._identity = identity
        self._party = party
        self._pending: deque[peer_pb2.Envelope] = deque()
        self._pending_bytes = 0
        self._sent = 0
        self._stopping = False
        self._wake = asyncio.Event()
        self._retry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.connected = False
        self.dropped = 0

    def start(self) -> None:
        """Begin connecting in the background."""
        self._task = asyncio.create_task(self._run(), name=f"link to party {self._party.index}")

    async def stop(self) -> None:
        """Close the stream; what was not acknowledged is lost here and repaired by the runner."""
        # A call may turn our cancellation into its own error: the loop also looks at this flag.
        self._stopping = True
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def retry(self) -> None:
        """Connect now if not connected: the peer was just heard."""
        self._retry.set()

    def send(self, envelope: peer_pb2.Envelope) -> bool:
        """Queue a message; False and counted when the queue is full."""
        size = envelope.ByteSize()
        if len(self._pending) >= _MAX_PENDING or self._pending_bytes + size > _MAX_PENDING_BYTES:
            self.dropped += 1
            return False
        self._pending.append(envelope)
        self._pending_bytes += size
        self._wake.set()
        return True

    async def _run(self) -> None:
        """Connect until stopped."""
        back_off = _FIRST_BACK_OFF_S
        while not self._stopping:
            started = asyncio.get_running_loop().time()
            try:
                await self._stream()
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError, ValueError) as error:
                code = error.code().name if isinstance(error, grpc.aio.AioRpcError) else str(error)
                log.debug("peer stream ended", peer=self._party.index, reason=code)
            finally:
                self.connected = False
            if self._stopping:
                return
            if asyncio.get_running_loop().time() - started > _LAST_BACK_OFF_S:
                back_off = _FIRST_BACK_OFF_S
            self._retry.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(back_off):
                    await self._retry.wait()
            back_off = min(2 * back_off, _LAST_BACK_OFF_S)

    async def _stream(self) -> None:
        """One connection: write what is pending, drop what is acknowledged."""
        certificate = self._party.tls_certificate
        credentials = grpc.ssl_channel_credentials(
            to_pem(certificate), self._identity.key, self._identity.certificate
        )
        options = (
            *CHANNEL_OPTIONS,
            ("grpc.ssl_target_name_override", server_name(certificate)),
            ("grpc.use_local_subchannel_pool", 1),
        )
        address = self._party.peer_address
        async with grpc.aio.secure_channel(address, credentials, options) as channel:
            call = peer_pb2_grpc.PeerServiceStub(channel).Deliver()  # type: ignore[no-untyped-call]  # generated
            await call.wait_for_connection()
            self.connected = True
            self._sent = 0
            writer = asyncio.create_task(self._write(call))
            try:
                await self._read(call)
            finally:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
                call.cancel()

    async def _write(self, call: grpc.aio.StreamStreamCall) -> None:  # type: ignore[type-arg]  # stubs
        """Send what this stream has not sent."""
        while True:
            while self._sent < len(self._pending):
                envelope = self._pending[self._sent]
                self._sent += 1
                await call.write(envelope)
            self._wake.clear()
            await self._wake.wait()

    async def _read(self, call: grpc.aio.StreamStreamCall) -> None:  # type: ignore[type-arg]  # stubs
        """Forget what the peer has."""
        acknowledged = 0
        async for ack in call:
            fresh = ack.received - acknowledged
            if not 0 <= fresh <= self._sent:
                raise ValueError("the peer acknowledged more than was sent")
            acknowledged = ack.received
            for _ in range(fresh):
                self._pending_bytes -= self._pending.popleft().ByteSize()
            self._sent -= fresh
