"""What an explorer counts about itself, and whether it does its work."""

from __future__ import annotations

import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edge.explorer.index.follower import Progress
from edge.explorer.index.model import Head
from telemetry.health import Health
from telemetry.instruments import Instruments

# Blocks by which the index may be behind and the explorer still be called well.
_BEHIND: Final = 20
# What a request is for, by the beginning of its address; everything else is a page.
_PARTS: Final = {"api": "api", "static": "static", "live": "live", "healthz": "health"}
_STREAM: Final = "live"


class ExplorerMeter:
    """Counters and gauges of one explorer, and the verdict on it."""

    def __init__(
        self,
        progress: Progress,
        head: Callable[[], Head | None],
        index: Path,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`head` reads the newest block of the index; it is asked when somebody reads the numbers."""
        self._progress = progress
        self._head = head
        self._index = index
        self.ticks = ticks
        self.instruments = add = Instruments()
        self.answers = add.counter(
            "tkms_explorer_answers_total",
            "Answers by what was asked for and the first digit of the status.",
            "part",
            "status",
        )
        self.answer_seconds = add.histogram(
            "tkms_explorer_answer_seconds", "Time to answer, but for live streams.", "part"
        )
        self.streams = add.gauge("tkms_explorer_streams", "Live streams that are open.")
        self.blocks = add.counter(
            "tkms_explorer_indexed_blocks_total", "Blocks that this process put into the index."
        )
        self.indexed = add.gauge(
            "tkms_explorer_indexed_height_blocks", "Newest height in the index."
        )
        self.chain_height = add.gauge(
            "tkms_explorer_chain_height_blocks", "Height of the node, as it last said."
        )
        self.index_bytes = add.gauge("tkms_explorer_index_bytes", "Size of the index on disk.")
        self._open = 0
        self.streams.set(0)
        add.before_reading(self._refresh)

    def judge(self) -> Health:
        """Whether the index is there and near the node; cheap enough for every caller."""
        head = self._head()
        height, node_height = (head.height if head else 0), self._progress.node_height
        problems: tuple[str, ...] = ()
        phase = "ok"
        if self._progress.trouble:
            # The cause stands in the log: here it would be the node's words.
            phase, problems = "stalled", ("the index does not advance",)
        elif head is None or node_height - height > _BEHIND:
            phase, problems = "behind", (f"{node_height - height} blocks are not indexed yet",)
        facts = {"service": "explorer", "height": height, "node_height": node_height}
        return Health(phase, problems, ready=phase == "ok", facts=facts)

    def opened(self) -> None:
        """A stream began."""
        self._open += 1
        self.streams.set(self._open)

    def closed(self) -> None:
        """A stream ended."""
        self._open -= 1
        self.streams.set(self._open)

    def _refresh(self) -> None:
        head = self._head()
        self.indexed.set(head.height if head else 0)
        self.chain_height.set(self._progress.node_height)
        self.index_bytes.set(_size(self._index))


class Metered:
    """ASGI middleware: every answer is counted, refusals too."""

    def __init__(self, app: ASGIApp, meter: ExplorerMeter) -> None:
        """Wrap an application."""
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through; an answer that was never begun counts as a 5xx."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        meter, part = self._meter, _part(scope["path"])
        status, begun = int(HTTPStatus.INTERNAL_SERVER_ERROR), meter.ticks()

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            await send(message)

        if part == _STREAM:
            meter.opened()
        try:
            await self._app(scope, receive, counted)
        finally:
            if part == _STREAM:
                meter.closed()
            else:
                meter.answer_seconds.observe(meter.ticks() - begun, part)
            meter.answers.add(part, f"{status // 100}xx")


def _part(path: str) -> str:
    return _PARTS.get(path.split("/", 2)[1] if path.startswith("/") else "", "pages")


def _size(path: Path) -> int:
    """Bytes of the file and its write-ahead log; 0 while it is made anew."""
    files = (path, path.with_name(f"{path.name}-wal"))
    return sum(file.stat().st_size for file in files if file.exists())
