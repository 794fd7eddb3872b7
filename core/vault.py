"""Secrets at rest: one sealed file a secret, AES-256-GCM, key from a key file or a passphrase.

Layout
    <root>/vault.json      how the key is derived, salt, and a sealed check value; no secret
    <root>/<name>.sealed   magic, 12-byte nonce, ciphertext and tag; the name is authenticated
    <root>/<name>.clear    developer mode only: magic and the bytes themselves

Invariants
- Folders are 0700 and files 0600; a vault that others may read is refused.
- A file is written to a temporary name, synced, renamed, and its folder synced: after a crash the
  old or the new content is there, never a part.
- A key file is uniform (at least 32 bytes), so HKDF suffices; a passphrase goes through scrypt.
"""

import hashlib
import json
import os
import re
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.errors import VaultError
from core.settings import Settings

_HEADER = "vault.json"
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


class Vault:
    """Named secrets of one core. Its repr shows the folder only."""

    __slots__ = ("_key", "_root")

    def __init__(self, root: Path, key: bytes | None) -> None:
        """Use `open_vault` or `create_vault`; a key of None means clear text."""
        self._root = root
        self._key = key

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
            return
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(self._key).encrypt(nonce, secret, _SEALED + name.encode())
        write_private(path, _SEALED + nonce + sealed)

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

    @property
    def _suffix(self) -> str:
        return ".clear" if self._key is None else ".sealed"

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise VaultError("a secret's name has lower-case letters, digits, - and /")
        return self._root / f"{name}{self._suffix}"


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
    make_private_folder(root)
    _require_private(root)
    header = root / _HEADER
    if not header.exists():
        _create(header, kind, key_source)
    _require_private(header)
    try:
        record = json.loads(header.read_text(encoding="utf-8"))
        salt = bytes.fromhex(record["salt"])
        check = bytes.fromhex(record["check"])
        version, found = record["version"], record["kind"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VaultError("vault.json is not readable") from error
    if (version, found) != (_VERSION, kind):
        raise VaultError(f"the vault was made as {found}, version {version}; not {kind}")
    key = _derive(kind, key_source, salt)
    if not secrets.compare_digest(_check_value(key, salt), check):
        raise VaultError("this is not the key of the vault")
    return Vault(root, key)


def _create(header: Path, kind: str, key_source: Path | None) -> None:
    salt = secrets.token_bytes(32)
    check = _check_value(_derive(kind, key_source, salt), salt)
    record = {"version": _VERSION, "kind": kind, "salt": salt.hex(), "check": check.hex()}
    write_private(header, json.dumps(record, indent=1).encode() + b"\n")


def _derive(kind: str, key_source: Path | None, salt: bytes) -> bytes | None:
    """32-byte vault key, or None for clear text."""
    if kind == "clear":
        return None
    if key_source is None:
        raise VaultError(f"a {kind} vault needs its file")
    try:
        _require_private(key_source)
        secret = key_source.read_bytes()
    except OSError as error:
        raise VaultError(f"the {kind} file is not readable") from error
    if kind == "keyfile":
        if len(secret) < _KEY_FILE_BYTES:
            raise VaultError(f"a key file has at least {_KEY_FILE_BYTES} random bytes")
        return HKDF(SHA256(), 32, salt, b"tkms/vault/v1").derive(secret)
    passphrase = secret.rstrip(b"\r\n")
    if len(passphrase) < _PASSPHRASE_BYTES:
        raise VaultError(f"a passphrase has at least {_PASSPHRASE_BYTES} characters")
    return hashlib.scrypt(passphrase, salt=salt, dklen=32, **_SCRYPT)


def _check_value(key: bytes | None, salt: bytes) -> bytes:
    """What tells a wrong key from an altered file; reveals nothing about a uniform key."""
    if key is None:
        return b""
    return HKDF(SHA256(), 32, salt, b"tkms/vault/check/v1").derive(key)


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
