"""docs/governance.md and the command of docs/monitoring.md, typed on four validators without cores."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.localnet.harness import ROOT, Network, until
from tests.localnet.reader import Reader, commands

pytestmark = pytest.mark.localnet


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four validators without cores."""
    return start_network(chain_only=True)


def test_governance(network: Network, tmp_path: Path) -> None:
    """Every command of the page in its order; where it says so, the reader waits and edits."""
    reader = Reader(network, tmp_path)
    typed = commands("governance.md")
    assert len(typed) > 15
    for arguments in typed:
        if arguments[:3] == ["governance", "propose", "epoch"]:
            _edit(tmp_path / "epoch.json")
        document = reader.types(arguments)
        if document.get("scheduled"):
            _wait_until_in_force(network, document)
    config = network.tkms("query", "config")
    assert (config["epoch"]["id"], config["parameters"]["max_messages"]) == (2, 300)
    powers = [entry["power"] for entry in network.tkms("governance", "validators")["validators"]]
    assert sorted(powers) == [10, 10, 10, 11]
    (scheduled,) = network.tkms("governance", "list")["proposals"]
    assert (scheduled["status"], scheduled["counted"], scheduled["quorum"]) == ("scheduled", 2, 2)


def test_monitoring(network: Network) -> None:
    """The page's only command, with the port of the first operator's node."""
    page = (ROOT / "docs" / "monitoring.md").read_text()
    (shown,) = [line.split() for line in page.splitlines() if line.startswith("    curl ")]
    assert commands("monitoring.md") == []
    port = network.plan.operators[0].node_metrics_port
    words = [word.replace(":26661/", f":{port}/") for word in shown]
    assert words != shown

    def healthy() -> bool:
        done = subprocess.run(words, capture_output=True, timeout=30, check=True)
        return json.loads(done.stdout)["problems"] == []

    until(healthy, "the node is well")


def _edit(file: Path) -> None:
    """What the page says to edit, without a change of parties."""
    document = json.loads(file.read_text())
    document["id"] = int(document["id"]) + 1
    file.write_text(json.dumps(document))


def _wait_until_in_force(network: Network, made: dict[str, Any]) -> None:
    def closed() -> bool:
        shown = network.tkms("governance", "show", str(made["proposal"]))
        return bool(shown["status"] == "closed")

    until(closed, f"proposal {made['proposal']} is in force")
    record = network.tkms("governance", "show", str(made["proposal"]))["record"]
    assert record["outcome"] == "activated", record
