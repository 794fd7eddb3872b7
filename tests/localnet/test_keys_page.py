"""docs/keys.md, typed on four operators with cores: a key from its preprocessing to its destruction."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.localnet.harness import Network, until
from tests.localnet.reader import Reader, commands

pytestmark = pytest.mark.localnet


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators."""
    return start_network()


def test_keys(network: Network, tmp_path: Path) -> None:
    """Every command in its order; after a proposal the reader waits until it is in force."""
    reader = Reader(network, tmp_path)
    typed = commands("keys.md")
    assert len(typed) > 15
    epochs, states = [], []
    for arguments in typed:
        if arguments[:3] == ["governance", "propose", "epoch"]:
            _edit(tmp_path / "epoch.json")
        document = reader.types(arguments)
        if "scheduled" in document:
            _wait_until_in_force(network, document)
        if arguments[:2] == ["epoch", "show"]:
            epochs.append(int(_settled(network)["epoch"]["id"]))
        if arguments[0] == "fhe-key":
            states.append(network.tkms("fhe-key", "show")["keys"][0]["record"]["status"])
    assert epochs == [1, 2, 2, 3]
    assert states == [
        *("active", "suspended", "suspended", "active", "revoked", "destroyed", "destroyed"),
    ]
    _destroyed(network, reader)


def _edit(file: Path) -> None:
    """What the page says to edit, without a change of parties."""
    document = json.loads(file.read_text())
    document["id"] = 0
    file.write_text(json.dumps(document))


def _settled(network: Network) -> dict[str, Any]:
    """The epoch once no change is under way."""
    until(lambda: "pending" not in network.tkms("epoch", "show"), "no change is under way")
    return network.tkms("epoch", "show")


def _destroyed(network: Network, reader: Reader) -> None:
    """All parties say that they have erased the key's shares."""
    record = network.tkms("fhe-key", "show", reader.known["KEY"])["keys"][0]["record"]
    network.tkms("request", "wait", record["destruction_id"])
    error = network.tkms("fhe-key", "resume", reader.known["KEY"], code=5)["error"]
    assert error["reason"] == "KEY_STATE_INVALID"


def _wait_until_in_force(network: Network, made: dict[str, Any]) -> None:
    def closed() -> bool:
        shown = network.tkms("governance", "show", str(made["proposal"]))
        return bool(shown["status"] == "closed")

    until(closed, f"proposal {made['proposal']} is in force")
    record = network.tkms("governance", "show", str(made["proposal"]))["record"]
    assert record["outcome"] == "activated", record
