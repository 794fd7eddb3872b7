"""The live head: one poller of the index, any number of readers of its server-sent events, bounded.

Nothing queues: a reader that was slow gets the newest head and no older one. A stream ends after some minutes,
and at once when the explorer stops; browsers connect again by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from edge.explorer.index.model import Head
from edge.serving import problem_response

_LOG = structlog.get_logger(__name__)

_POLL_S: Final = 0.5
_READERS: Final = 256
# Below the server's limit of one request, so that a stream ends orderly.
_LONGEST_S: Final = 600.0
# A sign of life for proxies that close what is silent.
_SILENCE_S: Final = 15.0
_RETRY_MS: Final = 2_000
_HEADERS: Final = {
    "Cache-Control": "no-store",
    # Proxies that would collect the stream before they pass it on.
    "X-Accel-Buffering": "no",
}


class Live:
    """Polls the head while it runs and tells every stream of it."""

    def __init__(
        self,
        read: Callable[[], Head | None],
        *,
        poll_s: float = _POLL_S,
        readers: int = _READERS,
        longest_s: float = _LONGEST_S,
        silence_s: float = _SILENCE_S,
    ) -> None:
        """`read` is called in a thread."""
        self._read = read
        self._poll_s = poll_s
        self._readers = readers
        self._longest_s = longest_s
        self._silence_s = silence_s
        self._open = 0
        self._stopping = False
        self._changed = asyncio.Event()
        self._trouble = ""
        self.head: Head | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Poll while the context lasts; at its end all streams end."""
        task = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.stop()

    def stop(self) -> None:
        """End all streams."""
        self._stopping = True
        self._tell()

    async def stream(self, request: Request) -> Response:
        """Answer of GET /live."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream", headers=_HEADERS)
        if self._open >= self._readers or self._stopping:
            response = problem_response(503, "too many live readers", "reload later")
            response.headers["Retry-After"] = "30"
            return response
        return StreamingResponse(self._events(), media_type="text/event-stream", headers=_HEADERS)

    async def _poll(self) -> None:
        while True:
            try:
                found = await run_in_threadpool(self._read)
            except Exception as error:  # noqa: BLE001 - the index may be made anew meanwhile
                self._note(f"{type(error).__name__}: {error}")
            else:
                self._note("")
                if found is not None and found != self.head:
                    self.head = found
                    self._tell()
            await asyncio.sleep(self._poll_s)

    def _note(self, trouble: str) -> None:
        """Log a change between working and not, not every round."""
        if trouble and not self._trouble:
            _LOG.warning("the live head is not read", error=trouble)
        self._trouble = trouble

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _events(self) -> AsyncIterator[str]:
        self._open += 1
        loop = asyncio.get_running_loop()
        end = loop.time() + self._longest_s
        told = -1
        try:
            yield f"retry: {_RETRY_MS}\n\n"
            while not self._stopping and (rest := end - loop.time()) > 0:
                changed = self._changed
                head = self.head
                if head is not None and head.height != told:
                    told = head.height
                    yield event(head)
                    continue
                silent = min(rest, self._silence_s)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(silent):
                        await changed.wait()
                    continue
                yield ": alive\n\n"
        finally:
            self._open -= 1


def event(head: Head) -> str:
    """What a stream says about a new head."""
    values = {
        "height": head.height,
        "time_ms": head.time_ms,
        "node_height": head.node_height,
        "open_requests": head.open_requests,
    }
    return f"event: head\nid: {head.height}\ndata: {json.dumps(values)}\n\n"
