"""Versions of the rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger import migrations
from ledger.errors import InvariantError, VersionError
from ledger.migrations import VERSION_KEY, check_known, newest, upgrade, version
from ledger.state import State
from ledger.store import Store


def second(state: State) -> None:
    """Make version 2 of the state."""
    state.set(b"made", b"2 of " + (state.get(b"made") or b"nothing"))


def third(state: State) -> None:
    """Make version 3."""
    state.set(b"made", b"3 of " + (state.get(b"made") or b"nothing"))


TABLE = {1: second, 2: third}


@pytest.fixture
def state(tmp_path: Path) -> State:
    """Empty state of version 1."""
    return State(Store(tmp_path / "db"))


def test_the_program_knows_what_its_table_reaches() -> None:
    """Each version has one way to the next; the table of the program is sound."""
    assert (newest({}), newest(TABLE)) == (1, 3)
    assert newest(migrations.MIGRATIONS) >= 1
    for gap in ({2: second}, {1: second, 3: third}):
        with pytest.raises(InvariantError, match="gap"):
            newest(gap)


def test_migrations_run_in_order_and_the_version_is_written(state: State) -> None:
    """One after the other up to the wanted version, and none for the present one."""
    assert version(state) == 1
    upgrade(state, 1, TABLE, 9)
    assert state.changes() == []
    upgrade(state, 3, TABLE, 9)
    assert (version(state), state.get(b"made")) == (3, b"3 of 2 of nothing")
    assert state.get(VERSION_KEY) == (3).to_bytes(8, "big")
    upgrade(state, 3, TABLE, 10)
    assert state.get(b"made") == b"3 of 2 of nothing"
    with pytest.raises(InvariantError, match="cannot become"):
        upgrade(state, 2, TABLE, 11)


def test_an_unknown_version_is_refused_before_anything_is_written(state: State) -> None:
    """In words that say which height needs which version, and what this program knows."""
    with pytest.raises(VersionError, match=r"height 77 needs app version 4, .* knows up to 3"):
        upgrade(state, 4, TABLE, 77)
    assert state.changes() == []
    for wanted in (0, 4):
        with pytest.raises(VersionError):
            check_known(wanted, TABLE, 1)
