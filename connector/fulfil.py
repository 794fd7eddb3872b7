"""From the core's results to answers that wait for a transaction; bodies go to storage first."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from client.errors import ClientError
from client.storage import StorageClient
from connector.core import CoreClient
from connector.database import RESULT_CURSOR, Answer, Database
from connector.errors import ConnectorError
from connector.metrics import ConnectorMeter
from wire.digests import sha3_256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

_LOG = structlog.get_logger(__name__)

# Answers of one transaction at first; refused company halves it (see connector.outbox).
FULL_BATCH: Final = 1 << 20
_RETRY_S: Final = 1.0


class Spool:
    """Bodies on disk between core and storage, each under its digest."""

    def __init__(self, folder: Path) -> None:
        """Open or create the folder."""
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def path(self, digest: bytes) -> Path:
        """Where a body lies."""
        return self._folder / digest.hex()

    def write(self, digest: bytes, data: bytes) -> None:
        """Keep a body; complete and on disk when this returns."""
        path = self.path(digest)
        if path.exists():
            return
        temporary = path.with_suffix(".part")
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)

    def remove(self, digest: bytes) -> None:
        """Forget a body that storage has."""
        self.path(digest).unlink(missing_ok=True)


class Collector:
    """Streams results from the durable cursor into the database."""

    def __init__(
        self,
        core: CoreClient,
        database: Database,
        spool: Spool,
        meter: ConnectorMeter | None = None,
        progress: Callable[[asc_pb2.ReportProgress], None] = lambda _report: None,
    ) -> None:
        """Nothing is kept outside database and spool; `progress` is told reports, which may be lost."""
        self._meter = meter or ConnectorMeter()
        self._progress = progress
        self._core = core
        self._database = database
        self._spool = spool

    async def stream(self, wake: asyncio.Event) -> None:
        """One connection's worth of results; returns when the core ends the stream."""
        async for result in self._core.results(self._database.cursor(RESULT_CURSOR)):
            self._meter.core_answered()
            if result.HasField("progress"):
                self._progress(result.progress)
                continue
            self.accept(result)
            self._meter.answers.add("taken")
            wake.set()

    def accept(self, result: core_pb2.Result) -> None:
        """Make one result durable: bodies, then answer and cursor in one transaction.

        Raises:
            ConnectorError: the core sent bytes under another digest.
        """
        for blob in result.uploads:
            if sha3_256(blob.data) != blob.digest:
                raise ConnectorError(f"the core sent other bytes for {blob.digest.hex()}")
            self._spool.write(blob.digest, blob.data)
        answer = Answer(
            id=0,
            request=result.request_id,
            message=to_message(result).SerializeToString(deterministic=True),
            deadline=result.deadline_height,
            batch_limit=FULL_BATCH,
        )
        self._database.add_answer(result.cursor, answer, [blob.digest for blob in result.uploads])
        _LOG.info(
            "result taken",
            request=result.request_id.hex(),
            kind=result.WhichOneof("answer"),
            cursor=result.cursor,
        )

    async def run(self, wake: asyncio.Event) -> None:
        """Collect for ever; a broken stream is asked for again."""
        while True:
            try:
                await self.stream(wake)
            except ConnectorError as error:
                self._meter.core_failed(error)
                _LOG.warning("results interrupted", error=str(error))
            await asyncio.sleep(_RETRY_S)


class Uploader:
    """Brings spooled bodies into storage; the last one makes an answer ready."""

    def __init__(self, storage: StorageClient, database: Database, spool: Spool) -> None:
        """Nothing is kept outside database and spool."""
        self._storage = storage
        self._database = database
        self._spool = spool

    async def step(self) -> int:
        """Upload what waits; one failing body does not hold up the others. Returns how many went."""
        uploaded = 0
        for answer, digest in self._database.pending_uploads(64):
            kind = tx_pb2.Message.FromString(answer.message)
            public = kind.fulfil.WhichOneof("result") == "generation"
            blob_class = "public" if public else "answer"
            try:
                await self._storage.put_file(
                    self._spool.path(digest), digest, blob_class, answer.request.hex()
                )
            except ClientError as error:
                _LOG.warning("upload failed", digest=digest.hex(), error=str(error))
                continue
            if self._database.finish_upload(answer.id, digest):
                self._spool.remove(digest)
            uploaded += 1
        return uploaded

    async def run(self, wake: asyncio.Event) -> None:
        """Upload for ever."""
        while True:
            waiting = len(self._database.pending_uploads(1))
            if waiting and await self.step():
                continue
            wake.clear()
            try:
                async with asyncio.timeout(_RETRY_S if waiting else None):
                    await wake.wait()
            except TimeoutError:
                continue


def to_message(result: core_pb2.Result) -> tx_pb2.Message:
    """Message of a result.

    Raises:
        ConnectorError: the result is empty.
    """
    kind = result.WhichOneof("answer")
    if kind == "fulfil":
        return tx_pb2.Message(fulfil=result.fulfil)
    if kind == "failure":
        return tx_pb2.Message(report_failure=result.failure)
    if kind == "accusation":
        return tx_pb2.Message(accuse=result.accusation)
    raise ConnectorError(f"result {result.cursor} of the core is empty")
