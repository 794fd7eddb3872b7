"""Lines over time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart; None where there is nothing."""

    name: str
    unit: str
    points: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one axis of time, seconds since 1970."""

    name: str
    title: str
    times: tuple[int, ...]
    series: tuple[Series, ...]


@dataclass(frozen=True, slots=True)
class Charts:
    """All charts of a range of time."""

    range: str
    step_s: int
    charts: tuple[Chart, ...]
