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
import tkms_kernel as kernel

from client.encrypt import input_metadata
from client.requests import Decided, Revealed
from client.storage import StorageClient
from tests.connector.relay.world import VALUE, World, world
from tests.support.chain import ALICE, BOB, CHAIN_ID, message
from tests.support.edge_servers import TOKEN, storage_server
from tests.support.shop import APPLICATION, generate_crs
from tests.support.toy_material import toy_material
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
    client_key, materials, crs = toy_material(64)
    async with (
        world(tmp_path, materials) as made,
        storage_server(tmp_path / "storage", max_bytes=2**30) as storage,
        StorageClient(storage.url, TOKEN) as filled,
    ):
        for data in (*materials.values(), crs):
            await filled.put(data, "public")
        made.register("x")
        handle = made.records["x"].handle
        grant = isc_pb2.GrantAccess(
            application=APPLICATION, handle=handle, account=bytes(BOB.address)
        )
        assert made.chain.send(ALICE, message(grant_access=grant)).ok
        generate_crs(made.chain, made.key_id, 64, crs)
        made.node.adopt()
        names: dict[str, Any] = {
            "node": made.node.url,
            "storage_address": storage.url,
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
    assert names["key"].key.id == made.key_id
    # What a reader encrypted is what the key's holder finds in it.
    ((fhe_type, ciphertext),) = kernel.ServerKey.load(materials["server-key"]).expand(
        names["proven"],
        kernel.CompactPublicKey.load(materials["public-key"]),
        kernel.Crs.load(crs, checked=True),
        input_metadata(APPLICATION, BOB.address),
    )
    assert client_key.decrypt(ciphertext, fhe_type, 1) == 200
    assert names["outcome"].startswith("nothing was sent: ")
    assert "decided at height" in capsys.readouterr().out
