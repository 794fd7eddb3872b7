"""What the stand-in keeps: ciphertexts as files, facts about them in SQLite. A restart loses nothing."""

from __future__ import annotations

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wire.ids import HandleId, KeyId

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS value (
    handle BLOB PRIMARY KEY,
    fhe_type INTEGER NOT NULL,
    key_id BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS prepared (
    handle BLOB NOT NULL,
    format INTEGER NOT NULL,
    digest BLOB NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (handle, format)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class StoredValue:
    """An ordinary ciphertext (format 1) that the shelf holds."""

    handle: HandleId
    fhe_type: int
    key_id: KeyId


@dataclass(frozen=True, slots=True)
class Prepared:
    """Squashed form of a value, as it is registered on the chain."""

    handle: HandleId
    format: int
    digest: bytes
    size: int


class Shelf:
    """Ciphertexts by handle; squashed forms and public material by digest."""

    def __init__(self, database: Path, folder: Path) -> None:
        """Open or create both."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the database."""
        self._connection.close()

    def put(self, value: StoredValue, ciphertext: bytes) -> None:
        """Keep a ciphertext; the file is complete before its row exists."""
        self.write(value.handle.value.hex(), ciphertext)
        self._connection.execute(
            "INSERT OR IGNORE INTO value VALUES (?, ?, ?)",
            (bytes(value.handle), value.fhe_type, bytes(value.key_id)),
        )

    def find(self, handle: HandleId) -> StoredValue | None:
        """Facts about a handle."""
        row = self._connection.execute(
            "SELECT fhe_type, key_id FROM value WHERE handle = ?", (bytes(handle),)
        ).fetchone()
        return None if row is None else StoredValue(handle, row[0], KeyId(row[1]))

    def ciphertext(self, handle: HandleId) -> bytes:
        """Bytes of a value that `find` found."""
        return (self._folder / handle.value.hex()).read_bytes()

    def keep_prepared(self, prepared: Prepared, squashed: bytes) -> None:
        """Keep a squashed form: a handle must name the same bytes for ever."""
        self.write(prepared.digest.hex(), squashed)
        self._connection.execute(
            "INSERT OR IGNORE INTO prepared VALUES (?, ?, ?, ?)",
            (bytes(prepared.handle), prepared.format, prepared.digest, prepared.size),
        )

    def prepared(self, handle: HandleId, ciphertext_format: int) -> Prepared | None:
        """Squashed form made before."""
        row = self._connection.execute(
            "SELECT digest, size FROM prepared WHERE handle = ? AND format = ?",
            (bytes(handle), ciphertext_format),
        ).fetchone()
        return None if row is None else Prepared(handle, ciphertext_format, row[0], row[1])

    def read(self, name: str) -> bytes | None:
        """A file by name, None without it."""
        path = self._folder / name
        return path.read_bytes() if path.exists() else None

    def write(self, name: str, data: bytes) -> None:
        """A file that is complete and on disk when this returns."""
        path = self._folder / name
        temporary = path.with_suffix(".part")
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)

    def count(self) -> int:
        """Number of values."""
        return int(self._connection.execute("SELECT count(*) FROM value").fetchone()[0])
