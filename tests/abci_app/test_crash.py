"""kill -9 at every point of a block, with the real engine under load: nothing lost, nothing twice, same hashes."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app.faults import POINTS
from ledger.bank import state as bank
from tests.support.chain import ALICE, BOB, START_BALANCE
from tests.support.load import Load
from tests.support.validator import ENGINE, ValidatorNode

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]

ROUNDS_OF_ALL_POINTS = 2
LONG_RUN = 100
# A = S before the write, A = B after it.
WRITTEN = frozenset({"after-write", "after-response"})


@pytest.fixture
def node(tmp_path: Path) -> Iterator[ValidatorNode]:
    """A validator that makes blocks quickly."""
    node = ValidatorNode.make(tmp_path / "node", config={"timeout_commit": "20ms"})
    yield node
    node.kill()


def drill(node: ValidatorNode, deaths: int, seed: int) -> Load:
    """Die so often, at each point in turn, then go on; returns the load, whose transfers are all in blocks."""
    chance = random.Random(seed)
    load = Load(node)
    died: tuple[str, int] | None = None
    for number in range(deaths):
        point = POINTS[number % len(POINTS)]
        # The block that a death left unfinished is replayed at the handshake: it may be the next victim.
        first = died[1] if died else 0
        node.plan_fault(point, first + chance.randint(1, 4))
        node.start()
        load.start()
        # Sometimes the engine is killed in the same moment, mostly it notices and ends.
        try:
            assert node.application is not None
            assert node.application.wait(60) == -9
            if chance.random() < 0.3:
                assert node.engine is not None
                node.engine.kill()
            node.await_end()
        finally:
            load.stop()
        check_restart(node, died)
        died = (point, check_death(node, point))
    node.forget_fault()
    node.start()
    assert died is not None
    node.await_height(died[1] + 2)
    check_restart(node, died)
    load.settle()
    return load


def check_death(node: ValidatorNode, point: str) -> int:
    """The process died where it was told to; the height."""
    line = node.lines()[-1]
    while line["event"] != "fault on purpose":
        raise AssertionError(f"the last words are {line}")
    assert line["point"] == point
    return int(line["height"])


def check_restart(node: ValidatorNode, died: tuple[str, int] | None) -> None:
    """The three heights at the last handshake are those of the point at which the life before ended."""
    if died is None:
        return
    point, height = died
    application, store, state = node.reading()
    assert store == height
    assert application == (height if point in WRITTEN else height - 1), point
    assert state in ((height - 1, height) if point == "after-response" else (height - 1,)), point


def check_end(node: ValidatorNode, load: Load) -> None:
    """Every transfer is in one block, balances add up, and a replay of all blocks gives every hash again."""
    load.scan()
    assert not load.waiting
    sent = len(load.included)
    assert sent > 0
    assert load.codes[0] > 0
    assert node.balance(bytes(BOB.address)) == START_BALANCE + sent
    fees = node.balance(bytes(bank.FEE_ACCOUNT))
    assert node.balance(bytes(ALICE.address)) + fees == START_BALANCE - sent
    last = node.height()
    assert node.check_hashes() >= last - last // 3
    assert node.record().check() >= last - 1
    node.stop()
    reached = node.height()
    # The engine compares each block's hash while it replays.
    shutil.rmtree(node.home / "app/state.db")
    (node.home / "app/calls.log").unlink()
    node.start()
    node.await_height(reached + 2)
    assert set(range(1, reached + 1)) <= node.committed().keys()
    assert node.lives()[-1].startswith("I" + "FC" * reached)
    assert node.balance(bytes(BOB.address)) == START_BALANCE + sent


def test_deaths_at_every_point(node: ValidatorNode) -> None:
    """Each of the six points twice."""
    load = drill(node, ROUNDS_OF_ALL_POINTS * len(POINTS), seed=1)
    died = Counter(line["point"] for line in node.lines() if line["event"] == "fault on purpose")
    assert died == Counter(dict.fromkeys(POINTS, ROUNDS_OF_ALL_POINTS))
    check_end(node, load)
    # Who sends again after every death is heard long before the end of a transaction's life.
    assert not load.expired


@pytest.mark.slow
def test_a_hundred_deaths(node: ValidatorNode) -> None:
    """A hundred, with another seed.

    A life is two or three blocks, too short to send again all that was ever sent: some transfers expire, and
    then they are in no block.
    """
    load = drill(node, LONG_RUN, seed=2)
    print(  # noqa: T201
        f"{len(load.included)} transfers, {len(load.expired)} expired, {node.height()} blocks, "
        f"{node.hung} engines hung"
    )
    assert sum(line["event"] == "fault on purpose" for line in node.lines()) == LONG_RUN
    check_end(node, load)
