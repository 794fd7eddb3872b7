"""Fault drills: a liar, too few operators, and kills at random moments."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from cli.localnet import life
from client.rpc import ChainRpc
from tests.localnet.harness import Network, until

pytestmark = pytest.mark.localnet

# Heights; a block takes about a third of a second.
DEADLINE_BLOCKS = 60
REQUESTS = 50


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four operators of whom the second computes wrong shares."""
    return start_network(decryption_deadline_blocks=DEADLINE_BLOCKS, faults={2: "wrong-shares"})


def test_a_liar_is_named_and_changes_nothing(
    network: Network, prepared: list[tuple[str, int]]
) -> None:
    """Wrong shares of one of four: right values, the liar named to user and chain."""
    handle, value = prepared[0]
    private = network.tkms("reencrypt", handle, "--from", "alice")
    assert private["values"][0]["value"] == value
    assert private["liars"] in ([2], [])
    found = network.tkms("decrypt", handle)
    assert found["values"][0]["value"] == value
    # The client stops at 2t + 1 answers; with all four the liar is always told apart.
    until(
        lambda: 2 in network.tkms("request", "show", str(private["request"]))["answered"],
        "the liar's answer is on the chain",
    )
    # A party that is told the answer before it hears the liar does not look at the rest, so one
    # decryption may pass unnoticed; a liar that goes on is named.
    requests = [str(found["request"])]

    def accused() -> bool:
        if any("2" in network.tkms("request", "show", each)["accused"] for each in requests):
            return True
        requests.append(str(network.tkms("decrypt", handle)["request"]))
        return False

    until(accused, "t + 1 parties accuse party 2")


def test_two_of_four_away_expires_and_refunds(
    network: Network, prepared: list[tuple[str, int]]
) -> None:
    """Nothing is revealed, the request expires, the escrow returns to the last unit."""
    handle = prepared[1][0]
    network.tkms("localnet", "stop", "core1", "core3")
    before = network.tkms("query", "account", "bob")
    cost = network.tkms("decrypt", handle, "--from", "bob", "--dry-run")
    assert cost["escrow"] > 0
    error = network.tkms("decrypt", handle, "--from", "bob", code=1)["error"]
    assert error["reason"] == "REQUEST_EXPIRED"
    shown = network.tkms("request", "show", str(error["request"]))
    assert shown["status"] == "expired"
    assert shown["closed_height"] == shown["deadline_height"]
    after = network.tkms("query", "account", "bob")
    assert after["escrowed"] == 0
    assert after["balance"] == before["balance"] - cost["fee"]
    network.tkms("localnet", "start", "core1", "core3")
    life.wait_ready(network.plan, 60)


async def _closings(url: str) -> Counter[str]:
    """How often each request was closed, counted over the events of all blocks."""
    counted: Counter[str] = Counter()
    async with ChainRpc(url) as rpc:
        last = (await rpc.status()).latest_height
        for height in range(1, last + 1):
            found = await rpc.document("block_results", height=str(height))
            events = list(found.get("finalize_block_events") or [])
            for result in found.get("txs_results") or []:
                events += result.get("events") or []
            counted.update(_closed(events))
    return counted


def _closed(events: list[dict[str, Any]]) -> list[str]:
    names = []
    for event in events:
        if event["type"] == "request_closed":
            attributes = {entry["key"]: entry["value"] for entry in event["attributes"]}
            names.append(attributes["request_id"])
    return names


async def _app_hashes(network: Network) -> set[str]:
    """App hash of one height at all nodes."""
    heights, hashes = [], set()
    for operator in network.plan.operators:
        async with ChainRpc(operator.rpc_url) as rpc:
            heights.append((await rpc.status()).latest_height)
    for operator in network.plan.operators:
        async with ChainRpc(operator.rpc_url) as rpc:
            block = await rpc.document("block", height=str(min(heights)))
            hashes.add(block["block"]["header"]["app_hash"])
    return hashes


def test_kills_at_random_moments(network: Network, prepared: list[tuple[str, int]]) -> None:
    """After kill -9 of connectors, cores and nodes: each request ends once, all nodes agree."""
    chance = random.Random(20)
    victims = [f"{kind}{i}" for kind in ("connector", "core", "node") for i in (2, 3, 4)]
    requests: dict[str, int] = {}
    for number in range(REQUESTS):
        handle, value = prepared[number % len(prepared)]
        sent = network.tkms("decrypt", handle, "--no-wait")
        requests[str(sent["request_ids"][0])] = value
        if number % 2:
            life.ask(network.home, "kill", [chance.choice(victims)])
    life.wait_ready(network.plan, 180)

    def ended() -> bool:
        listed = network.tkms("request", "list", "--limit", "100")["requests"]
        closed = {row["request"] for row in listed if row["closed_height"]}
        return requests.keys() <= closed

    until(ended, "every request is closed", 180)
    listed = network.tkms("request", "list", "--limit", "100")["requests"]
    ends = {row["request"]: row["status"] for row in listed if row["request"] in requests}
    assert set(ends.values()) <= {"fulfilled", "expired", "failed"}
    # One operator at a time was down, and mostly back within the deadline.
    assert Counter(ends.values())["fulfilled"] >= REQUESTS - REQUESTS // 10
    assert all(row["conflicts"] == [] for row in listed)
    counted = asyncio.run(_closings(network.plan.operators[0].rpc_url))
    assert {request: counted[request] for request in requests} == dict.fromkeys(requests, 1)
    assert len(asyncio.run(_app_hashes(network))) == 1
