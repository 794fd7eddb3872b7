"""Who uses which blocks of an epoch's pool: ranges that never overlap."""

from bisect import bisect_right
from dataclasses import dataclass

from core.errors import CoreError
from wire.ids import RequestId


class SliceError(CoreError):
    """A slice of the pool that belongs to another request, wholly or in part."""


@dataclass(frozen=True, slots=True)
class _Range:
    """Blocks from `first` to `end`, of one open request or of closed ones."""

    first: int
    end: int
    owner: RequestId | None


class Slices:
    """Used ranges in order; those of closed requests melt together."""

    __slots__ = ("_ranges",)

    def __init__(self) -> None:
        """Nothing is used."""
        self._ranges: list[_Range] = []

    @property
    def end(self) -> int:
        """The first block that nobody has used, nor any after it."""
        return self._ranges[-1].end if self._ranges else 0

    @property
    def lowest_open(self) -> int:
        """The first block of an open request; `end` when there is none."""
        return next((each.first for each in self._ranges if each.owner is not None), self.end)

    def reserve(self, first: int, count: int, owner: RequestId) -> None:
        """Take a range for a request; the same again changes nothing.

        Raises
        ------
        SliceError
            When a block of it belongs to another request.
        """
        if count <= 0:
            return
        new = _Range(first, first + count, owner)
        place = bisect_right(self._ranges, first, key=lambda each: each.first)
        if place and self._ranges[place - 1] == new:
            return
        before = place > 0 and self._ranges[place - 1].end > first
        behind = place < len(self._ranges) and self._ranges[place].first < new.end
        if before or behind:
            raise SliceError(f"blocks {first} to {new.end} are not all free")
        self._ranges.insert(place, new)

    def close(self, owner: RequestId) -> None:
        """A request needs its blocks no more; nobody else gets them."""
        place = next((i for i, each in enumerate(self._ranges) if each.owner == owner), None)
        if place is None:
            return
        now = _Range(self._ranges[place].first, self._ranges[place].end, None)
        self._ranges[place] = now
        for left in (place, place - 1):
            self._melt(left)

    def _melt(self, left: int) -> None:
        """Join a closed range with the closed one behind it, if there is no gap."""
        if not 0 <= left < len(self._ranges) - 1:
            return
        one, two = self._ranges[left : left + 2]
        if one.owner is None and two.owner is None and one.end == two.first:
            self._ranges[left : left + 2] = [_Range(one.first, two.end, None)]
