"""The explorer's pages, served on loopback, and a client that follows nothing by itself."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from starlette.applications import Starlette
from starlette.routing import BaseRoute

from client.chain import Chain
from client.errors import Unreachable
from edge.explorer.live import Live
from edge.explorer.node import NodeView
from edge.explorer.pages.routes import Sources, routes
from edge.explorer.proof import Verifier
from edge.explorer.reader import Reader
from tests.support.edge_servers import serving


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body, read."""
        return self.body.decode()


class PageClient:
    """Asks one server."""

    def __init__(self, url: str) -> None:
        self._place = urlsplit(url).netloc

    def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        address = path + ("?" + urlencode(params) if params else "")
        connection = http.client.HTTPConnection(self._place, timeout=20)
        try:
            connection.putrequest("GET", address, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            found = connection.getresponse()
            named = {name.lower(): value for name, value in found.getheaders()}
            return Answer(found.status, named, found.read())
        finally:
            connection.close()


async def nobody() -> Chain:
    """A node that proves nothing now."""
    raise Unreachable("no node")


@contextlib.asynccontextmanager
async def page_server(
    reader: Reader,
    node: NodeView,
    before: tuple[BaseRoute, ...] = (),
    verifier: Verifier | None = None,
) -> AsyncIterator[str]:
    """Address of the served pages."""
    live = Live(reader.head, poll_s=0.05)
    sources = Sources(reader, verifier or Verifier(nobody), node, live)
    app = Starlette(routes=[*before, *routes(sources)])
    app.state.stopping = live.stop
    async with live.running(), serving(app) as url:
        yield url
    await sources.node.close()
    await sources.verifier.close()


@contextlib.contextmanager
def pages_in_a_thread(
    reader: Reader,
    node: NodeView,
    before: tuple[BaseRoute, ...] = (),
    verifier: Verifier | None = None,
) -> Iterator[PageClient]:
    """The same for tests that are not asynchronous."""
    ready: list[str] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with page_server(reader, node, before, verifier) as url:
            ready.append(url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(20)
    try:
        yield PageClient(ready[0])
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        loop.close()
