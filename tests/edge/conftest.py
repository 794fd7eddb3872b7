"""Fixtures of the edge tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.edge_servers import Served, storage_server


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Served]:
    """A running storage server with a local folder."""
    async with storage_server(tmp_path / "storage") as served:
        yield served
