"""Keeps a connector's gauges up to date from its database and its node, and judges its health.

The database belongs to the event loop and balances need the node, so both are read here, every few seconds
and whether or not somebody looks; whoever does look gets plain numbers at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

import structlog

from client.chain import Chain
from client.errors import ClientError
from connector.core import CoreClient
from connector.database import LOG_CURSOR, RESULT_CURSOR, Database
from connector.errors import ConnectorError
from connector.metrics import ConnectorMeter
from telemetry.health import Health
from wire.ids import Address
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2

_LOG = structlog.get_logger(__name__)

_EVERY_S: Final = 5.0
# Blocks that a working connector may be behind for a moment.
_MOST_LAG_BLOCKS: Final = 50


class Watch:
    """Reads what nobody tells the meter."""

    def __init__(
        self,
        chain: Chain,
        core: CoreClient,
        database: Database,
        account: Address,
        meter: ConnectorMeter,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`account` is the one that sends answers."""
        self._chain = chain
        self._core = core
        self._database = database
        self._account = account
        self._meter = meter
        self._now = now
        # Sequence of the oldest open entry, and the time of its block in seconds.
        self._oldest: tuple[int, float] = (0, 0.0)

    async def run(self) -> None:
        """Read for ever."""
        while True:
            try:
                self.read_database()
                await self.ask_core()
                await self.read_chain()
            except ClientError as error:
                _LOG.debug("numbers not read", error=str(error))
            except Exception:  # noqa: BLE001 - numbers for people must not end the work
                self._meter.errors.add()
                _LOG.exception("numbers not read")
            await asyncio.sleep(_EVERY_S)

    def read_database(self) -> None:
        """Cursors, rows by state and the nearest deadline."""
        meter = self._meter
        for name in (LOG_CURSOR, RESULT_CURSOR):
            meter.cursor.set(self._database.cursor(name), name)
        counts = self._database.counts()
        meter.rows.replace({tuple(name.split(".")): count for name, count in counts.items()})
        deadline = self._database.nearest_deadline()
        meter.nearest_deadline.replace({} if deadline is None else {(): deadline - meter.height})

    async def ask_core(self) -> None:
        """Whether the core is there: without work nothing else would tell."""
        try:
            status = await self._core.status()
        except ConnectorError as error:
            self._meter.core_failed(error)
        else:
            self._meter.core_answered()
            if status.developer_mode and not self._meter.core_developer_mode:
                _LOG.warning("OUR CORE RUNS IN DEVELOPER MODE: not for real secrets")
            self._meter.core_developer_mode = status.developer_mode

    async def read_chain(self) -> None:
        """Balance, and the age of the oldest entry that the core was not given."""
        raw = await self._chain.query("/account", bytes(self._account))
        self._meter.balance.set(state_pb2.AccountView.FromString(raw).account.balance)
        oldest = self._database.oldest_pending()
        if oldest is None:
            self._meter.oldest_work.set(0)
            return
        if oldest.sequence != self._oldest[0]:
            height = asc_pb2.LogEntry.FromString(oldest.entry).height
            header = await self._chain.headers.header(height)
            self._oldest = (oldest.sequence, header.time_ns / 1e9)
        self._meter.oldest_work.set(max(0.0, self._now() - self._oldest[1]))


class ConnectorHealth:
    """Judges a connector: its node's chain must grow, its core must be there, it must keep up.

    starting   the node has not shown a height yet
    running    everything else
    """

    def __init__(
        self,
        meter: ConnectorMeter,
        limit_seconds: float,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """A height that is older than `limit_seconds` is too old."""
        self._meter = meter
        self._limit = limit_seconds
        self._ticks = ticks

    def __call__(self) -> Health:
        """The verdict now."""
        meter = self._meter
        age = None if meter.grown_at is None else self._ticks() - meter.grown_at
        facts: dict[str, object] = {
            "chain_height": meter.height,
            "cursor_height": meter.followed,
            "core_away": meter.core_away,
            "core_developer_mode": meter.core_developer_mode,
            "seconds_since_growth": None if age is None else round(age, 3),
            "limit_seconds": self._limit,
        }
        if age is None:
            return Health("starting", ("the node is not there",), ready=False, facts=facts)
        problems = []
        if age > self._limit:
            problems.append(f"the node's height {meter.height} has not grown for {age:.0f} s")
        lag = meter.height - meter.followed
        if lag > _MOST_LAG_BLOCKS:
            problems.append(f"the request log is read {lag} blocks late")
        if meter.core_away:
            problems.append("the core does not answer")
        return Health("running", tuple(problems), ready=lag <= _MOST_LAG_BLOCKS, facts=facts)
