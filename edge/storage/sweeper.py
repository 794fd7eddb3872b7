"""Deletes bodies whose retention has passed, unless a request that named them is still open."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from client.errors import ClientError
from client.rpc import ChainRpc
from edge.storage.bodies import Bodies
from edge.storage.records import Record, Records
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2

_LOG = structlog.get_logger(__name__)

_BATCH: Final = 256
# How much longer an open request keeps its bodies before being asked about again.
_EXTENSION_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Sweeper:
    """One pass a period over what has expired; `rpc` None asks nobody."""

    bodies: Bodies
    records: Records
    rpc: ChainRpc | None
    period_s: float
    now: Callable[[], float] = time.time

    async def run(self) -> None:
        """Sweep for ever; a failing pass is logged and the next one tries again."""
        try:
            while True:
                try:
                    await self.sweep()
                except Exception:  # noqa: BLE001 - root of a background task: log, do not die
                    _LOG.exception("sweep failed")
                await asyncio.sleep(self.period_s)
        finally:
            if self.rpc is not None:
                await self.rpc.close()

    async def sweep(self) -> int:
        """Delete what has expired; returns how many bodies went."""
        deleted = 0
        now = int(self.now())
        for record in self.records.expired(now, _BATCH):
            if await self._open(record):
                self.records.extend(record.digest, now + _EXTENSION_S)
            elif await self.bodies.delete(record):
                deleted += 1
        if deleted:
            _LOG.info("swept", bodies=deleted)
        return deleted

    async def _open(self, record: Record) -> bool:
        """Whether a request that named the body is undecided; a silent node keeps bodies."""
        if self.rpc is None:
            return False
        for request in self.records.references(record.digest):
            try:
                answer = await self.rpc.abci_query("/asc/request", request)
            except ClientError:
                return True
            if answer.code != 0:
                continue
            status = state_pb2.RequestView.FromString(answer.value).status
            if status.status == asc_pb2.STATUS_PENDING or (
                status.opened_height and not status.closed_height
            ):
                return True
        return False
