"""Settings of a process: one TOML table, read into a frozen dataclass; unknown keys are refused."""

from __future__ import annotations

import dataclasses
import tomllib
import typing
from pathlib import Path
from typing import Any, TypeVar

_Settings = TypeVar("_Settings")


class SettingsError(ValueError):
    """A settings file that is missing, malformed or has unknown, missing or mistyped keys."""


def load_settings(path: Path, kind: type[_Settings]) -> _Settings:
    """Read `path` into the dataclass `kind`, whose fields are str, int, float or bool.

    Raises:
        SettingsError: names the file and the key, never a value.
    """
    try:
        with path.open("rb") as stream:
            table = tomllib.load(stream)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    hints = typing.get_type_hints(kind)
    fields = dataclasses.fields(kind)  # type: ignore[arg-type]  # callers give dataclasses
    unknown = sorted(set(table) - {field.name for field in fields})
    if unknown:
        raise SettingsError(f"{path}: unknown keys: {', '.join(unknown)}")
    values: dict[str, Any] = {}
    for field in fields:
        if field.name not in table:
            if field.default is dataclasses.MISSING:
                raise SettingsError(f"{path}: {field.name} is missing")
            continue
        value = table[field.name]
        if hints[field.name] is float and type(value) is int:
            value = float(value)
        # bool is an int for Python, not for people who write settings.
        if type(value) is not hints[field.name]:
            raise SettingsError(f"{path}: {field.name} must be {hints[field.name].__name__}")
        values[field.name] = value
    return kind(**values)


def read_secret_hex(path: Path) -> bytes:
    """Bytes of a file that holds hexadecimal digits and is readable by its owner only.

    Raises:
        SettingsError: missing, not hexadecimal, or open to group or others.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text().strip().removeprefix("0x")
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from error
    if mode & 0o077:
        raise SettingsError(f"{path} is readable by others: set its mode to 600")
    try:
        return bytes.fromhex(text)
    except ValueError:
        # No cause: its text would quote the secret.
        raise SettingsError(f"{path} does not hold hexadecimal digits") from None
