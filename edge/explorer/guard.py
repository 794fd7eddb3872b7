"""What every request of the explorer passes first: bounds on its size, its kind and its rate.

The explorer only reads: a request with a body, or with a longer address than any of its own, is refused
before anything looks at it. One client has a token bucket; the table of clients is bounded. Programs are
refused with problem+json, browsers with a small page that asks for nothing else.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from starlette.responses import HTMLResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.serving import problem_response

MAX_ADDRESS_BYTES: Final = 4096
METHODS: Final = ("GET", "HEAD", "OPTIONS")
# Answers that one client waits for at once; a live stream is one all the time.
MAX_AT_ONCE: Final = 48
_MAX_CLIENTS: Final = 10_000
_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

# Nothing of it comes from the caller.
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<h1>{title}</h1>
<p>{detail}. <a href="/">Go to the first page</a></p>
</html>
"""


class Buckets:
    """Token buckets by client; the least recently seen client is forgotten first."""

    def __init__(
        self,
        rate: float,
        burst: int,
        clients: int = _MAX_CLIENTS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`rate` requests a second on the long run, `burst` at once."""
        self._rate = rate
        self._burst = burst
        self._clients = clients
        self._now = now
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> int:
        """Take a token; 0, or the seconds after which there is one again."""
        now = self._now()
        tokens, at = self._buckets.pop(client, (float(self._burst), now))
        tokens = min(float(self._burst), tokens + (now - at) * self._rate)
        wait = 0 if tokens >= 1 else max(1, math.ceil((1 - tokens) / self._rate))
        self._buckets[client] = (tokens if wait else tokens - 1, now)
        while len(self._buckets) > self._clients:
            self._buckets.popitem(last=False)
        return wait


class Guard:
    """ASGI middleware; refusals are application/problem+json."""

    def __init__(self, app: ASGIApp, buckets: Buckets) -> None:
        """Wrap an application."""
        self._app = app
        self._buckets = buckets
        self._at_once: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass through with the headers that every answer has."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *_HEADERS]
            await send(message)

        client = client_of(scope)
        refusal = self._refusal(scope, client)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        self._at_once[client] = self._at_once.get(client, 0) + 1
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._at_once[client] -= 1
            if not self._at_once[client]:
                del self._at_once[client]

    def _refusal(self, scope: Scope, client: str) -> ASGIApp | None:
        address = len(scope.get("raw_path") or scope["path"].encode()) + len(scope["query_string"])
        if address > MAX_ADDRESS_BYTES:
            detail = f"at most {MAX_ADDRESS_BYTES} bytes of path and query"
            return _refused(scope, 414, "address too long", detail)
        if scope["method"] not in METHODS:
            response = _refused(scope, 405, "Method Not Allowed", "the explorer only reads")
            response.headers["Allow"] = ", ".join(METHODS)
            return response
        if _has_body(scope):
            return _refused(scope, 413, "body not read", "requests here have no body")
        wait = self._buckets.take(client)
        if not wait and self._at_once.get(client, 0) >= MAX_AT_ONCE:
            wait = 1
        if wait:
            response = _refused(scope, 429, "too many requests", f"try again in {wait} s")
            response.headers["Retry-After"] = str(wait)
            return response
        return None


def _refused(scope: Scope, status: int, title: str, detail: str) -> Response:
    """For a person where a browser asks for a page, else for a program."""
    accepted = b",".join(value for name, value in scope["headers"] if name == b"accept")
    if b"text/html" in accepted and not scope["path"].startswith("/api/"):
        words = {"title": title.capitalize(), "detail": detail.capitalize()}
        return HTMLResponse(_PAGE.format(**words), status)
    return problem_response(status, title, detail)


def client_of(scope: Scope) -> str:
    """Who asks: the address, of IPv6 the network of one subscriber."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)[:64]
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value.strip() != b"0"):
            return True
    return False
