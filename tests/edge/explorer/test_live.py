"""The live head: whoever listens gets the newest one, whoever is slow none of the old ones, nobody holds a stop."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
from starlette.requests import Request
from starlette.responses import StreamingResponse

from edge.explorer.index.model import Head
from edge.explorer.live import Live, event
from edge.explorer.node import NodeView
from tests.edge.explorer.served_pages import page_server
from tests.edge.explorer.world import build_world

HEAD = Head("test", 7, "ab", 1000, "cd", 1000.0, 1, 0, 0, 0, 1, 7)
REQUEST = Request({"type": "http", "method": "GET", "path": "/live", "headers": []})


class Heads:
    """A head that moves when the test says so."""

    def __init__(self) -> None:
        self.head: Head | None = None
        self.fails = False

    def __call__(self) -> Head | None:
        """Read it."""
        if self.fails:
            raise OSError("being made anew")
        return self.head

    def at(self, height: int) -> None:
        """Move."""
        self.head = dataclasses.replace(HEAD, height=height)


async def opened(live: Live) -> AsyncIterator[str]:
    """A stream past its first words."""
    answer = await live.stream(REQUEST)
    assert isinstance(answer, StreamingResponse)
    parts = aiter(answer.body_iterator)
    assert (await anext(parts)) == "retry: 2000\n\n"
    return parts  # type: ignore[return-value]


async def next_height(parts: AsyncIterator[str]) -> int:
    """Height that the next event names."""
    async with asyncio.timeout(30):
        text = await anext(parts)
    assert text.startswith("event: head\n")
    return int(json.loads(text.split("data: ")[1])["height"])


async def test_every_stream_gets_every_head_it_is_fast_enough_for() -> None:
    """Two streams, one of them slow: it gets the newest head, not those between."""
    heads = Heads()
    heads.at(1)
    live = Live(heads, poll_s=0.001)
    async with live.running():
        fast, slow = await opened(live), await opened(live)
        assert await next_height(fast) == await next_height(slow) == 1
        for height in (2, 3, 4):
            heads.at(height)
            assert await next_height(fast) == height
        assert await next_height(slow) == 4


async def test_an_index_in_trouble_is_waited_for() -> None:
    """A failing read ends nothing."""
    heads = Heads()
    heads.fails = True
    live = Live(heads, poll_s=0.001)
    async with live.running():
        parts = await opened(live)
        await asyncio.sleep(0.02)
        heads.fails = False
        heads.at(5)
        assert await next_height(parts) == 5


async def test_silence_has_signs_of_life_and_an_end() -> None:
    """Comments while nothing happens; after its time a stream ends."""
    live = Live(Heads(), poll_s=0.001, longest_s=0.1, silence_s=0.02)
    async with live.running():
        parts = await opened(live)
        said = [part async for part in parts]
    assert set(said) == {": alive\n\n"}
    assert 2 <= len(said) <= 6


async def test_readers_are_bounded_and_counted_down() -> None:
    """One more than there is place for is told to come later; a place that is left is free again."""
    live = Live(Heads(), readers=1)
    parts = await opened(live)
    refused = await live.stream(REQUEST)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "30")
    await parts.aclose()  # type: ignore[attr-defined]
    await opened(live)


async def test_stopping_ends_streams_at_once() -> None:
    """Nobody who listens keeps the process alive."""
    live = Live(Heads(), silence_s=60)
    async with live.running():
        parts = await opened(live)
        waiting = asyncio.ensure_future(anext(parts, None))
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        assert await waiting is None
    assert (await live.stream(REQUEST)).status_code == 503


async def test_whoever_asks_for_headers_only_holds_no_place() -> None:
    """HEAD has no stream."""
    live = Live(Heads(), readers=1)
    answer = await live.stream(Request({**REQUEST.scope, "method": "HEAD"}))
    assert (answer.status_code, answer.body) == (200, b"")
    await opened(live)


def test_event_form() -> None:
    """Name, id and one line of data."""
    lines = event(HEAD).split("\n")
    assert lines[:2] == ["event: head", "id: 7"]
    assert lines[3:] == ["", ""]
    assert "\n" not in lines[2]


async def test_over_http(tmp_path: Path) -> None:
    """A real stream from the real index; the server stops at once although somebody listens."""
    world = await asyncio.to_thread(build_world, tmp_path)
    reader = world.reader()
    async with aiohttp.ClientSession() as session:
        async with page_server(reader, NodeView(world.rpc)) as url:
            answer = await session.get(url + "/live")
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["cache-control"] == "no-store"
            text = b""
            async with asyncio.timeout(30):
                while b"event: head" not in text:
                    text += await answer.content.readany()
            began = time.monotonic()
        assert time.monotonic() - began < 3
        await answer.read()
    assert f'"height": {world.chain.height}'.encode() in text
    reader.close()
    world.chain.close()
