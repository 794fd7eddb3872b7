"""Lists in parts, and decoded records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Documents = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Part of a list, newest first; `next` is the cursor of the following part."""

    items: tuple[Item, ...]
    next: str | None
