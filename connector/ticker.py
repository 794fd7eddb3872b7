"""The chain's height as a wake-up: short polling, nothing is believed because of it."""

from __future__ import annotations

import asyncio

import structlog

from client.errors import ClientError
from client.rpc import ChainRpc
from connector.metrics import ConnectorMeter

_LOG = structlog.get_logger(__name__)


class Ticker:
    """Polls one node's height; tasks wait for it to change."""

    def __init__(
        self, rpc: ChainRpc, poll_seconds: float, meter: ConnectorMeter | None = None
    ) -> None:
        """Start at height 0."""
        self.height = 0
        self._meter = meter or ConnectorMeter()
        self._rpc = rpc
        self._poll_seconds = poll_seconds
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Poll for ever; a silent node is logged once."""
        silent = False
        while True:
            try:
                height = (await self._rpc.status()).latest_height
                silent = False
            except ClientError as error:
                if not silent:
                    _LOG.warning("node unreachable", error=str(error))
                silent = True
                height = self.height
            if height > self.height:
                self.height = height
                self._meter.chain_grew(height)
                self._changed.set()
                self._changed = asyncio.Event()
            await asyncio.sleep(self._poll_seconds)

    async def beyond(self, height: int) -> int:
        """Wait until the node's height is above `height`, and return it."""
        while self.height <= height:
            await self._changed.wait()
        return self.height
