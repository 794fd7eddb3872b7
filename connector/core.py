"""The core's socket as the connector uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import grpc
import grpc.aio
from cryptography import x509

from connector.errors import CoreRefusedError, CoreUnavailableError
from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc

# Public material of production keys passes through this socket: it stays on one machine.
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_CALL_SECONDS = 120.0
_HEADER_REFUSAL = "header:"
_AWAY = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)


@dataclass(frozen=True, slots=True)
class Pinned:
    """Mutual TLS: the core's certificate, and the key with which we show that we are its connector."""

    core: bytes
    key: bytes = field(repr=False)
    certificate: bytes


def open_channel(address: str, pinned: Pinned | None = None) -> grpc.aio.Channel:
    """A channel to `unix:<path>` or `host:port`; it may appear later.

    Raises:
        ValueError: the core's certificate is none, or has no name.
    """
    if pinned is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    credentials = grpc.ssl_channel_credentials(pinned.core, pinned.key, pinned.certificate)
    name = ("grpc.ssl_target_name_override", _name(pinned.core))
    return grpc.aio.secure_channel(address, credentials, options=(*_OPTIONS, name))


def _name(certificate: bytes) -> str:
    """What a handshake with the holder of this certificate asks for."""
    extensions = x509.load_pem_x509_certificate(certificate).extensions
    try:
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound as error:
        raise ValueError("the core's certificate has no name") from error
    found: list[str] = names.get_values_for_type(x509.DNSName)
    if not found:
        raise ValueError("the core's certificate has no name")
    return found[0]


class CoreClient:
    """Submissions, results and status of one core."""

    def __init__(self, address: str, pinned: Pinned | None = None) -> None:
        """Remember where the core is; it may appear later."""
        self._channel = open_channel(address, pinned)
        self._stub = core_pb2_grpc.CoreServiceStub(self._channel)  # type: ignore[no-untyped-call]  # generated

    async def close(self) -> None:
        """Close the socket."""
        await self._channel.close(None)

    async def submit(self, request: core_pb2.SubmitRequest) -> int:
        """Hand over a proven request; returns its WorkState. The same again is no new work.

        Raises:
            CoreUnavailableError: try again. CoreRefusedError: the evidence does not convince it.
        """
        try:
            reply = await self._stub.Submit(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        return int(reply.state)

    async def inform(self, request: core_pb2.InformRequest) -> None:
        """Tell what became of epochs, keys and requests. The same again changes nothing.

        Raises:
            CoreUnavailableError: try again. CoreRefusedError: the evidence does not convince it.
        """
        try:
            await self._stub.Inform(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error

    async def results(self, after_cursor: int) -> AsyncIterator[core_pb2.Result]:
        """Results after a cursor, then new ones as they come.

        Raises:
            CoreUnavailableError: the stream broke; ask again from the durable cursor.
        """
        try:
            async for result in self._stub.Results(
                core_pb2.ResultsRequest(after_cursor=after_cursor)
            ):
                yield result
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error

    async def status(self) -> core_pb2.StatusReply:
        """Where the core is.

        Raises:
            CoreUnavailableError: try again.
        """
        try:
            reply: core_pb2.StatusReply = await self._stub.Status(
                core_pb2.StatusRequest(), timeout=_CALL_SECONDS
            )
        except grpc.aio.AioRpcError as error:
            raise _translated(error) from error
        return reply


def _translated(error: grpc.aio.AioRpcError) -> CoreRefusedError | CoreUnavailableError:
    code = error.code()
    text = f"{code.name}: {error.details()}"
    if code in _AWAY:
        return CoreUnavailableError(text)
    # The core's stable words for a header that does not verify from what it trusts.
    missing_trust = (error.details() or "").startswith(_HEADER_REFUSAL)
    return CoreRefusedError(text, missing_trust=missing_trust)
