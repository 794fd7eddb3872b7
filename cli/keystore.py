"""Accounts on disk: encrypted Ethereum keystores (version 3), one file an account.

The passphrase comes from a prompt or from a file (`--passphrase-file`, TKMS_PASSPHRASE_FILE), never
from the command line. Accounts of local networks use light scrypt and a passphrase that lies beside
them: they protect nothing and say so (`"insecure": true`).
"""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError, ConfigError, UsageError
from wire.ids import Address
from wire.signing import Secp256k1Signer

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
# N of scrypt: 2**18 takes about a second, 2**12 a few milliseconds (local networks only).
_SCRYPT_STRONG, _SCRYPT_LIGHT = 2**18, 2**12
# File beside the accounts of a local network.
LOCALNET_PASSPHRASE = "passphrase"  # noqa: S105 - a file name
_SHORTEST_PASSPHRASE = 8


@dataclass(frozen=True, slots=True)
class Account:
    """An account as it can be shown without its passphrase."""

    name: str
    address: Address
    insecure: bool

    def document(self) -> dict[str, object]:
        """Return its JSON form."""
        return {"name": self.name, "address": self.address.checksum, "insecure": self.insecure}


class Keystore:
    """A folder of accounts (0700, files 0600)."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made at the first account."""
        self.folder = folder

    def list(self) -> list[Account]:
        """Return all accounts by name."""
        return [self.show(path.stem) for path in sorted(self.folder.glob("*.json"))]

    def show(self, name: str) -> Account:
        """Return one account; ConfigError when it is not there or not readable."""
        document = self._read(name)
        try:
            address = Address.parse(str(document["address"]))
        except (KeyError, ValueError) as error:
            raise ConfigError(f"{self._path(name)} is not a keystore") from error
        return Account(name, address, bool(document.get("insecure", False)))

    def add(self, name: str, secret: bytes, passphrase: str, *, light: bool = False) -> Account:
        """Encrypt and store a 32-byte secret under a new name."""
        path = self._path(name)
        if path.exists():
            raise UsageError(f"there is an account {name} already", reason="KEY_EXISTS")
        if len(passphrase) < _SHORTEST_PASSPHRASE and not light:
            raise UsageError(f"a passphrase has at least {_SHORTEST_PASSPHRASE} characters")
        try:
            address = Secp256k1Signer(secret).address
        except ValueError as error:
            raise UsageError("this is not a secp256k1 secret of 32 bytes") from error
        document = _encrypt(secret, passphrase, light=light)
        document["address"] = address.value.hex()
        if light:
            document["insecure"] = True
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(path, json.dumps(document, indent=1).encode() + b"\n")
        return Account(name, address, light)

    def secret(self, name: str, passphrase: str) -> bytes:
        """Decrypt; CliError on a wrong passphrase."""
        from eth_keyfile.keyfile import decode_keyfile_json  # noqa: PLC0415 - slow import

        document = self._read(name)
        try:
            return bytes(decode_keyfile_json(document, passphrase.encode()))
        except ValueError as error:
            raise CliError(
                f"the passphrase does not open {name}",
                reason="WRONG_PASSPHRASE",
                hint="was it the passphrase of another account?",
            ) from error

    def signer(self, name: str, passphrase: str) -> Secp256k1Signer:
        """Return the account ready to sign."""
        return Secp256k1Signer(self.secret(name, passphrase))

    def export(self, name: str) -> dict[str, object]:
        """Return the encrypted keystore."""
        return self._read(name)

    def delete(self, name: str) -> None:
        """Remove an account's file."""
        self.show(name)
        self._path(name).unlink()

    def resolve(self, text: str) -> Address:
        """Return the address that a name or an address means."""
        if _NAME.fullmatch(text) and self._path(text).exists():
            return self.show(text).address
        try:
            return Address.parse(text)
        except ValueError as error:
            known = ", ".join(account.name for account in self.list()) or "none"
            raise UsageError(
                f"{text} is neither an account of this keystore nor an address: {error}",
                hint=f"accounts in {self.folder}: {known}",
            ) from error

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise UsageError(
                f"{name!r} is not a name", hint="up to 32 lower-case letters, digits, - and _"
            )
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> dict[str, object]:
        path = self._path(name)
        try:
            document = json.loads(path.read_text("utf-8"))
        except FileNotFoundError as error:
            known = ", ".join(found.stem for found in sorted(self.folder.glob("*.json"))) or "none"
            raise ConfigError(
                f"there is no account {name} in {self.folder}",
                reason="NO_KEY",
                hint=f"accounts there: {known}",
            ) from error
        except (OSError, ValueError) as error:
            raise ConfigError(f"{path} is not readable") from error
        if not isinstance(document, dict):
            raise ConfigError(f"{path} is not a keystore")
        return document


def read_passphrase(path: Path) -> str:
    """Return the first line of a passphrase file."""
    try:
        if path.stat().st_mode & 0o077:
            raise ConfigError(
                f"{path} is readable by others", hint=f"chmod 600 {path}", reason="FILE_MODE"
            )
        return path.read_text("utf-8").splitlines()[0]
    except (OSError, IndexError) as error:
        raise ConfigError(f"{path} holds no passphrase") from error


def write_private(path: Path, data: bytes) -> None:
    """Write a new file with mode 0600 from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _encrypt(secret: bytes, passphrase: str, *, light: bool) -> dict[str, object]:
    from eth_keyfile.keyfile import create_keyfile_json  # noqa: PLC0415 - slow import

    rounds = _SCRYPT_LIGHT if light else _SCRYPT_STRONG
    return dict(create_keyfile_json(secret, passphrase.encode(), kdf="scrypt", iterations=rounds))
