"""What was committed, read from blocks: never what was sent, never what failed."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from bench.load import Sent
from client.rpc import ChainRpc

# Blocks are gathered into windows of at least this length: a single block says little.
_WINDOW_S = 1.5
_DRAIN_S = 180.0


@dataclass(frozen=True, slots=True)
class Block:
    """A block: the time in its header, which is when the block before it was decided."""

    height: int
    time: float
    # Transactions that were executed with code 0, in order.
    succeeded: tuple[bytes, ...]
    failed: int


@dataclass(frozen=True, slots=True)
class Rates:
    """Transactions a second: over the whole time, and over each window of it."""

    mean: float
    windows: tuple[float, ...]
    blocks: int


async def caught_up(url: str) -> None:
    """Wait until a node takes transactions: it does not while it still asks peers for blocks."""
    async with ChainRpc(url) as rpc:
        for _ in range(int(_DRAIN_S / 0.2)):
            if not (await rpc.call("status"))["sync_info"]["catching_up"]:
                return
            await asyncio.sleep(0.2)
    raise RuntimeError(f"{url} does not catch up")


async def drained(urls: Sequence[str]) -> None:
    """Wait until no node holds a transaction, and for the block that says when the last one was decided."""
    for _ in range(int(_DRAIN_S / 0.2)):
        if not await _waiting(urls):
            async with ChainRpc(urls[0]) as rpc:
                await _next_block(rpc)
            # What was on its way from one node to another has arrived by now.
            if not await _waiting(urls):
                return
        await asyncio.sleep(0.2)
    raise RuntimeError(f"the mempools were not empty after {_DRAIN_S:.0f} s")


async def _waiting(urls: Sequence[str]) -> int:
    total = 0
    for url in urls:
        async with ChainRpc(url) as rpc:
            total += int((await rpc.call("num_unconfirmed_txs"))["total"])
    return total


async def _next_block(rpc: ChainRpc) -> None:
    height = (await rpc.status()).latest_height
    for _ in range(int(_DRAIN_S / 0.1)):
        if (await rpc.status()).latest_height >= height + 2:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError("the chain stands still")


async def read(url: str, after: int, *, check: bool) -> list[Block]:
    """All blocks above a height; without `check` every transaction counts as executed."""
    async with ChainRpc(url, timeout_s=60) as rpc:
        last = (await rpc.status()).latest_height
        return [await _block(rpc, height, check=check) for height in range(after + 1, last + 1)]


async def _block(rpc: ChainRpc, height: int, *, check: bool) -> Block:
    block = (await rpc.call("block", {"height": str(height)}))["block"]
    raws = [base64.b64decode(text) for text in block["data"]["txs"] or []]
    codes = [0] * len(raws)
    if raws and check:
        results = await rpc.call("block_results", {"height": str(height)})
        codes = [entry.get("code", 0) for entry in results["txs_results"]]
    # Nanoseconds are more digits than the parser takes.
    moment = datetime.fromisoformat(block["header"]["time"][:26].rstrip("Z")).replace(tzinfo=UTC)
    succeeded = tuple(raw for raw, code in zip(raws, codes, strict=True) if code == 0)
    return Block(height, moment.timestamp(), succeeded, len(raws) - len(succeeded))


def rates(blocks: Sequence[Block], sent: Sent) -> Rates:
    """Rates from the first transaction sent until the last one was decided: all work of all that is counted.

    The transactions of a block were taken in after the time in its header and were decided at the time in the
    next one's, so those from one header to a later one belong to the time between the two.
    """
    busy = [index for index, block in enumerate(blocks) if block.succeeded]
    if not busy:
        raise RuntimeError(f"nothing of {sent.accepted} transactions was committed")
    if busy[-1] + 1 == len(blocks):
        raise RuntimeError("no block follows the last one with transactions")
    windows = []
    begin, count, total = sent.began, 0, 0
    for block, following in pairwise(blocks[: busy[-1] + 2]):
        count += len(block.succeeded)
        total += len(block.succeeded)
        if following.time - begin >= _WINDOW_S:
            windows.append(count / (following.time - begin))
            begin, count = following.time, 0
    seconds = blocks[busy[-1] + 1].time - sent.began
    return Rates(total / seconds, tuple(windows) or (total / seconds,), len(busy))
