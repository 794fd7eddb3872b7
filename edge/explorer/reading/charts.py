"""Charts: block time, transactions a second, latency of requests, requests by kind."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from edge.explorer.index import model
from edge.explorer.index.slots import latency_of
from wire.documents import label
from wire.pb.tkms.asc.v1 import asc_pb2

# Seconds of a range, of one point of it, and of the slots that a point is made of.
RANGES: Final = {
    "hour": (3_600, 30, 30),
    "day": (86_400, 600, 600),
    "week": (7 * 86_400, 3_600, 600),
    "month": (30 * 86_400, 4 * 3_600, 600),
}
_MS: Final = 1_000
_PERCENTILES: Final = (("median", 50), ("95th percentile", 95), ("slowest", 100))

Points = list[float | None]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Points of time; each is made of `slots` slots from `first` on."""

    first: int
    slots: int
    slot_s: int
    count: int

    @property
    def step_s(self) -> int:
        """Seconds of a point."""
        return self.slots * self.slot_s

    @property
    def times(self) -> tuple[int, ...]:
        """Begin of each point."""
        return tuple((self.first + place * self.slots) * self.slot_s for place in range(self.count))

    @property
    def bounds(self) -> tuple[int, int, int, int, int]:
        """What the queries below need: begin and width of points, kind of slot, first and last slot."""
        last = self.first + self.slots * self.count - 1
        return self.first, self.slots, self.slot_s, self.first, last

    def empty(self) -> Points:
        """A line without values."""
        return [None] * self.count


def charts(connection: sqlite3.Connection, chosen: str) -> model.Charts:
    """All charts of a range that ends with the newest block."""
    span, step, slot_s = RANGES[chosen]
    last = connection.execute("SELECT time_ms FROM blocks ORDER BY height DESC LIMIT 1").fetchone()
    end = ((last[0] if last else 0) // _MS // step + 1) * step
    axis = _Axis((end - span) // slot_s, step // slot_s, slot_s, span // step)
    return model.Charts(
        range=chosen,
        step_s=step,
        charts=(*_blocks(connection, axis), _latencies(connection, axis), _kinds(connection, axis)),
    )


def _blocks(connection: sqlite3.Connection, axis: _Axis) -> Iterable[model.Chart]:
    rows = connection.execute(
        "SELECT (slot - ?) / ? AS place, sum(blocks), sum(interval_ms), max(longest_ms),"
        " sum(transactions) FROM slots WHERE step_s = ? AND slot BETWEEN ? AND ? GROUP BY place",
        axis.bounds,
    ).fetchall()
    mean, longest, rate = axis.empty(), axis.empty(), axis.empty()
    for place, blocks, interval, most, transactions in rows:
        mean[place] = round(interval / blocks / _MS, 3)
        longest[place] = round(most / _MS, 3)
        rate[place] = round(transactions / axis.step_s, 3)
    lines = (
        model.Series("mean", "s", tuple(mean)),
        model.Series("longest", "s", tuple(longest)),
    )
    yield model.Chart("block-time", "Time between blocks", axis.times, lines)
    line = model.Series("transactions", "1/s", tuple(rate))
    yield model.Chart("transactions", "Transactions a second", axis.times, (line,))


def _latencies(connection: sqlite3.Connection, axis: _Axis) -> model.Chart:
    rows = connection.execute(
        "SELECT (slot - ?) / ? AS place, bucket, sum(requests) FROM slot_latencies"
        " WHERE step_s = ? AND slot BETWEEN ? AND ? GROUP BY place, bucket ORDER BY place, bucket",
        axis.bounds,
    ).fetchall()
    groups: dict[int, list[tuple[int, int]]] = {}
    for place, bucket, count in rows:
        groups.setdefault(place, []).append((bucket, count))
    series = []
    for name, percent in _PERCENTILES:
        points = axis.empty()
        for place, group in groups.items():
            points[place] = round(latency_of(_ranked(group, percent)) / _MS, 3)
        series.append(model.Series(name, "s", tuple(points)))
    return model.Chart("latency", "From request to decision", axis.times, tuple(series))


def _kinds(connection: sqlite3.Connection, axis: _Axis) -> model.Chart:
    rows = connection.execute(
        "SELECT (slot - ?) / ? AS place, kind, sum(requests) FROM slot_kinds"
        " WHERE step_s = ? AND slot BETWEEN ? AND ? GROUP BY place, kind",
        axis.bounds,
    ).fetchall()
    lines: dict[str, list[float | None]] = {}
    for place, number, count in rows:
        line = lines.setdefault(label(asc_pb2.RequestKind, number), [0.0] * axis.count)
        line[place] = float(count)
    series = tuple(model.Series(kind, "", tuple(line)) for kind, line in sorted(lines.items()))
    return model.Chart("requests", "Requests by kind", axis.times, series)


def _ranked(group: list[tuple[int, int]], percent: int) -> int:
    """Bucket of the nearest rank; buckets ascend."""
    rank = -(-sum(count for _, count in group) * percent // 100)
    for bucket, count in group:
        rank -= count
        if rank <= 0:
            return bucket
    return group[-1][0]
