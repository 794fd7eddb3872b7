"""Cursors of lists: opaque texts that hold the key of the last row of a page, never an offset."""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from edge.explorer.index.model import Page

Item = TypeVar("Item")
MAX_LIMIT: Final = 200
_MAX_CURSOR: Final = 200


class BadCursor(ValueError):  # noqa: N818 - a verdict about a text
    """A text that no page of this list gave out."""


@dataclass(slots=True)
class Listing:
    """A list in descending order of a key; `where` narrows it."""

    columns: str
    table: str
    # Names of the columns of the key, most significant first; all are integers.
    key: tuple[str, ...]
    where: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def only(self, condition: str, *values: Any) -> None:
        """Narrow the list."""
        self.where.append(condition)
        self.values.extend(values)

    def page(
        self,
        connection: sqlite3.Connection,
        cursor: str | None,
        limit: int,
        read: Callable[[sqlite3.Row], Item],
    ) -> Page[Item]:
        """Rows after the cursor; one more is read than shown, to know whether there is more.

        Raises:
            BadCursor: the cursor is of no page of this list.
        """
        limit = max(1, min(limit, MAX_LIMIT))
        where, values = list(self.where), list(self.values)
        if cursor:
            where.append(f"({', '.join(self.key)}) < ({', '.join('?' * len(self.key))})")
            values += _decoded(cursor, len(self.key))
        condition = f" WHERE {' AND '.join(where)}" if where else ""
        order = ", ".join(f"{column} DESC" for column in self.key)
        query = f"SELECT {self.columns} FROM {self.table}{condition} ORDER BY {order} LIMIT ?"  # noqa: S608 - texts of ours
        rows = connection.execute(query, [*values, limit + 1]).fetchall()
        following = None
        if len(rows) > limit:
            rows = rows[:limit]
            following = _encoded([rows[-1][column.rsplit(".", 1)[-1]] for column in self.key])
        return Page(tuple(read(row) for row in rows), following)


def _encoded(key: Sequence[int]) -> str:
    text = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _decoded(cursor: str, length: int) -> list[int]:
    if len(cursor) > _MAX_CURSOR:
        raise BadCursor("the cursor is of no page")
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
        key = json.loads(text)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise BadCursor("the cursor is of no page") from error
    right = isinstance(key, list) and len(key) == length
    if not right or not all(type(part) is int and abs(part) < 2**63 for part in key):
        raise BadCursor("the cursor is of no page of this list")
    return list(key)
