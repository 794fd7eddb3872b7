"""What state is read from, and what it is changed by: the words that all files of the ledger share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

# A key and its new value; None deletes it.
Change = tuple[bytes, bytes | None]


class Reader(Protocol):
    """Anything that state can be read from: a store, a snapshot of it or an earlier height."""

    def get(self, key: bytes) -> bytes | None:
        """Value of a key."""

    def iterate(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys with this prefix in ascending order, with their values."""
