"""Public bytes by digest: what we publish for everybody, and server keys that we read back."""

import asyncio
import io
from collections.abc import Sequence
from pathlib import Path

import aiohttp
import structlog

from core.errors import PublishError
from wire.digests import sha3_256, storage_path

# A production server key has about 1 GB.
_MAX_BYTES = 4 * 2**30
_TIMEOUT = aiohttp.ClientTimeout(total=3600, sock_connect=10, sock_read=120)
_ATTEMPTS = 5
_BACK_OFF_S = 0.5
_RETRY_S = 2.0
log = structlog.get_logger("core.publish")

_STORED = frozenset({200, 201})


async def publish(storage: "Storage | None", request_id: str, bodies: Sequence[bytes]) -> None:
    """Store public bytes that every party has: where this core may not, another one does."""
    if storage is None or not storage.may_write:
        log.warning(
            "public material is left to other parties: no storage token", request=request_id
        )
        return
    for body in bodies:
        await storage.keep_trying(body, request_id)


class Storage:
    """One storage server. Not trusted: bytes are what their digest says."""

    __slots__ = ("_base_url", "_token_file")

    def __init__(self, base_url: str, token_file: Path | None) -> None:
        """Bind to a server; the token is read at each use and never kept."""
        self._base_url = base_url.rstrip("/")
        self._token_file = token_file

    @property
    def may_write(self) -> bool:
        """Whether we have a token."""
        return self._token_file is not None

    async def put(self, data: bytes, request_id: str) -> bytes:
        """Store public bytes durably; returns their SHA3-256.

        Raises
        ------
        PublishError
            The server refused, or was not reachable for a while.
        """
        digest = await asyncio.to_thread(sha3_256, data)
        url = self._base_url + storage_path(digest)
        headers = {}
        if self._token_file:
            headers["Authorization"] = f"Bearer {self._token_file.read_text().strip()}"
        parameters = {"class": "public", "request": request_id}
        failure = ""
        for attempt in range(_ATTEMPTS):
            try:
                async with (
                    aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                    session.put(
                        url, data=io.BytesIO(data), headers=headers, params=parameters
                    ) as answer,
                ):
                    if answer.status in _STORED:
                        return digest
                    failure = f"status {answer.status}"
                    if answer.status < 500:
                        break
            except (aiohttp.ClientError, TimeoutError) as error:
                failure = type(error).__name__
            await asyncio.sleep(_BACK_OFF_S * 2**attempt)
        raise PublishError(f"storage did not take {digest.hex()}: {failure}")

    async def keep_trying(self, data: bytes, request_id: str) -> None:
        """Store public bytes, however long storage is away."""
        while True:
            try:
                await self.put(data, request_id)
            except PublishError as error:
                log.warning("storage is not there yet", reason=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def get(self, digest: bytes) -> bytes:
        """Fetch bytes and hash them again.

        Raises
        ------
        PublishError
            Not there, not reachable, too large, or other bytes.
        """
        url = self._base_url + storage_path(digest)
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.get(url) as answer,
            ):
                if answer.status != 200 or (answer.content_length or 0) > _MAX_BYTES:
                    raise PublishError(f"storage answers {answer.status}")
                data = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise PublishError(f"storage: {type(error).__name__}") from error
        if await asyncio.to_thread(sha3_256, data) != digest:
            raise PublishError("storage gave other bytes")
        return data
