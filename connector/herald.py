"""Tells the core what became of epochs, keys, its change of epoch and what it works on in vain, with proofs.

What to tell is found by cheap unproven queries, once a block. Only what the core has not been told by this
process is proven and told, so a restart tells everything once more, which changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from client import keys
from client.chain import Chain
from client.errors import ClientError
from connector.core import CoreClient
from connector.database import LOG_CURSOR, Database
from connector.errors import ConnectorError
from connector.ticker import Ticker
from connector.way import Way
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.state.v1 import state_pb2

_LOG = structlog.get_logger(__name__)

_EVERYTHING = 1 << 30
_GIVEN_UP = frozenset({asc_pb2.STATUS_FAILED, asc_pb2.STATUS_EXPIRED})


class Herald:
    """One core's news."""

    def __init__(self, chain: Chain, core: CoreClient, database: Database) -> None:
        """Nothing is kept but what was told by this process."""
        self._chain = chain
        self._core = core
        self._database = database
        self._way = Way(chain, core)
        self._told: dict[bytes, bytes] = {}

    async def run(self, ticker: Ticker) -> None:
        """Look once a block for ever; what cannot be told now is told at the next."""
        height = 0
        while True:
            height = await ticker.beyond(height)
            try:
                await self.step()
            except (ClientError, ConnectorError) as error:
                _LOG.debug("news wait", error=str(error))

    async def step(self) -> bool:
        """Tell what is new; whether there was anything.

        Raises:
            ClientError: the node does not answer or does not prove.
            ConnectorError: the core is away or does not believe.
        """
        status = await self._core.status()
        wanted = [keys.current_epoch(), *map(keys.key_record, status.key_ids)]
        if status.change_request:
            wanted.append(keys.status(status.change_request))
        found = {key: await self._chain.query("/store", key) for key in wanted}
        found |= await self._given_up(status)
        news = sorted(key for key, value in found.items() if value and self._told.get(key) != value)
        done = await self._old_epochs_done(status, found)
        if not news and not done:
            return False
        await self._tell(news or [keys.current_epoch()], done=done)
        return True

    async def _given_up(self, status: core_pb2.StatusReply) -> dict[bytes, bytes]:
        """Status records of requests that the core works on and the chain has failed or let expire."""
        found = {}
        for request_id in status.long_requests:
            value = await self._chain.query("/store", keys.status(request_id))
            if value and asc_pb2.RequestStatus.FromString(value).status in _GIVEN_UP:
                found[keys.status(request_id)] = value
        return found

    async def _tell(self, wanted: list[bytes], *, done: bool) -> None:
        """Prove and tell."""
        proven = [item for item in await self._chain.proven_values(wanted) if item.value]
        told = {item.key: item.value for item in proven if item.value is not None}
        inform = core_pb2.InformRequest(
            facts=[
                state_pb2.ProvenValue(
                    key=item.key, value=item.value or b"", proof=item.proof, height=item.height
                )
                for item in proven
            ],
            old_epochs_done=done,
        )
        await self._way.offer(proven[0].height, inform.headers, lambda: self._core.inform(inform))
        self._told |= told
        _LOG.info("core informed", facts=len(proven), old_epochs_done=done)

    async def _old_epochs_done(
        self, status: core_pb2.StatusReply, found: Mapping[bytes, bytes]
    ) -> bool:
        """Whether the core has every entry of the epochs that it keeps only for older requests.

        The newest sequence is asked for after the current epoch: entries of older epochs are not above it.
        The change itself must be closed, for as long as it is not, a slow party needs the old shares' holders.
        """
        current = int.from_bytes(found[keys.current_epoch()], "big")
        old = [epoch for epoch in status.held_epoch_ids if epoch < status.current_epoch_id]
        if not old or current != status.current_epoch_id:
            return False
        if status.change_request:
            change = found[keys.status(status.change_request)]
            if not asc_pb2.RequestStatus.FromString(change).closed_height:
                return False
        raw = await self._chain.query("/store", keys.last_sequence())
        if self._database.cursor(LOG_CURSOR) < int.from_bytes(raw, "big"):
            return False
        pending = self._database.pending_work(float("inf"), _EVERYTHING)
        return all(work.epoch_id >= status.current_epoch_id for work in pending)
