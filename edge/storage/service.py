"""HTTP of the storage: PUT, GET and HEAD of a body by its digest. There is no listing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from edge.serving import ProblemError, on_http_error, on_problem
from edge.storage.bodies import CLASS_LIMITS, Bodies, Upload
from edge.storage.records import Records
from edge.storage.settings import StorageSettings
from edge.storage.sweeper import Sweeper
from wire.ids import RequestId

_PUBLIC: Final = "public"
# A body never changes under its digest.
_CACHE: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Service:
    """Handlers with what they need."""

    settings: StorageSettings
    token_digest: bytes | None
    bodies: Bodies
    records: Records

    async def put(self, request: Request) -> Response:
        """201 stored, 200 already there; refusals as `edge/storage/README.md` lists them."""
        upload = self._upload(request)
        length = request.headers.get("content-length", "")
        limit = self.bodies.limit(upload.blob_class)
        if length.isdigit() and int(length) > limit:
            raise ProblemError(413, "body too large", f"at most {limit} bytes of this class")
        try:
            created = await self.bodies.put(upload, request.stream())
        except ClientDisconnect as error:
            raise ProblemError(400, "body incomplete") from error
        return Response(status_code=201 if created else 200)

    async def get(self, request: Request) -> Response:
        """The body, streamed."""
        digest = _digest(request)
        if request.method == "HEAD":
            size = await self.bodies.size(digest)
            if size is None:
                raise ProblemError(404, "no such body")
            return Response(headers=_headers(digest, size))
        found = await self.bodies.get(digest)
        if found is None:
            raise ProblemError(404, "no such body")
        size, stream = found
        return StreamingResponse(
            stream, headers=_headers(digest, size), media_type="application/octet-stream"
        )

    async def health(self, _request: Request) -> Response:
        """Whether records can be read, and how much there is."""
        count, size = self.records.totals()
        return JSONResponse({"status": "ok", "service": "storage", "bodies": count, "bytes": size})

    def _upload(self, request: Request) -> Upload:
        digest = _digest(request)
        blob_class = request.query_params.get("class", "")
        if blob_class not in CLASS_LIMITS:
            raise ProblemError(400, "unknown class", f"one of {', '.join(sorted(CLASS_LIMITS))}")
        named = request.query_params.get("request", "")
        try:
            request_id = bytes(RequestId.parse(named)) if named else b""
        except ValueError as error:
            raise ProblemError(400, "malformed request id", str(error)) from error
        if blob_class == _PUBLIC:
            self._authorize(request)
        retain = None if blob_class == _PUBLIC else _now() + self.settings.default_retention_s
        return Upload(digest, blob_class, request_id, retain)

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        given = hashlib.sha256(token.strip().encode()).digest()
        allowed = (
            self.token_digest is not None
            and scheme.lower() == "bearer"
            and hmac.compare_digest(given, self.token_digest)
        )
        if not allowed:
            raise ProblemError(401, "token needed", "public material is stored by operators only")


def make_app(service: Service, sweeper: Sweeper) -> Starlette:
    """The application; its lifespan runs the sweeper."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(sweeper.run())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        service.records.close()

    return Starlette(
        routes=[
            Route("/v1/blobs/{digest}", service.put, methods=["PUT"]),
            Route("/v1/blobs/{digest}", service.get, methods=["GET", "HEAD"]),
            Route("/healthz", service.health),
        ],
        exception_handlers={ProblemError: on_problem, HTTPException: on_http_error},
        lifespan=lifespan,
    )


def _digest(request: Request) -> bytes:
    text = request.path_params["digest"]
    # One address a body: upper case would be a second one for caches.
    if len(text) != 64 or any(digit not in "0123456789abcdef" for digit in text):
        raise ProblemError(400, "malformed digest", "64 lower-case hexadecimal digits")
    return bytes.fromhex(text)


def _headers(digest: bytes, size: int) -> dict[str, str]:
    return {
        "Content-Length": str(size),
        "ETag": f'"{digest.hex()}"',
        "Cache-Control": _CACHE,
        "X-Content-Type-Options": "nosniff",
    }


def _now() -> int:
    return int(time.time())
