"""One validator of the real engine and the real node process, killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.chain import ALICE, CHAIN_ID, STRANGER, message
from tests.support.validator import ENGINE, ValidatorNode
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.tx import build

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ValidatorNode]:
    """A started validator."""
    node = ValidatorNode.make(tmp_path)
    node.start()
    yield node
    node.kill()


def test_a_validator_survives_the_death_of_both_processes(node: ValidatorNode) -> None:
    """A transfer is committed; after kill -9 heights grow and all app hashes agree with the headers."""
    node.await_height(2)
    amount = 321
    transfer = bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=amount)
    raw = build(
        ALICE,
        CHAIN_ID,
        [message(transfer=transfer)],
        expires_at_height=90,
        max_fee=10_000,
        nonce=bytes(16),
    )
    accepted = node.send(raw)
    assert accepted["code"] == 0, accepted
    node.await_height(node.height() + 3)
    assert node.balance(bytes(STRANGER.address)) == amount
    again = node.send(raw[:-1])
    assert (again["code"], again["codespace"]) == (1001, "tkms")

    node.kill()
    before = node.height()
    node.start()
    node.await_height(before + 3)
    assert node.balance(bytes(STRANGER.address)) == amount
    assert node.check_hashes() >= before + 1
    assert node.call("header", height="2")["header"]["version"]["app"] == "1"
    assert node.terminate() == 0
    first, second = node.lives()
    assert first.startswith("IPR")
    assert second[0] in "FPR"
