"""Templates to responses: one environment, escaping always on, headers that forbid everything not ours."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from edge.explorer.index.model import Chart
from edge.explorer.pages import drawing, words

STATIC: Final = Path(__file__).parent.parent / "static"
_TEMPLATES: Final = Path(__file__).parent / "templates"
# No inline script or style, nothing from elsewhere, no frame around it.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


@cache
def environment() -> Environment:
    """The one environment of all pages; an unknown name in a template is an error."""
    made = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for filter_ in (
        words.utc,
        words.iso,
        words.duration,
        words.grouped,
        words.size,
        words.percent,
        words.spoken,
        words.titled,
        words.mood,
        words.basis,
        words.byte_rows,
    ):
        made.filters[filter_.__name__] = filter_
    made.filters["chart_data"] = _chart_data
    made.globals["draw"] = {
        "uptime": drawing.uptime,
        "participation": drawing.participation,
        "lag": drawing.lag,
        "chart": drawing.chart,
    }
    made.globals["asset"] = asset
    return made


@cache
def asset(name: str) -> str:
    """Address of a file of ours, which changes with the file: it may be kept for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def page(request: Request, template: str, values: dict[str, Any], status: int = 200) -> Response:
    """A page, or 304 where the reader has this very page."""
    text = environment().get_template(template).render(path=request.url.path, **values)
    headers = dict(HEADERS) | {"Cache-Control": "no-cache"}
    if status != 200:
        return HTMLResponse(text, status, headers | {"Cache-Control": "no-store"})
    tag = f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'
    headers["ETag"] = tag
    if tag in request.headers.get("if-none-match", "").replace("W/", "").split(", "):
        return Response(status_code=304, headers=headers)
    return HTMLResponse(text, headers=headers)


def _chart_data(drawn: Chart) -> str:
    """JSON of a chart for a data attribute; the template escapes it."""
    series = [
        {"name": words.spoken(line.name), "unit": line.unit, "points": line.points}
        for line in drawn.series
    ]
    values = {"times": drawn.times, "series": series}
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)
