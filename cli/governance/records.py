"""Protobuf records from what people write: the inverse of `render`, for JSON and TOML files and for NAME=VALUE."""

import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from cli.errors import ConfigError, UsageError

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_INTEGERS = {
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_INT32,
    FieldDescriptor.TYPE_INT64,
}


def read_file(path: Path) -> dict[str, Any]:
    """Return the table of a JSON or TOML file."""
    text = path.read_text("utf-8")
    try:
        found = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: not a table of names and values")
    return found


def fill(message: Message, values: Mapping[str, Any], where: str = "") -> None:
    """Set the fields of a record; UsageError names what is unknown or of a wrong kind.

    Bytes are hexadecimal, enums are their labels as they are shown.
    """
    for name, value in values.items():
        field = message.DESCRIPTOR.fields_by_name.get(name)
        place = f"{where}{name}"
        if field is None:
            known = ", ".join(entry.name for entry in message.DESCRIPTOR.fields)
            raise UsageError(f"there is no {place}", hint=f"known here: {known}")
        _set(message, field, value, place)


def assign(message: Message, assignments: Sequence[str]) -> None:
    """Set fields by NAME=VALUE; lists are separated by commas."""
    for text in assignments:
        name, separator, value = text.partition("=")
        if not separator:
            raise UsageError(f"{text} is not NAME=VALUE")
        field = message.DESCRIPTOR.fields_by_name.get(name)
        listed = field is not None and field.is_repeated
        fill(message, {name: [part for part in value.split(",") if part] if listed else value})


def _set(message: Message, field: Any, value: Any, place: str) -> None:
    if field.is_repeated:
        if not isinstance(value, list):
            raise UsageError(f"{place} is a list")
        message.ClearField(field.name)
        entries = getattr(message, field.name)
        for index, item in enumerate(value):
            if field.type == FieldDescriptor.TYPE_MESSAGE:
                fill(entries.add(), _table(item, place), f"{place}[{index}].")
            else:
                entries.append(_scalar(field, item, place))
    elif field.type == FieldDescriptor.TYPE_MESSAGE:
        inner = getattr(message, field.name)
        inner.Clear()
        inner.SetInParent()
        fill(inner, _table(value, place), f"{place}.")
    else:
        _set_scalar(message, field, _scalar(field, value, place), place)


def _set_scalar(message: Message, field: Any, value: Any, place: str) -> None:
    try:
        setattr(message, field.name, value)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{place}: {value!r} does not fit") from error


def _table(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{place} is a table")
    return value


def _scalar(field: Any, value: Any, place: str) -> Any:
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes(value, place)
    if field.type == FieldDescriptor.TYPE_ENUM:
        return _enum(field.enum_type, value, place)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _boolean(value, place)
    if field.type in _INTEGERS:
        return _integer(value, place)
    if not isinstance(value, str):
        raise UsageError(f"{place} is text")
    return value


def _bytes(value: Any, place: str) -> bytes:
    from wire.ids import Address  # noqa: PLC0415 - only for records

    if not isinstance(value, str):
        raise UsageError(f"{place} is hexadecimal")
    digits = value.removeprefix("0x")
    try:
        # Also checks the checksum of an address in mixed case.
        if len(digits) == 2 * Address.LENGTH:
            return bytes(Address.parse(value))
        return bytes.fromhex(digits)
    except ValueError as error:
        raise UsageError(f"{place}: {error}") from error


def _enum(enum: Any, value: Any, place: str) -> int:
    if isinstance(value, int) and value in enum.values_by_number:
        return value
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    wanted = prefix + str(value).upper().replace("-", "_").removeprefix(prefix)
    found = enum.values_by_name.get(wanted)
    if found is None or not found.number:
        labels = [name.removeprefix(prefix).lower() for name in enum.values_by_name]
        raise UsageError(f"{place}: there is no {value}", hint=f"one of {', '.join(labels[1:])}")
    return int(found.number)


def _boolean(value: Any, place: str) -> bool:
    if isinstance(value, bool):
        return value
    word = _WORDS.get(str(value).lower())
    if word is None:
        raise UsageError(f"{place} is true or false")
    return word


def _integer(value: Any, place: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise UsageError(f"{place} is a whole number")
    try:
        return int(value)
    except ValueError as error:
        raise UsageError(f"{place}: {value} is not a whole number") from error
