"""Makes room: blocks and transactions below a height go, what they made stays."""

from __future__ import annotations

import sqlite3
import time
from typing import Final

# One transaction at a time is this many heights: readers and the follower get in between.
_STEP: Final = 1_000
# Who waits for the lock looks again every 0.1 s at most, and is not told: without a longer pause between two
# transactions the follower hardly ever finds it free.
_PAUSE_S: Final = 0.15
_TABLES: Final = ("transactions", "transaction_kinds", "blocks")


def prune(connection: sqlite3.Connection, keep_blocks: int) -> int:
    """Drop blocks and transactions older than the newest `keep_blocks`; the number of blocks dropped.

    Requests, their steps, keys, applications, handles, records and the validator sets stay.
    """
    row = connection.execute("SELECT min(height), max(height) FROM blocks").fetchone()
    first, last = row[0], row[1]
    if first is None or keep_blocks < 1:
        return 0
    end = last - keep_blocks
    dropped = 0
    for start in range(first, end + 1, _STEP):
        if start > first:
            time.sleep(_PAUSE_S)
        upto = min(start + _STEP - 1, end)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for table in _TABLES:
                query = f"DELETE FROM {table} WHERE height <= ?"  # noqa: S608 - tables of ours
                count = connection.execute(query, (upto,)).rowcount
            dropped += count
            connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back by itself, and refuses to do it again.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    return dropped


def shrink(connection: sqlite3.Connection) -> None:
    """Give the free pages back to the file system; nobody else may use the index meanwhile."""
    connection.execute("VACUUM")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
