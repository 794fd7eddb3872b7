"""docs/sdk.md, executed on a chain in this process: block after block, in one namespace."""

import ast
import asyncio
import contextlib
import re
from collections.abc import Iterator
from inspect import isawaitable
from pathlib import Path
from typing import Any

import pytest

from client.requests import Decided, Revealed
from tests.connector.relay.world import VALUE, World, world
from tests.support.chain import ALICE, BOB, CHAIN_ID, message
from tests.support.shop import APPLICATION, generate_crs
from wire.pb.tkms.isc.v1 import isc_pb2

PAGE = Path(__file__).parents[2] / "docs" / "sdk.md"


def blocks() -> Iterator[tuple[int, str]]:
    """Line and text of every block of Python."""
    text = PAGE.read_text()
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, found.start(1)), found[1]


async def run(line: int, block: str, names: dict[str, Any]) -> None:
    """Execute a block as a reader would in a coroutine; errors show the page's lines."""
    compiled = compile("\n" * line + block, str(PAGE), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    done = eval(compiled, names)  # noqa: S307 - the project's own page
    if isawaitable(done):
        await done


async def parties(made: World) -> None:
    """Answer every public decryption, as soon as a block has it."""
    answered: set[bytes] = set()
    while True:
        for request in set(made.requests()) - answered:
            answered.add(request)
            if not made.view(request).entry.user:
                made.answer(request)
        await asyncio.sleep(0.02)


async def test_every_block_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the page's order, with values, events and the refusal as it says."""
    async with world(tmp_path) as made:
        made.register("x")
        handle = made.records["x"].handle
        grant = isc_pb2.GrantAccess(
            application=APPLICATION, handle=handle, account=bytes(BOB.address)
        )
        assert made.chain.send(ALICE, message(grant_access=grant)).ok
        generate_crs(made.chain, made.key_id, 64, b"crs")
        made.node.adopt()
        names: dict[str, Any] = {
            "node": made.node.url,
            "storage_address": "http://127.0.0.1:1",
            "trusted": made.node.validators_hash,
            "chain_id": CHAIN_ID,
            "application": APPLICATION,
            "payer": ALICE,
            "user": BOB,
            "handle": handle,
        }
        answering = asyncio.create_task(parties(made))
        try:
            for line, block in blocks():
                await run(line, block, names)
        finally:
            answering.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await answering
            await names["rpc"].close()
            await names["storage"].close()
    revealed = names["revealed"]
    assert isinstance(revealed, Revealed)
    assert revealed.values == (VALUE,)
    assert isinstance(names["event"], Decided)
    assert bytes(names["sent"].request_ids[0]) in made.requests()
    assert bytes(names["key"]) == made.key_id
    assert names["outcome"].startswith("nothing was sent: ")
    assert "decided at height" in capsys.readouterr().out
