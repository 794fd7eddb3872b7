"""Edge servers on free loopback ports, for tests."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette

from edge.serving import make_server
from edge.storage.main import build_app
from edge.storage.settings import StorageSettings

TOKEN = "0123456789abcdef-token"


@dataclass(frozen=True)
class Served:
    """Where the server listens and where it keeps things."""

    url: str
    home: Path
    folder: Path


@contextlib.asynccontextmanager
async def serving(app: Starlette, name: str = "test") -> AsyncIterator[str]:
    """Serve an application on a free loopback port."""
    server = make_server(app, "127.0.0.1:0", name)
    started = asyncio.Event()
    original = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await original(sockets)
        started.set()

    server.startup = startup
    task = asyncio.create_task(server.serve())
    await asyncio.wait_for(started.wait(), 30)
    try:
        yield server.url
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, 20)


def storage_settings(backend: str, **changes: Any) -> StorageSettings:
    """Small limits, an hour of retention, token file beside the records."""
    values = {
        "listen": "127.0.0.1:0",
        "backend": backend,
        "max_bytes": 1_000_000,
        "default_retention_s": 3600,
        "token_file": "token",
    }
    return StorageSettings(**(values | changes))


@contextlib.asynccontextmanager
async def storage_server(home: Path, backend: str = "", **changes: Any) -> AsyncIterator[Served]:
    """Storage with a local folder below `home` unless told otherwise."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - one small call
    (home / "token").write_text(TOKEN + "\n")
    folder = home / "bodies"
    app = build_app(storage_settings(backend or f"file://{folder}", **changes), home)
    async with serving(app) as url:
        yield Served(url, home, folder)
