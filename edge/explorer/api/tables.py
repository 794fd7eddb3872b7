"""Lists as CSV (RFC 4180), one row an item, nested records flattened to dotted columns."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

MEDIA_TYPE: Final = "text/csv"
# A spreadsheet would compute what begins like this; text of others must not get that far.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def table(items: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> bytes:
    """Rows under a fixed head line, so that an empty list has one too; lists and documents inside of a row are JSON."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    for item in items:
        writer.writerow([_cell(at(item, column)) for column in columns])
    return text.getvalue().encode()


def columns_of(kind: Any) -> list[str]:
    """Columns of a dataclass; of the records in it `outer.inner`."""
    hints = typing.get_type_hints(kind)
    columns: list[str] = []
    for field in dataclasses.fields(kind):
        inner = _record(hints[field.name])
        if inner is None:
            columns.append(field.name)
        else:
            columns += [f"{field.name}.{column}" for column in columns_of(inner)]
    return columns


def at(item: Mapping[str, Any], column: str) -> Any:
    """Value of a column; None where a record on the way is not there."""
    value: Any = item
    for name in column.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _record(hint: Any) -> Any:
    """The dataclass that a field holds, or may hold, if any."""
    for kind in (hint, *typing.get_args(hint)):
        if dataclasses.is_dataclass(kind) and typing.get_origin(hint) is not tuple:
            return kind
    return None


def _cell(value: Any) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    # NUL ends a field for some readers.
    text = text.replace("\0", "")
    return "'" + text if text.startswith(_FORMULA) else text
