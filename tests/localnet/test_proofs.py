"""Facts of a running network for somebody who trusts no node, and a fork that all validators signed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.errors import ExitCode
from tests.localnet.harness import Network, until
from tests.support.engine_node import LyingNode, call, maker_with_keys
from tests.support.linked_chain import sign_in_round

pytestmark = pytest.mark.localnet


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators."""
    return start_network()


def rpc(network: Network, operator: int) -> str:
    """Address of an operator's engine."""
    return network.plan.operators[operator - 1].rpc_url


def height(network: Network) -> int:
    """Newest height of the first operator."""
    return int(call(rpc(network, 1), "status")["sync_info"]["latest_block_height"])


def test_values_and_absence_are_proven_with_a_witness(network: Network) -> None:
    """The value of a transfer is there and proven; what was never written is proven absent."""
    prove = ("--prove", "--witness", rpc(network, 2), "--witness", rpc(network, 3))
    before = network.tkms("query", "state", "account:bob", *prove)
    sent = network.tkms("tx", "send", "bob", "1000", "--from", "alice")
    after = network.tkms("query", "state", "account:bob", *prove)
    assert after["record"]["balance"] == before["record"]["balance"] + 1000
    assert after["verified"] is True
    signed = call(rpc(network, 4), "commit", height=str(after["header_height"]))["signed_header"]
    assert signed["header"]["app_hash"].lower() == after["app_hash"]
    assert signed["commit"]["block_id"]["hash"].lower() == after["header_hash"]
    past = network.tkms(
        "query", "state", "account:bob", "--prove", "--height", str(sent["height"] - 1)
    )
    assert past["record"]["balance"] == before["record"]["balance"]
    absent = network.tkms("query", "state", "request:" + "ab" * 20, *prove)
    assert (absent["verified"], absent["present"], absent["value"]) == (True, False, None)


def test_headers_lead_up_and_down_from_one_trusted_header(network: Network) -> None:
    """The same headers as the nodes have, from the middle of the chain in both directions."""
    until(lambda: height(network) > 12, "blocks")
    middle = call(rpc(network, 2), "commit", height="8")["signed_header"]["commit"]["block_id"]
    trust = ("--prove", "--trust-height", "8", "--trust-hash", middle["hash"])
    for wanted in (12, 8, 2, 1):
        found = network.tkms("query", "header", str(wanted), *trust)
        commit = call(rpc(network, 3), "commit", height=str(wanted))["signed_header"]["commit"]
        assert found["hash"] == commit["block_id"]["hash"].lower()
        assert found["verified"] is True
    wrong = ("--prove", "--trust-height", "8", "--trust-hash", "ab" * 32)
    refused = network.tkms("query", "header", "12", *wrong, code=ExitCode.VERIFICATION)
    assert refused["error"]["reason"] == "VERIFICATION_FAILED"


def test_a_fork_that_all_validators_signed_is_caught(network: Network, tmp_path: Path) -> None:
    """Two headers of one height: the client names both nodes, and the chain takes its evidence and lives."""
    disputed = height(network) - 2
    honest = rpc(network, 1)
    signed = call(honest, "commit", height=str(disputed))["signed_header"]
    validators = call(honest, "validators", height=str(disputed))["validators"]
    homes = [network.home / f"node{number}" for number in range(1, 5)]
    maker = maker_with_keys(network.plan.chain_id, homes)
    liar = LyingNode(honest)
    try:
        header = {**signed["header"], "app_hash": "AB" * 32}
        liar.forged[disputed] = sign_in_round(maker, header, validators, signed["commit"]["round"])
        arguments = ("query", "header", str(disputed), "--prove", "--node", liar.url)
        # Without a witness nobody could know: every signature is right.
        trusted = call(honest, "commit", height="2")["signed_header"]["commit"]["block_id"]["hash"]
        root = ("--trust-height", "2", "--trust-hash", trusted)
        witness = ("--witness", rpc(network, 2))
        refused = network.tkms(*arguments, *root, *witness, code=ExitCode.VERIFICATION)
    finally:
        liar.close()
    error = refused["error"]
    assert error["reason"] == "CONFLICTING_HEADERS"
    assert (error["primary"], error["witness"]) == (liar.url, rpc(network, 2))
    evidence = json.loads(Path(error["evidence_file"]).read_text())
    assert evidence["against_primary"]["kind"] == "lunatic"
    assert len(evidence["against_primary"]["byzantine_validators"]) == 4
    assert evidence["reported"][rpc(network, 2)] == "accepted"
    found: list[int] = []
    until(lambda: bool(carrying(network, disputed, found)), "a block with the evidence")
    # The application was told of the misbehaviour in that block, and every node went on.
    goal = found[0] + 5
    nodes = [rpc(network, operator) for operator in range(1, 5)]
    until(lambda: all(app_hash(node, goal) for node in nodes), f"height {goal} everywhere")
    assert len({app_hash(node, goal) for node in nodes}) == 1


def carrying(network: Network, start: int, found: list[int]) -> list[int]:
    """Heights from `start` on whose blocks carry evidence."""
    for number in range(start, height(network) + 1):
        block = call(rpc(network, 1), "block", height=str(number))["block"]
        if block["evidence"]["evidence"] and number not in found:
            found.append(number)
    return found


def app_hash(url: str, number: int) -> Any:
    """App hash of a header, None before it is there."""
    status = call(url, "status")["sync_info"]
    if int(status["latest_block_height"]) < number:
        return None
    return call(url, "commit", height=str(number))["signed_header"]["header"]["app_hash"]
