"""From disk to the mempool: the same bytes again until a block has them or their last height has passed.

A refusal ends a submission only where no node can have the bytes: at the first offer in the process that
accepted it, answered by CheckTx. In every other case only the blocks decide.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import structlog

from client.errors import ClientError
from client.rpc import BroadcastAnswer
from connector.relay.hub import Hub
from connector.relay.metrics import RelayMeter
from connector.relay.node import MOST_IN_BATCH, NodeRpc
from connector.relay.records import Submission
from connector.relay.writer import Writer
from wire.reasons import Reason

_LOG = structlog.get_logger(__name__)
# Arrays on their way at the same time: the node checks one transaction after the other anyway.
_SIDE_BY_SIDE: Final = 4
# Heights after which the same bytes are offered again: a mempool is not durable.
_RESEND_BLOCKS: Final = 3
_AWAY_S: Final = 0.3
# The node's own limits: they pass.
_PASSING: Final = frozenset({Reason.BUSY, Reason.RATE_LIMITED})
# Said of bytes whose fate only the blocks tell.
_DECIDED: Final = frozenset({Reason.REPLAYED, Reason.EXPIRED})


class Word(Enum):
    """What the node said of a transaction."""

    TAKEN = auto()
    REFUSED = auto()
    # Not taken now; it is offered again.
    LATER = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The node's word, with code and text of a refusal."""

    word: Word
    code: int = 0
    detail: str = ""


@dataclass(slots=True)
class _Flight:
    """A transaction that no block is known to have."""

    submission: Submission
    # No node can have it: never offered, and accepted by this process.
    fresh: bool
    taken: bool = False
    # In the queue, or in an array whose answer is awaited.
    queued: bool = False
    offered_at: int = 0
    verdict: asyncio.Future[Verdict] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Broadcaster:
    """Offers what is on disk; keeps nothing that a restart could miss."""

    def __init__(self, rpc: NodeRpc, writer: Writer, hub: Hub, meter: RelayMeter) -> None:
        """Call `resume` with what is on disk before anything else."""
        self._rpc = rpc
        self._writer = writer
        self._hub = hub
        self._meter = meter
        self._flights: dict[bytes, _Flight] = {}
        self._queue: deque[_Flight] = deque()
        self._wake = asyncio.Event()
        self._height = 0

    def __len__(self) -> int:
        """Transactions that no block is known to have."""
        return len(self._flights)

    @property
    def waiting(self) -> int:
        """Transactions that wait to be offered."""
        return len(self._queue)

    def resume(self, submissions: Iterable[Submission]) -> None:
        """Go on with what an earlier process accepted."""
        for submission in submissions:
            self._add(submission, fresh=False)

    def offer(self, submission: Submission) -> asyncio.Future[Verdict]:
        """Bring a submission that is on disk to the node; the future has the node's first word."""
        flight = self._flights.get(submission.request_id)
        if flight is None:
            flight = self._add(submission, fresh=True)
        return flight.verdict

    def taken(self, request_id: bytes) -> bool:
        """Whether the node has it in its mempool, as far as it said."""
        flight = self._flights.get(request_id)
        return flight is not None and flight.taken

    def on_block(self, height: int, ended: Iterable[bytes]) -> list[bytes]:
        """A block was read: these requests need nothing more; others are offered again when it is time.

        Returns those whose last height this was.
        """
        self._height = height
        for request_id in ended:
            flight = self._flights.pop(request_id, None)
            if flight is not None and not flight.verdict.done():
                flight.verdict.set_result(Verdict(Word.TAKEN))
        lapsed = [
            request_id
            for request_id, flight in self._flights.items()
            if flight.submission.expires_at <= height
        ]
        for request_id in lapsed:
            flight = self._flights.pop(request_id)
            if not flight.verdict.done():
                flight.verdict.set_result(Verdict(Word.LATER))
        for flight in self._flights.values():
            if not flight.taken or height >= flight.offered_at + _RESEND_BLOCKS:
                self._enqueue(flight)
        return lapsed

    async def run(self) -> None:
        """Offer for ever."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_SIDE_BY_SIDE):
                group.create_task(self._work())

    async def _work(self) -> None:
        while True:
            while not self._queue:
                self._wake.clear()
                await self._wake.wait()
            company = [self._queue.popleft() for _ in range(min(MOST_IN_BATCH, len(self._queue)))]
            company = [
                flight for flight in company if flight.submission.request_id in self._flights
            ]
            if company and not await self._offer(company):
                await asyncio.sleep(_AWAY_S)

    async def _offer(self, company: list[_Flight]) -> bool:
        """One array of transactions; False when the node is away."""
        try:
            answers = await self._rpc.broadcast_all([flight.submission.raw for flight in company])
        except ClientError as error:
            self._meter.node_failed(str(error))
            for flight in company:
                # The question may have arrived.
                flight.fresh = False
                flight.queued = False
                self._enqueue(flight)
            return False
        self._meter.node_answered()
        refusals: list[tuple[_Flight, Verdict]] = []
        for flight, answer in zip(company, answers, strict=True):
            flight.offered_at = self._height
            verdict = _verdict(answer, fresh=flight.fresh)
            self._meter.offers.add(verdict.word.name.lower())
            flight.fresh = False
            flight.queued = False
            if verdict.word is Word.REFUSED:
                # Out of the queue for good.
                self._flights.pop(flight.submission.request_id, None)
                refusals.append((flight, verdict))
                continue
            flight.taken = flight.taken or verdict.word is Word.TAKEN
            _tell(flight, verdict)
        if refusals:
            await self._refuse(refusals)
        return True

    async def _refuse(self, refusals: list[tuple[_Flight, Verdict]]) -> None:
        """Write refusals down before anybody hears of them."""
        rows = [
            (flight.submission.hash, verdict.code, verdict.detail) for flight, verdict in refusals
        ]
        try:
            await self._writer.run(self._writer.database.reject, rows, self._height)
        except sqlite3.Error as error:
            _LOG.error("refusals not kept", error=str(error), refusals=len(rows))
            for flight, _ in refusals:
                # No node has it: the next offer is as good as the first.
                flight.fresh = True
                self._flights[flight.submission.request_id] = flight
            return
        for flight, verdict in refusals:
            _tell(flight, verdict)
        self._hub.touch([flight.submission.request_id for flight, _ in refusals])

    def _add(self, submission: Submission, *, fresh: bool) -> _Flight:
        flight = _Flight(submission, fresh)
        self._flights[submission.request_id] = flight
        self._enqueue(flight)
        return flight

    def _enqueue(self, flight: _Flight) -> None:
        if not flight.queued:
            flight.queued = True
            self._queue.append(flight)
            self._wake.set()


def _tell(flight: _Flight, verdict: Verdict) -> None:
    if not flight.verdict.done():
        flight.verdict.set_result(verdict)


def _verdict(answer: BroadcastAnswer | str, *, fresh: bool) -> Verdict:
    if isinstance(answer, str):
        # The node's own trouble: a full mempool, a restart.
        return Verdict(Word.LATER, detail=answer)
    if answer.code == 0:
        return Verdict(Word.TAKEN)
    if answer.code in _PASSING:
        return Verdict(Word.LATER, answer.code, answer.log)
    if answer.code in _DECIDED or not fresh:
        return Verdict(Word.LATER, answer.code, answer.log)
    return Verdict(Word.REFUSED, answer.code, answer.log)
