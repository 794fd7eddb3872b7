"""One way to serve HTTP: bounded in connections and time, stopped by SIGTERM with exit code 0."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_LOG = structlog.get_logger(__name__)

HEADER_SECONDS: Final = 10.0
REQUEST_SECONDS: Final = 900.0
MAX_CONNECTIONS: Final = 512
# Of one address, so that nobody alone keeps the others out.
MAX_CLIENT_CONNECTIONS: Final = MAX_CONNECTIONS // 2


class ProblemError(Exception):
    """A refusal that the peer is told as application/problem+json (RFC 9457)."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        """`title` is stable, `detail` is for people."""
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail


def problem_response(status: int, title: str, detail: str = "") -> JSONResponse:
    """Body of a refusal."""
    body: dict[str, Any] = {"type": "about:blank", "status": status, "title": title}
    if detail:
        body["detail"] = detail
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(body, status, headers, "application/problem+json")


async def on_problem(_request: Request, error: Exception) -> JSONResponse:
    """Exception handler of ProblemError."""
    if not isinstance(error, ProblemError):
        raise TypeError("this handler is registered for ProblemError only") from error
    return problem_response(error.status, error.title, error.detail)


async def on_http_error(_request: Request, error: Exception) -> JSONResponse:
    """Exception handler of the framework's own refusals (unknown path, wrong method)."""
    return problem_response(getattr(error, "status_code", 500), getattr(error, "detail", "error"))


class TimeLimit:
    """Ends a request that takes too long in total, whichever side is slow."""

    def __init__(self, app: ASGIApp, seconds: float = REQUEST_SECONDS) -> None:
        """Wrap an application."""
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through; on overtime the connection is dropped, since the answer may be half sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        async with asyncio.timeout(self._seconds):
            await self._app(scope, receive, send)


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 where a peer that drips header bytes, or sends none, is cut off."""

    header_seconds = HEADER_SECONDS
    _timer: asyncio.TimerHandle | None = None
    _address = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock of the first request; one address too many is not served."""
        super().connection_made(transport)
        self._address = str((transport.get_extra_info("peername") or ("",))[0])
        known = self.connections
        mine = sum(getattr(other, "_address", None) == self._address for other in known)
        if mine > MAX_CLIENT_CONNECTIONS:
            transport.close()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once a request is being answered; start it for the next one."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if not self._waiting():
            self._stop()
        elif self._timer is None:
            self._timer = self.loop.call_later(self.header_seconds, self._expire)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        if self._waiting():
            self.transport.close()

    def _waiting(self) -> bool:
        """Whether no request is being answered; `cycle` is None before the first one."""
        return getattr(self.cycle, "response_complete", True)


class BoundedServer(uvicorn.Server):
    """A server that leaves signals to `serve` and says when it is ready."""

    name = "http"
    # What ends answers that would never end by themselves.
    stopping: Callable[[], None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: uvicorn would raise the signal again after stopping, so the exit code is not 0."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then tell where."""
        await super().startup(sockets)
        if self.started:
            _LOG.info("ready", service=self.name, url=self.url)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End endless answers first: the rest is waited for."""
        if self.stopping is not None:
            self.stopping()
        await super().shutdown(sockets)

    @property
    def url(self) -> str:
        """Address on which the server really listens."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"


def make_server(app: ASGIApp, listen: str, name: str) -> BoundedServer:
    """Server for `listen` = host:port (port 0: any free one); bounded as this module says."""
    host, _, port = listen.rpartition(":")
    config = uvicorn.Config(
        TimeLimit(app),
        host=host,
        port=int(port),
        http=BoundedProtocol,
        ws="none",
        lifespan="on" if isinstance(app, Starlette) else "off",
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=5,
    )
    server = BoundedServer(config)
    server.name = name
    if isinstance(app, Starlette):
        server.stopping = getattr(app.state, "stopping", None)
    return server


async def serve(app: ASGIApp, listen: str, name: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    server = make_server(app, listen, name)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server)
    await server.serve()


def _stop(server: uvicorn.Server) -> None:
    server.should_exit = True
