"""What a relay must not forget, in one SQLite file; each writing method is one transaction.

Life of a submission: accepted -> pending -> fulfilled | failed | expired, or accepted -> rejected | lapsed.
synchronous=FULL: what a method returned from is on disk. One thread writes; readers have connections of
their own and never wait for it (WAL).
"""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from client.settings import SettingsError
from connector.relay.records import FINAL, LOCAL_SEQUENCE, Event, Place, Submission
from connector.relay.schema import SCHEMA
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

_COLUMNS: Final = (
    "request_id, hash, raw, payer, nonce, content, kind, client, expires_at, max_fee, accepted_at,"
    " state, included_height, refusal_code, refusal_detail"
)
_EVENT_COLUMNS: Final = (
    "height, sequence, kind, request_id, state, party, failure, refusal_code, refusal_detail"
)
_ACCEPTED: Final = pb.REQUEST_STATE_ACCEPTED
# Clients take four megabytes where they do not say otherwise.
_PAGE_BYTES: Final = 2 * 2**20
# Events that lead to another state.
_TURNS: Final = frozenset(
    {pb.EVENT_KIND_OPENED, pb.EVENT_KIND_DECIDED, pb.EVENT_KIND_REJECTED, pb.EVENT_KIND_LAPSED}
)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a submission that was to be kept."""

    submission: Submission
    # It was there before, and is shown as it was.
    duplicate: bool = False
    # The nonce names other content.
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """Which submissions a list has."""

    client: str
    states: Sequence[int] = ()
    kinds: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list."""

    submissions: Sequence[Submission]
    # Number to continue below; 0 at the end.
    position: int


class Database:
    """The relay's memory. One process opens the file at a time."""

    def __init__(self, path: Path) -> None:
        """Open or create.

        Raises:
            SettingsError: another process has it.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = path.with_suffix(".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise SettingsError(f"{path} is in use by another process") from error
        self._writer = _connect(path)
        self._writer.executescript(SCHEMA)
        self._reader = _connect(path)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
        self._writer.close()
        self._lock.close()

    # --- reading, by the event loop

    def place(self, name: str) -> int | None:
        """A durable position; None before the first."""
        row = self._reader.execute("SELECT value FROM place WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def submission(self, request_id: bytes) -> Submission | None:
        """Submission by its request."""
        return _one(self._reader, "request_id = ?", request_id)

    def submission_of_nonce(self, nonce: bytes, payers: Sequence[bytes]) -> Submission | None:
        """Submission under a nonce of one of these payers."""
        return _of_nonce(self._reader, nonce, payers)

    def submissions(self, wanted: Filter, before: int, limit: int) -> Page:
        """Submissions, newest first, with numbers below `before` where it is not 0."""
        where, values = ["client = ?"], [wanted.client]
        conditions: list[Any] = [*values]
        if before:
            where.append("number < ?")
            conditions.append(before)
        for column, members in (("state", wanted.states), ("kind", wanted.kinds)):
            if members:
                where.append(f"{column} IN ({', '.join('?' * len(members))})")
                conditions.extend(members)
        rows = self._reader.execute(
            f"SELECT number, {_COLUMNS} FROM submission WHERE {' AND '.join(where)}"  # noqa: S608 - fixed names
            " ORDER BY number DESC LIMIT ?",
            (*conditions, limit + 1),
        )
        page: list[Submission] = []
        number = size = 0
        for row in rows:
            if len(page) == limit or size > _PAGE_BYTES:
                rows.close()
                return Page(page, number)
            number = int(row[0])
            page.append(Submission(*row[1:]))
            size += len(page[-1].raw)
        return Page(page, 0)

    def open_submissions(self) -> list[Submission]:
        """All that are on their way, oldest first."""
        rows = self._reader.execute(
            f"SELECT {_COLUMNS} FROM submission WHERE state = {_ACCEPTED} ORDER BY number"  # noqa: S608 - fixed names
        )
        return [Submission(*row) for row in rows]

    def undecided(self) -> dict[str, int]:
        """Submissions that are not decided, by client."""
        rows = self._reader.execute(
            "SELECT client, count(*) FROM submission WHERE state IN (1, 2) GROUP BY client"
        )
        return {str(client): int(count) for client, count in rows}

    def units_since(self, moment: float) -> dict[str, int]:
        """Units that clients' submissions may have taken since a moment."""
        # In halves: the bounds that callers choose add up to more than SQLite's sum can hold.
        rows = self._reader.execute(
            "SELECT client, sum(max_fee >> 32), sum(max_fee & 0xffffffff) FROM submission"
            " WHERE accepted_at >= ? GROUP BY client",
            (moment,),
        )
        return {str(client): (int(high) << 32) + int(low) for client, high, low in rows}

    def states_of(self, request_ids: Iterable[bytes]) -> dict[bytes, int]:
        """States of those requests that are followed here."""
        found = {}
        for request_id in request_ids:
            row = self._reader.execute(
                "SELECT state FROM request WHERE request_id = ?", (request_id,)
            ).fetchone()
            if row is not None:
                found[request_id] = int(row[0])
        return found

    def events(self, after: Place, limit: int, client: str) -> list[Event]:
        """Events after a place that a client may see, in order: its own, and those of nobody here."""
        rows = self._reader.execute(
            f"SELECT {_EVENT_COLUMNS} FROM event WHERE (height, sequence) > (?, ?)"  # noqa: S608 - fixed names
            " AND client IN (?, '') ORDER BY height, sequence LIMIT ?",
            (after.height, after.sequence, client, limit),
        )
        return [Event(Place(row[0], row[1]), *row[2:]) for row in rows]

    def counts(self) -> dict[str, int]:
        """Submissions by state, for gauges."""
        rows = self._reader.execute("SELECT state, count(*) FROM submission GROUP BY state")
        return {pb.RequestState.Name(state): count for state, count in rows}

    # --- writing, by the one thread that writes

    def keep(self, submissions: Sequence[tuple[Submission, Sequence[bytes]]]) -> list[Stored]:
        """Keep many submissions in one transaction; each comes with the payers among which its nonce counts."""
        with self._transaction() as connection:
            return [_keep(connection, item, payers) for item, payers in submissions]

    def reopen(self, request_id: bytes) -> None:
        """A refused submission is tried again."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE submission SET state = ?, refusal_code = 0, refusal_detail = ''"
                " WHERE request_id = ? AND state = ?",
                (_ACCEPTED, request_id, pb.REQUEST_STATE_REJECTED),
            )

    def reject(self, refusals: Sequence[tuple[bytes, int, str]], height: int) -> int:
        """Mark transactions as refused by CheckTx; says how many events that made."""
        with self._transaction() as connection:
            made = [
                item
                for item in (_refuse(connection, *refused) for refused in refusals)
                if item is not None
            ]
            _add_local(connection, height, made)
        return len(made)

    def add_block(self, height: int, events: Sequence[Event]) -> None:
        """Everything that a height brought, and the position behind it; both or neither."""
        with self._transaction() as connection:
            for event in events:
                _apply(connection, event)
            lapsed = connection.execute(
                f"UPDATE submission SET state = {pb.REQUEST_STATE_LAPSED}"  # noqa: S608 - a number
                " WHERE state = 1 AND expires_at <= ? RETURNING request_id, client",
                (height,),
            ).fetchall()
            made = [
                (pb.EVENT_KIND_LAPSED, identity, pb.REQUEST_STATE_LAPSED, 0, "", client)
                for identity, client in sorted(lapsed)
            ]
            _add_local(connection, height, made)
            _set_place(connection, "height", height)

    def begin_at(self, height: int) -> None:
        """The stream begins after a height: at first, and after a gap that the node does not have any more."""
        with self._transaction() as connection:
            _set_place(connection, "height", height)
            _set_place(connection, "oldest", height)

    def found(self, request_id: bytes, state: pb.RequestState, height: int) -> None:
        """A submission whose block was not read: what the state says of it."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE submission SET state = ?, included_height = ? WHERE request_id = ?"
                " AND included_height = 0",
                (state, height, request_id),
            )
            connection.execute(
                "INSERT OR IGNORE INTO request VALUES (?, ?, ?)", (request_id, state, height)
            )

    def prune(self, height: int, before: float) -> int:
        """Forget events up to a height, and final submissions from before a moment."""
        with self._transaction() as connection:
            gone = connection.execute("DELETE FROM event WHERE height <= ?", (height,)).rowcount
            finals = ", ".join(str(state) for state in sorted(FINAL))
            connection.execute(
                f"DELETE FROM submission WHERE accepted_at < ? AND state IN ({finals})",  # noqa: S608 - numbers
                (before,),
            )
            connection.execute(
                f"DELETE FROM request WHERE height <= ? AND state IN ({finals})",  # noqa: S608 - numbers
                (height,),
            )
            _set_place(connection, "oldest", height)
        return gone

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._writer.execute("BEGIN IMMEDIATE")
        try:
            yield self._writer
        except BaseException:
            self._writer.execute("ROLLBACK")
            raise
        self._writer.execute("COMMIT")


_Local = tuple[int, bytes, int, int, str, str]


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    return connection


def _one(connection: sqlite3.Connection, where: str, *values: object) -> Submission | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM submission WHERE {where}",  # noqa: S608 - fixed names
        values,
    ).fetchone()
    return None if row is None else Submission(*row)


def _of_nonce(
    connection: sqlite3.Connection, nonce: bytes, payers: Sequence[bytes]
) -> Submission | None:
    marks = ", ".join("?" * len(payers))
    return _one(connection, f"nonce = ? AND payer IN ({marks}) LIMIT 1", nonce, *payers)


def _keep(connection: sqlite3.Connection, item: Submission, payers: Sequence[bytes]) -> Stored:
    known = _of_nonce(connection, item.nonce, payers)
    if known is not None:
        same = known.content == item.content
        return Stored(known, duplicate=same, conflict=not same)
    marks = ", ".join("?" * len(_COLUMNS.split(",")))
    connection.execute(
        f"INSERT INTO submission ({_COLUMNS}) VALUES ({marks})",  # noqa: S608 - fixed names
        (
            item.request_id,
            item.hash,
            item.raw,
            item.payer,
            item.nonce,
            item.content,
            item.kind,
            item.client,
            item.expires_at,
            item.max_fee,
            item.accepted_at,
            item.state,
            item.included_height,
            item.refusal_code,
            item.refusal_detail,
        ),
    )
    return Stored(item)


def _refuse(connection: sqlite3.Connection, digest: bytes, code: int, detail: str) -> _Local | None:
    """Mark a submission as refused; None where it has got further."""
    row = connection.execute(
        "UPDATE submission SET state = ?, refusal_code = ?, refusal_detail = ?"
        " WHERE hash = ? AND state = ? RETURNING request_id, client",
        (pb.REQUEST_STATE_REJECTED, code, detail, digest, _ACCEPTED),
    ).fetchone()
    if row is None:
        return None
    return (pb.EVENT_KIND_REJECTED, row[0], pb.REQUEST_STATE_REJECTED, code, detail, row[1])


def _add_local(connection: sqlite3.Connection, height: int, made: Sequence[_Local]) -> None:
    """Events of this relay alone, after all others of the height."""
    row = connection.execute(
        "SELECT max(sequence) FROM event WHERE height = ? AND sequence >= ?",
        (height, LOCAL_SEQUENCE),
    ).fetchone()
    sequence = LOCAL_SEQUENCE if row[0] is None else int(row[0]) + 1
    for kind, request_id, state, code, detail, client in made:
        connection.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?, ?, 0, 0, ?, ?, ?)",
            (height, sequence, kind, request_id, state, code, detail, client),
        )
        sequence += 1


def _apply(connection: sqlite3.Connection, event: Event) -> None:
    """Write an event of the chain, and the state that it leads to."""
    row = connection.execute(
        "SELECT client FROM submission WHERE request_id = ?", (event.request_id,)
    ).fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            event.place.height,
            event.place.sequence,
            event.kind,
            event.request_id,
            event.state,
            event.party,
            event.failure,
            event.refusal_code,
            event.refusal_detail,
            "" if row is None else row[0],
        ),
    )
    if event.kind in _TURNS:
        connection.execute(
            "INSERT INTO request VALUES (?, ?, ?) ON CONFLICT (request_id) DO UPDATE SET"
            " state = excluded.state, height = excluded.height",
            (event.request_id, event.state, event.place.height),
        )
        connection.execute(
            "UPDATE submission SET state = ?, refusal_code = ?, refusal_detail = ?,"
            " included_height = iif(included_height, included_height, ?) WHERE request_id = ?",
            (
                event.state,
                event.refusal_code,
                event.refusal_detail,
                event.place.height,
                event.request_id,
            ),
        )


def _set_place(connection: sqlite3.Connection, name: str, value: int) -> None:
    # Never backwards.
    connection.execute(
        "INSERT INTO place VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
        (name, value),
    )
