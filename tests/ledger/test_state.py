"""Branches of state against a plain dictionary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import InvariantError
from ledger.state import State
from ledger.store import Block, Store
from wire.events import event

KEYS = st.sampled_from([b"a", b"a/1", b"a/2", b"a/20", b"b", b"b/\xff", b"b/\xff\xff", b"c"])
STEP = st.one_of(
    st.tuples(st.just("set"), KEYS, st.binary(min_size=1, max_size=3)),
    st.tuples(st.just("delete"), KEYS, st.just(b"")),
    st.tuples(st.just("branch"), st.just(b""), st.just(b"")),
    st.tuples(st.just("commit"), st.just(b""), st.just(b"")),
    st.tuples(st.just("discard"), st.just(b""), st.just(b"")),
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
    """Branches and the dictionaries that they should equal."""

    def __init__(self, base: dict[bytes, bytes]) -> None:
        self.states, self.models = [State(Flat(base))], [dict(base)]

    def step(self, name: str, key: bytes, value: bytes) -> None:
        """Do the same to both."""
        if name == "set":
            self.states[-1].set(key, value)
            self.models[-1][key] = value
        elif name == "delete":
            self.states[-1].delete(key)
            self.models[-1].pop(key, None)
        elif name == "branch":
            self.states.append(self.states[-1].branch())
            self.models.append(dict(self.models[-1]))
        elif len(self.states) > 1:
            self.leave(commit=name == "commit")

    def leave(self, *, commit: bool) -> None:
        """End the highest branch."""
        state, model = self.states.pop(), self.models.pop()
        if commit:
            state.commit_into_parent()
            self.models[-1] = model
        else:
            state.discard()

    def check(self) -> None:
        """Compare reads."""
        state, model = self.states[-1], self.models[-1]
        for prefix in (b"", b"a", b"a/2", b"b/", b"d"):
            expected = sorted(i for i in model.items() if i[0].startswith(prefix))
            assert list(state.iterate(prefix)) == expected
        assert all(state.get(key) == model.get(key) for key in (b"a/1", b"b", b"c"))


@given(st.dictionaries(KEYS, st.binary(min_size=1, max_size=3)), st.lists(STEP, max_size=30))
def test_branches_behave_as_copies_of_a_dictionary(
    base: dict[bytes, bytes], steps: list[tuple[str, bytes, bytes]]
) -> None:
    """Reads, iteration and changes agree with copied dictionaries whatever the order of steps."""
    pair = Pair(base)
    for step in steps:
        pair.step(*step)
        pair.check()
    while len(pair.states) > 1:
        pair.leave(commit=True)
    changes = pair.states[0].changes()
    assert changes == sorted(changes, key=lambda change: change[0])
    result: dict[bytes, bytes | None] = {**base, **dict(changes)}
    assert {k: v for k, v in result.items() if v is not None} == pair.models[-1]


def test_events_follow_their_branch() -> None:
    """A committed branch hands its events down in order, a discarded one loses them."""
    state = State(Flat({}))
    first, second = event("first", n=1), event("second", n=2)
    branch = state.branch()
    branch.emit(first)
    branch.commit_into_parent()
    lost = state.branch()
    lost.emit(event("lost"))
    lost.discard()
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


def test_the_lowest_branch_cannot_be_committed() -> None:
    """Only a store writes what lies lowest."""
    with pytest.raises(InvariantError):
        State(Flat({})).commit_into_parent()


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
