"""What all calls share: who calls, how long there is, and how refusals leave the process."""

from __future__ import annotations

import functools
import math
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

import grpc
import structlog

from client.errors import ClientError, NodeError, RejectedByChain, Unreachable
from connector.relay.errors import (
    DETAILS_KEY,
    RelayError,
    Violation,
    busy,
    malformed,
    refusal,
    refused_by_chain,
    unavailable,
)
from connector.relay.metrics import RelayMeter
from connector.relay.tokens import Grant, Tokens
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

_LOG = structlog.get_logger(__name__)
_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Context = Any
# Answers leave this much before the caller's deadline.
_MARGIN_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Parsed:
    """A request, or bytes that are no message of its kind."""

    message: Any

    def require(self) -> Any:
        """The message.

        Raises:
            RelayError: MALFORMED.
        """
        if self.message is None:
            raise malformed(Violation("", "the bytes are no message of this schema"))
        return self.message


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, and until when."""

    grant: Grant
    remaining_s: float

    def patience(self, wanted_s: float) -> float:
        """Seconds that may be waited: as wanted, but not beyond the caller's deadline."""
        return max(0.0, min(wanted_s, self.remaining_s - _MARGIN_S))


@dataclass(slots=True)
class Door:
    """What every call passes."""

    tokens: Tokens
    meter: RelayMeter
    draining: bool = False

    def enter(self, context: _Context) -> Caller:
        """Name the caller.

        Raises:
            RelayError: UNAUTHENTICATED, or the relay stops.
        """
        if self.draining:
            raise unavailable("the relay stops", pb.RELAY_REASON_DRAINING)
        metadata = dict(context.invocation_metadata() or ())
        authorization = metadata.get("authorization", "")
        if isinstance(authorization, bytes):
            authorization = authorization.decode("utf-8", "replace")
        remaining = context.time_remaining()
        return Caller(
            self.tokens.client(authorization), math.inf if remaining is None else remaining
        )


class HasDoor(Protocol):
    """A service whose calls pass a door."""

    door: Door


def unary(
    method: Callable[[Any, _Request, Caller], Awaitable[_Response]],
) -> Callable[[Any, Parsed, _Context], Awaitable[_Response]]:
    """One request, one answer."""
    name = method.__name__

    @functools.wraps(method)
    async def call(self: HasDoor, request: Parsed, context: _Context) -> _Response:
        started = time.monotonic()
        code = grpc.StatusCode.OK
        try:
            caller = self.door.enter(context)
            return await method(self, request.require(), caller)
        except Exception as error:
            refused = _refusal(error, name)
            code = refused.code
            await abort(context, refused)
            raise AssertionError from error  # abort raises
        finally:
            self.door.meter.calls.add(name, code.name)
            self.door.meter.call_seconds.observe(time.monotonic() - started, name)

    return call


def streaming(
    method: Callable[[Any, _Request, Caller], AsyncIterator[_Response]],
) -> Callable[[Any, Parsed, _Context], AsyncIterator[_Response]]:
    """One request, many answers."""
    name = method.__name__

    @functools.wraps(method)
    async def call(self: HasDoor, request: Parsed, context: _Context) -> AsyncIterator[_Response]:
        code = grpc.StatusCode.OK
        try:
            caller = self.door.enter(context)
            async for response in method(self, request.require(), caller):
                yield response
        except Exception as error:
            refused = _refusal(error, name)
            code = refused.code
            await abort(context, refused)
            raise AssertionError from error  # abort raises
        finally:
            self.door.meter.calls.add(name, code.name)

    return call


async def abort(context: _Context, error: RelayError) -> None:
    """End a call with the whole refusal."""
    details = error.status().SerializeToString()
    await context.abort(error.code, str(error), ((DETAILS_KEY, details),))


def _refusal(error: Exception, method: str) -> RelayError:
    if isinstance(error, RelayError):
        return error
    if isinstance(error, RejectedByChain):
        return refused_by_chain(error.code, error.log)
    if isinstance(error, Unreachable | NodeError):
        return unavailable("the node does not answer as it should")
    if isinstance(error, ClientError):
        _LOG.warning("answer not verified", method=method, error=str(error))
        return unavailable("what the node serves does not hold")
    if isinstance(error, sqlite3.Error):
        _LOG.error("database", method=method, error=str(error))
        return busy("the relay's disk does not answer")
    _LOG.exception("bug in a call", method=method)
    return refusal(
        pb.RELAY_REASON_UNSPECIFIED, grpc.StatusCode.INTERNAL, "the relay met a bug; see its log"
    )
