"""The explorer, assembled: one follower, one light client, any number of readers."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final

import anyio.to_thread
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from client.rpc import ChainRpc
from client.settings import SettingsError
from edge.explorer.api import reads
from edge.explorer.api import routes as api
from edge.explorer.api.handlers import on_error
from edge.explorer.guard import Buckets, Guard
from edge.explorer.index.database import IndexUnusable, create
from edge.explorer.index.fill import Filler
from edge.explorer.index.follower import Follower
from edge.explorer.index.prune import prune
from edge.explorer.live import Live
from edge.explorer.metrics import ExplorerMeter, Metered
from edge.explorer.node import NodeView
from edge.explorer.pages import routes as pages
from edge.explorer.proof import verifier_from
from edge.explorer.reader import Reader
from edge.explorer.settings import ExplorerSettings, index_path, trust_of
from telemetry.errors import TelemetryError
from telemetry.listener import Listener

_LOG = structlog.get_logger(__name__)

# Seconds between two looks for blocks that are not kept any more.
_PRUNE_S: Final = 600.0


class IndexBusy(Exception):  # noqa: N818 - a state of affairs
    """Another process writes this index."""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Connection of the one writer.

    Raises:
        IndexBusy: there is another one.
        IndexUnusable: the file is not an index of this version.
    """
    with locked(path):
        connection = create(path)
        try:
            yield connection
        finally:
            connection.close()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Nobody else writes the index meanwhile.

    Raises:
        IndexBusy: somebody does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise IndexBusy(f"{path} is written by another process") from error
        yield


def _health(meter: ExplorerMeter) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        """200 while all is well, else 503 with the cause in words of ours."""
        health = await anyio.to_thread.run_sync(meter.judge)
        document = {"status": health.phase, **health.facts}
        return JSONResponse(document, 200 if health.healthy else 503)

    return answer


def make_app(settings: ExplorerSettings, folder: Path, connection: sqlite3.Connection) -> Starlette:
    """The application over the connection of `writing`; its lifespan runs the follower."""
    rpc, live_rpc = ChainRpc(settings.node_rpc_url), ChainRpc(settings.node_rpc_url)
    follower = Follower(rpc, Filler(connection), settings.first_height)
    reader = Reader(index_path(settings, folder), lambda: follower.progress.node_height)
    verifier = verifier_from(trust_of(settings, folder))
    node = NodeView(live_rpc)
    meter = ExplorerMeter(follower.progress, reader.head, index_path(settings, folder))
    follower.tell = lambda _height: meter.blocks.add()
    live = Live(reader.head)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = settings.threads
        listener = _listen(settings, meter)
        following = asyncio.create_task(_follow(follower))
        path = index_path(settings, folder)
        pruning = asyncio.create_task(_prune(path, settings.keep_blocks))
        async with live.running():
            yield
        for task in (following, pruning):
            task.cancel()
        await asyncio.gather(following, pruning, return_exceptions=True)
        if listener is not None:
            listener.stop()
        await node.close()
        await verifier.close()
        await rpc.close()
        await live_rpc.close()
        reader.close()

    app = Starlette(
        routes=[
            Route("/healthz", _health(meter)),
            *api.routes(reads.Sources(reader, verifier, node)),
            # Last: these answer every address that is left.
            *pages.routes(pages.Sources(reader, verifier, node, live)),
        ],
        exception_handlers={Exception: on_error},
        lifespan=lifespan,
    )
    app.state.stopping = live.stop
    app.add_middleware(Guard, buckets=Buckets(settings.requests_per_second, settings.burst))
    # Outermost: refusals count too.
    app.add_middleware(Metered, meter=meter)
    return app


def _listen(settings: ExplorerSettings, meter: ExplorerMeter) -> Listener | None:
    """Serve numbers and health from now on; None where the settings name no address."""
    if not settings.metrics_listen:
        return None
    try:
        listener = Listener(settings.metrics_listen, meter.instruments, meter.judge)
    except TelemetryError as error:
        raise SettingsError(str(error)) from error
    listener.start()
    return listener


async def _follow(follower: Follower) -> None:
    try:
        await follower.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, readers are served and told
        # What is indexed stays readable; health says that nothing is added.
        follower.progress.trouble = str(error) or type(error).__name__
        _LOG.exception("the index is not continued")


async def _prune(path: Path, keep_blocks: int) -> None:
    while keep_blocks:
        await asyncio.sleep(_PRUNE_S)
        try:
            dropped = await asyncio.to_thread(_pruned, path, keep_blocks)
        except sqlite3.OperationalError as error:
            # The follower had the file for too long, or the disk is full: the next round tries again.
            _LOG.warning("blocks not pruned", error=str(error))
            continue
        if dropped:
            _LOG.info("blocks pruned", blocks=dropped)


def _pruned(path: Path, keep_blocks: int) -> int:
    """Over a connection of its own: the follower's has a transaction of its own."""
    with contextlib.closing(create(path)) as connection:
        return prune(connection, keep_blocks)


__all__ = ["IndexBusy", "IndexUnusable", "locked", "make_app", "writing"]
