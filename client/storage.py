"""Bodies by digest: any server will do, because every body is hashed again here."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from client.errors import StorageError, Unreachable, VerificationFailed
from wire.digests import sha3_256, storage_path

_CHUNK_BYTES: Final = 256 * 1024
# Public material of production keys is hundreds of megabytes.
DEFAULT_MAX_BYTES: Final = 2 * 1024**3


class StorageClient:
    """One or more replicas of the same content-addressed storage; reads try them in order."""

    def __init__(
        self, urls: str | Sequence[str], token: str = "", timeout_s: float = 600.0
    ) -> None:
        """Remember base addresses; the first one takes writes."""
        addresses = (urls,) if isinstance(urls, str) else tuple(urls)
        self._urls = tuple(address.rstrip("/") for address in addresses)
        self._token = token
        # No progress for half a minute is a dead peer; long bodies may take long.
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=10, sock_read=30)
        self._session: aiohttp.ClientSession | None = None

    def __repr__(self) -> str:
        """Show addresses only."""
        return f"StorageClient({self._urls})"

    async def __aenter__(self) -> Self:
        """Nothing to do before first use."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, digest: bytes, max_bytes: int = DEFAULT_MAX_BYTES) -> bytes:
        """Body with exactly this SHA3-256, from the first replica that has it.

        Raises:
            StorageError: no replica has it (status 404) or it is larger than `max_bytes`.
            VerificationFailed: every replica that answered gave other bytes.
            Unreachable: no replica answered.
        """
        failure: Exception = StorageError("no storage server is configured")
        for url in self._urls:
            try:
                return await self._get_from(url, digest, max_bytes)
            except (StorageError, Unreachable, VerificationFailed) as error:
                # A forged body says more than a missing one, a missing one more than silence.
                failure = max(failure, error, key=_weight)
        raise failure

    async def put(self, data: bytes, blob_class: str, request: str = "") -> bytes:
        """Store a body and return its digest; storing it again is no error.

        Raises:
            StorageError: the server refuses; Unreachable: it does not answer.
        """
        digest = sha3_256(data)
        body = _pieces(data), len(data)
        await self._put(digest, body, blob_class, request)
        return digest

    async def put_file(self, path: Path, digest: bytes, blob_class: str, request: str = "") -> None:
        """Store a file whose digest is known, without reading it into memory at once."""
        body = _chunks(path), path.stat().st_size  # noqa: ASYNC240 - one small call
        await self._put(digest, body, blob_class, request)

    async def _put(
        self, digest: bytes, body: tuple[AsyncIterator[bytes], int], blob_class: str, request: str
    ) -> None:
        """Send a body in pieces, its size announced so that a refusal comes before the bytes."""
        pieces, size = body
        parameters = {"class": blob_class} | ({"request": request} if request else {})
        headers = {"Content-Length": str(size)}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        url = self._urls[0]
        try:
            async with self._opened().put(
                url + storage_path(digest), data=pieces, params=parameters, headers=headers
            ) as response:
                if response.status not in {200, 201}:
                    raise StorageError(await _problem(response), response.status)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"storage {url}: {type(error).__name__}") from error

    async def _get_from(self, url: str, digest: bytes, max_bytes: int) -> bytes:
        hasher = hashlib.sha3_256()
        chunks: list[bytes] = []
        total = 0
        try:
            async with self._opened().get(url + storage_path(digest)) as response:
                if response.status != 200:
                    raise StorageError(await _problem(response), response.status)
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    total += len(chunk)
                    if total > max_bytes:
                        raise StorageError(f"{digest.hex()} is larger than {max_bytes} bytes", 413)
                    hasher.update(chunk)
                    chunks.append(chunk)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"storage {url}: {type(error).__name__}") from error
        if hasher.digest() != digest:
            raise VerificationFailed(f"storage {url} served other bytes for {digest.hex()}")
        return b"".join(chunks)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        return self._session


async def _problem(response: aiohttp.ClientResponse) -> str:
    """First words of a refusal, for people."""
    text = (await response.content.read(2048)).decode(errors="replace")
    return f"{response.status} from storage: {text}"


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), _CHUNK_BYTES):
        yield data[start : start + _CHUNK_BYTES]


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as stream:
        while chunk := await asyncio.to_thread(stream.read, _CHUNK_BYTES):
            yield chunk


def _weight(error: Exception) -> int:
    if isinstance(error, VerificationFailed):
        return 3
    if isinstance(error, StorageError):
        return 2 if error.status else 0
    return 1
