"""Secrets at rest: one sealed file a secret, AES-256-GCM; key from a file, a passphrase or a service.

Layout
    <root>/vault.json      how the key is derived, salt, and a sealed check value; no secret
    <root>/<name>.sealed   magic, 12-byte nonce, ciphertext and tag; the name is authenticated
    <root>/<name>.clear    developer mode only: magic and the bytes themselves

Invariants
- Folders are 0700 and files 0600; a vault that others may read is refused.
- A file is written to a temporary name, synced, renamed, and its folder synced: after a crash the
  old or the new content is there, never a part.
- A key file is uniform (at least 32 bytes), so HKDF suffices; a passphrase goes through scrypt.
- The key of a released vault is on no disk: a service gives it to an attested core (core.isolation).
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import VaultError
from core.settings import Settings
from wire.json_text import parse_json

_HEADER = "vault.json"
_RELEASED = "released"
_VERSION = 1
_SEALED = b"tkms-vault/sealed/v1\n"
_CLEAR = b"tkms-vault/CLEAR-TEXT/v1\n"
_NAME = re.compile(r"[a-z0-9-]+(/[a-z0-9-]+)*")
_NONCE_BYTES = 12
_KEY_FILE_BYTES = 32
_PASSPHRASE_BYTES = 12
# RFC 7914 for interactive use today: 32 MiB and about 0.1 s.
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 2**20}
_PRIVATE = 0o077


Watcher = Callable[[str], None]


class Vault:
    """Named secrets of one core. Its repr shows the folder only."""

    __slots__ = ("_key", "_root", "_watcher")

    def __init__(self, root: Path, key: bytes | None) -> None:
        """Use `open_vault` or `create_vault`; a key of None means clear text."""
        self._root = root
        self._key = key
        self._watcher: Watcher | None = None

    def __repr__(self) -> str:
        """Name the folder."""
        return f"Vault({self._root}, {'CLEAR TEXT' if self.clear_text else 'sealed'})"

    @property
    def clear_text(self) -> bool:
        """Whether secrets lie here unprotected (developer mode)."""
        return self._key is None

    def put(self, name: str, secret: bytes) -> None:
        """Store durably; an existing secret of that name is replaced as a whole."""
        path = self._path(name)
        make_private_folder(path.parent)
        if self._key is None:
            write_private(path, _CLEAR + secret)
        else:
            nonce = secrets.token_bytes(_NONCE_BYTES)
            sealed = AESGCM(self._key).encrypt(nonce, secret, _SEALED + name.encode())
            write_private(path, _SEALED + nonce + sealed)
        self._tell(name)

    def get(self, name: str) -> bytes:
        """Read a secret.

        Raises
        ------
        VaultError
            When it is missing, altered, sealed under another key or name, or readable by others.
        """
        path = self._path(name)
        try:
            _require_private(path)
            data = path.read_bytes()
        except OSError as error:
            raise VaultError(f"{name}: no such secret") from error
        if self._key is None:
            if not data.startswith(_CLEAR):
                raise VaultError(f"{name}: not a clear text secret")
            return data[len(_CLEAR) :]
        if not data.startswith(_SEALED):
            raise VaultError(f"{name}: not a sealed secret")
        start = len(_SEALED) + _NONCE_BYTES
        nonce = data[len(_SEALED) : start]
        try:
            return AESGCM(self._key).decrypt(nonce, data[start:], _SEALED + name.encode())
        except (InvalidTag, ValueError) as error:
            raise VaultError(f"{name}: altered, or sealed under another key") from error

    def has(self, name: str) -> bool:
        """Whether a secret of that name is stored."""
        return self._path(name).exists()

    def names(self, prefix: str) -> list[str]:
        """Names below a folder such as `keys`, sorted."""
        suffix = self._suffix
        found = (self._root / prefix).glob(f"**/*{suffix}")
        return sorted(str(p.relative_to(self._root)).removesuffix(suffix) for p in found)

    def remove(self, name: str) -> None:
        """Delete a secret if it is there. Media may keep traces: the seal is what protects."""
        self._path(name).unlink(missing_ok=True)
        self._tell(name)

    def watch(self, watcher: Watcher) -> None:
        """Tell somebody the name of every secret that was put or removed, before the call returns."""
        self._watcher = watcher

    def _tell(self, name: str) -> None:
        if self._watcher is not None:
            self._watcher(name)

    @property
    def _suffix(self) -> str:
        return ".clear" if self._key is None else ".sealed"

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise VaultError("a secret's name has lower-case letters, digits, - and /")
        return self._root / f"{name}{self._suffix}"


class DataKeySource(Protocol):
    """A service that keeps data keys for those who can prove what they are."""

    def create(self) -> tuple[bytes, bytes]:
        """A new data key: wrapped for keeping, and itself."""

    def release(self, wrapped: bytes) -> bytes:
        """The data key that was wrapped."""


def from_settings(settings: Settings) -> Vault:
    """Open the vault that the settings name, making an empty one at first use."""
    if settings.vault_keyfile:
        return open_vault(settings.vault, "keyfile", settings.vault_keyfile)
    if settings.vault_passphrase_file:
        return open_vault(settings.vault, "passphrase", settings.vault_passphrase_file)
    return open_vault(settings.vault, "clear", None)


def open_vault(root: Path, kind: str, key_source: Path | None) -> Vault:
    """Open or create: kind is keyfile, passphrase or clear (developer mode).

    Raises
    ------
    VaultError
        Another kind than at creation, a wrong key, or access for others.
    """
    header = _header(root)
    if not header.exists():
        salt = secrets.token_bytes(32)
        _write_header(header, kind, salt, _derive(kind, key_source, salt))
    record = _read_header(header, kind)
    return _checked(root, record, _derive(kind, key_source, record.salt))


def open_released(root: Path, source: DataKeySource) -> Vault:
    """Open or create a vault whose key a service releases to us alone.

    Raises
    ------
    VaultError
        Another kind than at creation, or the service's key is not that of the vault.
    CoreError
        The service refuses or is away.
    """
    header = _header(root)
    if not header.exists():
        wrapped, secret = source.create()
        salt = secrets.token_bytes(32)
        _write_header(header, _RELEASED, salt, _from_uniform(secret, salt), wrapped)
    record = _read_header(header, _RELEASED)
    return _checked(root, record, _from_uniform(source.release(record.wrapped), record.salt))


@dataclass(frozen=True, slots=True)
class _Record:
    """What vault.json says."""

    salt: bytes
    check: bytes
    wrapped: bytes


def _header(root: Path) -> Path:
    make_private_folder(root)
    _require_private(root)
    return root / _HEADER


def _read_header(header: Path, kind: str) -> _Record:
    _require_private(header)
    try:
        record = parse_json(header.read_text(encoding="utf-8"))
        version, found = record["version"], record["kind"]
        parts = (record["salt"], record["check"], record.get("wrapped", ""))
        read = _Record(*(bytes.fromhex(part) for part in parts))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise VaultError("vault.json is not readable") from error
    if (version, found) != (_VERSION, kind):
        raise VaultError(f"the vault was made as {found}, version {version}; not {kind}")
    return read


def _checked(root: Path, record: _Record, key: bytes | None) -> Vault:
    if not secrets.compare_digest(_check_value(key, record.salt), record.check):
        raise VaultError("this is not the key of the vault")
    return Vault(root, key)


def _write_header(
    header: Path, kind: str, salt: bytes, key: bytes | None, wrapped: bytes = b""
) -> None:
    record = {"version": _VERSION, "kind": kind, "salt": salt.hex()}
    record["check"] = _check_value(key, salt).hex()
    if wrapped:
        record["wrapped"] = wrapped.hex()
    # Several cores of a party may open a new vault at the same time: the first one makes it.
    made = header.with_name(f"{_HEADER}.{secrets.token_hex(6)}")
    write_private(made, json.dumps(record, indent=1).encode() + b"\n")
    with contextlib.suppress(FileExistsError):
        os.link(made, header)
    made.unlink()


def _derive(kind: str, key_source: Path | None, salt: bytes) -> bytes | None:
    """32-byte vault key, or None for clear text."""
    if kind == "clear":
        return None
    if key_source is None:
        raise VaultError(f"a {kind} vault needs its file")
    secret = read_private(key_source)
    if kind == "keyfile":
        if len(secret) < _KEY_FILE_BYTES:
            raise VaultError(f"a key file has at least {_KEY_FILE_BYTES} random bytes")
        return _from_uniform(secret, salt)
    passphrase = secret.rstrip(b"\r\n")
    if len(passphrase) < _PASSPHRASE_BYTES:
        raise VaultError(f"a passphrase has at least {_PASSPHRASE_BYTES} characters")
    return hashlib.scrypt(passphrase, salt=salt, dklen=32, **_SCRYPT)


def _from_uniform(secret: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"tkms/vault/v1").derive(secret)


def _check_value(key: bytes | None, salt: bytes) -> bytes:
    """What tells a wrong key from an altered file; reveals nothing about a uniform key."""
    if key is None:
        return b""
    return HKDF(SHA256(), 32, salt, b"tkms/vault/check/v1").derive(key)


def read_private(path: Path) -> bytes:
    """Bytes of a file that is this user's alone.

    Raises
    ------
    VaultError
        Not readable, or others have access.
    """
    try:
        _require_private(path)
        return path.read_bytes()
    except OSError as error:
        raise VaultError(f"{path.name}: not readable") from error


def make_private_folder(path: Path) -> None:
    """Make a folder and its missing parents, 0700 each."""
    if not path.exists():
        make_private_folder(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, data: bytes) -> None:
    """Replace a file atomically and durably, 0600."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _require_private(path: Path) -> None:
    """Refuse what group or others may touch."""
    if path.stat().st_mode & _PRIVATE:
        raise VaultError(f"{path.name}: others have access; it must be 0600 (folders 0700)")
