"""Bodies in a local folder or an S3 bucket, written once, always under the hash of their bytes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import obstore
import obstore.store

from edge.serving import ProblemError
from edge.storage.records import Record, Records

CHUNK_BYTES: Final = 256 * 1024
# Bytes of one class are bounded by what such a body can honestly be.
CLASS_LIMITS: Final = {
    "ciphertext": 64 * 1024 * 1024,
    "answer": 16 * 1024 * 1024,
    "public": 2**62,
}
# No byte for this long is a peer that holds a slot and sends nothing.
CHUNK_SECONDS: Final = 20.0
# Bodies on their way at a time; each takes staging disk.
_MAX_UPLOADS: Final = 16


@dataclass(frozen=True, slots=True)
class Upload:
    """What a peer says about the body that it sends."""

    digest: bytes
    blob_class: str
    request: bytes
    retain_until: int | None


class Bodies:
    """Puts, gets and deletes; the only code that touches the object store."""

    def __init__(self, backend: str, staging: Path, records: Records, max_bytes: int) -> None:
        """Open the backend; `staging` is emptied, since only unfinished uploads are ever there."""
        if backend.startswith("file://"):
            Path(backend.removeprefix("file://")).mkdir(parents=True, exist_ok=True)
        self._store = obstore.store.from_url(backend)
        self._records = records
        self._max_bytes = max_bytes
        self._staging = staging
        staging.mkdir(parents=True, exist_ok=True)
        for leftover in staging.iterdir():
            leftover.unlink()
        self._slots = asyncio.Semaphore(_MAX_UPLOADS)
        # Deleting and recording are one step each against the other: see `delete`.
        self._lock = asyncio.Lock()

    def limit(self, blob_class: str) -> int:
        """Largest body of a class in bytes."""
        return min(self._max_bytes, CLASS_LIMITS[blob_class])

    async def size(self, digest: bytes) -> int | None:
        """Size of a stored body, None when there is none."""
        try:
            return int((await obstore.head_async(self._store, _path(digest)))["size"])
        except FileNotFoundError:
            return None

    async def put(self, upload: Upload, stream: AsyncIterator[bytes]) -> bool:
        """Store a body; False when it was there already.

        Raises:
            ProblemError: 400 other digest, 408 too slow, 413 too large, 503 too many at once, or swept meanwhile.
        """
        limit = self.limit(upload.blob_class)
        if self._slots.locked():
            raise ProblemError(503, "too many uploads", "try again shortly")
        async with self._slots:
            known = await self.size(upload.digest)
            if known is not None:
                # The bytes cannot differ; read them so that the peer can finish speaking.
                await _drain(stream, limit)
                await self._extend(upload, known)
                return False
            with _staged(self._staging) as (descriptor, path):
                size = await _receive(stream, descriptor, upload.digest, limit)
                # Recorded before it is stored: an unfinished put is swept, never forgotten.
                await self._record(upload, size)
                await obstore.put_async(self._store, _path(upload.digest), path)
        return True

    async def get(self, digest: bytes) -> tuple[int, AsyncIterator[bytes]] | None:
        """Size and bytes of a body, None when there is none."""
        try:
            result = await obstore.get_async(self._store, _path(digest))
        except FileNotFoundError:
            return None
        return int(result.meta["size"]), _plain(result.stream(min_chunk_size=CHUNK_BYTES))

    async def delete(self, record: Record) -> bool:
        """Delete a body whose record is still as given; False when it was extended meanwhile."""
        async with self._lock:
            if self._records.get(record.digest) != record:
                return False
            with contextlib.suppress(FileNotFoundError):
                await obstore.delete_async(self._store, _path(record.digest))
            self._records.forget(record.digest)
            return True

    async def _record(self, upload: Upload, size: int) -> None:
        async with self._lock:
            self._keep(upload, size)

    async def _extend(self, upload: Upload, size: int) -> None:
        """Record a body that was there; the sweeper may have deleted it while the peer spoke.

        Raises:
            ProblemError: 503 it is gone, and so are the bytes that the peer sent.
        """
        async with self._lock:
            # Nothing is deleted from here on: what is there now is kept by the record.
            if await self.size(upload.digest) is None:
                raise ProblemError(
                    503, "body swept", "its retention ended meanwhile: send it again"
                )
            self._keep(upload, size)

    def _keep(self, upload: Upload, size: int) -> None:
        record = Record(upload.digest, size, upload.blob_class, upload.retain_until)
        self._records.keep(record, upload.request)


def _path(digest: bytes) -> str:
    name = digest.hex()
    return f"blobs/{name[:2]}/{name}"


@contextlib.contextmanager
def _staged(folder: Path) -> Iterator[tuple[int, Path]]:
    descriptor, name = tempfile.mkstemp(dir=folder)
    try:
        yield descriptor, Path(name)
    finally:
        os.close(descriptor)
        Path(name).unlink(missing_ok=True)


async def _receive(stream: AsyncIterator[bytes], descriptor: int, digest: bytes, limit: int) -> int:
    """Write the stream to `descriptor`, hashing on the way; returns its size."""
    hasher = hashlib.sha3_256()
    total = 0
    async for chunk in _timed(stream):
        total += len(chunk)
        if total > limit:
            raise ProblemError(413, "body too large", f"at most {limit} bytes of this class")
        hasher.update(chunk)
        await asyncio.to_thread(_write_all, descriptor, chunk)
    if hasher.digest() != digest:
        raise ProblemError(400, "digest mismatch", "the path is not the SHA3-256 of the body")
    return total


def _write_all(descriptor: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(descriptor, view) :]


async def _drain(stream: AsyncIterator[bytes], limit: int) -> None:
    total = 0
    async for chunk in _timed(stream):
        total += len(chunk)
        if total > limit:
            raise ProblemError(413, "body too large")


async def _timed(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream, ended by 408 when nothing arrives for CHUNK_SECONDS."""
    iterator = aiter(stream)
    while True:
        try:
            async with asyncio.timeout(CHUNK_SECONDS):
                chunk = await anext(iterator)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise ProblemError(408, "body too slow") from error
        yield chunk


async def _plain(stream: Any) -> AsyncIterator[bytes]:
    async for chunk in stream:
        yield bytes(chunk)
