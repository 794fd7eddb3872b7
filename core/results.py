"""What wakes the streams of results: of one core, and of a coordinator over several."""

import asyncio
from collections.abc import AsyncIterator

from core.journal import Journal
from wire.pb.tkms.core.v1 import core_pb2

_MAX_PROGRESS = 1000


class Results:
    """Wakes the result streams when the journal has something new, or a request got further.

    Progress is told to who listens now and forgotten: it is for people and may be lost.
    """

    __slots__ = ("_changed", "_count", "_progress")

    def __init__(self) -> None:
        """Start quiet."""
        self._changed = asyncio.Event()
        self._count = 0
        self._progress: dict[bytes, tuple[int, core_pb2.Result]] = {}

    def report(self, progress: core_pb2.Result) -> None:
        """Tell how far a request is; the newest report of a request takes the place of older ones."""
        self._count += 1
        self._progress.pop(progress.request_id, None)
        self._progress[progress.request_id] = (self._count, progress)
        if len(self._progress) > _MAX_PROGRESS:
            del self._progress[next(iter(self._progress))]
        self.notify()

    async def stream(self, journal: Journal, after_cursor: int) -> AsyncIterator[core_pb2.Result]:
        """Results of the journal behind a cursor, then new ones and progress as they come."""
        cursor = after_cursor
        told = self._count
        while True:
            # Taken before we look, so that nothing falls between.
            changed = self._changed
            progress = [report for number, report in self._progress.values() if number > told]
            told = self._count
            for report in progress:
                yield report
            found = await asyncio.to_thread(journal.results_after, cursor)
            for result in found:
                cursor = result.cursor
                yield result
            if not found:
                await changed.wait()

    def notify(self) -> None:
        """Wake everybody who waits."""
        self._changed.set()
        self._changed = asyncio.Event()
