"""A fifth node by state sync and a sixth by replay; and a node that takes its last block back."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.home.toml_text import rewrite
from ledger.store import Store
from tests.support.chain import ALICE, BOB, CHAIN_ID, STRANGER, message
from tests.support.validator import ENGINE, ValidatorNode
from tests.support.validator_network import ValidatorNetwork
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.tx import build

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]

INTERVAL = 5
# Blocks are quick here: a snapshot must outlive the seconds in which a joiner looks around.
SNAPSHOTS = {"snapshot_interval": INTERVAL, "snapshot_keep": 100}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValidatorNetwork]:
    """Four validators that take snapshots, with some payments behind them."""
    network = ValidatorNetwork.make(tmp_path_factory.mktemp("join"), 4, settings=SNAPSHOTS)
    try:
        network.start()
        first = network.nodes[0]
        first.await_height(2)
        for number in range(20):
            assert first.send(payment(number))["code"] == 0
        first.await_height(2 * INTERVAL + 2)
        yield network
    finally:
        network.kill()


def payment(number: int) -> bytes:
    """A transfer of Alice or Bob."""
    transfer = bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=number + 1)
    return build(
        (ALICE, BOB)[number % 2],
        CHAIN_ID,
        [message(transfer=transfer)],
        expires_at_height=90,
        max_fee=10_000,
        nonce=number.to_bytes(16, "big"),
    )


def restored(node: ValidatorNode) -> list[int]:
    """Heights that state sync restored."""
    return [line["height"] for line in node.lines() if line.get("event") == "state restored"]


def trusted(node: ValidatorNode) -> dict[str, Any]:
    """A header that the joining node may begin to trust."""
    header = node.call("commit", height="3")["signed_header"]
    return {
        "statesync.enable": True,
        "statesync.trust_height": 3,
        "statesync.trust_hash": header["commit"]["block_id"]["hash"],
        "statesync.trust_period": "168h0m0s",
        "statesync.discovery_time": "5s",
    }


def test_a_node_joins_by_snapshot_and_another_by_replay(network: ValidatorNetwork) -> None:
    """Both have the app hash of the headers at every height that they executed, and the same balances."""
    first, second, *_ = network.nodes
    synced = network.join(settings=SNAPSHOTS)
    path = synced.home / "engine/config/config.toml"
    servers = {"statesync.rpc_servers": f"{first.rpc},{second.rpc}"}
    path.write_text(rewrite(path.read_text(), {**trusted(first), **servers}))
    synced.start()
    replayed = network.join()
    replayed.start()
    synced.await_height(1)
    (begin,) = restored(synced)
    # Beyond the next snapshot of the joined node.
    target = max(begin, first.height()) + INTERVAL + 3
    for node in (synced, replayed, first):
        node.await_height(target)
    assert begin % INTERVAL == 0
    assert min(synced.committed()) == begin + 1
    assert min(replayed.committed()) == 1
    assert restored(replayed) == []
    # Their own engines' headers are those of the chain.
    assert synced.check_hashes(begin + 1) >= 3
    assert replayed.check_hashes() >= target - 2
    for height in range(begin + 1, target):
        hashes = {node.committed()[height] for node in (synced, replayed)}
        assert len(hashes) == 1
        assert first.committed().get(height) in (None, *hashes)
    balances = {node.balance(bytes(STRANGER.address)) for node in (first, synced, replayed)}
    assert balances == {sum(range(1, 21))}
    # The joined node's own snapshots have the same hash as the others'.
    await_snapshot(synced, begin + INTERVAL)
    ours, theirs = (
        Path(node.home / "app/snapshots" / str(begin + INTERVAL) / "metadata")
        for node in (synced, first)
    )
    if theirs.exists():
        assert ours.read_bytes() == theirs.read_bytes()
    # It survives its death like any other.
    synced.kill()
    synced.start()
    synced.await_height(first.height() + 2)
    assert restored(synced) == [begin]


def await_snapshot(node: ValidatorNode, height: int) -> None:
    """Wait until a node has a snapshot."""
    from tests.support.validator import until

    until(
        lambda: any(
            line.get("event") == "snapshot taken" and line["height"] >= height
            for line in node.lines()
        ),
        f"snapshot {height}",
    )


@pytest.mark.parametrize("hard", [False, True])
def test_the_last_block_is_taken_back_and_made_again(network: ValidatorNetwork, hard: bool) -> None:
    """Engine and application of a stopped node go back one height each, and catch up."""
    node = network.nodes[3]
    node.await_height(3)
    node.stop()
    before = node.height()
    command = [ENGINE, "rollback", "--home", node.home / "engine", *(["--hard"] if hard else [])]
    subprocess.run(command, check=True, capture_output=True)
    store = Store(node.home / "app/state.db")
    height = store.height
    assert height in (before, before + 1)
    assert store.rollback() == height - 1
    app_hash = store.app_hash.hex()
    store.close()
    assert node.committed()[height - 1] == app_hash
    node.start()
    node.await_height(before + 3)
    # The handshake found the application one block behind: the block is executed again, with the same hash.
    application, _, state = node.reading()
    assert (application, state) == (height - 1, height - 1)
    assert node.check_hashes(before - 1) >= 3
