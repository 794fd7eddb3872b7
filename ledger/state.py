"""The only mutable thing that handlers see: the state with what a block has written so far.

Writes and events can be taken back to a checkpoint: a refused transaction leaves nothing. Order of keys is
always ascending, so that nothing depends on who wrote first.

Keys that begin with `~` are derived: an index that is a function of the other keys. They are stored, read and
rolled back like all keys, but they are neither in the state tree nor in snapshots; whoever restores a state
computes them again (`Module.derive`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Final, NewType

from ledger.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ledger.reader import Change, Reader
    from wire.events import Event

DERIVED: Final = b"~"

# Bounds of the tree's keys and values; an empty value could not be proven (ICS-23).
MAX_KEY_BYTES: Final = 1024
MAX_VALUE_BYTES: Final = 1 << 20
# Values that are kept after a first read: configuration and the accounts of busy senders are read by almost
# every message of a block. A walk over the whole state must not fill the memory.
_MOST_REMEMBERED: Final = 4_096
# Above this many, sorting once beats inserting one by one.
_INSERT_AT_MOST: Final = 32

Checkpoint = NewType("Checkpoint", tuple[int, int])


class _Absent:
    """Stands in the journal for a key that was not written before."""


_ABSENT: Final = _Absent()


def is_derived(key: bytes) -> bool:
    """Whether the key is an index over others, outside the state tree."""
    return key.startswith(DERIVED)


class State:
    """Writes over a store or a snapshot."""

    __slots__ = (
        "_events",
        "_journal",
        "_order",
        "_placed",
        "_reader",
        "_remembered",
        "_unsorted",
        "_writes",
    )

    def __init__(self, reader: Reader) -> None:
        """Start without writes."""
        self._reader = reader
        self._writes: dict[bytes, bytes | None] = {}
        # What lies below does not change while there is a state over it, so its values may be kept.
        self._remembered: dict[bytes, bytes | None] = {}
        # What each write replaced, oldest first.
        self._journal: list[tuple[bytes, bytes | _Absent | None]] = []
        # Written keys for iteration: in order, and those that have not been needed in order yet. A key that
        # was taken back stays here and is passed over.
        self._order: list[bytes] = []
        self._unsorted: list[bytes] = []
        self._placed: set[bytes] = set()
        self._events: list[Event] = []

    def get(self, key: bytes) -> bytes | None:
        """Value of a key, or None."""
        if key in self._writes:
            return self._writes[key]
        if key in self._remembered:
            return self._remembered[key]
        value = self._reader.get(key)
        if len(self._remembered) < _MOST_REMEMBERED:
            self._remembered[key] = value
        return value

    def set(self, key: bytes, value: bytes) -> None:
        """Write a value; both lengths are bounded by what the tree can prove."""
        if not 0 < len(key) <= MAX_KEY_BYTES or not 0 < len(value) <= MAX_VALUE_BYTES:
            raise InvariantError(f"a key or value of the state has a forbidden length: {key!r}")
        self._write(key, value)

    def delete(self, key: bytes) -> None:
        """Remove a key; it need not exist."""
        self._write(key, None)

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys with this prefix in ascending order, own writes included.

        Take a list of it before writing below the same prefix.
        """
        own = self._own_keys(prefix)
        index = 0
        for key, value in self._reader.iterate(prefix):
            while index < len(own) and own[index] < key:
                yield from self._own(own[index])
                index += 1
            if index < len(own) and own[index] == key:
                yield from self._own(key)
                index += 1
            else:
                yield key, value
        for key in own[index:]:
            yield from self._own(key)

    def emit(self, event: Event) -> None:
        """Record an event; it is lost when the state is taken back to before it."""
        self._events.append(event)

    @property
    def events(self) -> tuple[Event, ...]:
        """Events, oldest first."""
        return tuple(self._events)

    def events_since(self, checkpoint: Checkpoint) -> tuple[Event, ...]:
        """Events emitted after a checkpoint, oldest first."""
        return tuple(self._events[checkpoint[1] :])

    def take_events(self) -> tuple[Event, ...]:
        """Return the events and forget them."""
        events = tuple(self._events)
        self._events.clear()
        return events

    def checkpoint(self) -> Checkpoint:
        """Mark the present moment for `revert`; events taken after it make it useless."""
        return Checkpoint((len(self._journal), len(self._events)))

    def revert(self, checkpoint: Checkpoint) -> None:
        """Take back all writes and events since the checkpoint."""
        writes, events = checkpoint
        if writes > len(self._journal) or events > len(self._events):
            raise InvariantError("the state was taken back to before this checkpoint already")
        while len(self._journal) > writes:
            key, replaced = self._journal.pop()
            if isinstance(replaced, _Absent):
                del self._writes[key]
            else:
                self._writes[key] = replaced
        del self._events[events:]

    def changes(self) -> list[Change]:
        """All writes in ascending order of keys; None is a deletion."""
        return sorted(self._writes.items())

    def _own_keys(self, prefix: bytes) -> list[bytes]:
        """Written keys with this prefix in order, deleted ones included."""
        if len(self._unsorted) > _INSERT_AT_MOST:
            self._order.extend(self._unsorted)
            self._order.sort()
        else:
            for key in self._unsorted:
                insort(self._order, key)
        self._unsorted.clear()
        first = last = bisect_left(self._order, prefix)
        while last < len(self._order) and self._order[last].startswith(prefix):
            last += 1
        return [key for key in self._order[first:last] if key in self._writes]

    def _own(self, key: bytes) -> Iterator[tuple[bytes, bytes]]:
        # Taken back or deleted meanwhile by whoever iterates: not there.
        value = self._writes.get(key)
        if value is not None:
            yield key, value

    def _write(self, key: bytes, value: bytes | None) -> None:
        self._journal.append((key, self._writes.get(key, _ABSENT)))
        self._writes[key] = value
        if key not in self._placed:
            self._placed.add(key)
            self._unsorted.append(key)
