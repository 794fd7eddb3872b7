"""Settings of an explorer: one TOML file, `explorer.toml`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from client.settings import SettingsError, load_settings
from edge.explorer.proof import Trust
from telemetry.address import parse_address
from telemetry.errors import TelemetryError

_DIGEST_DIGITS: Final = 64


@dataclass(frozen=True, slots=True)
class ExplorerSettings:
    """Keys of the file; see the README of this package."""

    listen: str
    # The one node that is read.
    node_rpc_url: str
    # Hash of the first validator set, 64 hexadecimal digits; without it the node's first answer is pinned.
    trusted_validators_hash: str = ""
    # Empty: whatever chain the node is on.
    chain_id: str = ""
    # Nodes of other operators that confirm every header, separated by spaces.
    witnesses: str = ""
    # File of the index; beside it are the newest verified header and the lock. Relative to the settings' folder.
    index: str = "index.db"
    # Blocks and transactions that are kept; 0 keeps all. Requests, keys and records are always kept.
    keep_blocks: int = 0
    # Where an empty index begins.
    first_height: int = 1
    # Requests of one client: on the long run a second, and at once.
    requests_per_second: float = 50.0
    burst: int = 200
    # Threads that read the index.
    threads: int = 8
    # host:port of /metrics, /healthz and /readyz; off when empty.
    metrics_listen: str = ""


def load(path: Path) -> ExplorerSettings:
    """Read the file.

    Raises:
        SettingsError: unknown, missing or impossible values.
    """
    settings = load_settings(path, ExplorerSettings)
    digest = settings.trusted_validators_hash
    if digest and not _is_digest(digest):
        raise SettingsError("trusted_validators_hash has 64 hexadecimal digits")
    if settings.keep_blocks < 0 or settings.first_height < 1:
        raise SettingsError("keep_blocks is at least 0, first_height at least 1")
    if settings.requests_per_second <= 0 or settings.burst < 1:
        raise SettingsError("requests_per_second is above 0, burst at least 1")
    if not 1 <= settings.threads <= 64:
        raise SettingsError("threads is between 1 and 64")
    _, _, port = settings.listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise SettingsError("listen is host:port")
    _check_metrics(settings.metrics_listen)
    return settings


def _check_metrics(address: str) -> None:
    if address:
        try:
            parse_address(address)
        except TelemetryError as error:
            raise SettingsError(f"metrics_listen: {error}") from error


def index_path(settings: ExplorerSettings, folder: Path) -> Path:
    """File of the index."""
    path = Path(settings.index)
    return path if path.is_absolute() else folder / path


def trust_of(settings: ExplorerSettings, folder: Path) -> Trust:
    """What the light client starts from."""
    return Trust(
        node=settings.node_rpc_url,
        folder=index_path(settings, folder).parent / "trust",
        validators_hash=bytes.fromhex(settings.trusted_validators_hash),
        chain_id=settings.chain_id,
        witnesses=tuple(settings.witnesses.split()),
    )


def _is_digest(text: str) -> bool:
    try:
        # fromhex skips spaces: what is left must be a whole digest, else no validators would be pinned.
        return len(text) == _DIGEST_DIGITS and len(bytes.fromhex(text)) == _DIGEST_DIGITS // 2
    except ValueError:
        return False
