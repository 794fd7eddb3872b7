"""The only mutable thing that handlers see: a branch of the state.

A branch remembers writes and events. `commit_into_parent` hands both to the branch below, `discard`
forgets them. Order of keys is always ascending, so that nothing depends on who wrote first.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Final

from ledger.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.store import Change, Reader
    from wire.events import Event

# Bounds of the tree's keys and values; an empty value could not be proven (ICS-23).
_MAX_KEY_BYTES: Final = 1024
_MAX_VALUE_BYTES: Final = 1 << 20


class State:
    """A branch over a store, a snapshot or another branch."""

    __slots__ = ("_events", "_order", "_parent", "_reader", "_writes")

    def __init__(self, reader: Reader, parent: State | None = None) -> None:
        """Start without writes; use `branch` for a branch of a branch."""
        self._reader = reader
        self._parent = parent
        self._writes: dict[bytes, bytes | None] = {}
        # Keys of _writes in ascending order.
        self._order: list[bytes] = []
        self._events: list[Event] = []

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, or None."""
        if key in self._writes:
            return self._writes[key]
        return self._reader.get(key)

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value; both lengths are bounded by what the tree can prove."""
        if not 0 < len(key) <= _MAX_KEY_BYTES or not 0 < len(value) <= _MAX_VALUE_BYTES:
            raise InvariantError(f"a key or value of the state has a forbidden length: {key!r}")
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a key; it need not exist."""
        self._write(key, None)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys with this prefix in ascending order, own writes included.

        Take a list of it before writing below the same prefix.
        """
        index = bisect_left(self._order, prefix)
        for key, value in self._reader.iterate(prefix):
            while index < len(self._order) and self._order[index] < key:
                yield from self._own(index)
                index += 1
            if index < len(self._order) and self._order[index] == key:
                yield from self._own(index)
                index += 1
            else:
                yield key, value
        while index < len(self._order) and self._order[index].startswith(prefix):
            yield from self._own(index)
            index += 1

    def emit(self, event: Event) -> None:
        """Record an event; it is lost when the branch is discarded."""
        self._events.append(event)

    @property
    def events(self) -> tuple[Event, ...]:
        """Events of this branch and of what was committed into it, oldest first."""
        return tuple(self._events)

    def take_events(self) -> tuple[Event, ...]:
        """Return the events and forget them."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def branch(self) -> State:
        """Start a branch on top of this one."""
        return State(self, self)

    def commit_into_parent(self) -> None:
        """Hand writes and events to the branch below; this one is empty afterwards."""
        if self._parent is None:
            raise InvariantError("the lowest branch has no parent to commit into")
        for key in self._order:
            self._parent._write(key, self._writes[key])  # noqa: SLF001 - same class
        self._parent._events.extend(self._events)  # noqa: SLF001 - same class
        self.discard()

    def discard(self) -> None:
        """Forget writes and events."""
        self._writes.clear()
        self._order.clear()
        self._events.clear()

    def changes(self) -> list[Change]:
        """All writes in ascending order of keys; None is a deletion."""
        return [(key, self._writes[key]) for key in self._order]

    def _own(self, index: int) -> Iterator[tuple[bytes, bytes]]:
        key = self._order[index]
        value = self._writes[key]
        if value is not None:
            yield key, value

    def _write(self, key: bytes, value: bytes | None) -> None:
        if key not in self._writes:
            insort(self._order, key)
        self._writes[key] = value
