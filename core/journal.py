"""What a core remembers: accepted requests, results with cursor numbers, and the trusted header.

Invariants
- A request id is accepted with one entry and answered once, whatever happens in between: every
  change is one SQLite transaction in WAL mode with synchronous=FULL.
- The trusted height never falls.
- Cursors grow and are never reused; a result is never changed or removed.
- Key records only move to larger heights, epoch states only by the transitions of `epoch_states`.
Everything here is public or masked: the journal is not sealed. Secrets live in the vault.
"""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from core.epoch_states import EpochStates, decode
from core.errors import JournalError, Refusal, Refused
from wire.ids import Height, RequestId
from wire.pb.tkms.core.v1 import core_pb2

_VERSION = b"1"
_KEPT_HEADERS = 4096
"""Verified app hashes below the trusted height that late proofs may still use."""
_HIGHEST = 2**63 - 1
"""SQLite's integers and CometBFT's heights end here; a liar's need not."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS header (height INTEGER PRIMARY KEY, app_hash BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS epoch (id INTEGER PRIMARY KEY, record BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS request (
    id BLOB PRIMARY KEY, sequence INTEGER NOT NULL, state INTEGER NOT NULL,
    deadline INTEGER NOT NULL, epoch INTEGER NOT NULL, entry BLOB NOT NULL,
    parameters TEXT NOT NULL, message BLOB) STRICT;
CREATE INDEX IF NOT EXISTS request_state ON request (state, sequence);
CREATE TABLE IF NOT EXISTS blob (
    request BLOB NOT NULL, digest BLOB NOT NULL, data BLOB NOT NULL,
    PRIMARY KEY (request, digest)) STRICT;
CREATE TABLE IF NOT EXISTS result (
    cursor INTEGER PRIMARY KEY AUTOINCREMENT, request BLOB NOT NULL, kind TEXT NOT NULL,
    body BLOB NOT NULL, UNIQUE (request, kind)) STRICT;
CREATE TABLE IF NOT EXISTS key (
    id BLOB PRIMARY KEY, height INTEGER NOT NULL, record BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS step (
    request BLOB NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (request, name)) STRICT;
"""
_EPOCHS = "epochs"

ACCEPTED = core_pb2.WORK_STATE_ACCEPTED
DONE = core_pb2.WORK_STATE_DONE
FAILED = core_pb2.WORK_STATE_FAILED
EXPIRED = core_pb2.WORK_STATE_EXPIRED


@dataclass(frozen=True, slots=True)
class Record:
    """An accepted request: raw bytes of the log entry and what else was proven with it."""

    request_id: RequestId
    sequence: int
    deadline_height: Height
    epoch_id: int
    entry: bytes = field(repr=False)
    parameters: str
    blobs: tuple[tuple[bytes, bytes], ...] = field(repr=False, default=())


class Journal:
    """Durable memory in one SQLite file. Methods block for a disk sync; call them off the loop."""

    __slots__ = ("_connection", "_lock")

    def __init__(self, path: Path, chain_id: str, party: int) -> None:
        """Open or create.

        Raises
        ------
        JournalError
            When the file belongs to another chain, party or version, or is not a journal.
        """
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            path.chmod(0o600)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
        except sqlite3.Error as error:
            raise JournalError(f"{path.name}: {error}") from error
        expected = {"version": _VERSION, "chain": chain_id.encode(), "party": str(party).encode()}
        with self._transaction() as connection:
            for key, value in expected.items():
                connection.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (key, value))
                found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,))
                if found.fetchone()[0] != value:
                    raise JournalError(f"the journal belongs to another {key}")

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """One synced transaction; rolled back on any exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Close the file; all that was returned is already durable."""
        with self._lock:
            self._connection.close()

    def trusted(self) -> bytes | None:
        """Encoded trusted header, if any was verified yet."""
        with self._lock:
            row = self._connection.execute("SELECT value FROM meta WHERE key = 'trusted'")
            found = row.fetchone()
        return bytes(found[0]) if found else None

    def trust(self, encoded: bytes, verified: Sequence[tuple[int, bytes]]) -> None:
        """Move the trusted header to the last of the verified (height, app hash) pairs."""
        with self._transaction() as connection:
            highest = connection.execute("SELECT max(height) FROM header").fetchone()[0]
            connection.executemany("INSERT OR IGNORE INTO header VALUES (?, ?)", verified)
            top = verified[-1][0]
            if highest is not None and top <= highest:
                return
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('trusted', ?)", (encoded,))
            connection.execute("DELETE FROM header WHERE height < ?", (top - _KEPT_HEADERS,))

    def app_hash(self, height: int) -> bytes | None:
        """App hash of a verified header."""
        if height > _HIGHEST:
            return None
        with self._lock:
            row = self._connection.execute(
                "SELECT app_hash FROM header WHERE height = ?", (height,)
            )
            found = row.fetchone()
        return bytes(found[0]) if found else None

    def save_epoch(self, epoch_id: int, record: bytes) -> None:
        """Keep a proven epoch record; an epoch never changes."""
        with self._transaction() as connection:
            connection.execute("INSERT OR IGNORE INTO epoch VALUES (?, ?)", (epoch_id, record))

    def save_key(self, key_id: bytes, height: int, record: bytes) -> None:
        """Keep a proven key record as of a height, unless a newer one is here."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO key VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " height = excluded.height, record = excluded.record"
                " WHERE excluded.height >= key.height",
                (key_id, height, record),
            )

    def key(self, key_id: bytes) -> bytes | None:
        """Newest proven record of a key."""
        with self._lock:
            row = self._connection.execute("SELECT record FROM key WHERE id = ?", (key_id,))
            found = row.fetchone()
        return bytes(found[0]) if found else None

    def save_step(self, request_id: RequestId, name: str, value: bytes) -> None:
        """Remember that a part of a request is done, and its public outcome."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO step VALUES (?, ?, ?)", (request_id.value, name, value)
            )

    def step(self, request_id: RequestId, name: str) -> bytes | None:
        """Outcome of a part that is done."""
        with self._lock:
            row = self._connection.execute(
                "SELECT value FROM step WHERE request = ? AND name = ?", (request_id.value, name)
            )
            found = row.fetchone()
        return bytes(found[0]) if found else None

    def epoch_states(self) -> EpochStates:
        """Which epochs' shares may be used."""
        with self._lock:
            return self._epoch_states(self._connection)

    def change_epochs(self, change: Callable[[EpochStates], EpochStates]) -> EpochStates:
        """Apply one transition durably; returns the states after it."""
        with self._transaction() as connection:
            before = self._epoch_states(connection)
            after = change(before)
            if after != before:
                connection.execute(
                    "INSERT OR REPLACE INTO meta VALUES (?, ?)", (_EPOCHS, after.encode())
                )
        return after

    @staticmethod
    def _epoch_states(connection: sqlite3.Connection) -> EpochStates:
        row = connection.execute("SELECT value FROM meta WHERE key = ?", (_EPOCHS,)).fetchone()
        return decode(bytes(row[0]) if row else None)

    def open_requests(self, epoch_id: int) -> int:
        """Number of accepted requests of an epoch without an answer."""
        with self._lock:
            row = self._connection.execute(
                "SELECT count(*) FROM request WHERE state = ? AND epoch = ?", (ACCEPTED, epoch_id)
            )
            return int(row.fetchone()[0])

    def entries(self, epoch_id: int) -> list[tuple[RequestId, bytes, bool]]:
        """All requests of an epoch that were ever accepted: entry, and whether it is open still."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, entry, state FROM request WHERE epoch = ?", (epoch_id,)
            ).fetchall()
        return [(RequestId(bytes(row[0])), bytes(row[1]), row[2] == ACCEPTED) for row in rows]

    def epochs(self) -> list[bytes]:
        """All proven epoch records by rising id."""
        with self._lock:
            rows = self._connection.execute("SELECT record FROM epoch ORDER BY id").fetchall()
        return [bytes(row[0]) for row in rows]

    def accept(self, record: Record) -> core_pb2.WorkState:
        """Accept once; the same again adds blobs that were missing and returns the state.

        Raises
        ------
        Refused
            CONFLICT when the id was accepted with another entry.
        """
        key = record.request_id.value
        with self._transaction() as connection:
            row = connection.execute("SELECT state, entry FROM request WHERE id = ?", (key,))
            found = row.fetchone()
            if found and bytes(found[1]) != record.entry:
                raise Refused(Refusal.CONFLICT, "the id was accepted with another entry")
            state = found[0] if found else ACCEPTED
            if not found:
                connection.execute(
                    "INSERT INTO request VALUES (?, ?, ?, ?, ?, ?, ?, NULL)",
                    (
                        key,
                        record.sequence,
                        ACCEPTED,
                        record.deadline_height,
                        record.epoch_id,
                        record.entry,
                        record.parameters,
                    ),
                )
            if state == ACCEPTED:
                blobs = [(key, digest, data) for digest, data in record.blobs]
                connection.executemany("INSERT OR IGNORE INTO blob VALUES (?, ?, ?)", blobs)
        return cast("core_pb2.WorkState", state)

    def state(self, request_id: RequestId) -> core_pb2.WorkState:
        """State of a request; UNSPECIFIED when it was never accepted."""
        with self._lock:
            row = self._connection.execute(
                "SELECT state FROM request WHERE id = ?", (request_id.value,)
            )
            found = row.fetchone()
        state = found[0] if found else core_pb2.WORK_STATE_UNSPECIFIED
        return cast("core_pb2.WorkState", state)

    def unanswered(self) -> list[Record]:
        """Accepted requests without a result, oldest first, with the blobs that are here."""
        columns = "id, sequence, deadline, epoch, entry, parameters"
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {columns} FROM request WHERE state = ? ORDER BY sequence",  # noqa: S608 - constant
                (ACCEPTED,),
            ).fetchall()
            return [
                Record(
                    RequestId(bytes(row[0])),
                    row[1],
                    Height(row[2]),
                    row[3],
                    bytes(row[4]),
                    row[5],
                    self._blobs(row[0]),
                )
                for row in rows
            ]

    def _blobs(self, key: bytes) -> tuple[tuple[bytes, bytes], ...]:
        rows = self._connection.execute("SELECT digest, data FROM blob WHERE request = ?", (key,))
        return tuple((bytes(digest), bytes(data)) for digest, data in rows.fetchall())

    def save_message(self, request_id: RequestId, message: bytes) -> None:
        """Keep what we sent, so that a peer that lost it can have it again after our restart."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE request SET message = ? WHERE id = ?", (message, request_id.value)
            )

    def message(self, request_id: RequestId) -> bytes | None:
        """What we sent to all peers for this request."""
        with self._lock:
            row = self._connection.execute(
                "SELECT message FROM request WHERE id = ?", (request_id.value,)
            )
            found = row.fetchone()
        return bytes(found[0]) if found and found[0] is not None else None

    def finish(self, request_id: RequestId, result: core_pb2.Result) -> bool:
        """Record the answer and close the request in one step; False when it was closed before."""
        key = request_id.value
        state = FAILED if result.WhichOneof("answer") == "failure" else DONE
        with self._transaction() as connection:
            row = connection.execute(
                "UPDATE request SET state = ? WHERE id = ? AND state = ?", (state, key, ACCEPTED)
            )
            if row.rowcount != 1:
                return False
            connection.execute(
                "INSERT INTO result (request, kind, body) VALUES (?, 'answer', ?)",
                (key, result.SerializeToString(deterministic=True)),
            )
            connection.execute("DELETE FROM blob WHERE request = ?", (key,))
        return True

    def accuse(self, request_id: RequestId, accused: int, result: core_pb2.Result) -> bool:
        """Record an accusation; False when the same party was accused before."""
        with self._transaction() as connection:
            row = connection.execute(
                "INSERT OR IGNORE INTO result (request, kind, body) VALUES (?, ?, ?)",
                (
                    request_id.value,
                    f"accuse/{accused}",
                    result.SerializeToString(deterministic=True),
                ),
            )
        return row.rowcount == 1

    def expire(self, request_id: RequestId) -> bool:
        """Close a request without a result; False when it was closed before."""
        with self._transaction() as connection:
            row = connection.execute(
                "UPDATE request SET state = ? WHERE id = ? AND state = ?",
                (EXPIRED, request_id.value, ACCEPTED),
            )
            connection.execute("DELETE FROM blob WHERE request = ?", (request_id.value,))
        return row.rowcount == 1

    def results_after(self, cursor: int, limit: int = 256) -> list[core_pb2.Result]:
        """Results with larger cursors, in order."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT cursor, body FROM result WHERE cursor > ? ORDER BY cursor LIMIT ?",
                (cursor, limit),
            ).fetchall()
        results = []
        for number, body in rows:
            result = core_pb2.Result.FromString(bytes(body))
            result.cursor = number
            results.append(result)
        return results

    def last_cursor(self) -> int:
        """Cursor of the newest result, 0 before the first."""
        with self._lock:
            row = self._connection.execute("SELECT coalesce(max(cursor), 0) FROM result")
            return int(row.fetchone()[0])

    def counts(self) -> tuple[int, int]:
        """Number of requests ever accepted, and of those with an answer."""
        with self._lock:
            row = self._connection.execute(
                "SELECT count(*), count(*) FILTER (WHERE state IN (?, ?)) FROM request",
                (DONE, FAILED),
            )
            accepted, answered = row.fetchone()
        return accepted, answered
