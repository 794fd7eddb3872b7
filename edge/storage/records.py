"""What a storage server remembers about its bodies: class, request and how long to keep them.

A sidecar in SQLite. Losing it loses no body: a body without a record is served and never swept.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS blob (
    digest BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    class TEXT NOT NULL,
    retain_until INTEGER            -- seconds since 1970; NULL: for ever
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reference (
    digest BLOB NOT NULL,
    request BLOB NOT NULL,
    PRIMARY KEY (digest, request)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS blob_retention ON blob (retain_until);
"""
# Requests remembered a body; the newest deadline wins anyway, more would let a peer fill the disk.
MAX_REFERENCES = 16


@dataclass(frozen=True, slots=True)
class Record:
    """One body's row; `retain_until` None keeps it for ever."""

    digest: bytes
    size: int
    blob_class: str
    retain_until: int | None


class Records:
    """The sidecar; small rows, so calls are synchronous."""

    def __init__(self, path: Path) -> None:
        """Open or create."""
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def get(self, digest: bytes) -> Record | None:
        """Record of a body."""
        row = self._connection.execute(
            "SELECT digest, size, class, retain_until FROM blob WHERE digest = ?", (digest,)
        ).fetchone()
        return None if row is None else Record(*row)

    def keep(self, record: Record, request: bytes = b"") -> None:
        """Insert, or extend: retention only ever grows and `public` is never lost."""
        known = self.get(record.digest)
        if known is not None:
            record = _merged(known, record)
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute(
                "INSERT OR REPLACE INTO blob VALUES (?, ?, ?, ?)",
                (record.digest, record.size, record.blob_class, record.retain_until),
            )
            if request and len(self.references(record.digest)) < MAX_REFERENCES:
                self._connection.execute(
                    "INSERT OR IGNORE INTO reference VALUES (?, ?)", (record.digest, request)
                )

    def references(self, digest: bytes) -> list[bytes]:
        """Ids of the requests that named the body when it was stored."""
        rows = self._connection.execute(
            "SELECT request FROM reference WHERE digest = ? ORDER BY request", (digest,)
        )
        return [row[0] for row in rows]

    def expired(self, now: int, limit: int) -> list[Record]:
        """Bodies whose retention has passed, oldest first."""
        rows = self._connection.execute(
            "SELECT digest, size, class, retain_until FROM blob"
            " WHERE retain_until IS NOT NULL AND retain_until < ? ORDER BY retain_until LIMIT ?",
            (now, limit),
        )
        return [Record(*row) for row in rows]

    def extend(self, digest: bytes, retain_until: int) -> None:
        """Keep at least until then."""
        self._connection.execute(
            "UPDATE blob SET retain_until = max(retain_until, ?)"
            " WHERE digest = ? AND retain_until IS NOT NULL",
            (retain_until, digest),
        )

    def forget(self, digest: bytes) -> None:
        """Remove the record and its references."""
        with self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("DELETE FROM reference WHERE digest = ?", (digest,))
            self._connection.execute("DELETE FROM blob WHERE digest = ?", (digest,))

    def totals(self) -> tuple[int, int]:
        """Number of bodies and their bytes."""
        count, size = self._connection.execute(
            "SELECT count(*), coalesce(sum(size), 0) FROM blob"
        ).fetchone()
        return int(count), int(size)


def _merged(known: Record, new: Record) -> Record:
    if known.retain_until is None or new.retain_until is None:
        blob_class = known.blob_class if known.retain_until is None else new.blob_class
        return Record(known.digest, known.size, blob_class, None)
    until = max(known.retain_until, new.retain_until)
    return Record(known.digest, known.size, known.blob_class, until)
