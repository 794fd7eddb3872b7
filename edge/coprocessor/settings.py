"""Settings of the coprocessor stand-in: `coprocessor.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.settings import SettingsError, load_settings, read_secret_hex
from wire.signing import Secp256k1Signer


@dataclass(frozen=True, slots=True)
class CoprocessorSettings:
    """Keys of coprocessor.toml; relative paths are relative to the home."""

    listen: str
    chain_id: str
    rpc_url: str
    storage_url: str
    # File of mode 600 with the hexadecimal secret of a delegate of the application.
    account_key: str
    application: str
    database: str
    # Most message bits of one input list.
    max_bits: int
    # Hexadecimal; empty: taken from the node at first use and pinned in trusted.json.
    trusted_validators_hash: str = ""


def load(home: Path) -> CoprocessorSettings:
    """Read `home`/coprocessor.toml.

    Raises:
        SettingsError: unknown, missing or impossible values.
    """
    settings = load_settings(home / "coprocessor.toml", CoprocessorSettings)
    if settings.max_bits < 1:
        raise SettingsError("max_bits is at least 1")
    return settings


def account(settings: CoprocessorSettings, home: Path) -> Secp256k1Signer:
    """Signer that registers ciphertexts."""
    secret = read_secret_hex(home / settings.account_key)
    try:
        return Secp256k1Signer(secret)
    except ValueError:
        raise SettingsError("account_key does not hold a secp256k1 secret") from None
