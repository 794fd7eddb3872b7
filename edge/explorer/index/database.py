"""The index's one SQLite file: schema, versions, connections.

Writing is one transaction a block, the cursor among it; reading happens over other connections, which see whole
blocks only (WAL). The file holds nothing that the chain does not: it may be deleted at any time.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

FORMAT: Final = 1
_BUSY_MS: Final = 5_000
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE blocks (
  height INTEGER PRIMARY KEY, hash BLOB NOT NULL, time_ms INTEGER NOT NULL, interval_ms INTEGER NOT NULL,
  proposer BLOB NOT NULL, app_hash BLOB NOT NULL, previous_hash BLOB NOT NULL, validators_hash BLOB NOT NULL,
  previous_round INTEGER NOT NULL, previous_absent TEXT NOT NULL, transactions INTEGER NOT NULL,
  opened INTEGER NOT NULL, decided INTEGER NOT NULL, size INTEGER NOT NULL, gas_used INTEGER NOT NULL,
  events BLOB NOT NULL);
CREATE UNIQUE INDEX blocks_hash ON blocks (hash);
CREATE INDEX blocks_time ON blocks (time_ms);
CREATE TABLE transactions (
  hash BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL, time_ms INTEGER NOT NULL,
  sender BLOB NOT NULL, kinds TEXT NOT NULL, code INTEGER NOT NULL, max_fee INTEGER NOT NULL,
  gas_used INTEGER NOT NULL, size INTEGER NOT NULL, log TEXT NOT NULL, events BLOB NOT NULL, raw BLOB NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX transactions_place ON transactions (height, position);
CREATE INDEX transactions_sender ON transactions (sender, height, position);
CREATE INDEX transactions_refused ON transactions (height, position) WHERE code != 0;
CREATE TABLE transaction_kinds (
  kind TEXT NOT NULL, height INTEGER NOT NULL, position INTEGER NOT NULL, refused INTEGER NOT NULL,
  PRIMARY KEY (kind, height, position)) WITHOUT ROWID;
CREATE INDEX transaction_kinds_refused ON transaction_kinds (kind, refused, height, position);
CREATE TABLE requests (
  sequence INTEGER PRIMARY KEY, id BLOB NOT NULL, kind INTEGER NOT NULL, status INTEGER NOT NULL,
  application TEXT NOT NULL, key_id BLOB NOT NULL, requester BLOB NOT NULL, opened_height INTEGER NOT NULL,
  opened_ms INTEGER NOT NULL, decided_height INTEGER, decided_ms INTEGER, closed_height INTEGER,
  price INTEGER NOT NULL, answers INTEGER NOT NULL, needed INTEGER NOT NULL, parties INTEGER NOT NULL,
  epoch_id INTEGER NOT NULL, transaction_hash BLOB NOT NULL, view BLOB NOT NULL);
CREATE UNIQUE INDEX requests_id ON requests (id);
CREATE INDEX requests_status ON requests (status, sequence);
CREATE INDEX requests_kind ON requests (kind, sequence);
CREATE INDEX requests_kind_status ON requests (kind, status, sequence);
CREATE INDEX requests_application ON requests (application, sequence);
CREATE INDEX requests_application_status ON requests (application, status, sequence);
CREATE INDEX requests_key ON requests (key_id, sequence);
CREATE INDEX requests_requester ON requests (requester, sequence);
CREATE TABLE answers (
  request INTEGER NOT NULL, party INTEGER NOT NULL, epoch_id INTEGER NOT NULL, height INTEGER NOT NULL,
  lag_ms INTEGER, failed INTEGER NOT NULL, agreed INTEGER NOT NULL,
  PRIMARY KEY (request, party)) WITHOUT ROWID;
CREATE INDEX answers_party ON answers (epoch_id, party, request);
CREATE TABLE party_counts (
  epoch_id INTEGER NOT NULL, party INTEGER NOT NULL, answered INTEGER NOT NULL, agreed INTEGER NOT NULL,
  failed INTEGER NOT NULL, last_height INTEGER NOT NULL, PRIMARY KEY (epoch_id, party)) WITHOUT ROWID;
CREATE TABLE epoch_counts (epoch_id INTEGER PRIMARY KEY, requests INTEGER NOT NULL);
CREATE TABLE slots (
  step_s INTEGER NOT NULL, slot INTEGER NOT NULL, blocks INTEGER NOT NULL, interval_ms INTEGER NOT NULL,
  longest_ms INTEGER NOT NULL, transactions INTEGER NOT NULL, PRIMARY KEY (step_s, slot)) WITHOUT ROWID;
CREATE TABLE slot_kinds (
  step_s INTEGER NOT NULL, slot INTEGER NOT NULL, kind INTEGER NOT NULL, requests INTEGER NOT NULL,
  PRIMARY KEY (step_s, slot, kind)) WITHOUT ROWID;
CREATE TABLE slot_latencies (
  step_s INTEGER NOT NULL, slot INTEGER NOT NULL, bucket INTEGER NOT NULL, requests INTEGER NOT NULL,
  PRIMARY KEY (step_s, slot, bucket)) WITHOUT ROWID;
CREATE TABLE accusations (
  request INTEGER NOT NULL, epoch_id INTEGER NOT NULL, accused INTEGER NOT NULL,
  PRIMARY KEY (request, accused)) WITHOUT ROWID;
CREATE TABLE steps (
  request BLOB NOT NULL, height INTEGER NOT NULL, place INTEGER NOT NULL, name TEXT NOT NULL,
  detail TEXT NOT NULL, transaction_hash BLOB NOT NULL,
  PRIMARY KEY (request, height, place)) WITHOUT ROWID;
CREATE TABLE progress (
  request BLOB NOT NULL, party INTEGER NOT NULL, phase TEXT NOT NULL, done INTEGER NOT NULL,
  total INTEGER NOT NULL, height INTEGER NOT NULL, PRIMARY KEY (request, party)) WITHOUT ROWID;
CREATE TABLE materials (
  id BLOB PRIMARY KEY, kind TEXT NOT NULL, height INTEGER NOT NULL, view BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE material_history (
  id BLOB NOT NULL, height INTEGER NOT NULL, status INTEGER NOT NULL, epoch_id INTEGER NOT NULL,
  PRIMARY KEY (id, height)) WITHOUT ROWID;
CREATE TABLE applications (
  id TEXT PRIMARY KEY, height INTEGER NOT NULL, view BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE handles (
  handle BLOB NOT NULL, application TEXT NOT NULL, ciphertext BLOB NOT NULL, public INTEGER NOT NULL,
  granted TEXT NOT NULL, height INTEGER NOT NULL, place INTEGER NOT NULL, transaction_hash BLOB NOT NULL,
  PRIMARY KEY (handle, application)) WITHOUT ROWID;
CREATE INDEX handles_application ON handles (application, height, place);
CREATE TABLE request_handles (
  handle BLOB NOT NULL, request INTEGER NOT NULL, PRIMARY KEY (handle, request)) WITHOUT ROWID;
CREATE TABLE audit (
  sequence INTEGER PRIMARY KEY, request BLOB NOT NULL, application TEXT NOT NULL, requester BLOB NOT NULL,
  record BLOB NOT NULL);
CREATE INDEX audit_request ON audit (request);
CREATE INDEX audit_application ON audit (application, sequence);
CREATE INDEX audit_requester ON audit (requester, sequence);
CREATE TABLE evidence (
  sequence INTEGER PRIMARY KEY, request BLOB NOT NULL, epoch_id INTEGER NOT NULL, party INTEGER NOT NULL,
  record BLOB NOT NULL);
CREATE TABLE epochs (id INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE config_history (sequence INTEGER PRIMARY KEY, record BLOB NOT NULL);
CREATE TABLE validator_sets (height INTEGER PRIMARY KEY, members TEXT NOT NULL);
"""


class IndexUnusable(Exception):  # noqa: N818 - named as what it is
    """The file is of another form or another chain: `tkms explorer rebuild` makes it anew."""


def create(path: Path) -> sqlite3.Connection:
    """Connection that writes; the schema is made where there is none.

    Raises:
        IndexUnusable: the file is not an index of this version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        _version(connection)
        connection.execute("PRAGMA journal_mode=WAL")
        # What a crash of the machine may lose is read from the chain again.
        connection.execute("PRAGMA synchronous=NORMAL")
        if _version(connection) == 0:
            connection.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={FORMAT};COMMIT;")
        _require_format(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def open_reading(path: Path) -> sqlite3.Connection:
    """Connection that only reads; use it in one thread at a time.

    Raises:
        IndexUnusable: there is no index.
    """
    try:
        connection = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.OperationalError as error:
        raise IndexUnusable(f"{path} is not an index: {error}") from error
    try:
        connection.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
        connection.execute("PRAGMA query_only=1")
        _require_format(connection, path)
    except BaseException:
        connection.close()
        raise
    connection.row_factory = sqlite3.Row
    return connection


def _version(connection: sqlite3.Connection) -> int:
    try:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise IndexUnusable(f"not an index: {error}") from error


def _require_format(connection: sqlite3.Connection, path: Path) -> None:
    version = _version(connection)
    if version != FORMAT:
        raise IndexUnusable(f"{path} has format {version}, this version reads {FORMAT}")


def remove(path: Path) -> None:
    """Delete the index with what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
