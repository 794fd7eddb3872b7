"""The node learns which blocks the core still needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from abci_app.history.retention import Keeping, retain_height
from connector.cursor_file import CursorFile
from connector.errors import CoreUnavailableError
from ledger.config import state as config
from ledger.state import State
from ledger.store import Store
from tests.ledger.advance import advance
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2


class Core:
    """A core at some height."""

    height: int | None = 0

    async def status(self) -> core_pb2.StatusReply:
        """Where it is, or nothing."""
        if self.height is None:
            raise CoreUnavailableError("away")
        return core_pb2.StatusReply(trusted_height=self.height)


async def test_the_file_follows_the_core(tmp_path: Path) -> None:
    """A core that is away leaves the last word standing."""
    core, path = Core(), tmp_path / "cursor"
    cursor = CursorFile(core, path)  # type: ignore[arg-type] # the one method that is used
    for height in (0, 7, 7, 12):
        core.height = height
        await cursor.step()
        assert path.read_text() == f"{height}\n"
    core.height = None
    with pytest.raises(CoreUnavailableError):
        await cursor.step()
    assert path.read_text() == "12\n"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cursor"]  # noqa: ASYNC240


async def test_the_node_keeps_what_the_core_needs(tmp_path: Path) -> None:
    """Blocks stay from the core's trusted header on; all of them before anything is known."""
    store = Store(tmp_path / "db", keep_versions=10)
    state = State(store)
    limits = config_pb2.EvidenceLimits(max_age_blocks=5)
    config.set_consensus(state, config_pb2.ConsensusParameters(evidence=limits))
    advance(store, 0, dict(state.changes()))
    for height in range(1, 61):
        advance(store, height, {})
    core, path = Core(), tmp_path / "cursor"
    cursor = CursorFile(core, path)  # type: ignore[arg-type] # the one method that is used
    keeping = Keeping(retain_blocks=1, retain_cursors=(path,))
    assert retain_height(store, keeping, []) == 0
    for trusted, kept in ((0, 0), (20, 20), (58, store.first_height)):
        core.height = trusted
        await cursor.step()
        assert retain_height(store, keeping, []) == kept
    store.close()
