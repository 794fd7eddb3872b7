"""Four real engines: stopped, killed and joined. The order of calls is right in every life of every node."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import grammar_oracle
from tests.support.chain import ALICE, BOB, CHAIN_ID, message
from tests.support.served import served
from tests.support.validator import ENGINE, ValidatorNode, signal_all, until
from tests.support.validator_network import ValidatorNetwork
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.tx import build

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]

EXTENSIONS_FROM = 3


def with_extensions(document: dict[str, Any]) -> None:
    """Votes carry extensions from a height on."""
    height = str(EXTENSIONS_FROM)
    document["consensus_params"]["abci"]["vote_extensions_enable_height"] = height


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValidatorNetwork]:
    """A network after its drill: one node was frozen, one killed in three ways, one joined."""
    network = ValidatorNetwork.make(tmp_path_factory.mktemp("four"), 4, parameters=with_extensions)
    try:
        network.start()
        drill(network)
        yield network
    finally:
        network.kill()


def grow(node: ValidatorNode, blocks: int = 4) -> None:
    """Wait for some more blocks of a node."""
    node.await_height(node.height() + blocks)


def drill(network: ValidatorNetwork) -> None:
    """Disturb one node at a time, so that the chain goes on."""
    first, frozen, killed, _ = network.nodes
    first.await_height(4)
    signal_all(frozen, signal.SIGSTOP)
    grow(first)
    signal_all(frozen, signal.SIGCONT)
    # Both processes without warning.
    killed.kill()
    grow(first)
    killed.start()
    killed.await_height(first.height())
    # The application alone: its engine ends by itself.
    assert killed.application is not None
    killed.application.kill()
    killed.await_end()
    killed.start()
    killed.await_height(first.height())
    # The engine alone: the application gets another one.
    assert killed.engine is not None
    killed.engine.kill()
    killed.engine.wait()
    killed.start_engine()
    killed.await_height(first.height() + 2)
    # The engine first: it waits for its application.
    killed.stop()
    killed.start_engine()
    killed.start_application()
    joined = network.join()
    joined.start()
    joined.await_height(first.height() + 3)
    for node in network.nodes:
        node.await_height(joined.height())


def test_all_nodes_agree_at_every_height(network: ValidatorNetwork) -> None:
    """No two app hashes at a height, and those that were committed are in the headers."""
    seen: dict[int, str] = {}
    for node in network.nodes:
        for height, app_hash in node.committed().items():
            assert seen.setdefault(height, app_hash) == app_hash, (node.home, height)
        assert node.check_hashes() >= node.height() - 3


def test_every_life_is_in_order(network: ValidatorNetwork) -> None:
    """By our check of the records, in which each disturbance can be seen."""
    lives = [node.lives() for node in network.nodes]
    assert [len(of_node) for of_node in lives] == [1, 1, 5, 1, 1]
    assert [of_node[0][0] for of_node in lives] == ["I"] * 5
    # Who was away got the blocks that it missed without their proposals.
    assert re.match("V*FC", lives[2][1])
    # Who joined got all from the first one.
    assert lives[4][0].startswith("I" + "FC" * 10)
    everything = "".join("".join(of_node) for of_node in lives)
    assert set(everything) == set("IPREVFC")


@pytest.mark.skipif(not grammar_oracle.AVAILABLE, reason="needs Go")
def test_the_official_checker_agrees(network: ValidatorNetwork) -> None:
    """On the lives of the drill, and on each of them with a call moved."""
    lives = [life for node in network.nodes for life in node.record().lives]
    # A life that begins again at genesis is a recovery to the official grammar.
    words = [(not life.committed and not number, life.letters) for number, life in enumerate(lives)]
    assert grammar_oracle.verdicts(words) == ["good"] * len(words)
    for clean, word in words:
        moved = word.replace("FC", "CF", 1)
        (verdict,) = grammar_oracle.verdicts([(clean, moved + "FC")])
        assert verdict.startswith("bad: "), word


def test_extensions_are_empty_and_only_empty_ones_are_good(network: ValidatorNetwork) -> None:
    """Votes of all four are taken: heights with extensions have commits of more than two thirds."""
    node = network.nodes[0]
    commit = node.call("commit", height=str(EXTENSIONS_FROM + 5))["signed_header"]["commit"]
    signed = [entry for entry in commit["signatures"] if entry["block_id_flag"] == 2]
    assert len(signed) >= 3
    letters = "".join(node.lives())
    assert letters.count("E") > 10
    assert letters.count("V") > 20


def test_an_engine_with_a_mempool_of_the_application_gets_an_answer(tmp_path: Path) -> None:
    """InsertTx is refused, ReapTxs gives nothing, blocks go on: a wrong setting kills nobody."""
    network = ValidatorNetwork.make(tmp_path, 1)
    (right,) = network.nodes
    wrong = network.join(config={"type": "app"})
    try:
        right.start()
        with served(wrong) as seen:
            wrong.start_engine()
            until(lambda: seen.height > 5, "the second node is there")
            transfer = bank_pb2.Transfer(recipient=bytes(BOB.address), amount=1)
            raw = build(
                ALICE,
                CHAIN_ID,
                [message(transfer=transfer)],
                expires_at_height=90,
                max_fee=10_000,
                nonce=bytes(16),
            )
            assert right.send(raw)["code"] == 0
            # A transaction of a peer.
            until(lambda: seen.calls["insert_tx"] > 0, "the transaction travels")
            until(lambda: seen.calls["reap_txs"] > 0, "the engine asks for some")
            before = seen.height
            until(lambda: seen.height >= before + 3, "more blocks")
    finally:
        network.kill()
