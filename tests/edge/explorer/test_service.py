"""The whole explorer over a served node: settings, following, health, pruning, the commands."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sqlite3
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from cli.main import run as command
from client.settings import SettingsError
from edge.explorer.index import prune as prune_module
from edge.explorer.index.database import IndexUnusable, create
from edge.explorer.index.prune import prune
from edge.explorer.service import IndexBusy, make_app, writing
from edge.explorer.settings import ExplorerSettings, load
from edge.serving import MAX_CONNECTIONS
from tests.edge.explorer.running import Engine, explorer, until
from tests.edge.explorer.world import Recorder, build_world
from tests.support.edge_servers import serving
from tests.support.shop import start_shop


def write(path: Path, **values: Any) -> Path:
    """A settings file."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"listen": "nowhere"}, "listen"),
        ({"trusted_validators_hash": "zz" * 32}, "trusted_validators_hash"),
        # Digits of no digest: nothing would be pinned.
        ({"trusted_validators_hash": " " * 64}, "trusted_validators_hash"),
        ({"keep_blocks": -1}, "keep_blocks"),
        ({"burst": 0}, "burst"),
        ({"requests_per_second": 0}, "requests_per_second"),
        ({"threads": 0}, "threads"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_settings_are_checked(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    """Each with its name."""
    values = {"listen": "127.0.0.1:0", "node_rpc_url": "http://127.0.0.1:1"} | changes
    with pytest.raises(SettingsError, match=words):
        load(write(tmp_path / "explorer.toml", **values))


def test_one_writer_and_only_indexes(tmp_path: Path) -> None:
    """A second process, another file, another version."""
    path = tmp_path / "index.db"
    with writing(path), pytest.raises(IndexBusy), writing(path):
        pass
    with contextlib.closing(create(path)) as connection:
        connection.execute("PRAGMA user_version=99")
    with pytest.raises(IndexUnusable, match="format 99"), writing(path):
        pass
    path.write_bytes(b"something else" * 100)
    with pytest.raises(IndexUnusable), writing(path):
        pass


def test_pruning_keeps_requests(tmp_path: Path) -> None:
    """Old blocks and transactions go; what they made stays, and following goes on."""
    world = build_world(tmp_path)
    with contextlib.closing(create(world.path)) as connection:
        assert prune(connection, 10) == world.chain.height - 10
        assert prune(connection, 10) == 0
    reader = world.reader()
    assert [block.height for block in reader.blocks(limit=50).items][-1] == world.chain.height - 9
    request = reader.request(world.requests["fulfilled"])
    assert request is not None
    assert [answer.lag_ms for answer in request.answers] == [1000, 2000, 3000, 4000]
    with world.recorder.recording():
        world.chain.skip(1)
    assert world.follow() == 1
    reader.close()
    world.chain.close()


def test_pruning_lets_the_follower_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After every transaction but the last the lock is left for longer than who waits for it sleeps."""
    world = build_world(tmp_path)
    pauses: list[float] = []
    with (
        contextlib.closing(create(world.path)) as connection,
        contextlib.closing(sqlite3.connect(world.path, timeout=0)) as other,
    ):

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            with other:
                other.execute("INSERT OR REPLACE INTO meta VALUES ('test', ?)", (len(pauses),))

        monkeypatch.setattr(prune_module, "_STEP", 5)
        with monkeypatch.context() as patched:
            patched.setattr(time, "sleep", pause)
            dropped = prune(connection, 10)
        assert dropped == world.chain.height - 10
        assert len(pauses) == (dropped - 1) // 5
        # SQLite's busy handler sleeps 0.1 s at most.
        assert min(pauses) > 0.1
    world.chain.close()


async def test_an_explorer_catches_up_and_follows(tmp_path: Path) -> None:
    """From an empty index: health tells when it is there; new blocks appear; pages and twins answer."""
    world = await asyncio.to_thread(build_world, tmp_path)
    async with explorer(world, tmp_path / "explorer") as (node, client):

        async def is_well() -> bool:
            async with client.get("/healthz") as response:
                body = await response.json()
            return bool(body["status"] == "ok" and body["height"] == world.chain.height)

        await until(is_well)
        with world.recorder.recording():
            node.make_block()
        await until(is_well)
        for path in ("/api/v1/head", "/api/v1/config", "/api/v1/requests"):
            async with client.get(path) as response:
                assert response.status == 200, path
                assert response.headers["X-Content-Type-Options"] == "nosniff"
        async with client.get("/api/v1/nothing") as response:
            assert response.content_type == "application/problem+json"
    world.chain.close()


async def test_health_says_when_nothing_is_added(tmp_path: Path) -> None:
    """The node is gone, then another chain's: what is indexed stays readable."""
    world = await asyncio.to_thread(build_world, tmp_path)
    folder = tmp_path / "explorer"
    with writing(folder / "index.db") as connection:
        settings = ExplorerSettings("127.0.0.1:0", "http://127.0.0.1:1")
        app = make_app(settings, folder, connection)
        async with serving(app) as url, aiohttp.ClientSession(url) as client:

            async def is_stalled() -> bool:
                async with client.get("/healthz") as response:
                    body = await response.json()
                    return bool(response.status == 503 and body["status"] == "stalled")

            await until(is_stalled)
            async with client.get("/api/v1/head") as response:
                assert response.status == 503
    world.chain.close()


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    """What a command printed; the chain of the test logs before it."""
    return capsys.readouterr().out.strip().splitlines()[-1]


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`prune` and its refusals; settings that are not there."""
    world = build_world(tmp_path)
    config = write(
        tmp_path / "explorer.toml", listen="127.0.0.1:0", node_rpc_url="http://127.0.0.1:1"
    )
    arguments = ["explorer", "prune", "--config", str(config), "--keep-blocks", "5", "-o", "json"]
    assert command(arguments) == 0
    assert json.loads(last_line(capsys))["blocks"] == world.chain.height - 5
    with writing(world.path):
        assert command(arguments) == 3
        assert json.loads(last_line(capsys))["error"]["reason"] == "INDEX_BUSY"
    assert command(["explorer", "run", "--config", str(tmp_path / "none"), "-o", "json"]) == 3
    assert "not there" in capsys.readouterr().out
    world.chain.close()


async def test_rebuild(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The index is made anew from the node, and says the same."""
    world = await asyncio.to_thread(build_world, tmp_path)
    reader = world.reader()
    before = reader.request(world.requests["fulfilled"])
    reader.close()
    node = Engine(world)
    async with node.serve():
        config = write(tmp_path / "explorer.toml", listen="127.0.0.1:0", node_rpc_url=node.url)
        arguments = ["explorer", "rebuild", "--config", str(config), "-o", "json"]
        assert await asyncio.to_thread(command, arguments) == 0
    found = json.loads(last_line(capsys))
    assert found == {"height": world.chain.height, "blocks": world.chain.height}
    reader = world.reader()
    assert reader.request(world.requests["fulfilled"]) == before
    reader.close()
    world.chain.close()


def test_another_chain_is_refused(tmp_path: Path) -> None:
    """An index never goes on with another chain's blocks."""
    world = build_world(tmp_path)
    recorder = Recorder()
    with recorder.recording():
        other, _ = start_shop(tmp_path / "other")
    other.chain_id = "another"
    world.node.chain = other
    with pytest.raises(Exception, match="another"):
        world.follow()
    other.close()
    world.chain.close()


async def test_one_address_cannot_keep_the_others_out(tmp_path: Path) -> None:
    """It opens as many connections as there are and says nothing; another one is served all the same."""
    settings = ExplorerSettings("127.0.0.1:0", "http://127.0.0.1:1")
    with writing(tmp_path / "index.db") as connection, contextlib.ExitStack() as idle:
        async with serving(make_app(settings, tmp_path, connection)) as url:
            port = int(url.rpartition(":")[2])
            for _ in range(MAX_CONNECTIONS + 20):
                idle.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
                await asyncio.sleep(0)
            connector = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
            async with (
                aiohttp.ClientSession(connector=connector) as client,
                client.get(f"{url}/api/v1/openapi.json") as response,
            ):
                assert response.status == 200
            idle.close()
