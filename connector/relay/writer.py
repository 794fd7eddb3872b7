"""The one thread that writes: submissions that arrive while the disk works share the next transaction."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

import structlog

from connector.relay.database import Database, Stored
from connector.relay.errors import busy
from connector.relay.records import Submission

_LOG = structlog.get_logger(__name__)
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")
# Of one transaction: about a second's worth.
_MOST: Final = 512

_Waiting = tuple[Submission, Sequence[bytes], "asyncio.Future[Stored]"]


class Writer:
    """Orders all writes; what it answered is on disk."""

    def __init__(self, database: Database) -> None:
        """Nothing waits yet."""
        self.database = database
        # Seen by health: whether the last write got to the disk.
        self.failed = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="relay-writer")
        self._waiting: deque[_Waiting] = deque()
        self._committing: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Write what waits, and end the thread."""
        if self._committing is not None:
            await asyncio.gather(self._committing, return_exceptions=True)
        self._thread.shutdown()

    async def keep(self, submission: Submission, payers: Sequence[bytes]) -> Stored:
        """Keep a submission, or find the one that its nonce names already; on disk when this returns.

        Raises:
            RelayError: it could not be written.
        """
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._waiting.append((submission, payers, future))
        if self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit())
        return await future

    async def run(
        self,
        work: Callable[_Parameters, _Result],
        *arguments: _Parameters.args,
        **named: _Parameters.kwargs,
    ) -> _Result:
        """Another write, after those before it."""
        loop = asyncio.get_running_loop()
        try:
            result = await loop.run_in_executor(self._thread, lambda: work(*arguments, **named))
        except Exception:
            # Whatever it was, nothing is on disk: health says so until a write gets there.
            self.failed = True
            raise
        self.failed = False
        return result

    async def _commit(self) -> None:
        while self._waiting:
            company = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            items = [(submission, payers) for submission, payers, _ in company]
            try:
                stored = await self.run(self.database.keep, items)
            except Exception as error:  # noqa: BLE001 - root of a task: nobody may wait for ever
                bug = not isinstance(error, sqlite3.Error)
                _LOG.error(
                    "submissions not kept", error=str(error), submissions=len(company), exc_info=bug
                )
                for _, _, future in company:
                    if not future.done():
                        future.set_exception(busy("the relay cannot write anything down now"))
                continue
            for (_, _, future), result in zip(company, stored, strict=True):
                if not future.done():
                    future.set_result(result)
