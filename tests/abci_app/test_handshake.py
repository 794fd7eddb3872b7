"""What the engine does at its start, for every relation of the three heights (A application, B blocks, S state).

Each situation is made with the real engine: folders of a chain that was stopped twice are put together, or the
application is killed at a point inside a block. The heights are read back from the engine's own log.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import plyvel
import pytest

from tests.support.served import served
from tests.support.validator import ENGINE, PATIENCE_SECONDS, ValidatorNode, until
from wire.pb.tkms.comet.v1 import abci_pb2

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]

LOW, HIGH = 4, 8


@dataclass(frozen=True)
class Kept:
    """A stopped chain whose folders were copied at two heights: `low` and `high`."""

    home: Path
    low: int
    high: int
    app_hashes: dict[int, str]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """The folders from which the situations are put together."""
    node = ValidatorNode.make(tmp_path_factory.mktemp("kept") / "node")
    heights = []
    try:
        for name, height in (("low", LOW), ("high", HIGH)):
            node.start()
            node.await_height(height)
            node.stop()
            heights.append(node.height())
            for part in ("app", "engine"):
                node.copy(name, part)
    finally:
        node.kill()
    return Kept(node.home, *heights, dict(node.committed()))


@pytest.fixture
def assemble(kept: Kept) -> Iterator[Callable[..., ValidatorNode]]:
    """Put an application's folder and an engine's folder together."""
    node = ValidatorNode(kept.home, rpc_of(kept.home))

    def assembled(application: str | None, engine: str) -> ValidatorNode:
        node.restore(engine, "engine")
        node.restore(application or "low", "app")
        (kept.home / "app/calls.log").unlink()
        (kept.home / "engine.log").unlink(missing_ok=True)
        (kept.home / "app.log").unlink(missing_ok=True)
        if application is None:
            shutil.rmtree(kept.home / "app/state.db")
        return node

    yield assembled
    node.kill()


def rpc_of(home: Path) -> str:
    """Address from the engine's settings."""
    text = (home / "engine/config/config.toml").read_text()
    return text.split('laddr = "tcp', 1)[1].split('"', 1)[0].join(["http", ""])


def goes_on(node: ValidatorNode, kept: Kept) -> list[str]:
    """Blocks are made on top, replayed ones have their old app hashes; the lives of engines."""
    node.await_height(kept.high + 2)
    committed = node.committed()
    assert {h: committed[h] for h in kept.app_hashes if h in committed} == {
        h: found for h, found in kept.app_hashes.items() if h in committed
    }
    node.check_hashes(min(committed))
    node.kill()
    return node.lives()


def test_equal_heights_go_on(assemble: Callable[..., ValidatorNode], kept: Kept) -> None:
    """A = B = S: nothing is replayed."""
    node = assemble("high", "high")
    node.start()
    (life,) = goes_on(node, kept)
    assert node.reading() == (kept.high, kept.high, kept.high)
    assert min(node.committed()) == kept.high + 1
    assert life[0] in "PR"


def test_an_empty_application_gets_genesis_and_all_blocks(
    assemble: Callable[..., ValidatorNode], kept: Kept
) -> None:
    """A = 0 < B: InitChain again, then every block."""
    node = assemble(None, "high")
    node.start()
    (life,) = goes_on(node, kept)
    assert node.reading() == (0, kept.high, kept.high)
    assert life.startswith("I" + "FC" * kept.high + "P")
    assert kept.app_hashes.keys() <= node.committed().keys()


def test_genesis_may_be_asked_for_again(tmp_path: Path) -> None:
    """A = 0, killed before the first block is written: InitChain comes again, over the old genesis."""
    node = ValidatorNode.make(tmp_path / "node")
    try:
        node.plan_fault("before-finalize", 1)
        node.start()
        node.await_end()
        node.forget_fault()
        node.start()
        node.await_height(2)
        node.check_hashes()
    finally:
        node.kill()
    assert node.reading() == (0, 1, 0)
    first, second = node.lives()
    assert (first, second[:4]) == ("IPRF", "IFCP")


def test_an_application_that_is_behind_gets_the_blocks_it_misses(
    assemble: Callable[..., ValidatorNode], kept: Kept
) -> None:
    """B = S, A < B: one FinalizeBlock and Commit for each block, no proposals."""
    node = assemble("low", "high")
    node.start()
    (life,) = goes_on(node, kept)
    assert node.reading() == (kept.low, kept.high, kept.high)
    assert life.startswith("FC" * (kept.high - kept.low) + "P")


def test_an_application_that_is_ahead_is_refused(
    assemble: Callable[..., ValidatorNode], kept: Kept
) -> None:
    """A > B: an old engine beside a newer application does not start."""
    node = assemble("high", "low")
    node.start()
    assert node.engine is not None
    assert node.engine.wait(PATIENCE_SECONDS) != 0
    assert node.reading() == (kept.high, kept.low, kept.low)
    words = f"app block height ({kept.high}) is higher than core ({kept.low})"
    assert words in node.engine_log()
    # The node itself is well: it waits for the right engine.
    assert node.terminate() == 0
    assert not (node.home / "app/calls.log").read_text().count("engine")


def test_a_changed_app_hash_is_refused(assemble: Callable[..., ValidatorNode], kept: Kept) -> None:
    """A = B = S with another hash: the engine suspects that one of the two was reset."""
    node = assemble("high", "high")
    path = str(node.home / "app/state.db")
    with plyvel.DB(path) as database:
        app_hash = bytearray(database.get(b"m/app_hash"))
        app_hash[0] ^= 1
        database.put(b"m/app_hash", bytes(app_hash))
    node.start()
    assert node.engine is not None
    assert node.engine.wait(PATIENCE_SECONDS) != 0
    assert "state.AppHash does not match AppHash after replay" in node.engine_log()
    assert "Did you reset CometBFT without resetting your application's data?" in node.engine_log()


@pytest.mark.parametrize(
    ("point", "application", "words", "life"),
    [
        # Decided, not executed: A = S, B = S + 1.
        ("before-finalize", -1, "Replay last block using real app", "FCP"),
        ("after-finalize", -1, "Replay last block using real app", "FCP"),
        ("before-write", -1, "Replay last block using real app", "FCP"),
        ("inside-write", -1, "Replay last block using real app", "FCP"),
        # Committed, and the engine does not know it: A = B = S + 1.
        ("after-write", 0, "Replay last block using mock app", "P"),
    ],
)
def test_a_block_that_was_being_made(
    assemble: Callable[..., ValidatorNode],
    kept: Kept,
    point: str,
    application: int,
    words: str,
    life: str,
) -> None:
    """B = S + 1: the last block is executed again, or taken from the engine's saved answer."""
    node = assemble("high", "high")
    died_at = kept.high + 2
    node.plan_fault(point, died_at)
    node.start()
    assert node.await_end() == -9
    node.forget_fault()
    node.start()
    node.await_height(died_at + 2)
    node.check_hashes(kept.high + 1)
    node.kill()
    assert node.reading() == (died_at + application, died_at, died_at - 1)
    assert words in node.engine_log()
    assert node.lives()[-1].startswith(life)


def test_an_application_behind_a_block_that_was_being_made(
    assemble: Callable[..., ValidatorNode], kept: Kept
) -> None:
    """B = S + 1, A < S: several blocks are replayed, the last one by consensus."""
    node = assemble("high", "high")
    died_at = kept.high + 2
    node.plan_fault("before-write", died_at)
    node.start()
    assert node.await_end() == -9
    node.restore("low", "app")
    (node.home / "app/calls.log").unlink()
    node.start()
    node.await_height(died_at + 1)
    node.check_hashes(kept.low + 1)
    node.kill()
    assert node.reading() == (kept.low, died_at, died_at - 1)
    (life,) = node.lives()
    assert life.startswith("FC" * (died_at - kept.low) + "P")


def pruning(keep: int) -> Callable[[abci_pb2.Request, abci_pb2.Response], None]:
    """Let the engine drop all but its last blocks."""
    last = 0

    def changed(request: abci_pb2.Request, response: abci_pb2.Response) -> None:
        nonlocal last
        if request.WhichOneof("value") == "finalize_block":
            last = request.finalize_block.height
        if request.WhichOneof("value") == "commit":
            response.commit.retain_height = max(0, last - keep)

    return changed


def test_an_application_below_the_oldest_block_is_refused(
    assemble: Callable[..., ValidatorNode], kept: Kept
) -> None:
    """A < base - 1: what it would need to replay is gone; one block below the base is enough."""
    node = assemble("high", "high")
    with served(node, pruning(2)) as seen:
        node.start_engine()
        until(lambda: seen.height >= kept.high + 4, "some blocks")
        base = kept.low + 2
        until(
            lambda: int(node.call("status")["sync_info"]["earliest_block_height"]) > base,
            "the engine drops blocks",
        )
    for name, words in (
        ("low", f"app block height ({kept.low}) is too far below block store base"),
        (None, "app block height (0) is too far below block store base"),
    ):
        node.restore("low", "app")
        (node.home / "app/calls.log").unlink()
        if name is None:
            shutil.rmtree(node.home / "app/state.db")
        node.start()
        assert node.engine is not None
        assert node.engine.wait(PATIENCE_SECONDS) != 0
        assert words in node.engine_log()
        assert node.terminate() == 0
