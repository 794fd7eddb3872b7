"""Tables of the relay's database."""

from __future__ import annotations

from typing import Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS place (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS submission (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id BLOB NOT NULL UNIQUE,
    hash BLOB NOT NULL UNIQUE,
    raw BLOB NOT NULL,
    payer BLOB NOT NULL,
    nonce BLOB NOT NULL,
    content BLOB NOT NULL,
    kind INTEGER NOT NULL,
    client TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    max_fee INTEGER NOT NULL,
    accepted_at REAL NOT NULL,
    state INTEGER NOT NULL,
    included_height INTEGER NOT NULL,
    refusal_code INTEGER NOT NULL,
    refusal_detail TEXT NOT NULL,
    UNIQUE (nonce, payer)
);
CREATE INDEX IF NOT EXISTS submission_open ON submission (expires_at) WHERE state = 1;
CREATE INDEX IF NOT EXISTS submission_undecided ON submission (client, state) WHERE state IN (1, 2);
CREATE INDEX IF NOT EXISTS submission_client ON submission (client, number);
CREATE TABLE IF NOT EXISTS request (
    request_id BLOB PRIMARY KEY,
    state INTEGER NOT NULL,
    height INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    height INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    state INTEGER NOT NULL,
    party INTEGER NOT NULL,
    failure INTEGER NOT NULL,
    refusal_code INTEGER NOT NULL,
    refusal_detail TEXT NOT NULL,
    client TEXT NOT NULL,
    PRIMARY KEY (height, sequence)
) WITHOUT ROWID;
"""
