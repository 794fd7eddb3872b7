"""A connector's numbers and health over a real node and core."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from client.errors import HeightUnavailable, NodeError, Unreachable
from client.settings import SettingsError
from connector.errors import CoreRefusedError, CoreUnavailableError
from connector.metrics import ConnectorMeter, MeteredRpc
from connector.settings import load
from connector.watch import ConnectorHealth
from tests.connector.test_crash import ROOT, Operator, operator
from tests.support.scrape import Scraped, fetch, read, scrape


async def scraped(url: str) -> Scraped:
    """Scrape without holding up the node that lives in this loop."""
    return await asyncio.to_thread(scrape, url)


async def start(parts: Operator) -> tuple[asyncio.subprocess.Process, str]:
    """Start the connector with an endpoint; its address comes from its log."""
    with (parts.home / "connector.toml").open("a") as settings:
        settings.write('metrics_listen = ":0"\n')
    process, url = await parts.start_watched()
    return process, url


async def test_numbers_of_a_working_connector(tmp_path: Path) -> None:
    """Requests come in and answers land; then the core goes and comes back."""
    async with operator(tmp_path) as parts:
        process, url = await start(parts)
        for _ in range(3):
            await parts.open_request()
        await parts.answered()
        await parts.idle()
        await asyncio.sleep(6)
        found = await scraped(url)
        assert found.value("tkms_connector_submissions_total", outcome="submitted") == 3
        assert found.value("tkms_connector_answers_total", event="taken") == 3
        assert found.value("tkms_connector_answers_total", event="landed") == 3
        assert found.value("tkms_connector_cursor_position", cursor="log") == 4
        assert found.value("tkms_connector_items", item="answer", state="done") == 3
        assert found.value("tkms_connector_lag_blocks") < 50
        assert found.value("tkms_connector_account_balance_units") >= 0
        assert found.value("tkms_connector_oldest_open_work_age_seconds") == 0
        assert found.value("tkms_connector_metrics_errors_total") == 0
        page = (ROOT / "docs" / "monitoring.md").read_text()
        for name, text in found.helps.items():
            if name.startswith("tkms_"):
                assert text.endswith("."), name
                assert f"`{name}`" in page
        status, body = await asyncio.to_thread(fetch, f"{url}/healthz")
        assert (status, json.loads(body)["phase"]) == (200, "running")
        assert (await asyncio.to_thread(fetch, f"{url}/readyz"))[0] == 200
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 60) == 0


def test_health_says_what_is_wrong() -> None:
    """No node, a node whose height stands, a core that is away, a log that is read late."""
    ticks = [100.0]
    meter = ConnectorMeter(lambda: ticks[0])
    health = ConnectorHealth(meter, 30, lambda: ticks[0])
    assert (health().phase, health().healthy) == ("starting", False)
    meter.chain_grew(10)
    meter.log_read(10)
    assert (health().healthy, health().ready) == (True, True)
    meter.core_failed(CoreUnavailableError("UNAVAILABLE"))
    assert health().problems == ("the core does not answer",)
    meter.core_failed(CoreRefusedError("header: no", missing_trust=False))
    assert health().healthy
    meter.chain_grew(200)
    assert health().problems == ("the request log is read 190 blocks late",)
    meter.log_read(200)
    ticks[0] += 31
    assert health().problems == ("the node's height 200 has not grown for 31 s",)
    found = read(meter.instruments)
    assert found.value("tkms_connector_core_errors_total", kind="unavailable") == 1
    assert found.value("tkms_connector_core_errors_total", kind="refused") == 1


def test_only_failures_are_errors() -> None:
    """What a node says of a transaction that is not there yet is no error."""
    meter = ConnectorMeter()
    for error in (
        Unreachable("nobody"),
        HeightUnavailable("commit: height must be less than or equal to 3"),
        NodeError("tx: tx (AB) not found"),
        NodeError("broadcast_tx_sync: tx already exists in cache"),
        NodeError("abci_query: overloaded"),
    ):
        meter.rpc_failed(error)
    found = read(meter.instruments)
    counts = found.samples["tkms_connector_rpc_errors_total"]
    assert {labels[0][1]: count for labels, count in counts.items()} == {
        "unreachable": 1,
        "height": 1,
        "error": 1,
    }


async def test_failed_calls_are_counted_and_raised() -> None:
    """The metered client changes nothing for its user."""
    meter = ConnectorMeter()
    async with MeteredRpc("http://127.0.0.1:9", meter) as rpc:
        with pytest.raises(Unreachable):
            await rpc.status()
    assert read(meter.instruments).total("tkms_connector_rpc_errors_total") == 1


@pytest.mark.parametrize(
    "line", ['metrics_listen = "x"', "commit_age_limit_seconds = 0.0", "metrics_listen = 1"]
)
async def test_wrong_settings(tmp_path: Path, line: str) -> None:
    """Refused with words."""
    (tmp_path / "connector.toml").write_text(
        'chain_id = "c"\nrpc_url = "r"\ncore_socket = "s"\nstorage_url = "u"\ndatabase = "d"\n'
        f'account_key = "k"\nparty = 1\ntrusted_validators_hash = "{"00" * 32}"\n{line}\n'
    )
    with pytest.raises(SettingsError, match=line.split(" ", 1)[0]):
        load(tmp_path)
