"""What a page was asked for, parsed before anything looks at it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request

from edge.explorer.index import model

Thing = TypeVar("Thing")
_MAX_HEIGHT: Final = 2**63 - 1
_APPLICATION: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_HEXADECIMAL: Final = re.compile(r"[0-9a-fA-F]+")


class PageError(Exception):
    """A refusal that the reader gets as a page."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        """`detail` is for people, without anything about the inside."""
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Shown:
    """A template and its values."""

    template: str
    values: dict[str, Any] = field(default_factory=dict)
    # Address that the reader is sent to instead, if any.
    elsewhere: str = ""


class Asked:
    """Path and query of one request, read with bounds."""

    def __init__(self, request: Request) -> None:
        """Nothing is parsed yet."""
        self._path = request.path_params
        self._query = request.query_params
        self.path = request.url.path

    def text(self, name: str) -> str:
        """A parameter of the query; empty where it is not given."""
        return self._query.get(name, "")

    def number(self, name: str, maximum: int = _MAX_HEIGHT) -> int:
        """A whole number of the path."""
        text = str(self._path[name])
        if re.fullmatch("[0-9]{1,19}", text, re.ASCII) is None or int(text) > maximum:
            raise PageError(404, "Nothing here", f"“{text[:40]}” is no {name}.")
        return int(text)

    def identifier(self, name: str, length: int) -> bytes:
        """Bytes of the path in hexadecimal; a leading 0x is read over."""
        found = _bytes(str(self._path[name]), length)
        if found is None:
            detail = f"This address ends with {2 * length} hexadecimal digits."
            raise PageError(404, "Nothing here", detail)
        return found

    def application(self, name: str) -> str:
        """An application's id of the path."""
        text = str(self._path[name])
        if _APPLICATION.fullmatch(text) is None:
            raise PageError(404, "Nothing here", "No application is named like this.")
        return text

    @property
    def cursor(self) -> str | None:
        """Where a list goes on."""
        return self.text("cursor") or None

    def choice(self, name: str, words: Sequence[str]) -> str | None:
        """A parameter of the query that is one of some words, or none."""
        text = self.text(name)
        if text and text not in words:
            raise PageError(400, "Unknown filter", f"{name} is one of: {', '.join(words)}.")
        return text or None

    def filtered_bytes(self, name: str, length: int) -> bytes | None:
        """A parameter of the query in hexadecimal, or none."""
        text = self.text(name).strip()
        if not text:
            return None
        found = _bytes(text, length)
        if found is None:
            raise PageError(400, "Unknown filter", f"{name} has {2 * length} hexadecimal digits.")
        return found

    def filtered_application(self) -> str | None:
        """The application that a list is narrowed to, or none."""
        text = self.text("application").strip()
        if text and _APPLICATION.fullmatch(text) is None:
            raise PageError(400, "Unknown filter", "No application is named like this.")
        return text or None

    def following(self, page: model.Page[Any]) -> str:
        """Address of the next part of a list; empty at its end."""
        if page.next is None:
            return ""
        query = [(key, value) for key, value in self._query.multi_items() if key != "cursor"]
        return f"{self.path}?{urlencode([*query, ('cursor', page.next)])}"

    def newest(self) -> str:
        """Address of the first part of a list, for who is on a later one; empty on the first."""
        if self.cursor is None:
            return ""
        query = [(key, value) for key, value in self._query.multi_items() if key != "cursor"]
        return self.path + (f"?{urlencode(query)}" if query else "")

    def twin(self, **more: str) -> str:
        """Address of the JSON twin of the page, with the same parameters."""
        query = [(key, value) for key, value in self._query.multi_items() if value]
        text = urlencode([*query, *more.items()])
        path = "/head" if self.path == "/" else self.path
        return f"/api/v1{path}" + (f"?{text}" if text else "")


def found(thing: Thing | None, what: str) -> Thing:
    """The thing.

    Raises:
        PageError: 404, there is none.
    """
    if thing is None:
        raise PageError(404, "Not found", f"The index has no {what} of this name.")
    return thing


def _bytes(text: str, length: int) -> bytes | None:
    digits = text[2:] if text[:2] in ("0x", "0X") else text
    if len(digits) != 2 * length or _HEXADECIMAL.fullmatch(digits) is None:
        return None
    return bytes.fromhex(digits)
