"""Which blocks the engine may forget: `retain_height` of Commit.

The engine forgets blocks below it. It is the lowest of what anybody may still ask for:

    height - retain_blocks            what the operator wants to keep
    the oldest snapshot               a node that restores it fetches the blocks after it
    height - evidence age             evidence about older blocks is not accepted any more
    the oldest height of the state    a rollback to it replays the blocks after it
    each follower's cursor            a file with the height from which that follower still reads

A cursor file that is missing or unreadable keeps everything: a follower that has not begun needs all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from ledger.config import state as config
from ledger.state import State
from ledger.store import Store


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a node keeps besides its state (node.toml)."""

    # Heights between two snapshots; 0 takes none.
    snapshot_interval: int = 0
    snapshot_keep: int = 2
    # Blocks that the engine keeps; 0 is all of them.
    retain_blocks: int = 0
    # Files in which followers write the height from which they still read.
    retain_cursors: tuple[Path, ...] = ()


KEEP_ALL: Final = Keeping()

_LOG: Final = structlog.get_logger(__name__)
_EVERYTHING: Final = 0
# The engine's own default, where the genesis names none.
DEFAULT_EVIDENCE_BLOCKS: Final = 100_000
_MAX_CURSOR_BYTES: Final = 20


def retain_height(store: Store, keeping: Keeping, snapshot_heights: Sequence[int]) -> int:
    """Lowest block that must stay, 0 for all of them.

    Where snapshots are taken and there is none yet, all blocks stay.
    """
    height = store.height
    if not keeping.retain_blocks or height is None:
        return _EVERYTHING
    evidence = config.consensus(State(store)).evidence.max_age_blocks or DEFAULT_EVIDENCE_BLOCKS
    lowest = min(height - keeping.retain_blocks, height - evidence, store.first_height)
    if keeping.snapshot_interval or snapshot_heights:
        lowest = min(lowest, min(snapshot_heights, default=_EVERYTHING))
    for cursor in keeping.retain_cursors:
        lowest = min(lowest, _read(cursor))
    return max(lowest, _EVERYTHING)


def _read(cursor: Path) -> int:
    try:
        with cursor.open("rb") as file:
            text = file.read(_MAX_CURSOR_BYTES + 1).strip()
    except OSError:
        return _EVERYTHING
    if not text.isdigit() or len(text) > _MAX_CURSOR_BYTES:
        _LOG.warning("a cursor file holds no height: all blocks are kept", file=str(cursor))
        return _EVERYTHING
    return int(text)
