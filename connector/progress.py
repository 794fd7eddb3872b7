"""How far the core is with generations and changes of epoch: told to the chain for people, never more.

The newest report of each request is sent in a transaction of its own, once; what gets lost is lost, the next
report says more. Nothing here may hold up an answer.
"""

from __future__ import annotations

import asyncio

import structlog

from client.chain import Chain
from client.errors import ClientError
from connector.ticker import Ticker
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.signing import Signer

_LOG = structlog.get_logger(__name__)

_TTL_BLOCKS = 10
_MOST = 16
# A chain that takes none of them is asked again after so many blocks.
_PAUSE_BLOCKS = 20


class ProgressRelay:
    """Newest report a request, in memory only."""

    def __init__(self, chain: Chain, signer: Signer) -> None:
        """Send as the party's account."""
        self._chain = chain
        self._signer = signer
        self._waiting: dict[bytes, asc_pb2.ReportProgress] = {}
        self._arrived = asyncio.Event()

    def put(self, report: asc_pb2.ReportProgress) -> None:
        """Take a report; an older one of the same request goes."""
        self._waiting.pop(report.request_id, None)
        self._waiting[report.request_id] = report
        self._arrived.set()

    async def run(self, ticker: Ticker) -> None:
        """Send at most once a block for ever."""
        height = 0
        while True:
            self._arrived.clear()
            await self._arrived.wait()
            height = await ticker.beyond(height)
            if not await self.step():
                height += _PAUSE_BLOCKS

    async def step(self) -> bool:
        """Send what waits; False when the chain does not want it."""
        reports = [self._waiting.pop(key) for key in list(self._waiting)[:_MOST]]
        if not reports:
            return True
        messages = [tx_pb2.Message(report_progress=report) for report in reports]
        try:
            await self._chain.submit(messages, self._signer, ttl_blocks=_TTL_BLOCKS)
        except ClientError as error:
            _LOG.debug("progress not told", error=str(error))
            return False
        return True
