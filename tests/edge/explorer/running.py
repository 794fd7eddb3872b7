"""An explorer that runs over a served node."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp

from edge.explorer.service import make_app, writing
from edge.explorer.settings import ExplorerSettings
from tests.edge.explorer.world import World
from tests.support.edge_servers import serving
from tests.support.rpc_node import RpcNode


class Engine(RpcNode):
    """The served node with blocks, results and genesis."""

    def __init__(self, world: World) -> None:
        super().__init__(world.chain, block_seconds=3600)
        self._world = world

    def _on_block(self, height: str) -> Any:
        return self._world.node._block(int(height))

    def _on_block_results(self, height: str) -> Any:
        return self._world.node._results(int(height))

    def _on_genesis(self) -> Any:
        return {"genesis": {"app_state": json.loads(self.chain.app_state())}}

    def _on_consensus_state(self) -> Any:
        return self._world.node._consensus()


@contextlib.asynccontextmanager
async def explorer(
    world: World, folder: Path, **settings: Any
) -> AsyncIterator[tuple[Engine, aiohttp.ClientSession]]:
    """A running explorer with an empty index of its own, and its node."""
    node = Engine(world)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(node.serve())
        chosen = ExplorerSettings(
            "127.0.0.1:0",
            node.url,
            trusted_validators_hash=node.validators_hash.hex(),
            threads=4,
            **settings,
        )
        connection = stack.enter_context(writing(folder / "index.db"))
        app = make_app(chosen, folder, connection)
        url = await stack.enter_async_context(serving(app))
        yield node, await stack.enter_async_context(aiohttp.ClientSession(url))


async def until(check: Callable[[], Any], seconds: float = 20) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - asked by HTTP
            await asyncio.sleep(0.05)
