"""The real engine follows what the chain decides: validators, consensus parameters, quorums."""

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from client.rpc import ChainRpc
from tests.localnet.harness import Network, until

pytestmark = pytest.mark.localnet

# Blocks take a fifth of a second; approvals must fit in between.
SOON = "15"


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four validators without cores."""
    return start_network(chain_only=True)


def rpc(network: Network, method: str, operator: int = 0, **parameters: str) -> Any:
    """Result of a call to a node's engine."""

    async def ask() -> Any:
        async with ChainRpc(network.plan.operators[operator].rpc_url) as node:
            return await node.document(method, **parameters)

    return asyncio.run(ask())


def height(network: Network, operator: int = 0) -> int:
    """Newest block of a node."""
    return int(rpc(network, "status", operator)["sync_info"]["latest_block_height"])


def engine_powers(network: Network, at: int) -> dict[str, int]:
    """What the engine says of a height: key to power."""
    found = rpc(network, "validators", height=str(at), per_page="100")["validators"]
    return {entry["pub_key"]["value"]: int(entry["voting_power"]) for entry in found}


def chain_powers(network: Network) -> dict[str, int]:
    """What the chain decided: key to power."""
    found = network.tkms("governance", "validators")
    powers = {entry["engine_key"]: entry["power"] for entry in found["validators"]}
    assert found["total_power"] == sum(powers.values())
    return powers


def key_of(network: Network, operator: int) -> str:
    """Validator key of an operator as its engine's file has it."""
    path = network.plan.folder(network.plan.operators[operator - 1]) / "config"
    document = json.loads((path / "priv_validator_key.json").read_text())
    return str(document["pub_key"]["value"])


def decide(network: Network, *arguments: str) -> dict[str, Any]:
    """Propose as the only administrator and wait until the engine votes by it on all nodes."""
    made = network.tkms("governance", "propose", *arguments, "--in", SOON)
    assert made["scheduled"], made
    in_force = made["activation_height"]
    for operator in range(4):
        until(lambda at=operator: height(network, at) >= in_force + 3, f"height {in_force + 3}")
    record = network.tkms("governance", "show", str(made["proposal"]))["record"]
    assert (record["outcome"], record["closed_height"]) == ("activated", in_force)
    return made


def test_validators_change_by_proposals(network: Network) -> None:
    """Power, leave and join; `/validators` agrees with `/config/validators` and blocks go on."""
    keys = [key_of(network, operator) for operator in (1, 2, 3, 4)]
    genesis = dict.fromkeys(keys, 10)
    assert chain_powers(network) == genesis == engine_powers(network, 1)

    made = decide(network, "validator", "power", "--key", keys[1], "--power", "15")
    at = made["activation_height"]
    raised = genesis | {keys[1]: 15}
    # The block of the change is H; the set that it makes votes from H + 2 on.
    assert engine_powers(network, at + 1) == genesis
    assert engine_powers(network, at + 2) == raised == chain_powers(network)

    made = decide(network, "validator", "leave", "--key", keys[3], "--title", "operator 4 leaves")
    left = {key: power for key, power in raised.items() if key != keys[3]}
    assert engine_powers(network, made["activation_height"] + 2) == left == chain_powers(network)
    before = height(network)
    until(lambda: height(network) > before + 5, "blocks of three validators")
    # It still follows, and serves who asks it.
    until(lambda: height(network, 3) > before + 5, "the node that left follows")

    hexadecimal = base64.b64decode(keys[3]).hex()
    made = decide(
        network, "validator", "join", "--key", hexadecimal, "--power", "10", "--name", "node4"
    )
    back = left | {keys[3]: 10}
    assert engine_powers(network, made["activation_height"] + 2) == back == chain_powers(network)

    def votes_again() -> bool:
        commit = rpc(network, "commit")["signed_header"]["commit"]
        address = next(
            entry["address"]
            for entry in rpc(network, "validators")["validators"]
            if entry["pub_key"]["value"] == keys[3]
        )
        return any(
            entry["validator_address"] == address and entry["block_id_flag"] == 2
            for entry in commit["signatures"]
        )

    until(votes_again, "the validator that came back signs")
    refused = network.tkms(
        "governance", "propose", "validator", "leave", "--key", "11" * 32, code=2
    )
    assert refused["error"]["reason"] == "USAGE"
    assert len(app_hashes(network)) == 1


def app_hashes(network: Network) -> set[str]:
    """App hashes that the four nodes have at the newest height which all of them have."""
    common = min(height(network, operator) for operator in range(4))
    return {
        rpc(network, "block", operator, height=str(common))["block"]["header"]["app_hash"]
        for operator in range(4)
    }


def consensus_parameters(network: Network, at: int) -> dict[str, Any]:
    """Those of a height. Without one the engine looks for the coming block's, which may not be there yet."""
    found: dict[str, Any] = rpc(network, "consensus_params", height=str(at))["consensus_params"]
    return found


def test_consensus_parameters_change_by_proposals(network: Network) -> None:
    """The engine has them one block after; the rest of the part and the version stay."""
    before = consensus_parameters(network, height(network))
    made = decide(network, "consensus", "--set", "block.max_bytes=8388608")
    at = made["activation_height"]
    old, new = (consensus_parameters(network, number) for number in (at, at + 1))
    assert old == before
    assert new["block"] == before["block"] | {"max_bytes": "8388608"}
    assert (new["evidence"], new["validator"]) == (before["evidence"], before["validator"])
    assert new["version"] == before["version"] == {"app": "1"}
    made = decide(network, "consensus", "--set", "evidence.max_age_blocks=77777")
    newest = consensus_parameters(network, made["activation_height"] + 1)
    assert newest["evidence"] == before["evidence"] | {"max_age_num_blocks": "77777"}
    assert newest["block"] == new["block"]
    refused = network.tkms(
        "governance", "propose", "consensus", "--set", "block.max_bytes=1", code=5
    )
    assert refused["error"]["reason"] == "CONSENSUS_INVALID"


def test_two_administrators_decide(network: Network) -> None:
    """After the quorum is raised one proposes and another approves what is proven."""
    decide(network, "role", "grant", "admin", "alice")
    decide(network, "quorum", "admin", "2")
    roles = {entry["role"]: entry for entry in network.tkms("governance", "roles")["roles"]}
    assert (roles["admin"]["quorum"], len(roles["admin"]["accounts"])) == (2, 2)

    made = network.tkms(
        "governance", "propose", "parameters", "--set", "max_messages=123", "--in", "40"
    )
    assert made["scheduled"] is False
    number = str(made["proposal"])
    proven = network.tkms("governance", "show", number, "--prove")
    assert (proven["proven"], proven["digest"]) == (True, made["digest"])
    wrong = network.tkms(
        "governance", "approve", number, "--from", "alice", "--digest", "00" * 32, code=5
    )
    assert wrong["error"]["reason"] == "OTHER_CHANGE"
    stranger = network.tkms("governance", "approve", number, "--from", "bob", code=5)
    assert stranger["error"]["reason"] == "MISSING_ROLE"
    approved = network.tkms("governance", "approve", number, "--from", "alice")
    assert approved["digest"] == made["digest"]
    (listed,) = network.tkms("governance", "list")["proposals"]
    assert (listed["status"], listed["counted"], listed["quorum"]) == ("scheduled", 2, 2)
    until(lambda: height(network) > made["activation_height"], "the change is in force")
    assert network.tkms("query", "config")["parameters"]["max_messages"] == 123
    newest = network.tkms("governance", "history", "--limit", "1")["records"][0]
    assert (newest["proposal_id"], newest["outcome"]) == (int(number), "activated")
    assert len(newest["approvers"]) == 2

    made = network.tkms("governance", "propose", "parameters", "--set", "max_messages=5")
    network.tkms("governance", "withdraw", str(made["proposal"]))
    closed = network.tkms("governance", "approve", str(made["proposal"]), "--from", "alice", code=2)
    assert closed["error"]["reason"] == "NOT_FOUND"
