"""`tkms status` and `tkms validator` of a home that really runs, in each phase."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.status.node import spare
from cli.supervision import client as supervisor_client
from tests.support.operator import Operator, make_operators, tkms, until

pytestmark = pytest.mark.localnet


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    """One validator with core and connector."""
    operator = make_operators(tmp_path_factory.mktemp("status"))[0]
    with operator.running("--core", "--connector", height=3):
        yield operator


def _node(document: dict[str, Any]) -> dict[str, Any]:
    assert len(document["nodes"]) == 1
    return dict(document["nodes"][0])


def test_a_home_that_follows(running: Operator) -> None:
    """Everything an operator looks for, and exit code 0."""
    until(lambda: supervisor_client.ask(running.home, "status")[-1]["state"] == "ready", "ready")
    document = running.tkms("status")
    assert document["ok"] is True
    assert {row["process"] for row in document["processes"]} == {"node", "core", "connector"}
    node = _node(document)
    assert node["phase"] == "following"
    assert node["height"] >= 3
    assert node["block_age_s"] < 10
    assert (node["peers"], node["catching_up"], node["chain_id"]) == (0, False, "kms-test")
    assert (node["epoch"], node["parties"], node["parties_online"]) == (1, 1, 1)
    # One party of one: none may fail, and one validator of one.
    assert (node["threshold_margin"], node["validator_margin"]) == (0, 0)
    assert (node["validators"], node["validators_signed"], node["power"]) == (1, 1, 10)
    assert node["last_error"] == ""


def test_a_url_is_enough(running: Operator) -> None:
    """Without a home the same facts come from RPC; nobody knows then which parties are online."""
    node = _node(tkms("status", "--node", running.url))
    assert node["phase"] == "following"
    assert (node["parties_online"], node["parties"]) == (None, 1)
    assert "snapshots" not in node


def test_a_stalled_chain(running: Operator) -> None:
    """A chain that does not grow is stalled, whatever /health says: exit code 1."""
    node = _node(tkms("status", "--node", running.url, "--stalled-after", "0", code=1))
    assert node["phase"] == "stalled"


def test_stopped_and_unreachable(tmp_path: Path) -> None:
    """Here it is stopped, elsewhere unreachable; both exit 4."""
    operator = make_operators(tmp_path)[0]
    assert _node(operator.tkms("status", code=4))["phase"] == "stopped"
    away = tkms("status", "--node", "http://127.0.0.1:9", code=4)
    assert _node(away)["phase"] == "unreachable"


def test_starting_is_seen_before_there_is_a_block(tmp_path: Path) -> None:
    """One of two validators waits for the other: it is up and says so."""
    operator = make_operators(tmp_path, 4)[0]
    with operator.running(height=0):
        until((operator.home / "supervisor.sock").exists, "the supervisor")
        seen = _node(operator.tkms("status", code=1))["phase"]
        assert seen in {"starting", "syncing-blocks"}
        until(lambda: operator.log().count("Started node") == 1, "the engine")
        node = _node(operator.tkms("status", code=1))
        assert node["phase"] in {"starting", "syncing-blocks"}
        assert node["height"] == 0


def test_the_last_error_is_kept(tmp_path: Path) -> None:
    """What a process complained of before it went is shown while it is away."""
    operator = make_operators(tmp_path)[0]
    (operator.home / "config" / "node_key.json").write_text("{}")
    with operator.running("--restarts", "50", height=0):
        until((operator.home / "supervisor.sock").exists, "the supervisor")
        until(
            lambda: any(
                state["restarts"] for state in supervisor_client.ask(operator.home, "status")
            ),
            "a restart",
        )
        node = _node(operator.tkms("status", code=1))
    assert node["phase"] in {"failed", "starting"}


def test_validator_show(running: Operator) -> None:
    """In the set, with its power, and no vote missed."""
    found = running.tkms("validator", "show", "--blocks", "2")
    assert (found["in_set"], found["power"], found["total_power"]) == (True, 10, 10)
    assert (found["blocks"], found["missed"]) == (2, 0)
    key = running.tkms("validator", "key")
    assert key["address"] == found["address"]
    other = running.tkms("validator", "show", "--address", "AB" * 20, "--blocks", "2", code=1)
    assert (other["in_set"], other["missed"]) == (False, 2)


def test_validator_key_shows_no_secret(running: Operator) -> None:
    """Only what everybody may know."""
    import json

    secret = json.loads((running.home / "config" / "priv_validator_key.json").read_text())
    assert secret["priv_key"]["value"] not in json.dumps(running.tkms("validator", "key"))


def test_proposals_need_an_account_and_a_card(running: Operator, tmp_path: Path) -> None:
    """`join`, `power` and `leave` are governance's own commands with the card's key."""
    missing = tkms("validator", "join", "--power", "5", code=2)["error"]
    assert "--card" in missing["sentence"]
    card = str(running.home / "operator.json")
    again = tkms(
        *("validator", "join", "--card", card, "--power", "5", "--node", running.url),
        code=2,
        TKMS_CONFIG_HOME=str(tmp_path),
    )["error"]
    assert "votes already" in again["sentence"]


@pytest.mark.parametrize(
    ("powers", "alive", "margin"),
    [
        ([10, 10, 10, 10], 4, 1),
        ([10, 10, 10, 10], 3, 0),
        ([10, 10, 10, 10], 2, 0),
        ([1] * 7, 7, 2),
        ([1] * 7, 6, 1),
        ([100, 1, 1, 1], 4, 0),
    ],
)
def test_spare_validators(powers: list[int], alive: int, margin: int) -> None:
    """More than two thirds must go on signing, even when the strongest fail first."""
    named = {f"v{index}": power for index, power in enumerate(powers)}
    assert spare(named, set(list(named)[:alive])) == margin


def test_a_killed_engine_shows(running: Operator) -> None:
    """Between death and restart the home says that it is not well."""
    states = {state["name"]: state for state in supervisor_client.ask(running.home, "status")}
    os.kill(int(states["engine"]["pid"]), signal.SIGKILL)
    until(
        lambda: (
            next(
                state
                for state in supervisor_client.ask(running.home, "status")
                if state["name"] == "engine"
            )["restarts"]
            == 1
        ),
        "the restart",
    )
    until(lambda: running.height() > 3, "the chain goes on")
