"""When a peer is sent everything of a run again: once for several asks, and in growing pauses."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from core.circles import Address

FIRST_PAUSE_S = 0.5
LAST_PAUSE_S = 60.0
_MAX_KEPT = 10_000

Answer = Callable[[bytes, Address], Awaitable[None]]
"""Session id and party: sends all messages of that run to that party."""


@dataclass(slots=True)
class _Pause:
    """Answers to one peer's asks in one run."""

    due: float = 0.0
    length: float = FIRST_PAUSE_S
    planned: bool = False


class Repeats:
    """Answers to `again`; who asks often is answered as rarely as everybody."""

    __slots__ = ("_answer", "_clock", "_pauses", "_tasks")

    def __init__(self, clock: Callable[[], float], answer: Answer) -> None:
        """`clock` gives monotonic seconds."""
        self._clock = clock
        self._answer = answer
        self._pauses: dict[tuple[bytes, Address], _Pause] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def ask(self, session: bytes, sender: Address) -> None:
        """Plan one answer in a run that we know; more asks before it are the same ask."""
        if len(self._pauses) > _MAX_KEPT:
            self._pauses = {key: pause for key, pause in self._pauses.items() if pause.planned}
        pause = self._pauses.setdefault((session, sender), _Pause())
        if pause.planned:
            return
        pause.planned = True
        task = asyncio.create_task(self._run(pause, session, sender))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """End what is planned."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, pause: _Pause, session: bytes, sender: Address) -> None:
        await asyncio.sleep(max(0.0, pause.due - self._clock()))
        pause.planned = False
        pause.due = self._clock() + pause.length
        pause.length = min(2 * pause.length, LAST_PAUSE_S)
        await self._answer(session, sender)
