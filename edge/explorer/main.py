"""Process `tkms explorer run`, and what `rebuild` and `prune` do."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

from client.logs import configure_logs
from client.rpc import ChainRpc
from edge.explorer.index.database import create, remove
from edge.explorer.index.fill import Filler
from edge.explorer.index.follower import Follower
from edge.explorer.index.prune import prune as prune_index
from edge.explorer.index.prune import shrink
from edge.explorer.service import locked, make_app, writing
from edge.explorer.settings import ExplorerSettings, index_path, load
from edge.serving import serve


def run(config: Path) -> None:
    """Serve until SIGTERM.

    Raises:
        SettingsError: the settings are not usable.
        IndexBusy, IndexUnusable: the index is not.
    """
    configure_logs()
    settings = load(config)
    with writing(index_path(settings, config.parent)) as connection:
        asyncio.run(_run(settings, config.parent, connection))


async def _run(settings: ExplorerSettings, folder: Path, connection: sqlite3.Connection) -> None:
    await serve(make_app(settings, folder, connection), settings.listen, "explorer")


def rebuild(config: Path, tell: Callable[[int, int], None]) -> dict[str, int]:
    """Make the index anew, up to the node's head; `tell` hears height and node's height now and then.

    Raises:
        SettingsError: the settings are not usable.
        IndexBusy: an explorer runs on it.
        ClientError: the node does not answer.
    """
    settings = load(config)
    path = index_path(settings, config.parent)
    with locked(path):
        remove(path)
        connection = create(path)
        try:
            return asyncio.run(_rebuild(settings, connection, tell))
        finally:
            connection.close()


async def _rebuild(
    settings: ExplorerSettings, connection: sqlite3.Connection, tell: Callable[[int, int], None]
) -> dict[str, int]:
    filler = Filler(connection)
    async with ChainRpc(settings.node_rpc_url) as rpc:
        follower = Follower(rpc, filler, settings.first_height)
        follower.tell = lambda height: tell(height, follower.progress.node_height)
        blocks = await follower.step()
    return {"height": filler.cursor, "blocks": blocks}


def prune(config: Path, keep_blocks: int | None) -> dict[str, int]:
    """Drop old blocks and transactions, and make the file small.

    Raises:
        SettingsError: the settings are not usable.
        IndexBusy: an explorer runs on it; a running one prunes by itself.
    """
    settings = load(config)
    path = index_path(settings, config.parent)
    with writing(path) as connection:
        keep = settings.keep_blocks if keep_blocks is None else keep_blocks
        dropped = prune_index(connection, keep)
        shrink(connection)
        return {"blocks": dropped, "bytes": path.stat().st_size}
