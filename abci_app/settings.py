"""Settings of the node: HOME/node.toml.

- `chain_id`
- `proxy_socket`: unix:// and an absolute path; what CometBFT's proxy_app names
- `database`: relative to HOME; state.db where absent
- `log_format`: logfmt (default) or json
- `log_level`: debug, info (default), warning or error
- `keep_versions`: versions of the state tree that stay readable; 2 where absent
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from abci_app.errors import SettingsError
from ledger.store import DEFAULT_KEEP_VERSIONS

FILE_NAME: Final = "node.toml"
LOG_FORMATS: Final = ("logfmt", "json")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

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
        keep_versions=_count(values, "keep_versions", DEFAULT_KEEP_VERSIONS),
    )


def _text(values: dict[str, object], name: str, default: str | None = None) -> str:
    value = values.get(name, default)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{name} must be a text")
    return value


def _choice(values: dict[str, object], name: str, known: tuple[str, ...], default: str) -> str:
    value = _text(values, name, default)
    if value not in known:
        raise SettingsError(f"{name} must be one of {', '.join(known)}")
    return value


def _count(values: dict[str, object], name: str, default: int) -> int:
    value = values.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise SettingsError(f"{name} must be a number above zero")
    return value


def _socket(address: str) -> Path:
    path = address.removeprefix(_SOCKET_SCHEME)
    if not path.startswith("/"):
        raise SettingsError("proxy_socket must be unix:// and an absolute path")
    if len(path.encode()) > _MAX_SOCKET_PATH_BYTES:
        raise SettingsError(f"proxy_socket is longer than {_MAX_SOCKET_PATH_BYTES} bytes")
    return Path(path)
