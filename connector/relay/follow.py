"""Reads every block once and in order; what it finds and the position behind it are written together."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from client.chain import Chain
from client.errors import ClientError, HeightUnavailable, NodeError
from connector.relay import blocks
from connector.relay.broadcast import Broadcaster
from connector.relay.hub import Hub
from connector.relay.metrics import RelayMeter
from connector.relay.node import NodeRpc
from connector.relay.payers import Payers
from connector.relay.pricing import Pricing
from connector.relay.records import Event, state_of
from connector.relay.tokens import Quotas
from connector.relay.writer import Writer
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.state.v1 import state_pb2

_LOG = structlog.get_logger(__name__)
# On the first start the stream begins so many blocks ago, for gateways that come from another relay.
_BACKFILL: Final = 600
_ENDS: Final = frozenset({pb.EVENT_KIND_OPENED, pb.EVENT_KIND_REJECTED})
_PRUNE_EVERY: Final = 1_000
# Between tries of a disk that takes nothing.
_DISK_S: Final = 0.5
_LONGEST_AGE_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class FollowerParts:
    """What the follower brings up to date."""

    chain: Chain
    rpc: NodeRpc
    writer: Writer
    broadcaster: Broadcaster
    hub: Hub
    pricing: Pricing
    payers: Payers
    quotas: Quotas
    meter: RelayMeter
    now: Callable[[], float] = time.time


class Follower:
    """One reader of the chain for all callers."""

    def __init__(self, parts: FollowerParts, poll_seconds: float, keep_blocks: int) -> None:
        """Continue behind the durable position."""
        self._parts = parts
        self._poll_seconds = poll_seconds
        self._keep_blocks = keep_blocks
        self._accounts = frozenset(parts.payers.addresses)

    async def begin(self) -> None:
        """Learn what calls need before the first one comes.

        Raises:
            ClientError: the node does not answer.
        """
        status = await self._parts.rpc.status()
        self._parts.hub.head = status.latest_height
        await self._position(status.earliest_height, status.latest_height)
        await self.refresh(status.latest_height)

    async def run(self) -> None:
        """Follow for ever; a silent node is waited for."""
        silent = ""
        while True:
            try:
                moved = await self.step()
                if silent:
                    _LOG.info("node answers again")
                silent = ""
            except ClientError as error:
                self._parts.meter.node_failed(str(error))
                if not silent:
                    _LOG.warning("node not read", error=str(error))
                silent, moved = str(error), False
            except sqlite3.Error as error:
                # The writer noted it for health; nothing was written, so the block is read again.
                _LOG.error("block not kept", error=str(error))
                moved = False
                await asyncio.sleep(_DISK_S)
            if not moved:
                await asyncio.sleep(self._poll_seconds)

    async def step(self) -> bool:
        """Read what is new; True when there was anything."""
        parts = self._parts
        status = await parts.rpc.status()
        parts.meter.node_answered()
        latest = status.latest_height
        parts.hub.head = max(parts.hub.head, latest)
        if latest > parts.meter.height:
            parts.meter.grew(latest)
        position = await self._position(status.earliest_height, latest)
        if latest <= position:
            return False
        for height in range(position + 1, latest + 1):
            try:
                await self._read(height)
            except HeightUnavailable:
                # The block is there before its results are.
                return height > position + 1
        await self.refresh(latest)
        return True

    async def refresh(self, height: int) -> None:
        """Configuration and balances, once a round of blocks."""
        parts = self._parts
        questions = [("/config", b"")]
        questions += [("/account", address) for address in parts.payers.addresses]
        answers = await parts.rpc.queries(questions)
        if answers[0].code != 0:
            raise NodeError(f"/config: {answers[0].log}")
        parts.pricing.learn(state_pb2.ConfigView.FromString(answers[0].value), height)
        for address, answer in zip(parts.payers.addresses, answers[1:], strict=True):
            if answer.code == 0:
                balance = state_pb2.AccountView.FromString(answer.value).account.balance
                parts.payers.learn(address, balance)

    async def _position(self, earliest: int, latest: int) -> int:
        """Height up to which all was read; set anew at first, and where the node lacks what follows."""
        parts = self._parts
        known = parts.writer.database.place("height")
        if known is not None and known + 1 >= earliest:
            return known
        begin = max(earliest - 1, 0 if known is not None else latest - _BACKFILL, 0)
        if known is not None:
            _LOG.warning("blocks are gone", after=known, before=begin)
            await self._look_up()
        await parts.writer.run(parts.writer.database.begin_at, begin)
        parts.hub.publish(begin, ())
        return begin

    async def _look_up(self) -> None:
        """Ask the state about submissions whose blocks cannot be read any more."""
        parts = self._parts
        for submission in parts.writer.database.open_submissions():
            answer = (await parts.rpc.queries([("/asc/request", submission.request_id)]))[0]
            if answer.code != 0:
                continue
            status = state_pb2.RequestView.FromString(answer.value).status
            await parts.writer.run(
                parts.writer.database.found,
                submission.request_id,
                state_of(status.status),
                status.opened_height,
            )

    async def _read(self, height: int) -> None:
        parts = self._parts
        results: dict[str, Any] = await parts.rpc.document("block_results", height=str(height))
        raws = blocks.raw_events(results)
        refused = any(raw.kind == pb.EVENT_KIND_REJECTED for raw in raws)
        block = (
            blocks.transactions(await parts.rpc.document("block", height=str(height)))
            if refused
            else []
        )
        touched = {raw.request_id for raw in raws if raw.request_id}
        known = parts.writer.database.states_of(touched)
        reader = blocks.Reader(parts.chain.chain_id, self._accounts, known)
        events = reader.read(height, raws, block)
        await parts.writer.run(parts.writer.database.add_block, height, events)
        self._tell(height, events, touched)
        if self._keep_blocks and height % _PRUNE_EVERY == 0:
            await self._prune(height)

    def _tell(self, height: int, events: Sequence[Event], touched: set[bytes]) -> None:
        parts = self._parts
        ended = [event.request_id for event in events if event.kind in _ENDS]
        lapsed = parts.broadcaster.on_block(height, ended)
        parts.hub.publish(height, {*touched, *ended, *lapsed})
        parts.quotas.learn_in_flight(parts.writer.database.undecided())
        parts.meter.followed.set(height)

    async def _prune(self, height: int) -> None:
        parts = self._parts
        oldest = height - self._keep_blocks
        if oldest > 0:
            before = parts.now() - _LONGEST_AGE_S
            await parts.writer.run(parts.writer.database.prune, oldest, before)
