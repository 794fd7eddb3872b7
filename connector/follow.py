"""From the request log to the core: every entry once, proven, older headers first.

`Follower` reads `asc/log/<sequence>` with a proof, so a lying node cannot move the durable cursor
over a request. With the entry it proves all that a core wants to see: epoch, key and status, under
one header. `Submitter` adds ciphertexts and headers and hands it over; where that does not work at
once it proves everything anew, since nodes keep the newest state only.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from client import keys
from client.chain import Chain, Proven
from client.errors import ClientError, HeightUnavailable, VerificationFailed
from client.storage import StorageClient
from connector.core import CoreClient
from connector.database import LOG_CURSOR, Database, Work
from connector.errors import ConnectorError, CoreUnavailableError
from connector.metrics import ConnectorMeter
from connector.ticker import Ticker
from connector.way import Way
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.state.v1 import state_pb2

_LOG = structlog.get_logger(__name__)

_BATCH: Final = 64
# Seconds until the next try of an entry that could not be handed over.
_BACKOFF_S: Final = 1.0
_LONGEST_BACKOFF_S: Final = 15.0
# Tries to find a ciphertext before the core is told that it is missing: about half a minute.
_BLOB_ATTEMPTS: Final = 6
# Submissions on their way to the core at the same time: each may carry megabytes of ciphertexts.
_SIDE_BY_SIDE: Final = 8


class Evidence:
    """Proves entries for a core; everything is also checked here on the way."""

    def __init__(self, chain: Chain, party: int) -> None:
        """Bind to a chain and the party whose answers count."""
        self._chain = chain
        self._party = party

    async def gather(self, entries: Sequence[tuple[int, bytes]]) -> list[Work]:
        """Work rows of (sequence, entry as the node says) pairs, all as of one height.

        Raises:
            VerificationFailed: the node said something that the state does not prove.
        """
        parsed = [(sequence, _entry(raw)) for sequence, raw in entries]
        wanted = sorted({key for sequence, entry in parsed for key in _keys(sequence, entry)})
        proven = {item.key: item for item in await self._chain.proven_values(wanted)}
        return [self._work(sequence, entry, proven) for sequence, entry in parsed]

    def _work(self, sequence: int, entry: asc_pb2.LogEntry, proven: Mapping[bytes, Proven]) -> Work:
        told = entry.SerializeToString(deterministic=True)
        log = proven[keys.log_entry(sequence)]
        if log.value != told or entry.sequence != sequence:
            raise VerificationFailed(f"log entry {sequence} is not what the node said")
        request = core_pb2.SubmitRequest(
            entry=_proven_value(log), epoch=_proven_value(proven[keys.epoch(entry.epoch_id)])
        )
        if entry.key_id:
            request.key.CopyFrom(_proven_value(proven[keys.key_record(entry.key_id)]))
        request.more.extend(_proven_value(proven[key]) for key in _more(entry))
        settled = self._settled(proven[keys.status(entry.request_id)])
        return Work(
            sequence,
            told,
            request.SerializeToString(deterministic=True),
            state="settled" if settled else "pending",
        )

    def _settled(self, proven: Proven) -> bool:
        """Whether our answer is in or no answer is taken any more."""
        if proven.value is None:
            return False
        status = asc_pb2.RequestStatus.FromString(proven.value)
        return bool(status.closed_height) or self._party in status.answered


class Follower:
    """Copies new log entries into the database."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        evidence: Evidence,
        meter: ConnectorMeter | None = None,
    ) -> None:
        """Continue from the durable cursor."""
        self._meter = meter or ConnectorMeter()
        self._chain = chain
        self._database = database
        self._evidence = evidence

    async def step(self) -> int:
        """Take over all entries that the newest state has; returns how many were new."""
        added = 0
        while found := await self._peek():
            for work in await self._evidence.gather(found):
                self._database.add_work(work)
                _LOG.info(
                    "request seen",
                    request=_request_of(work),
                    sequence=work.sequence,
                    state=work.state,
                )
            added += len(found)
        return added

    async def _peek(self) -> list[tuple[int, bytes]]:
        """Entries after the cursor as the node says, unproven: at most a batch."""
        first = self._database.cursor(LOG_CURSOR) + 1
        found: list[tuple[int, bytes]] = []
        for sequence in range(first, first + _BATCH):
            raw = await self._chain.query("/store", keys.log_entry(sequence))
            if not raw:
                break
            found.append((sequence, raw))
        return found

    async def run(self, ticker: Ticker, wake: asyncio.Event) -> None:
        """Follow for ever; failures are logged and the next block tries again."""
        height = 0
        while True:
            height = await ticker.beyond(height)
            try:
                if await self.step():
                    wake.set()
                self._meter.log_read(height)
            except HeightUnavailable:
                continue
            except ClientError as error:
                _LOG.warning("request log not read", error=str(error))


@dataclass(frozen=True, slots=True)
class SubmitterParts:
    """What a submitter works with."""

    chain: Chain
    storage: StorageClient
    core: CoreClient
    database: Database
    evidence: Evidence
    meter: ConnectorMeter = field(default_factory=ConnectorMeter)
    now: Callable[[], float] = time.time


class _Outcome(Enum):
    """What became of one try."""

    FINISHED = auto()
    LATER = auto()
    AWAY = auto()


def _proven_at(work: Work) -> tuple[bool, int]:
    """Order of submission: entries tried before prove everything anew, at the newest height."""
    if work.attempts:
        return (True, 0)
    return (False, core_pb2.SubmitRequest.FromString(work.evidence).entry.height)


class Submitter:
    """Hands entries to the core until it has accepted each of them."""

    def __init__(self, parts: SubmitterParts) -> None:
        """Nothing is kept outside the database."""
        self._chain = parts.chain
        self._storage = parts.storage
        self._core = parts.core
        self._way = Way(parts.chain, parts.core)
        self._database = parts.database
        self._evidence = parts.evidence
        self._meter = parts.meter
        self._now = parts.now
        self._side_by_side = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def step(self) -> int:
        """Hand over what is due; returns how many entries are off the list.

        What was proven under one header goes to the core side by side, older headers first: a core
        that has moved on to a newer header takes no proof under an older one that it never saw.
        """
        finished = 0
        due = self._database.pending_work(self._now(), _BATCH)
        for _, group in itertools.groupby(sorted(due, key=_proven_at), key=_proven_at):
            outcomes = await asyncio.gather(*[self._attempt(work) for work in group])
            finished += outcomes.count(_Outcome.FINISHED)
            if _Outcome.AWAY in outcomes:
                # Nothing later would fare better.
                return finished
        return finished

    async def _attempt(self, work: Work) -> _Outcome:
        """One try of one entry, written to the database."""
        try:
            async with self._side_by_side:
                state = await self._handle(work)
        except (CoreUnavailableError, HeightUnavailable) as error:
            _LOG.warning(
                "submission waits",
                request=_request_of(work),
                sequence=work.sequence,
                error=str(error),
            )
            self._count("away", error)
            return _Outcome.AWAY
        except (ClientError, ConnectorError) as error:
            self._count("later", error)
            _LOG.warning(
                "submission failed",
                request=_request_of(work),
                sequence=work.sequence,
                error=str(error),
            )
            state = ""
        else:
            self._count(state or "later")
        if state:
            self._database.finish_work(work.sequence, state)
            return _Outcome.FINISHED
        wait = min(_BACKOFF_S * 2**work.attempts, _LONGEST_BACKOFF_S)
        self._database.postpone_work(work.sequence, self._now() + wait)
        return _Outcome.LATER

    def _count(self, outcome: str, error: Exception | None = None) -> None:
        self._meter.submissions.add(outcome)
        if isinstance(error, ConnectorError):
            self._meter.core_failed(error)
        elif outcome == "submitted":
            self._meter.core_answered()

    async def run(self, wake: asyncio.Event, poll_seconds: float) -> None:
        """Submit for ever, woken by the follower and by time."""
        while True:
            if await self.step() < _BATCH:
                wake.clear()
                try:
                    async with asyncio.timeout(poll_seconds):
                        await wake.wait()
                except TimeoutError:
                    continue

    async def _handle(self, work: Work) -> str:
        """New state of the entry; empty to try again later."""
        entry = asc_pb2.LogEntry.FromString(work.entry)
        if work.attempts:
            fresh = (await self._evidence.gather([(work.sequence, work.entry)]))[0]
            work = dataclasses.replace(fresh, attempts=work.attempts)
        if work.state == "settled":
            _LOG.info("request settled", request=entry.request_id.hex(), sequence=work.sequence)
            return "settled"
        blobs, missing = await self._blobs(entry)
        if missing and work.attempts < _BLOB_ATTEMPTS:
            return ""
        request = core_pb2.SubmitRequest.FromString(work.evidence)
        request.ciphertexts.extend(blobs)
        state = await self._way.offer(
            request.entry.height, request.headers, lambda: self._core.submit(request)
        )
        _LOG.info(
            "request submitted",
            request=entry.request_id.hex(),
            sequence=work.sequence,
            state=core_pb2.WorkState.Name(state),
            missing=len(missing),
        )
        return "submitted"

    async def _blobs(self, entry: asc_pb2.LogEntry) -> tuple[list[core_pb2.Blob], list[bytes]]:
        """Ciphertexts by digest, each once, and the digests that no replica has."""
        sizes = {ciphertext.digest: ciphertext.size for ciphertext in entry.ciphertexts}
        blobs: list[core_pb2.Blob] = []
        missing: list[bytes] = []
        for digest, size in sizes.items():
            try:
                data = await self._storage.get(digest, size)
            except ClientError as error:
                _LOG.warning("ciphertext not served", digest=digest.hex(), error=str(error))
                missing.append(digest)
            else:
                blobs.append(core_pb2.Blob(digest=digest, data=data))
        return blobs, missing


def _entry(raw: bytes) -> asc_pb2.LogEntry:
    try:
        return asc_pb2.LogEntry.FromString(raw)
    except DecodeError as error:
        raise VerificationFailed("the node serves a log entry of another schema") from error


def _request_of(work: Work) -> str:
    """Id of an entry's request, for log lines."""
    return asc_pb2.LogEntry.FromString(work.entry).request_id.hex()


def _keys(sequence: int, entry: asc_pb2.LogEntry) -> list[bytes]:
    """State keys of all that is proven about an entry."""
    wanted = [
        keys.log_entry(sequence),
        keys.epoch(entry.epoch_id),
        keys.status(entry.request_id),
    ]
    if entry.key_id:
        wanted.append(keys.key_record(entry.key_id))
    return wanted + _more(entry)


def _more(entry: asc_pb2.LogEntry) -> list[bytes]:
    """What else the core wants to see: preprocessing that is taken, next epoch and keys of a change."""
    wanted = [keys.key_record(key_id) for key_id in entry.key_ids]
    if entry.next_epoch_id:
        wanted.append(keys.epoch(entry.next_epoch_id))
    if entry.preprocessing_id:
        wanted.append(keys.preprocessing(entry.preprocessing_id))
    return wanted


def _proven_value(proven: Proven) -> state_pb2.ProvenValue:
    if proven.value is None:
        raise VerificationFailed(f"the state proves that {proven.key!r} is absent")
    return state_pb2.ProvenValue(
        key=proven.key, value=proven.value, proof=proven.proof, height=proven.height
    )
