"""Settings of a relay: `relay.toml`; relative paths are relative to the file's folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.settings import SettingsError, load_settings, read_secret_hex
from telemetry.address import parse_address
from telemetry.errors import TelemetryError
from wire.signing import Secp256k1Signer


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Keys of relay.toml."""

    chain_id: str
    rpc_url: str
    # Hexadecimal; hash of the chain's first validator set, from where the relay checks what it hands out.
    trusted_validators_hash: str
    # Files of mode 600 with hexadecimal secrets of the accounts that pay, separated by spaces.
    payer_keys: str
    # host:port, `unix:PATH` (relative to the file's folder, mode 600), or several separated by spaces.
    listen: str = "127.0.0.1:0"
    # Storage replicas for payloads of user decryptions, separated by spaces; without one they are not put in.
    storage_url: str = ""
    database: str = "relay.db"
    # Server certificate and its key: TLS on every network address.
    tls_certificate: str = ""
    tls_key: str = ""
    # Authorities of client certificates: mutual TLS.
    tls_client_authorities: str = ""
    # Bearer tokens; without the file everybody may call. See tokens.py.
    token_file: str = ""
    reflection: bool = False
    # host:port of /metrics, /healthz and /readyz; off when empty.
    metrics_listen: str = ""
    # Last height of transactions that leave it open, ahead of the newest.
    ttl_blocks: int = 60
    # How long Submit waits for the node's word where the caller does not say.
    verdict_seconds: float = 2.0
    # Accepted transactions without a block, above which nothing more is accepted.
    max_in_flight: int = 20_000
    # Below this balance of all payers the relay is unwell.
    balance_alarm_units: int = 0
    # Unwell when the node's height has not grown for so long.
    commit_age_limit_seconds: float = 30.0
    # Heights of which events are kept; 0 is all.
    keep_blocks: int = 1_000_000
    # How long SIGTERM waits for calls to end.
    drain_seconds: float = 5.0
    poll_seconds: float = 0.1


def load(path: Path) -> RelaySettings:
    """Read the settings.

    Raises:
        SettingsError: unknown, missing or impossible values.
    """
    settings = load_settings(path, RelaySettings)
    if not settings.payer_keys.split():
        raise SettingsError("payer_keys names at least one file")
    if not settings.listen.split():
        raise SettingsError("listen names at least one address")
    if bool(settings.tls_certificate) != bool(settings.tls_key):
        raise SettingsError("tls_certificate and tls_key belong together")
    if settings.tls_client_authorities and not settings.tls_certificate:
        raise SettingsError("tls_client_authorities needs tls_certificate and tls_key")
    if min(settings.poll_seconds, settings.commit_age_limit_seconds) <= 0:
        raise SettingsError("poll_seconds and commit_age_limit_seconds are above 0")
    if min(settings.ttl_blocks, settings.max_in_flight) < 1:
        raise SettingsError("ttl_blocks and max_in_flight are at least 1")
    smallest = min(
        settings.verdict_seconds,
        settings.balance_alarm_units,
        settings.keep_blocks,
        settings.drain_seconds,
    )
    if smallest < 0:
        raise SettingsError(
            "verdict_seconds, balance_alarm_units, keep_blocks and drain_seconds are at least 0"
        )
    _check_addresses(settings)
    trusted_hash(settings)
    return settings


def _check_addresses(settings: RelaySettings) -> None:
    named = [address for address in settings.listen.split() if not address.startswith("unix:")]
    named += [settings.metrics_listen] if settings.metrics_listen else []
    for address in named:
        try:
            parse_address(address)
        except TelemetryError as error:
            raise SettingsError(f"{address}: {error}") from error


def trusted_hash(settings: RelaySettings) -> bytes:
    """The pinned hash as bytes."""
    try:
        digest = bytes.fromhex(settings.trusted_validators_hash)
    except ValueError:
        raise SettingsError("trusted_validators_hash is not hexadecimal") from None
    if len(digest) != 32:
        raise SettingsError("trusted_validators_hash has 64 hexadecimal digits")
    return digest


def payers(settings: RelaySettings, folder: Path) -> list[Secp256k1Signer]:
    """Signers of the paying accounts, each once."""
    signers = []
    for name in settings.payer_keys.split():
        try:
            signers.append(Secp256k1Signer(read_secret_hex(folder / name)))
        except SettingsError:
            raise
        except ValueError:
            raise SettingsError(f"{name} does not hold a secp256k1 secret") from None
    if len({bytes(signer.address) for signer in signers}) < len(signers):
        raise SettingsError("payer_keys names an account twice")
    return signers


def read_file(folder: Path, name: str) -> bytes:
    """Bytes of a file that the settings name.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise SettingsError(f"{name}: {error.strerror}") from error
