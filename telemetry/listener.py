"""HTTP for an operator's own machines: /metrics, /healthz, /readyz; reading only, one thread a request.

Loopback unless another host is named. There is no authentication and nothing secret; still, whoever
opens it to a network decides that with an address, never by forgetting one.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import BoundedSemaphore, Thread
from typing import Any, Final

import structlog

from telemetry.address import parse_address
from telemetry.errors import TelemetryError
from telemetry.exposition import CONTENT_TYPE, Exposition
from telemetry.health import Judge
from telemetry.instruments import Instruments

_LOG: Final = structlog.get_logger(__name__)
_JSON: Final = "application/json"
# A scraper, a load balancer and a person; whoever comes beyond that is turned away at once.
_MOST_REQUESTS: Final = 8
# A peer that is silent for so long is cut off.
_SILENCE_SECONDS: Final = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path is answered with."""

    status: int
    content_type: str
    body: bytes


Responder = Callable[[], Answer]


class Listener:
    """Serves one process's numbers and health."""

    def __init__(self, address: str, instruments: Instruments, judge: Judge) -> None:
        """Listen on `address` (see `parse_address`; port 0: any free one).

        Raises:
            TelemetryError: the address is wrong or taken.
        """
        exposition = Exposition(instruments)

        def metrics() -> Answer:
            return Answer(HTTPStatus.OK, CONTENT_TYPE, exposition.text())

        def healthz() -> Answer:
            health = judge()
            return Answer(_status(health.healthy), _JSON, health.document())

        def readyz() -> Answer:
            health = judge()
            return Answer(_status(health.healthy and health.ready), _JSON, health.document())

        responders = {"/metrics": metrics, "/healthz": healthz, "/readyz": readyz}
        host, port = parse_address(address)
        try:
            self._server = _Server((host, port), responders)
        except OSError as error:
            raise TelemetryError(f"cannot listen on {address}: {error.strerror}") from error
        self._thread = Thread(target=self._server.serve_forever, name="telemetry", daemon=True)

    @property
    def url(self) -> str:
        """Address on which it really listens."""
        host, port = self._server.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()
        _LOG.info("metrics", url=self.url)

    def stop(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _status(good: bool) -> int:
    return HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE


class _Server(ThreadingHTTPServer):
    """A bounded number of requests at the same time; a stuck one does not keep the process alive."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], responders: dict[str, Responder]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self.responders = responders
        self._room = BoundedSemaphore(_MOST_REQUESTS)
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without looking up our own name, which may ask a name server."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - base class
        """A peer that went away is no event."""
        _LOG.debug("request for metrics broken off", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    """GET and HEAD of the known paths."""

    server: _Server
    timeout = _SILENCE_SECONDS
    server_version = "tkms"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with a body."""
        self._respond(with_body=True)

    def do_HEAD(self) -> None:
        """Answer without."""
        self._respond(with_body=False)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - base class
        """Requests are not logged: one comes every few seconds for ever."""

    def _respond(self, *, with_body: bool) -> None:
        responder = self.server.responders.get(self.path.partition("?")[0])
        if responder is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            answer = responder()
        except Exception:  # noqa: BLE001 - what cannot be measured must not end anything
            _LOG.exception("metrics not readable", path=self.path[:64])
            self.send_error(HTTPStatus.INTERNAL_SERVER_ERROR)
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if with_body:
            self.wfile.write(answer.body)
