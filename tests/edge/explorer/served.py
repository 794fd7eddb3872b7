"""The explorer's API over the test world, served on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.applications import Starlette

from client.chain import Chain
from client.errors import Unreachable
from edge.explorer.api.handlers import on_error
from edge.explorer.api.reads import Sources
from edge.explorer.api.routes import routes
from edge.explorer.guard import Buckets, Guard
from edge.explorer.node import NodeView
from edge.explorer.proof import Verifier
from tests.edge.explorer.world import World
from tests.support.edge_servers import serving


async def nobody() -> Chain:
    """A node that proves nothing now."""
    raise Unreachable("no node")


@contextlib.asynccontextmanager
async def api_server(world: World, buckets: Buckets | None = None) -> AsyncIterator[str]:
    """Address of the served API."""
    sources = Sources(world.reader(), Verifier(nobody), NodeView(world.rpc))
    app: Any = Starlette(routes=routes(sources), exception_handlers={Exception: on_error})
    app.add_middleware(Guard, buckets=buckets or Buckets(10**6, 10**6))
    async with serving(app) as url:
        yield url
    await sources.node.close()
    await sources.verifier.close()
    sources.reader.close()


@contextlib.contextmanager
def api_in_a_thread(world: World) -> Iterator[str]:
    """The same for tests that are not asynchronous."""
    ready: list[str] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with api_server(world) as url:
            ready.append(url)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(30)
    yield ready[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join(20)
    loop.close()
