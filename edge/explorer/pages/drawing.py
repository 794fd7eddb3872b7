"""Drawings that need no script: uptime grids, lag bars, charts. Numbers in, SVG out.

Only numbers reach the text of a drawing; names are escaped by the template around it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from markupsafe import Markup, escape

from edge.explorer.index.model import Chart
from edge.explorer.pages.words import utc

_CELL: Final = 7
_GAP: Final = 1
_COLUMNS: Final = 50
_BLOCKS: Final = {"1": "signed", "0": "absent"}
_SAID: Final = {"1": "in the agreed result", "2": "another answer or a failure", "0": "silent"}
_REQUESTS: Final = {"1": "signed", "2": "other", "0": "absent"}
_WIDTH: Final = 640
_HEIGHT: Final = 180
_LEFT: Final = 46
_BOTTOM: Final = 20


def uptime(marks: str, until: int, name: str) -> Markup:
    """Grid of the last blocks, oldest first, fifty a row; in words for those who do not see it."""
    known = [mark for mark in marks if mark in "10"]
    signed = known.count("1")
    label = f"{name} signed {signed} of {len(known)} blocks up to height {until}"
    first = until - len(marks) + 1
    return _grid(marks, _BLOCKS, label, [str(first + place) for place in range(len(marks))])


def participation(marks: str, name: str) -> Markup:
    """Grid of the last requests that asked a party, oldest first."""
    agreed = marks.count("1")
    answered = len(marks) - marks.count("0") - marks.count("-")
    label = f"{name}: of {len(marks)} requests {answered} answered, {agreed} in the agreed result"
    return _grid(marks, _REQUESTS, label, [_SAID.get(mark, "still open") for mark in marks])


def _grid(marks: str, classes: Mapping[str, str], label: str, titles: Sequence[str]) -> Markup:
    rows = max(1, -(-len(marks) // _COLUMNS))
    step = _CELL + _GAP
    cells = "".join(
        f'<rect class="{classes.get(mark, "away")}" x="{place % _COLUMNS * step}"'
        f' y="{place // _COLUMNS * step}" width="{_CELL}" height="{_CELL}">'
        f"<title>{title}</title></rect>"
        for place, (mark, title) in enumerate(zip(marks, titles, strict=True))
    )
    return Markup(  # noqa: S704 - numbers and words of ours, and one escaped text
        f'<svg class="uptime" role="img" aria-label="{escape(label)}"'
        f' viewBox="0 0 {_COLUMNS * step} {rows * step}">{cells}</svg>'
    )


def lag(value: float | None, longest: float, *, good: bool) -> Markup:
    """Bar of one answer's lag beside the longest one; the number stands beside it."""
    share = 0.0 if value is None or longest <= 0 else max(0.0, min(1.0, value / longest))
    kind = "value" if good else "value bad"
    return Markup(  # noqa: S704 - numbers only
        '<svg class="lag" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        '<rect class="track" width="100" height="8" rx="2"></rect>'
        f'<rect class="{kind}" width="{max(share * 100, 1):.2f}" height="8" rx="2"></rect></svg>'
    )


def chart(drawn: Chart) -> Markup:
    """A chart's lines; gaps where there is no value."""
    values = [value for line in drawn.series for value in line.points if value is not None]
    top = max(values, default=0.0) or 1.0
    lines = "".join(
        f'<polyline class="line-{place % 8}" points="{part}"></polyline>'
        for place, line in enumerate(drawn.series)
        for part in _parts(line.points, top)
    )
    axes = (
        f'<line class="axis" x1="{_LEFT}" y1="{_HEIGHT - _BOTTOM}" x2="{_WIDTH}" y2="{_HEIGHT - _BOTTOM}"></line>'
        f'<line class="axis" x1="{_LEFT}" y1="4" x2="{_LEFT}" y2="{_HEIGHT - _BOTTOM}"></line>'
        f'<text x="{_LEFT - 6}" y="14" text-anchor="end">{_short(top)}</text>'
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - _BOTTOM}" text-anchor="end">0</text>'
    )
    if drawn.times:
        first, last = (utc(seconds * 1000)[5:16] for seconds in (drawn.times[0], drawn.times[-1]))
        axes += (
            f'<text x="{_LEFT}" y="{_HEIGHT - 4}">{first}</text>'
            f'<text x="{_WIDTH}" y="{_HEIGHT - 4}" text-anchor="end">{last}</text>'
        )
    return Markup(  # noqa: S704 - numbers, and one escaped text
        f'<svg class="chart" role="img" aria-label="{escape(drawn.title)}" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
        f"{axes}{lines}</svg>"
    )


def _parts(points: Sequence[float | None], top: float) -> list[str]:
    """Stretches of a line without a gap; a lone point is drawn as a short stroke."""
    step = (_WIDTH - _LEFT) / max(1, len(points) - 1)
    height = _HEIGHT - _BOTTOM - 6
    parts: list[list[str]] = [[]]
    for place, value in enumerate(points):
        if value is None:
            parts.append([])
            continue
        x, y = _LEFT + place * step, 6 + height * (1 - value / top)
        parts[-1].append(f"{x:.1f},{y:.1f}")
    return [" ".join(part if len(part) > 1 else part * 2) for part in parts if part]


def _short(value: float) -> str:
    for bound, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= bound:
            return f"{value / bound:.3g}{sign}"
    return f"{value:.3g}"
