"""Settings of a storage server: `storage.toml`."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from client.settings import SettingsError, load_settings


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """Keys of storage.toml; see the README of this package."""

    listen: str
    # file:///absolute/folder or s3://bucket (credentials and endpoint from the usual AWS_* variables).
    backend: str
    max_bytes: int
    default_retention_s: int
    # File with the bearer token for public material; without it nobody can store any.
    token_file: str = ""
    # A node whose open requests keep their bodies alive.
    node_rpc_url: str = ""
    sweep_seconds: int = 60


def load(home: Path) -> StorageSettings:
    """Read `home`/storage.toml.

    Raises:
        SettingsError: unknown, missing or impossible values.
    """
    settings = load_settings(home / "storage.toml", StorageSettings)
    if settings.max_bytes < 1 or settings.default_retention_s < 1 or settings.sweep_seconds < 1:
        raise SettingsError("max_bytes, default_retention_s and sweep_seconds are at least 1")
    if not settings.backend.startswith(("file:///", "s3://")):
        raise SettingsError("backend is file:///folder or s3://bucket")
    return settings


def token_digest(settings: StorageSettings, home: Path) -> bytes | None:
    """SHA-256 of the token, so that the token itself does not stay in memory; None without a token."""
    if not settings.token_file:
        return None
    path = Path(settings.token_file)
    path = path if path.is_absolute() else home / path
    try:
        token = path.read_text().strip()
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    if len(token) < 16:
        raise SettingsError(f"{path}: a token has at least 16 characters")
    return hashlib.sha256(token.encode()).digest()
