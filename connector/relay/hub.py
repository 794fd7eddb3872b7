"""Wakes whoever waits for blocks or for one request; carries no facts, those are read from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class Hub:
    """Counts heights up and sets events."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        # Up to here everything was read.
        self.height = 0
        # The node's newest height.
        self.head = 0
        self._changed = asyncio.Event()
        self._watched: dict[bytes, set[asyncio.Event]] = {}

    def publish(self, height: int, request_ids: Iterable[bytes]) -> None:
        """Everything up to a height is in the database; these requests had part in the last one."""
        self.height = max(self.height, height)
        self.head = max(self.head, height)
        self.touch(request_ids)

    def touch(self, request_ids: Iterable[bytes]) -> None:
        """Something about these requests changed, in a block or here."""
        for request_id in request_ids:
            for event in self._watched.get(request_id, ()):
                event.set()
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def next_change(self) -> asyncio.Event:
        """Set by the next change; take it before reading the database."""
        return self._changed

    @contextmanager
    def watching(self, request_id: bytes) -> Iterator[asyncio.Event]:
        """An event that is set whenever something about the request changes; clear it before reading."""
        event = asyncio.Event()
        watchers = self._watched.setdefault(request_id, set())
        watchers.add(event)
        try:
            yield event
        finally:
            watchers.discard(event)
            if not watchers:
                self._watched.pop(request_id, None)
