"""The core's socket as the connector uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import grpc.aio

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


class CoreClient:
    """Submissions, results and status of one core."""

    def __init__(self, socket_path: str) -> None:
        """Remember the socket; it may appear later."""
        self._channel = grpc.aio.insecure_channel(f"unix:{socket_path}", options=_OPTIONS)
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
