"""Everything that a connector must not forget, in one SQLite file; each method is one transaction.

Life of a work row:    pending -> submitted | settled
Life of an answer row: uploading -> ready -> sent -> done | dead, and sent -> ready when its
transaction expired or was refused because of another answer in it.
Life of a transaction: open -> included | refused | expired

synchronous=FULL: what a method returned from is on disk, so kill -9 at any moment loses nothing
and repeats only what is idempotent.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wire.pb.tkms.asc.v1 import asc_pb2

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS cursor (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS work (
    sequence INTEGER PRIMARY KEY,
    entry BLOB NOT NULL,
    evidence BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    not_before REAL NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS work_state ON work (state, sequence);
CREATE TABLE IF NOT EXISTS answer (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request BLOB NOT NULL,
    message BLOB NOT NULL,
    deadline INTEGER NOT NULL,
    state TEXT NOT NULL,
    batch_limit INTEGER NOT NULL,
    not_before INTEGER NOT NULL DEFAULT 0,
    transaction_hash BLOB,
    note TEXT NOT NULL DEFAULT '',
    UNIQUE (request, message)
);
CREATE INDEX IF NOT EXISTS answer_state ON answer (state, id);
CREATE TABLE IF NOT EXISTS upload (
    answer INTEGER NOT NULL REFERENCES answer (id),
    digest BLOB NOT NULL,
    PRIMARY KEY (answer, digest)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS outgoing (
    hash BLOB PRIMARY KEY,
    raw BLOB NOT NULL,
    expires_at INTEGER NOT NULL,
    state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS outgoing_state ON outgoing (state);
"""
LOG_CURSOR: Final = "log"
RESULT_CURSOR: Final = "result"


@dataclass(frozen=True, slots=True)
class Work:
    """A request log entry that the core has not been given yet.

    `evidence` is a serialised SubmitRequest without headers and ciphertexts, as it was proven when
    the entry was read; `state` is `pending`, or `settled` where no answer of ours is wanted.
    """

    sequence: int
    entry: bytes
    evidence: bytes
    attempts: int = 0
    state: str = "pending"

    @property
    def epoch_id(self) -> int:
        """Epoch that the entry pins."""
        return asc_pb2.LogEntry.FromString(self.entry).epoch_id


@dataclass(frozen=True, slots=True)
class Answer:
    """A message for the chain; `message` is a serialised tkms.tx.v1.Message."""

    id: int
    request: bytes
    message: bytes
    deadline: int
    batch_limit: int


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A signed transaction whose fate is not known yet."""

    hash: bytes
    raw: bytes
    expires_at: int


class Database:
    """The connector's memory. One process opens it at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create, and take the file for this process alone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def cursor(self, name: str) -> int:
        """Position in the request log or in the core's results; 0 before the first."""
        row = self._connection.execute(
            "SELECT value FROM cursor WHERE name = ?", (name,)
        ).fetchone()
        return 0 if row is None else int(row[0])

    # --- work

    def add_work(self, work: Work) -> None:
        """Remember an entry and move the log cursor onto it, both or neither."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO work (sequence, entry, evidence, state) VALUES (?, ?, ?, ?)",
                (work.sequence, work.entry, work.evidence, work.state),
            )
            _set_cursor(connection, LOG_CURSOR, work.sequence)

    def pending_work(self, now: float, limit: int) -> list[Work]:
        """Entries to hand over now, in log order."""
        rows = self._connection.execute(
            "SELECT sequence, entry, evidence, attempts, state FROM work"
            " WHERE state = 'pending' AND not_before <= ? ORDER BY sequence LIMIT ?",
            (now, limit),
        )
        return [Work(*row) for row in rows]

    def oldest_pending(self) -> Work | None:
        """The oldest entry that the core was not given, due or not."""
        row = self._connection.execute(
            "SELECT sequence, entry, evidence, attempts, state FROM work"
            " WHERE state = 'pending' ORDER BY sequence LIMIT 1"
        ).fetchone()
        return None if row is None else Work(*row)

    def finish_work(self, sequence: int, state: str) -> None:
        """The core has it (`submitted`) or nobody needs it any more (`settled`)."""
        self._connection.execute(
            "UPDATE work SET state = ?, evidence = x'' WHERE sequence = ?", (state, sequence)
        )

    def postpone_work(self, sequence: int, not_before: float) -> None:
        """Try again later."""
        self._connection.execute(
            "UPDATE work SET attempts = attempts + 1, not_before = ? WHERE sequence = ?",
            (not_before, sequence),
        )

    # --- answers

    def add_answer(self, cursor: int, answer: Answer, uploads: Sequence[bytes]) -> None:
        """Remember a result of the core, what must be uploaded first, and the cursor; `id` is ignored."""
        with self._transaction() as connection:
            added = connection.execute(
                "INSERT OR IGNORE INTO answer (request, message, deadline, state, batch_limit)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    answer.request,
                    answer.message,
                    answer.deadline,
                    "uploading" if uploads else "ready",
                    answer.batch_limit,
                ),
            )
            if added.rowcount:
                connection.executemany(
                    "INSERT OR IGNORE INTO upload VALUES (?, ?)",
                    [(added.lastrowid, digest) for digest in uploads],
                )
            _set_cursor(connection, RESULT_CURSOR, cursor)

    def pending_uploads(self, limit: int) -> list[tuple[Answer, bytes]]:
        """(answer, digest) pairs still to be uploaded, oldest first."""
        rows = self._connection.execute(
            "SELECT a.id, a.request, a.message, a.deadline, a.batch_limit, u.digest"
            " FROM upload u JOIN answer a ON a.id = u.answer ORDER BY a.id, u.digest LIMIT ?",
            (limit,),
        )
        return [(Answer(*row[:5]), row[5]) for row in rows]

    def finish_upload(self, answer: int, digest: bytes) -> bool:
        """A body is stored; the last one makes the answer ready. True when nobody else needs the body."""
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM upload WHERE answer = ? AND digest = ?", (answer, digest)
            )
            connection.execute(
                "UPDATE answer SET state = 'ready' WHERE id = ? AND state = 'uploading'"
                " AND NOT EXISTS (SELECT 1 FROM upload WHERE answer = ?)",
                (answer, answer),
            )
            row = connection.execute(
                "SELECT count(*) FROM upload WHERE digest = ?", (digest,)
            ).fetchone()
        return int(row[0]) == 0

    def ready_answers(self, height: int, limit: int) -> list[Answer]:
        """Answers that may go into a transaction at this height, oldest first."""
        rows = self._connection.execute(
            "SELECT id, request, message, deadline, batch_limit FROM answer"
            " WHERE state = 'ready' AND not_before <= ? ORDER BY id LIMIT ?",
            (height, limit),
        )
        return [Answer(*row) for row in rows]

    def nearest_deadline(self) -> int | None:
        """First deadline of all answers whose fate is open; None without one."""
        row = self._connection.execute(
            "SELECT min(deadline) FROM answer"
            " WHERE state IN ('uploading', 'ready', 'sent') AND deadline > 0"
        ).fetchone()
        return None if row[0] is None else int(row[0])

    def finish_answers(self, answers: Sequence[int], state: str, note: str = "") -> None:
        """Nothing is left to do for these: `done` or `dead`."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE answer SET state = ?, note = ? WHERE id = ?",
                [(state, note, answer) for answer in answers],
            )

    def retry_answers(self, answers: Sequence[int], batch_limit: int, not_before: int) -> None:
        """Put answers back, in smaller company and not before a height."""
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE answer SET state = 'ready', transaction_hash = NULL, batch_limit = ?,"
                " not_before = ? WHERE id = ?",
                [(batch_limit, not_before, answer) for answer in answers],
            )

    # --- transactions

    def add_outgoing(self, outgoing: Outgoing, answers: Sequence[int]) -> None:
        """Remember a signed transaction and what it carries, before it is sent for the first time."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO outgoing VALUES (?, ?, ?, 'open')",
                (outgoing.hash, outgoing.raw, outgoing.expires_at),
            )
            connection.executemany(
                "UPDATE answer SET state = 'sent', transaction_hash = ? WHERE id = ?",
                [(outgoing.hash, answer) for answer in answers],
            )

    def open_outgoing(self) -> list[Outgoing]:
        """Transactions that are neither found nor expired."""
        rows = self._connection.execute(
            "SELECT hash, raw, expires_at FROM outgoing WHERE state = 'open' ORDER BY expires_at, hash"
        )
        return [Outgoing(*row) for row in rows]

    def carried(self, transaction_hash: bytes) -> list[Answer]:
        """Answers inside a transaction."""
        rows = self._connection.execute(
            "SELECT id, request, message, deadline, batch_limit FROM answer"
            " WHERE transaction_hash = ? AND state = 'sent' ORDER BY id",
            (transaction_hash,),
        )
        return [Answer(*row) for row in rows]

    def finish_outgoing(self, transaction_hash: bytes, state: str) -> None:
        """The transaction's fate is known: `included`, `refused` or `expired`."""
        self._connection.execute(
            "UPDATE outgoing SET state = ?, raw = x'' WHERE hash = ?", (state, transaction_hash)
        )

    def counts(self) -> dict[str, int]:
        """How many rows are in each state, for logs: `work.pending`, `answer.sent`, ..."""
        found: dict[str, int] = {}
        for table in ("work", "answer", "outgoing"):
            rows = self._connection.execute(
                f"SELECT state, count(*) FROM {table} GROUP BY state ORDER BY state"  # noqa: S608 - fixed names
            )
            found |= {f"{table}.{state}": count for state, count in rows}
        return found

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _set_cursor(connection: sqlite3.Connection, name: str, value: int) -> None:
    # Never backwards: a repeated entry must not bring others back.
    connection.execute(
        "INSERT INTO cursor VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (name, value),
    )
