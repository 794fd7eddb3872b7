"""Requests, the audit log and evidence."""

from __future__ import annotations

from typing import Final

from edge.explorer.pages.asked import Asked, Shown, found
from edge.explorer.reader import Reader
from edge.explorer.reading.requests import words_of
from wire.pb.tkms.asc.v1 import asc_pb2

_ROWS: Final = 40
KINDS: Final = words_of(asc_pb2.RequestKind)
STATUSES: Final = words_of(asc_pb2.Status)


def requests(reader: Reader, asked: Asked) -> Shown:
    """All requests, or some."""
    kind, status = asked.choice("kind", KINDS), asked.choice("status", STATUSES)
    application = asked.filtered_application()
    listed = reader.requests(
        asked.cursor,
        _ROWS,
        kind=kind,
        status=status,
        application=application,
        key_id=asked.filtered_bytes("key", 20),
        requester=asked.filtered_bytes("requester", 20),
    )
    values = {
        "requests": listed.items,
        "following": asked.following(listed),
        "kinds": KINDS,
        "statuses": STATUSES,
        "kind": kind,
        "status": status,
        "application": application or "",
        "key": asked.text("key"),
        "requester": asked.text("requester"),
        "table": asked.twin(format="csv"),
    }
    return Shown("requests.html", values)


def request(reader: Reader, asked: Asked) -> Shown:
    """One request."""
    return Shown("request.html", _request(reader, asked))


def request_part(reader: Reader, asked: Asked) -> Shown:
    """What of a request's page moves while it is open."""
    return Shown("request_part.html", _request(reader, asked))


def _request(reader: Reader, asked: Asked) -> dict[str, object]:
    shown = found(reader.request(asked.identifier("id", 20)), "request")
    longest = max((answer.lag_ms or 0 for answer in shown.answers), default=0)
    return {
        "request": shown,
        "longest": longest,
        "allowances": {item.handle: item for item in shown.allowances},
        "open": shown.closed_height is None,
    }


def audit(reader: Reader, asked: Asked) -> Shown:
    """The audit log."""
    application = asked.filtered_application()
    listed = reader.audit(
        asked.cursor,
        _ROWS,
        application=application,
        requester=asked.filtered_bytes("requester", 20),
    )
    values = {
        "records": listed.items,
        "following": asked.following(listed),
        "application": application or "",
        "requester": asked.text("requester"),
        "table": asked.twin(format="csv"),
    }
    return Shown("audit.html", values)


def evidence(reader: Reader, asked: Asked) -> Shown:
    """Parties that signed two answers."""
    listed = reader.evidence(asked.cursor, _ROWS)
    return Shown("evidence.html", {"records": listed.items, "following": asked.following(listed)})
