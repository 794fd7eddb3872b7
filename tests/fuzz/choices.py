"""Decisions read from a fuzzer's bytes: every input is a valid series of decisions, 0 after its end.

Small numbers come first in every list of alternatives, so that a fuzzer that shortens and zeroes its input
also makes what it means simpler.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


class Choices:
    """A reader that never runs out."""

    def __init__(self, data: bytes) -> None:
        """Read from the start."""
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self._data) - self._position

    def byte(self) -> int:
        """A number below 256."""
        if self._position >= len(self._data):
            return 0
        self._position += 1
        return self._data[self._position - 1]

    def below(self, limit: int) -> int:
        """A number below a limit of at most 65536."""
        if limit <= 1:
            return 0
        number = self.byte() if limit <= 256 else self.byte() << 8 | self.byte()
        return number % limit

    def chance(self, of_256: int) -> bool:
        """Whether something happens that happens so many times in 256; never after the end."""
        return 0 < self.byte() <= of_256

    def pick(self, items: Sequence[Item]) -> Item:
        """One of some."""
        return items[self.below(len(items))]

    def bits(self, count: int) -> int:
        """A number of so many bits, little endian."""
        return int.from_bytes(self.take(count // 8), "little")

    def take(self, count: int) -> bytes:
        """Exactly so many bytes, filled up with zeros."""
        found = self._data[self._position : self._position + count]
        self._position += len(found)
        return found + bytes(count - len(found))

    def some(self, most: int) -> bytes:
        """Bytes of a length that is chosen too."""
        return self.take(min(self.below(most + 1), self.left))

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)
