"""Settings of a connector: `connector.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.settings import SettingsError, load_settings, read_secret_hex
from connector.core import Pinned
from telemetry.address import parse_address
from telemetry.errors import TelemetryError
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
    # host:port of /metrics, /healthz and /readyz, loopback without a host; off when empty.
    metrics_listen: str = ""
    # Unhealthy when the node's height has not grown for so long.
    commit_age_limit_seconds: float = 30.0
    # Mutual TLS with the core: its certificate and our own pair, all three or none.
    core_certificate: str = ""
    tls_key: str = ""
    tls_certificate: str = ""
    # host:port of a core on another machine; instead of the socket and with mutual TLS only.
    core_address: str = ""
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
    if settings.commit_age_limit_seconds <= 0:
        raise SettingsError("commit_age_limit_seconds is above 0")
    if settings.metrics_listen:
        try:
            parse_address(settings.metrics_listen)
        except TelemetryError as error:
            raise SettingsError(f"metrics_listen: {error}") from error
    pinned = [settings.core_certificate, settings.tls_key, settings.tls_certificate]
    if any(pinned) != all(pinned) or (settings.core_address and not all(pinned)):
        raise SettingsError(
            "core_certificate, tls_key and tls_certificate belong together; core_address needs them"
        )
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


def core_endpoint(settings: ConnectorSettings, home: Path) -> tuple[str, Pinned | None]:
    """Address of the core, and what both sides must show there."""
    address = settings.core_address or f"unix:{home / settings.core_socket}"
    if not settings.core_certificate:
        return address, None
    key = home / settings.tls_key
    try:
        if key.stat().st_mode & 0o077:
            raise SettingsError(f"{key} is readable by others: set its mode to 600")
        return address, Pinned(
            core=(home / settings.core_certificate).read_bytes(),
            key=key.read_bytes(),
            certificate=(home / settings.tls_certificate).read_bytes(),
        )
    except OSError as error:
        raise SettingsError(f"mutual TLS with the core: {error}") from error


def storage_token(settings: ConnectorSettings, home: Path) -> str:
    """Bearer token, empty without one."""
    if not settings.storage_token_file:
        return ""
    try:
        return (home / settings.storage_token_file).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{settings.storage_token_file}: {error.strerror}") from error
