"""The explorer on a living network: what it tells is what happened, through kills, floods and its own page of docs."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.localnet import life
from tests.localnet.harness import ROOT, Network, until
from tests.localnet.reader import Reader, commands

pytestmark = pytest.mark.localnet

_CURL = re.compile(r"^    (curl .*)$", re.MULTILINE)
_FLOOD_S = 4.0


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four operators and an explorer."""
    return start_network(explorer=True)


@pytest.fixture(scope="module")
def decrypted(network: Network, prepared: list[tuple[str, int]]) -> dict[str, Any]:
    """A public decryption."""
    return network.tkms("decrypt", prepared[0][0])


def get(url: str) -> Any:
    """JSON of an address; a refusal for haste is waited out, as its Retry-After says.

    All of these tests are one client to the explorer, so its quota may be used up by the test before.
    """
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20) as response:  # noqa: S310 - loopback
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code != 429:
                raise
            time.sleep(int(error.headers["Retry-After"]))


def api(network: Network, path: str) -> Any:
    """Answer of the network's explorer."""
    return get(f"{network.plan.explorer_url}/api/v1{path}")


def is_there(network: Network, path: str) -> bool:
    """Whether something is indexed."""
    try:
        api(network, path)
    except urllib.error.HTTPError:
        return False
    return True


def test_a_request_is_told_and_proven(
    network: Network, decrypted: dict[str, Any], prepared: list[tuple[str, int]]
) -> None:
    """Its answers, its value, and the proof by the explorer's own light client; found by its id."""
    name = decrypted["request"]
    until(lambda: is_there(network, f"/request/{name}"), "the request is indexed", 20)
    until(lambda: api(network, f"/request/{name}")["closed_height"], "it is closed", 20)
    found = api(network, f"/request/{name}")
    assert found["summary"]["status"] == "fulfilled"
    assert found["values"] == [str(prepared[0][1])]
    assert len(found["answers"]) == 4
    assert found["allowances"][0]["basis"] == "public"
    until(lambda: api(network, f"/request/{name}/proof")["state"] == "proven", "it is proven", 20)
    proof = api(network, f"/request/{name}/proof")
    assert proof["signers"] == [1, 2, 3, 4]
    assert proof["header"]["height"] == proof["height"] + 1
    (hit,) = api(network, f"/search?q={name}")["hits"]
    assert hit["path"] == f"/request/{name}"
    with urllib.request.urlopen(  # noqa: S310 - loopback
        network.plan.explorer_url + hit["path"], timeout=20
    ) as response:
        assert name in response.read().decode()


def test_it_is_what_the_node_says(network: Network, decrypted: dict[str, Any]) -> None:
    """Block for block: hash, transactions, codes."""
    node = network.plan.operators[0].rpc_url
    head = api(network, "/head")["height"]
    for height in range(max(1, head - 30), head):
        block = get(f"{node}/block?height={height}")["result"]
        mine = api(network, f"/block/{height}")
        assert mine["summary"]["hash"] == block["block_id"]["hash"].lower()
        assert len(mine["transactions"]) == len(block["block"]["data"]["txs"] or [])
    # Every height once.
    heights: list[int] = []
    cursor = ""
    while len(heights) < head:
        page = api(network, f"/blocks?limit=200{cursor}")
        heights += [item["height"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert heights == list(range(heights[0], 0, -1))


def test_kills_skip_nothing(network: Network, prepared: list[tuple[str, int]]) -> None:
    """Kill -9 again and again while requests are made: all are there afterwards, each once."""
    made = []
    for handle, _ in prepared[1:4]:
        os.kill(network.state("explorer")["pid"], signal.SIGKILL)
        made.append(network.tkms("decrypt", handle)["request"])
    until(lambda: network.state("explorer")["state"] == "ready", "it is back", 60)
    for name in made:
        until(lambda name=name: is_there(network, f"/request/{name}"), "it is indexed", 30)
    listed = [item["id"] for item in api(network, "/requests?limit=200")["items"]]
    assert len(listed) == len(set(listed))
    assert set(made) <= set(listed)
    sequences = [item["sequence"] for item in api(network, "/requests?limit=200")["items"]]
    assert sequences == list(range(len(sequences), 0, -1))


def check_ms(network: Network) -> float:
    """What the first node's CheckTx takes for bytes that are no transaction."""
    url = f"{network.plan.operators[0].rpc_url}/broadcast_tx_sync?tx=0x{os.urandom(16).hex()}"
    start = time.perf_counter()
    get(url)
    return 1_000 * (time.perf_counter() - start)


def flood(url: str, until_s: float) -> int:
    """Ask for everything that visitors can ask for, as quickly as it goes."""
    count = 0
    while time.monotonic() < until_s:
        for path in (
            f"/account/0x{os.urandom(20).hex()}",
            f"/api/v1/request/{os.urandom(20).hex()}/proof",
            "/consensus",
            f"/search?q={os.urandom(32).hex()}",
            "/search?q=" + "%3Cscript%3E" * 100,
            "/api/v1/blocks?limit=200",
        ):
            with contextlib.suppress(urllib.error.HTTPError, OSError):
                urllib.request.urlopen(url + path, timeout=20).read()  # noqa: S310 - loopback
            count += 1
    return count


def test_a_flood_does_not_reach_the_node(network: Network) -> None:
    """Its CheckTx answers as before, and blocks go on."""
    before = [check_ms(network) for _ in range(30)]
    height = api(network, "/head")["height"]
    end = time.monotonic() + _FLOOD_S
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        floods = [pool.submit(flood, network.plan.explorer_url, end) for _ in range(4)]
        during = []
        while time.monotonic() < end:
            during.append(check_ms(network))
            time.sleep(0.02)
        asked = sum(done.result() for done in floods)
    assert asked > 100
    # Four busy clients share the machine with the node: what is bounded is what reaches it.
    assert statistics.median(during) < statistics.median(before) + 50
    until(lambda: api(network, "/head")["height"] > height + 2, "blocks go on", 20)


@pytest.fixture
def own(network: Network, tmp_path: Path) -> str:
    """Settings of a second explorer, as the page shows them; the address that the page would have."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = (network.home / "explorer" / "explorer.toml").read_text()
    # Whatever the network's explorer listens on is its own: this one has no numbers.
    settings = re.sub(r"^metrics_listen = .*$", "", settings, flags=re.MULTILINE)
    settings = re.sub(
        r'^listen = ".*"', f'listen = "127.0.0.1:{port}"', settings, flags=re.MULTILINE
    )
    (tmp_path / "explorer.toml").write_text(settings)
    return f"http://127.0.0.1:{port}"


def test_the_page(network: Network, own: str, tmp_path: Path) -> None:
    """docs/explorer.md, typed: run, every curl line, stop, rebuild, prune."""
    reader = Reader(network, tmp_path)
    typed = commands("explorer.md")
    assert [words[:2] for words in typed] == [
        ["explorer", "run"],
        ["explorer", "rebuild"],
        ["explorer", "prune"],
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", *typed[0]], cwd=tmp_path, env=reader.environment
    )
    try:
        until(lambda: _is_well(own), "the explorer has caught up", 60)
        lines = _CURL.findall((ROOT / "docs" / "explorer.md").read_text())
        assert len(lines) == 5
        for line in lines:
            words = shlex.split(line.replace("http://127.0.0.1:8080", own))
            words.insert(1, "--fail")
            done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=20)
            assert done.stdout if "csv" in line else json.loads(done.stdout)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    rebuilt = reader.types(typed[1])
    assert rebuilt["blocks"] == rebuilt["height"] > 10
    assert reader.types(typed[2])["blocks"] == 0


def _is_well(url: str) -> bool:
    try:
        return bool(get(f"{url}/healthz")["status"] == "ok")
    except OSError:
        return False


def test_it_ends_with_the_network(network: Network) -> None:
    """Stopping it is orderly."""
    life.ask(network.home, "stop", ["explorer"])
    until(lambda: network.state("explorer")["state"] == "stopped", "it is stopped", 30)
    assert network.state("explorer")["exit_code"] == 0
