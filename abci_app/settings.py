"""Settings of the node: HOME/node.toml.

- `chain_id`
- `proxy_socket`: unix:// and an absolute path; what CometBFT's proxy_app names
- `database`: relative to HOME; state.db where absent
- `log_format`: logfmt (default) or json
- `log_level`: debug, info (default), warning or error
- `keep_versions`: heights whose state stays readable, provable and revocable; 100 where absent, at least 2
- `halt_height`: the last block that this node executes; 0 (default) is none
- `assert_grammar`: stop when the engine calls out of order (debugging); false where absent
- `record_calls`: file, relative to HOME, that gets a line a call (debugging); none where absent
- `developer_faults`: let HOME/faults.toml kill this node (tests); false where absent
- `snapshot_interval`: heights between two state-sync snapshots; 1000 where absent, 0 takes none
- `snapshot_keep`: snapshots that stay; 2 where absent
- `retain_blocks`: blocks that the engine keeps at least; 0 (default) is all
- `retain_cursors`: files, relative to HOME, in which followers write the height from which they still read
- `metrics_listen`: host:port of /metrics, /healthz and /readyz, loopback without a host; off where absent or empty
- `commit_age_limit_seconds`: unhealthy when the last commit is older; 30 where absent
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from abci_app.errors import SettingsError
from abci_app.history.retention import Keeping
from ledger.store import DEFAULT_KEEP_VERSIONS, MIN_KEEP_VERSIONS
from telemetry.address import parse_address
from telemetry.errors import TelemetryError

FILE_NAME: Final = "node.toml"
LOG_FORMATS: Final = ("logfmt", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
# Several rounds of an engine whose proposer is away; a chain that is slower than that needs people.
DEFAULT_COMMIT_AGE_LIMIT_SECONDS: Final = 30

# A node that joins finds a snapshot of this hour at a block a second or more; each costs a read of the whole state.
DEFAULT_SNAPSHOT_INTERVAL: Final = 1000
DEFAULT_SNAPSHOT_KEEP: Final = 2

# What the kernel takes as the name of a unix socket (sun_path), without its end mark.
_MAX_SOCKET_PATH_BYTES: Final = 107
_SOCKET_SCHEME: Final = "unix://"


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """One node."""

    chain_id: str
    proxy_socket: Path
    database: Path
    log_format: str = "logfmt"
    log_level: str = "info"
    keep_versions: int = DEFAULT_KEEP_VERSIONS
    halt_height: int = 0
    assert_grammar: bool = False
    record_calls: Path | None = None
    developer_faults: bool = False
    snapshot_interval: int = DEFAULT_SNAPSHOT_INTERVAL
    snapshot_keep: int = DEFAULT_SNAPSHOT_KEEP
    retain_blocks: int = 0
    retain_cursors: tuple[Path, ...] = ()
    metrics_listen: str = ""
    commit_age_limit_seconds: int = DEFAULT_COMMIT_AGE_LIMIT_SECONDS

    @property
    def keeping(self) -> Keeping:
        """What is kept besides the state."""
        return Keeping(
            snapshot_interval=self.snapshot_interval,
            snapshot_keep=self.snapshot_keep,
            retain_blocks=self.retain_blocks,
            retain_cursors=self.retain_cursors,
        )


def load(home: Path) -> NodeSettings:
    """Read and check HOME/node.toml; SettingsError says what is wrong with it."""
    path = home / FILE_NAME
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    unknown = sorted(values.keys() - {field.name for field in fields(NodeSettings)})
    if unknown:
        raise SettingsError(f"{path}: unknown settings {', '.join(unknown)}")
    return NodeSettings(
        chain_id=_text(values, "chain_id"),
        proxy_socket=_socket(_text(values, "proxy_socket")),
        database=home / _text(values, "database", "state.db"),
        log_format=_choice(values, "log_format", LOG_FORMATS, "logfmt"),
        log_level=_choice(values, "log_level", LOG_LEVELS, "info"),
        keep_versions=_count(
            values, "keep_versions", DEFAULT_KEEP_VERSIONS, least=MIN_KEEP_VERSIONS
        ),
        halt_height=_count(values, "halt_height", 0, least=0),
        assert_grammar=_switch(values, "assert_grammar"),
        record_calls=home / _text(values, "record_calls") if "record_calls" in values else None,
        developer_faults=_switch(values, "developer_faults"),
        snapshot_interval=_count(values, "snapshot_interval", DEFAULT_SNAPSHOT_INTERVAL, least=0),
        snapshot_keep=_count(values, "snapshot_keep", DEFAULT_SNAPSHOT_KEEP),
        retain_blocks=_count(values, "retain_blocks", 0, least=0),
        retain_cursors=tuple(home / name for name in _texts(values, "retain_cursors")),
        metrics_listen=_listen(values, "metrics_listen"),
        commit_age_limit_seconds=_count(
            values, "commit_age_limit_seconds", DEFAULT_COMMIT_AGE_LIMIT_SECONDS
        ),
    )


def _text(values: dict[str, object], name: str, default: str | None = None) -> str:
    value = values.get(name, default)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{name} must be a text")
    return value


def _texts(values: dict[str, object], name: str) -> list[str]:
    value = values.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise SettingsError(f"{name} must be a list of texts")
    return value


def _choice(values: dict[str, object], name: str, known: tuple[str, ...], default: str) -> str:
    value = _text(values, name, default)
    if value not in known:
        raise SettingsError(f"{name} must be one of {', '.join(known)}")
    return value


def _count(values: dict[str, object], name: str, default: int, *, least: int = 1) -> int:
    value = values.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise SettingsError(f"{name} must be a number, at least {least}")
    return value


def _switch(values: dict[str, object], name: str) -> bool:
    value = values.get(name, False)
    if not isinstance(value, bool):
        raise SettingsError(f"{name} must be true or false")
    return value


def _listen(values: dict[str, object], name: str) -> str:
    value = values.get(name, "")
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be a text")
    if value:
        try:
            parse_address(value)
        except TelemetryError as error:
            raise SettingsError(f"{name}: {error}") from error
    return value


def _socket(address: str) -> Path:
    path = address.removeprefix(_SOCKET_SCHEME)
    if not path.startswith("/"):
        raise SettingsError("proxy_socket must be unix:// and an absolute path")
    if len(path.encode()) > _MAX_SOCKET_PATH_BYTES:
        raise SettingsError(f"proxy_socket is longer than {_MAX_SOCKET_PATH_BYTES} bytes")
    return Path(path)
