"""Process `tkms coprocessor`: the stand-in."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog
from starlette.applications import Starlette

from client.chain import Chain
from client.errors import HeightUnavailable, Unreachable
from client.logs import configure_logs
from client.rpc import ChainRpc
from client.storage import StorageClient
from edge.coprocessor.compute import Calculator
from edge.coprocessor.service import Service, make_app
from edge.coprocessor.settings import CoprocessorSettings, account, load
from edge.coprocessor.shelf import Shelf
from edge.serving import serve

_RETRY_S = 0.3

_LOG = structlog.get_logger(__name__)


async def build_app(settings: CoprocessorSettings, home: Path) -> Starlette:
    """Assemble the server; waits for the node, whose chain it checks."""
    signer = account(settings, home)
    chain = await _connect(settings, home)
    storage = StorageClient(settings.storage_url.split())
    shelf = Shelf(home / settings.database, home / "ciphertexts")
    calculator = Calculator(chain, storage, shelf)
    return make_app(Service(settings, signer, chain, storage, shelf, calculator))


def run(home: Path) -> None:
    """Serve until SIGTERM.

    Raises:
        SettingsError: `home`/coprocessor.toml is not usable.
    """
    configure_logs()
    settings = load(home)
    asyncio.run(_run(settings, home))


async def _run(settings: CoprocessorSettings, home: Path) -> None:
    await serve(await build_app(settings, home), settings.listen, "coprocessor")


async def _connect(settings: CoprocessorSettings, home: Path) -> Chain:
    pinned = bytes.fromhex(settings.trusted_validators_hash)
    said = False
    while True:
        try:
            return await Chain.connect(
                ChainRpc(settings.rpc_url),
                validators_hash=pinned or None,
                pin=home / "trusted.json",
                chain_id=settings.chain_id,
            )
        except (Unreachable, HeightUnavailable) as error:
            # The node starts, or its chain has no block yet.
            if not said:
                _LOG.warning("waiting for the node", error=str(error))
                said = True
            await asyncio.sleep(_RETRY_S)
