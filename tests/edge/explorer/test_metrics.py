"""What an explorer counts about itself, and whether it calls itself well."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from client.settings import SettingsError
from edge.explorer.index.follower import Progress
from edge.explorer.index.model import Head
from edge.explorer.metrics import ExplorerMeter, Metered
from edge.explorer.settings import load
from tests.edge.explorer.running import explorer, until
from tests.edge.explorer.test_service import write
from tests.edge.explorer.world import build_world
from tests.support.scrape import Scraped, fetch, read, scrape

ROOT = Path(__file__).resolve().parents[3]
_PARTS = {"api", "static", "live", "health", "pages"}


async def test_numbers_of_a_running_explorer(tmp_path: Path) -> None:
    """Every number is documented and moves; whatever is asked for, labels are of a closed set."""
    world = await asyncio.to_thread(build_world, tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    async with explorer(world, tmp_path / "explorer", metrics_listen=address) as (_, client):

        async def scraped() -> Scraped:
            return await asyncio.to_thread(scrape, f"http://{address}")

        async def caught_up() -> bool:
            found = await scraped()
            return found.value("tkms_explorer_indexed_height_blocks") == world.chain.height

        await until(caught_up)
        paths = ("/", "/blocks", "/api/v1/head", "/healthz", "/favicon.ico", "/api/v1/nothing")
        for path in (*paths, "/%2e%2e/etc", "//", "/pages", "/0x" + "ab" * 32):
            async with client.get(path) as response:
                await response.read()
        async with client.get("/live") as stream:
            await stream.content.readany()
            found = await scraped()
            assert found.value("tkms_explorer_streams") == 1
        found = await scraped()
        assert found.value("tkms_explorer_indexed_blocks_total") == world.chain.height
        assert found.value("tkms_explorer_chain_height_blocks") == world.chain.height
        assert found.value("tkms_explorer_index_bytes") > 10_000
        assert found.value("tkms_explorer_answers_total", part="api", status="4xx") == 1
        assert found.value("tkms_explorer_answers_total", part="health", status="2xx") == 1
        page = (ROOT / "docs" / "monitoring.md").read_text()
        names = [name for name in found.forms if name.startswith("tkms_")]
        assert len(names) == 7
        for name in names:
            assert f"`{name}`" in page
            assert found.helps[name].endswith("."), name
        for series in found.samples["tkms_explorer_answers_total"]:
            labels = dict(series)
            assert labels["part"] in _PARTS
            assert re.fullmatch("[2-5]xx", labels["status"])

        async def nobody_streams() -> bool:
            return (await scraped()).value("tkms_explorer_streams") == 0

        await until(nobody_streams)
        assert (await asyncio.to_thread(fetch, f"http://{address}/healthz"))[0] == 200
        # The operator's numbers are not for readers.
        async with client.get("/metrics") as response:
            assert response.status == 404
    world.chain.close()


def _meter(tmp_path: Path) -> tuple[ExplorerMeter, Progress, list[Head | None]]:
    progress, heads = Progress(), [None]
    return ExplorerMeter(progress, lambda: heads[0], tmp_path / "index.db"), progress, heads


def _head(height: int) -> Head:
    return Head(
        chain_id="kms-test",
        height=height,
        time_ms=0,
        app_hash="00" * 32,
        hash="00" * 32,
        mean_interval_ms=1_000.0,
        first_height=1,
        transactions=0,
        requests=0,
        open_requests=0,
        epoch_id=0,
        node_height=height,
    )


def test_health(tmp_path: Path) -> None:
    """Well means: near the node, and nothing hinders it."""
    meter, progress, heads = _meter(tmp_path)
    assert (meter.judge().phase, meter.judge().healthy) == ("behind", False)
    progress.node_height = 120
    heads[0] = _head(100)
    assert (meter.judge().phase, meter.judge().healthy) == ("ok", True)
    progress.node_height = 121
    assert meter.judge().phase == "behind"
    progress.trouble = "the node said: <script>"
    assert meter.judge().phase == "stalled"
    assert "script" not in str(meter.judge())


async def test_an_answer_that_failed_is_counted(tmp_path: Path) -> None:
    """A handler that raises before its answer began counts as a failure; a stream is not left open."""
    meter, _, _ = _meter(tmp_path)

    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        return

    for path in ("/live", "/api/v1/head"):
        with pytest.raises(RuntimeError):
            await Metered(broken, meter)({"type": "http", "path": path}, receive, send)
    found = read(meter.instruments)
    assert found.value("tkms_explorer_answers_total", part="api", status="5xx") == 1
    assert found.value("tkms_explorer_answers_total", part="live", status="5xx") == 1
    assert found.value("tkms_explorer_streams") == 0
    assert found.value("tkms_explorer_answer_seconds_count", part="api") == 1


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:x", "127.0.0.1:65536"])
def test_a_bad_address_is_refused(tmp_path: Path, address: str) -> None:
    """With its name."""
    values = {"listen": "127.0.0.1:0", "node_rpc_url": "http://127.0.0.1:1"}
    with pytest.raises(SettingsError, match="metrics_listen"):
        load(write(tmp_path / "explorer.toml", **values, metrics_listen=address))
