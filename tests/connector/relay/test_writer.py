"""The one thread that writes: whatever goes wrong there, nobody waits for ever."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from connector.relay.database import Database
from connector.relay.errors import RelayError
from connector.relay.writer import Writer
from tests.connector.relay.test_database import PAYER, another


@pytest.mark.parametrize(
    "error", [OverflowError("too large"), sqlite3.OperationalError("database or disk is full")]
)
async def test_whoever_waits_hears_of_any_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """All callers of the transaction are refused, health is told, and the next write is as any other."""
    with contextlib.closing(Database(tmp_path / "relay.db")) as database:
        writer = Writer(database)

        def fail(_submissions: object) -> None:
            raise error

        async def keep_all() -> list[object]:
            waiting = (writer.keep(another(number), (PAYER,)) for number in range(3))
            async with asyncio.timeout(20):
                return list(await asyncio.gather(*waiting, return_exceptions=True))

        with monkeypatch.context() as patched:
            patched.setattr(database, "keep", fail)
            for refused in await keep_all():
                assert isinstance(refused, RelayError)
                assert (refused.reason, refused.facts.retry_s) == ("BUSY", 0.5)
            assert writer.failed
        assert not any(isinstance(kept, Exception) for kept in await keep_all())
        assert not writer.failed
        await writer.close()


async def test_a_number_that_sqlite_cannot_hold_hangs_nobody(tmp_path: Path) -> None:
    """It is no error of SQLite's own, and was the end of the task that answers."""
    with contextlib.closing(Database(tmp_path / "relay.db")) as database:
        writer = Writer(database)
        items = (replace(another(1), max_fee=2**64 - 1), another(2))
        async with asyncio.timeout(20):
            found = await asyncio.gather(
                *(writer.keep(item, (PAYER,)) for item in items), return_exceptions=True
            )
        assert all(isinstance(refused, RelayError) for refused in found)
        await writer.close()
