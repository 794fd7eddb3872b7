"""Process `tkms storage`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.applications import Starlette

from client.logs import configure_logs
from client.rpc import ChainRpc
from edge.serving import serve
from edge.storage.bodies import Bodies
from edge.storage.records import Records
from edge.storage.service import Service, make_app
from edge.storage.settings import StorageSettings, load, token_digest
from edge.storage.sweeper import Sweeper


def build_app(settings: StorageSettings, home: Path) -> Starlette:
    """Assemble the server; sidecar and staging live in `home`."""
    home.mkdir(parents=True, exist_ok=True)
    records = Records(home / "records.db")
    bodies = Bodies(settings.backend, home / "staging", records, settings.max_bytes)
    rpc = ChainRpc(settings.node_rpc_url) if settings.node_rpc_url else None
    service = Service(settings, token_digest(settings, home), bodies, records)
    return make_app(service, Sweeper(bodies, records, rpc, settings.sweep_seconds))


def run(home: Path) -> None:
    """Serve until SIGTERM.

    Raises:
        SettingsError: `home`/storage.toml is not usable.
    """
    configure_logs()
    settings = load(home)
    asyncio.run(_run(settings, home))


async def _run(settings: StorageSettings, home: Path) -> None:
    await serve(build_app(settings, home), settings.listen, "storage")
