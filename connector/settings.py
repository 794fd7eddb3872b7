"""Settings of a connector: `connector.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.settings import SettingsError, load_settings, read_secret_hex
from wire.signing import Secp256k1Signer


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """Keys of connector.toml; relative paths are relative to the home."""

    chain_id: str
    rpc_url: str
    # Path of the core's unix socket.
    core_socket: str
    # One address, or several separated by spaces: reads try them in order, writes take the first.
    storage_url: str
    database: str
    # File of mode 600 with the hexadecimal secret of the party's account.
    account_key: str
    party: int
    # Hexadecimal; hash of the chain's first validator set.
    trusted_validators_hash: str
    # The node is the operator's own: asking it ten times a second costs nothing and every answer is that much sooner.
    poll_seconds: float = 0.1
    # Bearer token for public material; only needed where this core publishes any.
    storage_token_file: str = ""


def load(home: Path) -> ConnectorSettings:
    """Read `home`/connector.toml.

    Raises:
        SettingsError: unknown, missing or impossible values.
    """
    settings = load_settings(home / "connector.toml", ConnectorSettings)
    if settings.party < 1 or settings.poll_seconds <= 0:
        raise SettingsError("party is at least 1 and poll_seconds above 0")
    if len(trusted_hash(settings)) != 32:
        raise SettingsError("trusted_validators_hash has 64 hexadecimal digits")
    return settings


def trusted_hash(settings: ConnectorSettings) -> bytes:
    """The pinned hash as bytes."""
    try:
        return bytes.fromhex(settings.trusted_validators_hash)
    except ValueError as error:
        raise SettingsError("trusted_validators_hash is not hexadecimal") from error


def account(settings: ConnectorSettings, home: Path) -> Secp256k1Signer:
    """Signer of the party's account."""
    secret = read_secret_hex(home / settings.account_key)
    try:
        return Secp256k1Signer(secret)
    except ValueError:
        raise SettingsError("account_key does not hold a secp256k1 secret") from None


def storage_token(settings: ConnectorSettings, home: Path) -> str:
    """Bearer token, empty without one."""
    if not settings.storage_token_file:
        return ""
    try:
        return (home / settings.storage_token_file).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{settings.storage_token_file}: {error.strerror}") from error
