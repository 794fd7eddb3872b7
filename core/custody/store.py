"""The backup folder: sealed objects under the hash of their bytes, and a manifest that names them.

Layout
    <root>/current                  which backup counts; a new one is complete before it does
    <root>/<id>/context.json        the signed context
    <root>/<id>/manifest.json       name -> object and tag, authenticated; replaced as a whole
    <root>/<id>/objects/<sha256>    one secret, sealed to the backup's key
    <root>/<id>/rehearsed.json      when recovery was last rehearsed, and with whom

Order of every change: objects, manifest, then objects that nothing names any more are deleted. After a
crash at any point the manifest is the old one or the new one and all its objects are there.
"""

import fcntl
import hashlib
import hmac
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.custody.errors import BackupError
from core.vault import make_private_folder, write_private
from wire.json_text import parse_json

_MANIFEST, _CONTEXT, _REHEARSED, _OBJECTS, _LOCK = (
    "manifest.json",
    "context.json",
    "rehearsed.json",
    "objects",
    "lock",
)
_CURRENT = "current"
_MANIFEST_PURPOSE = b"tkms/custody/manifest/v1/"
_TAG_PURPOSE = b"tkms/custody/tag/v1/"


@dataclass(frozen=True, slots=True)
class Entry:
    """One secret of a backup."""

    # SHA-256 of the sealed bytes, which is also the name of their file.
    object_hash: bytes
    # Keyed hash of name and secret: tells whether the vault's secret is the one in the backup.
    tag: bytes


class Backups:
    """All backups of a folder: one that counts, and perhaps one that was just made or is outdated."""

    __slots__ = ("_root",)

    def __init__(self, root: Path) -> None:
        """Use a folder that may not exist yet."""
        self._root = root

    def of(self, backup_id: bytes) -> "Store":
        """The backup of an id, which may not exist yet."""
        return Store(self._root / backup_id.hex())

    def current(self) -> "Store":
        """The backup that counts.

        Raises
        ------
        BackupError
            There is none.
        """
        try:
            backup_id = bytes.fromhex((self._root / _CURRENT).read_text().strip())
        except (OSError, ValueError) as error:
            raise BackupError(f"{self._root}: no backup was created here") from error
        return self.of(backup_id)

    def select(self, backup_id: bytes) -> None:
        """Let a complete backup count from now on; all others are deleted."""
        write_private(self._root / _CURRENT, backup_id.hex().encode() + b"\n")
        for path in self._root.iterdir():
            if path.is_dir() and path.name != backup_id.hex():
                shutil.rmtree(path)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time: a core and a command may want to write."""
        make_private_folder(self._root)
        descriptor = os.open(self._root / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


class Store:
    """One backup; secrets are sealed before they come here."""

    __slots__ = ("_root",)

    def __init__(self, root: Path) -> None:
        """Use a folder that may not exist yet."""
        self._root = root

    def context(self) -> bytes:
        """The context's file.

        Raises
        ------
        BackupError
            There is none.
        """
        return self._read(_CONTEXT)

    def begin(self, context: bytes) -> None:
        """Start a backup with its context."""
        make_private_folder(self._root / _OBJECTS)
        write_private(self._root / _CONTEXT, context)

    def entries(self, authentication: bytes, backup_id: bytes) -> dict[str, Entry]:
        """What the manifest names; empty before the first write.

        Raises
        ------
        BackupError
            It is damaged, was altered, or belongs to another backup.
        """
        if not (self._root / _MANIFEST).exists():
            return {}
        try:
            record = parse_json(self._read(_MANIFEST))
            body, found = record["body"], bytes.fromhex(record["tag"])
            entries = {
                name: Entry(bytes.fromhex(entry[0]), bytes.fromhex(entry[1]))
                for name, entry in body.items()
            }
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupError("the manifest is damaged") from error
        expected = _manifest_tag(authentication, backup_id, entries)
        if not hmac.compare_digest(found, expected):
            raise BackupError("the manifest was altered or is of another backup")
        return entries

    def write(
        self,
        authentication: bytes,
        backup_id: bytes,
        entries: Mapping[str, Entry],
        objects: Mapping[bytes, bytes],
    ) -> None:
        """Add objects, name what counts from now on, and drop the rest."""
        for object_hash, sealed in objects.items():
            path = self._object(object_hash)
            if not path.exists():
                write_private(path, sealed)
        body = {name: _pair(entry) for name, entry in sorted(entries.items())}
        tag = _manifest_tag(authentication, backup_id, entries)
        text = json.dumps({"body": body, "tag": tag.hex()}, sort_keys=True, indent=1)
        write_private(self._root / _MANIFEST, text.encode() + b"\n")
        named = {entry.object_hash.hex() for entry in entries.values()}
        for path in (self._root / _OBJECTS).iterdir():
            if path.name not in named:
                path.unlink(missing_ok=True)

    def sealed(self, entry: Entry) -> bytes:
        """Bytes of an object.

        Raises
        ------
        BackupError
            It is missing or damaged.
        """
        try:
            data = self._object(entry.object_hash).read_bytes()
        except OSError as error:
            raise BackupError(f"object {entry.object_hash.hex()} is missing") from error
        if hashlib.sha256(data).digest() != entry.object_hash:
            raise BackupError(f"object {entry.object_hash.hex()} is damaged")
        return data

    def rehearsed(self) -> dict[str, object]:
        """Facts of the last rehearsal; empty when there was none of this backup."""
        try:
            found = parse_json((self._root / _REHEARSED).read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def note_rehearsal(self, facts: Mapping[str, object]) -> None:
        """Remember that recovery was rehearsed."""
        write_private(self._root / _REHEARSED, json.dumps(dict(facts)).encode() + b"\n")

    def _object(self, object_hash: bytes) -> Path:
        return self._root / _OBJECTS / object_hash.hex()

    def _read(self, name: str) -> bytes:
        try:
            return (self._root / name).read_bytes()
        except OSError as error:
            raise BackupError(f"{self._root / name}: not readable") from error


def secret_tag(authentication: bytes, name: str, secret: bytes) -> bytes:
    """Keyed hash of a secret under its name."""
    return hmac.digest(authentication, _TAG_PURPOSE + name.encode() + b"\0" + secret, "sha256")


def _manifest_tag(authentication: bytes, backup_id: bytes, entries: Mapping[str, Entry]) -> bytes:
    body = json.dumps({name: _pair(entry) for name, entry in entries.items()}, sort_keys=True)
    return hmac.digest(authentication, _MANIFEST_PURPOSE + backup_id + body.encode(), "sha256")


def _pair(entry: Entry) -> list[str]:
    return [entry.object_hash.hex(), entry.tag.hex()]
