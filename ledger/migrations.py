"""Versions of the chain's rules, and the one function that takes the state from each to the next.

The version is in the state (`chain/version`), so that every block says by which rules it must be run. A new
version is a row here and, where old blocks would give other results, a branch on `version` in the code that
they run: the same program replays the whole chain. `upgrade` is called by the Config contract at the begin of
the block that an accepted change names.

A program that does not know the version must not guess: VersionError stops the node before a block of that
version is executed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from ledger.errors import InvariantError, VersionError

if TYPE_CHECKING:
    from ledger.reader import Reader
    from ledger.state import State

Migration = Callable[["State"], None]
# Version to what makes the state of the next one from it; without a gap, beginning with 1.
Migrations = Mapping[int, Migration]

FIRST_VERSION: Final = 1
VERSION_KEY: Final = b"chain/version"
_VERSION_BYTES: Final = 8

MIGRATIONS: Final[Migrations] = {}


def newest(migrations: Migrations) -> int:
    """Version that a program with these migrations knows last."""
    if sorted(migrations) != list(range(FIRST_VERSION, FIRST_VERSION + len(migrations))):
        raise InvariantError("the migrations have a gap")
    return FIRST_VERSION + len(migrations)


def version(reader: Reader) -> int:
    """Version of the rules that the state follows; 1 where nothing is written."""
    raw = reader.get(VERSION_KEY)
    return FIRST_VERSION if raw is None else int.from_bytes(raw, "big")


def check_known(wanted: int, migrations: Migrations, height: int) -> None:
    """VersionError unless a program with these migrations can run a block at this height."""
    known = newest(migrations)
    if not FIRST_VERSION <= wanted <= known:
        raise VersionError(
            f"height {height} needs app version {wanted}, this program knows up to {known}: "
            "install the release that the change names and start the node again"
        )


def upgrade(state: State, to_version: int, migrations: Migrations, height: int) -> None:
    """Make the state of a later version; nothing is written when the version is not known."""
    present = version(state)
    if to_version < present:
        raise InvariantError(f"version {present} cannot become {to_version}")
    check_known(to_version, migrations, height)
    for each in range(present, to_version):
        migrations[each](state)
        state.set(VERSION_KEY, (each + 1).to_bytes(_VERSION_BYTES, "big"))
