"""State and its checkpoints against copies of a plain dictionary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvariantError
from ledger.state import Checkpoint, State
from ledger.store import Block, Store
from wire.events import event

KEYS = st.sampled_from([b"a", b"a/1", b"a/2", b"a/20", b"b", b"b/\xff", b"b/\xff\xff", b"c"])
STEP = st.one_of(
    st.tuples(st.just("set"), KEYS, st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("delete"), KEYS, st.just(b"")),
    st.tuples(st.just("checkpoint"), st.just(b""), st.just(b"")),
    st.tuples(st.just("keep"), st.just(b""), st.just(b"")),
    st.tuples(st.just("revert"), st.just(b""), st.just(b"")),
)


class Flat:
    """The lowest layer: a dictionary."""

    def __init__(self, content: dict[bytes, bytes]) -> None:
        self.content = content

    def get(self, key: bytes) -> bytes | None:
        """Value."""
        return self.content.get(key)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Sorted items."""
        return iter(sorted(i for i in self.content.items() if i[0].startswith(prefix)))


class Pair:
    """A state with its checkpoints, and the dictionaries that it should equal."""

    def __init__(self, base: dict[bytes, bytes]) -> None:
        self.state, self.model = State(Flat(base)), dict(base)
        self.saved: list[tuple[Checkpoint, dict[bytes, bytes]]] = []

    def step(self, name: str, key: bytes, value: bytes) -> None:
        """Do the same to both."""
        if name == "set":
            self.state.set(key, value)
            self.model[key] = value
        elif name == "delete":
            self.state.delete(key)
            self.model.pop(key, None)
        elif name == "checkpoint":
            self.saved.append((self.state.checkpoint(), dict(self.model)))
        elif self.saved:
            checkpoint, model = self.saved.pop()
            if name == "revert":
                self.state.revert(checkpoint)
                self.model = model

    def check(self) -> None:
        """Compare reads."""
        state, model = self.state, self.model
        for prefix in (b"", b"a", b"a/2", b"b/", b"d"):
            expected = sorted(i for i in model.items() if i[0].startswith(prefix))
            assert list(state.iterate(prefix)) == expected
        assert all(state.get(key) == model.get(key) for key in (b"a/1", b"b", b"c"))


@given(st.dictionaries(KEYS, st.binary(min_size=1, max_size=3)), st.lists(STEP, max_size=30))
def test_checkpoints_behave_as_copies_of_a_dictionary(
    base: dict[bytes, bytes], steps: list[tuple[str, bytes, bytes]]
) -> None:
    """Reads, iteration and changes agree with copied dictionaries whatever the order of steps."""
    pair = Pair(base)
    for step in steps:
        pair.step(*step)
        pair.check()
    changes = pair.state.changes()
    assert changes == sorted(changes, key=lambda change: change[0])
    result: dict[bytes, bytes | None] = {**base, **dict(changes)}
    assert {k: v for k, v in result.items() if v is not None} == pair.model


def test_many_writes_come_in_order() -> None:
    """Both ways of sorting new keys give the same order."""
    state = State(Flat({}))
    keys = [b"k/%04d" % (index * 7919 % 1000) for index in range(1000)]
    for count, key in enumerate(keys):
        state.set(key, b"1")
        if count % 100 == 3:
            assert [k for k, _ in state.iterate(b"k/")] == sorted(keys[: count + 1])
    assert [k for k, _ in state.iterate(b"k/")] == sorted(keys)


def test_events_follow_their_checkpoint() -> None:
    """Events since a checkpoint are told in order, and lost when it is returned to."""
    state = State(Flat({}))
    first, second = event("first", n=1), event("second", n=2)
    state.emit(first)
    checkpoint = state.checkpoint()
    state.emit(event("lost"))
    assert state.events_since(checkpoint) == (event("lost"),)
    state.revert(checkpoint)
    state.emit(second)
    assert state.events == (first, second)
    assert state.take_events() == (first, second)
    assert state.events == ()


@pytest.mark.parametrize(
    ("key", "value"), [(b"", b"1"), (b"k", b""), (b"k" * 1025, b"1"), (b"k", bytes(2**20 + 1))]
)
def test_lengths_that_the_tree_cannot_prove_are_bugs(key: bytes, value: bytes) -> None:
    """Keys have 1 to 1024 bytes, values 1 to 2**20."""
    with pytest.raises(InvariantError):
        State(Flat({})).set(key, value)


def test_a_checkpoint_serves_until_an_older_one_was_returned_to() -> None:
    """Its writes are gone then."""
    state = State(Flat({}))
    older = state.checkpoint()
    state.set(b"k", b"1")
    newer = state.checkpoint()
    state.revert(older)
    with pytest.raises(InvariantError):
        state.revert(newer)


def test_iteration_reads_through_a_store(tmp_path: Path) -> None:
    """Own writes and stored values come in one ascending order."""
    store = Store(tmp_path / "db")
    store.write_genesis(
        "c", Block(0, b"\1", [(b"k/2", b"2"), (b"k/4", b"4"), (b"l", b"x")], [], [])
    )
    state = State(store)
    state.set(b"k/1", b"1")
    state.set(b"k/3", b"3")
    state.set(b"k/4", b"new")
    state.delete(b"k/2")
    assert list(state.iterate(b"k/")) == [(b"k/1", b"1"), (b"k/3", b"3"), (b"k/4", b"new")]
    store.close()


class Counting:
    """Values that are their own keys; counts how often each is read."""

    def __init__(self) -> None:
        """Nothing was read."""
        self.reads: Counter[bytes] = Counter()

    def get(self, key: bytes) -> bytes | None:
        """The key itself, nothing for keys that begin with zero."""
        self.reads[key] += 1
        return None if key.startswith(b"0") else key

    def iterate(self, _prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """No keys."""
        return iter(())


def test_what_lies_below_is_read_once_within_bounds() -> None:
    """Absent values too; writes and what takes them back are not confused with it; memory has a limit."""
    below = Counting()
    state = State(below)
    for _ in range(3):
        assert state.get(b"a") == b"a"
        assert state.get(b"0") is None
    before = state.checkpoint()
    state.set(b"a", b"new")
    state.delete(b"b")
    assert (state.get(b"a"), state.get(b"b")) == (b"new", None)
    state.revert(before)
    assert (state.get(b"a"), state.get(b"b")) == (b"a", b"b")
    assert below.reads == {b"a": 1, b"0": 1, b"b": 1}
    keys = [b"k%d" % number for number in range(10_000)]
    for _ in range(2):
        for key in keys:
            assert state.get(key) == key
    assert below.reads[keys[0]] == 1
    assert below.reads[keys[-1]] == 2
    assert len(state._remembered) < 5_000
