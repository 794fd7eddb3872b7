"""The order in which the engine may call: a regular language over nine letters, checked while it happens.

    I  InitChain          P  PrepareProposal    F  FinalizeBlock
    O  OfferSnapshot      R  ProcessProposal    C  Commit
    A  ApplySnapshotChunk E  ExtendVote         V  VerifyVoteExtension

One life of the engine, from its handshake to its end, is a prefix of

    (I | (O A*)* O A+)?  ([PREV]* F C)*

where the first part is there exactly if the application holds no block: InitChain, or attempts at state sync
of which the last one restored something (that may be repeated over a restored state, if the engine ended
before it noted its success). A round of consensus may be any one of P, R, E and V alone, and a height has any
number of rounds, so that nothing is said of their order. Heights: P, R and F name the one that follows the
last Commit; the application itself refuses a wrong one.

The other methods may come at any time. The log that `Recorder` writes has a line a call:

    process <pid> height <height>      a process of the node begins, over this committed height
    engine <height>                    its engine has begun a life
    finalize_block 12                  a call, with the height that it names
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from threading import Lock
from typing import Final, Self

from abci_app.errors import GrammarError, LogError

LETTERS: Final[Mapping[str, str]] = {
    "init_chain": "I",
    "offer_snapshot": "O",
    "apply_snapshot_chunk": "A",
    "prepare_proposal": "P",
    "process_proposal": "R",
    "extend_vote": "E",
    "verify_vote_extension": "V",
    "finalize_block": "F",
    "commit": "C",
}
# How many calls a message shows of a long life.
_SHOWN: Final = 40
_UNKNOWN: Final = -1
_ANY_HEIGHT: Final = range(1 << 62)
_HEIGHTS: Final = ("prepare_proposal", "process_proposal", "finalize_block")


class Place(Enum):
    """Where in its life an engine is."""

    # Before the first call, over an application without a block or with blocks.
    EMPTY = auto()
    HOLDS_BLOCKS = auto()
    OFFERED = auto()
    RESTORED = auto()
    # Between two heights or inside the rounds of one.
    ROUNDS = auto()
    FINALIZED = auto()


_ROUND: Final[Mapping[str, Place]] = dict.fromkeys("PREV", Place.ROUNDS)
_BLOCKS: Final[Mapping[str, Place]] = {**_ROUND, "F": Place.FINALIZED}
_MOVES: Final[Mapping[Place, Mapping[str, Place]]] = {
    Place.EMPTY: {"I": Place.ROUNDS, "O": Place.OFFERED},
    Place.HOLDS_BLOCKS: {"O": Place.OFFERED, **_BLOCKS},
    Place.OFFERED: {"O": Place.OFFERED, "A": Place.RESTORED},
    Place.RESTORED: {"O": Place.OFFERED, "A": Place.RESTORED, **_BLOCKS},
    Place.ROUNDS: _BLOCKS,
    Place.FINALIZED: {"C": Place.ROUNDS},
}


class CallOrder:
    """One life of the engine."""

    __slots__ = ("_place", "calls", "committed")

    def __init__(self, committed: int) -> None:
        """Begin over an application whose last block is `committed`, 0 without one."""
        self._place = Place.HOLDS_BLOCKS if committed else Place.EMPTY
        self.committed = committed
        self.calls: list[str] = []

    def step(self, method: str, height: int = 0) -> None:
        """Take a call; GrammarError when it must not come now. Methods without a letter always may."""
        letter = LETTERS.get(method)
        if letter is None:
            return
        place = _MOVES[self._place].get(letter)
        if place is None:
            raise GrammarError(f"{method} must not follow {self._shown()}")
        # The height of a genesis or a restored state is not known until a call names it.
        known = self.committed >= 0
        if method in _HEIGHTS and known and height != self.committed + 1:
            raise GrammarError(
                f"{method} of height {height} over height {self.committed}, after {self._shown()}"
            )
        self._count(method, height)
        self._place = place
        self.calls.append(letter)
        del self.calls[:-_SHOWN]

    def _count(self, method: str, height: int) -> None:
        """Follow the height of the application."""
        if method in ("init_chain", "offer_snapshot"):
            # A genesis made by an export begins above height 1.
            self.committed = _UNKNOWN
        elif method in _HEIGHTS:
            self.committed = height - 1
        elif method == "commit":
            self.committed += 1

    def _shown(self) -> str:
        calls = "".join(self.calls)
        return f"the calls {calls} of this engine" if calls else "the start of the engine"


class Recorder:
    """Appends calls to a file, complete lines only; a killed process loses none of them."""

    def __init__(self, path: Path, height: int) -> None:
        """Begin the record of this process."""
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._write(f"process {os.getpid()} height {height}")

    def engine(self, height: int) -> None:
        """Note that an engine began its life."""
        self._write(f"engine {height}")

    def call(self, method: str, height: int) -> None:
        """Note a call."""
        if method in LETTERS:
            self._write(f"{method} {height}" if method in _HEIGHTS else method)

    def close(self) -> None:
        """End."""
        os.close(self._file)

    def _write(self, line: str) -> None:
        os.write(self._file, line.encode() + b"\n")


class Watch:
    """Follows the calls of a whole process: finds where an engine's life begins, asserts and records.

    An engine uses one connection for blocks and one for snapshots. Its successor has others.
    """

    def __init__(
        self, committed: Callable[[], int], recorder: Recorder | None, *, asserts: bool
    ) -> None:
        """`committed` tells the height of the store."""
        self._committed = committed
        self._recorder = recorder
        self._asserts = asserts
        self._order: CallOrder | None = None
        # By whether it is the one for snapshots.
        self._connections: dict[bool, int] = {}
        self._lock = Lock()

    def call(self, connection: int, method: str, height: int) -> None:
        """Take a call before it is executed.

        Raises:
            GrammarError: the engine must not call this now.
        """
        letter = LETTERS.get(method)
        if letter is None:
            return
        with self._lock:
            self._call(connection, method, letter in "OA", height)

    def _call(self, connection: int, method: str, snapshots: bool, height: int) -> None:
        order = self._order
        if order is None or self._connections.get(snapshots, connection) != connection:
            self._order = order = self._begin()
        self._connections[snapshots] = connection
        if self._recorder is not None:
            self._recorder.call(method, height)
        if self._asserts:
            order.step(method, height)

    def closed(self, connection: int) -> None:
        """Take the end of a connection: with one of its two, an engine's life is over."""
        with self._lock:
            if connection in self._connections.values():
                self._order = None

    def _begin(self) -> CallOrder:
        committed = self._committed()
        self._connections = {}
        if self._recorder is not None:
            self._recorder.engine(committed)
        return CallOrder(committed)


@dataclass(slots=True)
class Life:
    """What one engine asked of one process, as a log has it."""

    committed: int
    calls: list[tuple[str, int]] = field(default_factory=list)

    @property
    def letters(self) -> str:
        """Calls as a word."""
        return "".join(LETTERS[method] for method, _ in self.calls)


@dataclass(frozen=True, slots=True)
class Record:
    """A log: the lives of engines in order, and the height at which each process began."""

    lives: tuple[Life, ...]

    @classmethod
    def parse(cls, lines: Iterable[str]) -> Self:
        """Read a log; LogError names the line that is none."""
        lives: list[Life] = []
        for number, line in enumerate(lines, 1):
            match line.split():
                case ["process", pid, "height", height] if pid.isdecimal() and height.isdecimal():
                    pass
                case ["engine", height] if height.isdecimal():
                    lives.append(Life(int(height)))
                case [method] if lives and method in LETTERS and method not in _HEIGHTS:
                    lives[-1].calls.append((method, 0))
                case [method, height] if lives and method in _HEIGHTS and height.isdecimal():
                    lives[-1].calls.append((method, int(height)))
                case _:
                    raise LogError(f"line {number} is not one of a call log: {line.strip()[:80]}")
        return cls(tuple(lives))

    def check(self) -> int:
        """Check the order of all lives and that no block is missing between two; the last height.

        Raises:
            GrammarError: with the number of the life.
        """
        expected: Container[int] = _ANY_HEIGHT
        order = CallOrder(0)
        for number, life in enumerate(self.lives, 1):
            order = CallOrder(life.committed)
            if life.committed not in expected and not _restores(life):
                raise GrammarError(f"life {number} begins at {life.committed}, not at {expected}")
            try:
                for method, height in life.calls:
                    order.step(method, height)
            except GrammarError as error:
                raise GrammarError(f"life {number}: {error}") from error
            expected = _after(order)
        return max(order.committed, 0)


def _after(order: CallOrder) -> Container[int]:
    """Heights at which the next engine may begin."""
    if order.committed == _UNKNOWN:
        return _ANY_HEIGHT
    # A process may be killed between the call of Commit, which is noted, and its write.
    return (
        (order.committed, order.committed - 1) if order.calls[-1:] == ["C"] else (order.committed,)
    )


def _restores(life: Life) -> bool:
    return bool(life.calls) and life.calls[0][0] == "offer_snapshot"


def check_file(path: Path) -> str:
    """Check a recorded log and say what it holds.

    Raises:
        LogError: the file is not readable as a log.
        GrammarError: a call came out of order.
    """
    try:
        with path.open(encoding="ascii") as file:
            record = Record.parse(file)
    except (OSError, UnicodeDecodeError) as error:
        raise LogError(f"{path}: {error}") from error
    height = record.check()
    calls = sum(len(life.calls) for life in record.lives)
    return f"{len(record.lives)} lives, {calls} calls, height {height}: the order is right"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        sys.stdout.write(f"{name}: {check_file(Path(name))}\n")
