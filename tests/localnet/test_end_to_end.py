"""The whole way by the command line: up, key, encrypt, compute, permit, reveal, look, down."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.localnet import life
from tests.localnet.harness import Network, processes_of, until

pytestmark = pytest.mark.localnet


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators."""
    return start_network()


def test_status_says_that_all_is_well(network: Network) -> None:
    """Every process answers and the exit code is 0."""
    document = network.tkms("status")
    assert document["ok"] is True
    names = {row["process"] for row in document["processes"]}
    assert {f"{kind}{i}" for kind in ("node", "core", "connector") for i in range(1, 5)} <= names
    assert {"storage", "coprocessor"} <= names
    again = network.tkms("localnet", "status")
    assert again["ready"] is True
    assert len(again["processes"]) == 18


def test_root_of_trust_is_that_of_the_chain(network: Network) -> None:
    """The hash that everybody trusts is the one in the header of height 1."""
    from client.rpc import ChainRpc

    async def ask() -> str:
        async with ChainRpc(network.plan.operators[2].rpc_url) as rpc:
            signed = json.loads(await rpc.commit(1))
            return str(signed["header"]["validators_hash"]).lower()

    assert asyncio.run(ask()) == network.plan.validators_hash


def test_transfers_and_faucet(network: Network, tmp_path: Path) -> None:
    """Online, offline and twice: the effect happens once."""
    before = network.tkms("query", "account", "bob")["balance"]
    assert network.tkms("tx", "send", "bob", "1000", "--from", "alice", "--dry-run")["fee"] > 0
    sent = network.tkms("tx", "send", "bob", "1000", "--from", "alice")
    assert sent["included"] is True
    shown = network.tkms("tx", "show", str(sent["transaction"]))
    assert shown["messages"][0]["transfer"]["amount"] == 1000
    assert network.tkms("tx", "wait", str(sent["transaction"]))["code"] == 0
    file = tmp_path / "signed.tx"
    offline = ("--offline", str(file), "--expires-at-height", str(sent["height"] + 900))
    kept = network.tkms("tx", "send", "bob", "500", "--from", "alice", "--max-fee", "500", *offline)
    for _ in range(2):
        assert network.tkms("tx", "broadcast", str(file))["transaction"] == kept["transaction"]
    network.tkms("faucet", "bob", "--amount", "7", "--from", "alice")
    assert network.tkms("query", "account", "bob")["balance"] == before + 1507


def test_refusals_carry_the_chains_reason(network: Network) -> None:
    """Exit code 5, reason name and number, sentence and hint."""
    amount = str(2**62)
    error = network.tkms("tx", "send", "bob", amount, "--from", "alice", code=5)["error"]
    assert (error["reason"], error["code"]) == ("INSUFFICIENT_FUNDS", 1015)
    assert error["hint"]
    error = network.tkms("keygen", "--dealer", "--from", "bob", code=5)["error"]
    assert error["reason"] == "MISSING_ROLE"


def test_values_come_back_in_both_ways(network: Network, prepared: list[tuple[str, int]]) -> None:
    """Computed and given values, alone and as a batch, verified by the client."""
    (first, a), (second, b), *_ = prepared
    total = str(network.tkms("compute", "add", first, second)["handle"])
    network.tkms("prepare", total)
    error = network.tkms("decrypt", total, "--from", "bob", code=5)["error"]
    assert error["reason"] == "ACCESS_DENIED"
    error = network.tkms("reencrypt", total, "--from", "alice", code=5)["error"]
    assert error["reason"] == "ACCESS_DENIED"
    network.tkms("public", total)
    found = network.tkms("decrypt", total, second)
    assert [entry["value"] for entry in found["values"]] == [a + b, b]
    assert found["verified"] is True
    assert len(found["parties"]) >= 2
    # Public values are for everybody at once: nobody gets a private answer without a grant.
    error = network.tkms("reencrypt", total, "--from", "alice", code=5)["error"]
    assert error["reason"] == "ACCESS_DENIED"
    network.tkms("grant", "alice", total)
    private = network.tkms("reencrypt", total, first, "--from", "alice", "--payer", "bob")
    assert [entry["value"] for entry in private["values"]] == [a + b, a]
    assert private["liars"] == []
    assert len(private["parties"]) >= 3
    network.tkms("revoke", "alice", total)
    error = network.tkms("reencrypt", total, "--from", "alice", code=5)["error"]
    assert error["reason"] == "ACCESS_DENIED"
    request = network.tkms("request", "wait", str(found["request"]))
    assert request["status"] == "fulfilled"


def test_queries(network: Network, prepared: list[tuple[str, int]]) -> None:
    """What explorers and operators look at."""
    handle = prepared[0][0]
    assert network.tkms("query", "block")["height"] > 1
    assert network.tkms("query", "block", "1")["height"] == 1
    config = network.tkms("query", "config")
    assert len(config["epoch"]["parties"]) == 4
    keys = network.tkms("query", "key")["keys"]
    assert keys[0]["record"]["dealer"] is True
    proven = network.tkms("query", "key", str(keys[0]["record"]["id"]), "--prove")
    assert proven["digests"] == keys[0]["record"]["digests"]
    assert network.tkms("query", "isc", handle)["public"] is True
    assert network.tkms("application", "show", "demo")["application"]["id"] == "demo"
    assert len(network.tkms("query", "material")["crs"]) == 1
    listed = network.tkms("request", "list")["requests"]
    assert len(listed) >= 2


def test_one_core_may_be_away(network: Network, prepared: list[tuple[str, int]]) -> None:
    """With t = 1 and one core stopped values are revealed, and it takes part again afterwards."""
    handle, value = prepared[3]
    network.tkms("localnet", "stop", "core3")
    assert network.tkms("status", code=1)["ok"] is False
    found = network.tkms("decrypt", handle)
    assert found["values"][0]["value"] == value
    assert 3 not in found["parties"]
    private = network.tkms("reencrypt", handle, "--from", "alice")
    assert private["values"][0]["value"] == value
    assert private["parties"] == [1, 2, 4]
    network.tkms("localnet", "start", "core3")
    until(lambda: network.state("core3")["state"] == "ready", "core3 is back")
    # What it missed it answers late: the request closes with all four.
    until(
        lambda: 3 in network.tkms("request", "show", str(found["request"]))["answered"],
        "core3 answers the request that it missed",
        120,
    )


def test_down_leaves_nothing(network: Network) -> None:
    """No process, no socket, no folder; a second `down` is content."""
    assert len(processes_of(network.home)) >= 19
    assert network.tkms("localnet", "down")["running"] is False
    assert processes_of(network.home) == []
    assert not network.home.exists()
    network.tkms("localnet", "down")
    assert not life.running(network.home)
