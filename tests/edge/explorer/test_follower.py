"""The follower over nodes that are slow, behind, pruned, malformed or gone; what one block costs the node."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from client.errors import HeightUnavailable, Unreachable
from client.rpc import ChainRpc, QueryAnswer
from edge.explorer.index import follower as follower_module
from edge.explorer.index.database import create
from edge.explorer.index.decode import Undecodable, decode_block, time_ms
from edge.explorer.index.fill import Filler
from edge.explorer.index.follower import Follower
from edge.explorer.node import NodeAway, NodeView
from tests.edge.explorer.world import APPLICATION, EngineNode, World, build_world
from wire.reasons import Reason


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """One of everything, indexed."""
    made = build_world(tmp_path)
    yield made
    made.chain.close()


@contextlib.contextmanager
def follower_of(world: World, path: Path, node: object = None) -> Iterator[Follower]:
    """Follower with an empty index of its own."""
    with contextlib.closing(create(path)) as connection:
        yield Follower(cast("ChainRpc", node or world.node), Filler(connection))


def test_an_empty_block_costs_two_calls(world: World, tmp_path: Path) -> None:
    """Block and results, and one status for as many blocks as there are."""
    with world.recorder.recording():
        world.chain.skip(5)
    world.node.calls.clear()
    assert world.follow() == 5
    assert world.node.calls == {"status": 1, "block": 5, "block_results": 5}


def test_what_is_closed_is_not_asked_again(world: World, tmp_path: Path) -> None:
    """A history that is caught up with costs one question a request, not one an answer."""
    world.node.calls.clear()
    with follower_of(world, tmp_path / "again.db") as follower:
        assert asyncio.run(follower.step()) == world.chain.height
    # The open and the contradicted one are asked at each event of theirs; the closed ones once.
    assert world.node.calls["/asc/request"] <= 12
    assert world.node.calls["validators"] == 1


class Broken(EngineNode):
    """Changes one kind of answer."""

    def __init__(self, world: World, method: str, change: Callable[[Any], Any]) -> None:
        super().__init__(world.chain, world.recorder)
        self._method = method
        self._change = change

    async def document(self, method: str, **parameters: str) -> Any:
        """As the engine, but for the one."""
        found = await super().document(method, **parameters)
        return self._change(found) if method == self._method else found


def without_header(block: dict[str, Any]) -> dict[str, Any]:
    """No header."""
    return {**block, "block": {"data": {"txs": []}}}


def another_height(block: dict[str, Any]) -> dict[str, Any]:
    """A block of another height."""
    block["block"]["header"]["height"] = "999"
    return block


def no_base64(block: dict[str, Any]) -> dict[str, Any]:
    """A transaction that is no base64."""
    block["block"]["data"]["txs"] = ["*"]
    return block


def odd_events(results: dict[str, Any]) -> dict[str, Any]:
    """An event about a request without a right id."""
    event = {
        "type": "request_answered",
        "attributes": [{"key": "request_id", "value": "no hexadecimal"}],
    }
    return {**results, "finalize_block_events": [event]}


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("block", without_header),
        ("block", another_height),
        ("block", no_base64),
        ("block", lambda _block: []),
        ("block", lambda _block: {"block": None}),
        ("block_results", lambda results: {**results, "txs_results": [{}] * 9}),
        ("block_results", lambda results: {**results, "height": "x"}),
        ("block_results", odd_events),
        ("block_results", lambda _results: None),
    ],
)
def test_malformed_answers_are_not_indexed(
    world: World, tmp_path: Path, method: str, change: Callable[[Any], Any]
) -> None:
    """They stop the follower at that block, with nothing of it written."""
    node = Broken(world, method, change)
    with follower_of(world, tmp_path / "broken.db", node) as follower:
        with pytest.raises(Undecodable):
            asyncio.run(follower.step())
        assert follower._filler.cursor == 0


async def test_the_follower_goes_on_when_the_node_does(world: World, tmp_path: Path) -> None:
    """Trouble is told while it lasts; afterwards everything is there."""
    away = [True]

    class Away(EngineNode):
        async def status(self) -> Any:
            if away[0]:
                raise Unreachable("nobody answers")
            return await super().status()

    node = Away(world.chain, world.recorder)
    with follower_of(world, tmp_path / "away.db", node) as follower:
        task = asyncio.create_task(follower.run())
        async with asyncio.timeout(20):
            while not follower.progress.trouble:  # noqa: ASYNC110 - state of a task
                await asyncio.sleep(0.01)
            away[0] = False
            while follower._filler.cursor < world.chain.height:  # noqa: ASYNC110 - same
                await asyncio.sleep(0.05)
            while follower.progress.trouble:  # noqa: ASYNC110 - same
                await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_results_that_come_later_than_their_block(world: World, tmp_path: Path) -> None:
    """The newest block waits for its results; an older one without them is an error."""
    late = [world.chain.height]

    def refuse(results: dict[str, Any]) -> dict[str, Any]:
        if int(results["height"]) in late:
            raise HeightUnavailable("could not find results")
        return results

    node = Broken(world, "block_results", refuse)
    with follower_of(world, tmp_path / "late.db", node) as follower:
        assert asyncio.run(follower.step()) == world.chain.height - 1
        late[0] = 0
        assert asyncio.run(follower.step()) == 1
    late[0] = 3
    with follower_of(world, tmp_path / "late2.db", node) as follower:
        with pytest.raises(HeightUnavailable):
            asyncio.run(follower.step())
        assert follower._filler.cursor == 2


def test_a_node_without_history(world: World, tmp_path: Path) -> None:
    """An empty index begins where the node does, and knows what there was by then."""
    world.node.earliest = 20
    with follower_of(world, tmp_path / "late.db") as follower:
        assert asyncio.run(follower.step()) == world.chain.height - 19
    made = dataclasses.replace(world, path=tmp_path / "late.db")
    reader = made.reader()
    keys = reader.keys()
    assert [key.id for key in keys] == [world.key_id.hex()]
    assert [item.id for item in reader.applications()] == [APPLICATION]
    assert len(reader.audit().items) == 5
    reader.close()


def test_a_block_is_written_whole_or_not_at_all(world: World, tmp_path: Path) -> None:
    """A failure in the middle leaves nothing, and the block is read again."""
    with follower_of(world, tmp_path / "whole.db") as follower:
        filler = follower._filler
        written = filler._records

        def fail(_facts: object) -> None:
            raise OSError("disk full")

        filler._records = fail  # type: ignore[method-assign]
        with pytest.raises(OSError, match="disk full"):
            asyncio.run(follower.step())
        count = filler._connection.execute("SELECT count(*) FROM blocks").fetchone()[0]
        assert (filler.cursor, count) == (0, 0)
        filler._records = written  # type: ignore[method-assign]
        assert asyncio.run(follower.step()) == world.chain.height


def dump(path: Path) -> list[str]:
    """Everything that an index has."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


@pytest.mark.parametrize("cause", ["database is locked", "database or disk is full"])
async def test_the_follower_goes_on_when_the_disk_does(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    """A block that SQLite takes at the third attempt only: told meanwhile, then written once and whole."""
    monkeypatch.setattr(follower_module, "_POLL_S", 0.01)
    path = tmp_path / "disk.db"
    with follower_of(world, path) as follower:
        filler = follower._filler
        written = filler._records
        attempts: list[int] = []
        troubles: list[str] = []

        def fail_twice(facts: Any) -> None:
            written(facts)
            attempts.append(filler.cursor)
            troubles.append(follower.progress.trouble)
            if attempts.count(4) in {1, 2} and attempts[-1] == 4:
                if "full" in cause:
                    # As SQLite does by itself then.
                    filler._connection.execute("ROLLBACK")
                raise sqlite3.OperationalError(cause)

        filler._records = fail_twice  # type: ignore[method-assign]
        task = asyncio.create_task(follower.run())
        async with asyncio.timeout(30):
            while filler.cursor < world.chain.height or follower.progress.trouble:
                assert not task.done(), task.exception()
                await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert attempts.count(4) == 3
        assert troubles[5:7] == [f"OperationalError: {cause}"] * 2
    assert dump(path) == dump(world.path)


def test_times_and_forms() -> None:
    """RFC 3339 with up to nine digits; what is not the engine's is refused, whatever it is."""
    assert time_ms("1970-01-01T00:00:01.5Z") == 1500
    assert time_ms("1970-01-01T00:00:01.123456789Z") == 1123
    assert time_ms("1970-01-01T00:00:01Z") == 1000
    for block in ({}, {"block": {}}, {"block": {"header": {}}}):
        with pytest.raises(Undecodable):
            decode_block(block, {"height": "1"})


async def test_visitors_are_one_reader_for_the_node(world: World) -> None:
    """Many at once are one question; a node that refuses is told as away."""
    node = NodeView(world.rpc)
    world.node.calls.clear()
    found = await asyncio.gather(*(node.consensus() for _ in range(50)))
    assert world.node.calls == {"consensus_state": 1}
    assert found[0].rounds[0].prevotes == "xxx_"
    assert found[0].rounds[0].prevote_share == 0.75
    config = await node.config()
    assert config.epoch["threshold"] == 1
    assert {role["role"] for role in config.roles} == {"admin", "registrar", "generator"}

    class Refusing(EngineNode):
        async def abci_query(self, path: str, *_data: Any, **_named: Any) -> QueryAnswer:
            return QueryAnswer(int(Reason.INTERNAL), path, b"", b"", b"", 0)

    away = NodeView(cast("ChainRpc", Refusing(world.chain, world.recorder)))
    with pytest.raises(NodeAway):
        await away.balance(bytes(20))
    broken = NodeView(cast("ChainRpc", Broken(world, "consensus_state", lambda _found: {})))
    with pytest.raises(NodeAway):
        await broken.consensus()
    for view in (node, away, broken):
        await view.close()


async def test_visitors_never_load_the_node(world: World) -> None:
    """A thousand different questions at once: few reach the node, the others are told to come back."""
    node = NodeView(world.rpc)
    world.node.calls.clear()
    questions = (node.balance(number.to_bytes(20, "big")) for number in range(1_000))
    found = await asyncio.gather(*questions, return_exceptions=True)
    assert world.node.calls["/account"] <= 60
    assert sum(isinstance(answer, NodeAway) for answer in found) >= 940
    await node.close()
