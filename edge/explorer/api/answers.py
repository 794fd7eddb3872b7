"""Answers of the API: JSON or CSV, with a validator so that nobody loads what has not changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from edge.explorer.api import tables
from edge.explorer.api.operations import Operation

JSON: Final = "application/json"
# Anybody's page may read what is public anyway; no credentials exist.
OPEN: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Link, Retry-After",
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS",
    "Access-Control-Allow-Headers": "If-None-Match",
    "Access-Control-Max-Age": "86400",
    "Allow": "GET, HEAD, OPTIONS",
}


def encoded(value: Any) -> bytes:
    """JSON text of a value; compact, UTF-8."""
    # A lone surrogate, which no text of the chain holds, must not become a failure here.
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "replace")


def wants_table(request: Request, operation: Operation, chosen: str) -> bool:
    """Whether the peer asks for CSV; the parameter counts more than the header."""
    if operation.listed is None or chosen == "json":
        return False
    accepted = request.headers.get("accept", "")
    return chosen == "csv" or accepted.split(",")[0].split(";")[0].strip() == tables.MEDIA_TYPE


def answer(
    request: Request, operation: Operation, value: Any, columns: list[str] | None
) -> Response:
    """Response with `value`, as CSV where there are columns; 304 where the peer has it already."""
    headers = dict(OPEN)
    following = value.get("next") if operation.listed is not None else None
    if following:
        query = {**request.query_params, "cursor": following}
        headers["Link"] = f'<{request.url.path}?{urlencode(query)}>; rel="next"'
    if columns is None:
        body, media_type = encoded(value), JSON
    else:
        body, media_type = tables.table(value["items"], columns), tables.MEDIA_TYPE
        headers["Content-Disposition"] = f'attachment; filename="{operation.name}.csv"'
    headers |= validators(body, operation.max_age_s)
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def validators(body: bytes, max_age_s: int = 0) -> dict[str, str]:
    """Headers by which a cache may keep a body."""
    cache = f"public, max-age={max_age_s}" if max_age_s else "no-cache"
    return {
        "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        "Cache-Control": cache,
        "Vary": "Accept",
    }


def is_known(request: Request, tag: str) -> bool:
    """Whether the peer's If-None-Match names the tag (RFC 9110, weak comparison)."""
    given = request.headers.get("if-none-match", "")
    return given.strip() == "*" or tag in (
        item.strip().removeprefix("W/") for item in given.split(",")
    )
