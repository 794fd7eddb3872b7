"""Plain numbers that a process counts while it works; nothing here knows Prometheus.

Adding to an instrument costs a lock and a dictionary entry, so hot paths may do it. Label values come
from small fixed sets (kinds, reasons, methods, party numbers), never from ids or addresses; an instrument
that meets more of them than `MOST_SERIES` counts the rest together, so that no input can grow memory.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Lock
from typing import Final, TypeVar

from telemetry.errors import TelemetryError

Labels = tuple[str, ...]
Added = TypeVar("Added", bound="Instrument")

MOST_SERIES: Final = 256
OTHER: Final = "other"
# Seconds; from a cached CheckTx to a block that takes too long.
SECONDS: Final[tuple[float, ...]] = (
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)


class Instrument:
    """A named number with one series for each combination of label values."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        """`name` carries the unit, `text` says what it is."""
        self.name = name
        self.text = text
        self.labels = labels
        self._lock = Lock()

    def _known(self, values: Labels, series: Mapping[Labels, object]) -> Labels:
        """The series to use; the caller holds the lock."""
        if values in series:
            return values
        if len(values) != len(self.labels):
            raise TelemetryError(f"{self.name} has labels {self.labels}, not {values}")
        return values if len(series) < MOST_SERIES else (OTHER,) * len(self.labels)


class Counter(Instrument):
    """A number that only grows; its name ends in `_total`."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        """Start at 0; without labels the 0 is shown from the beginning."""
        super().__init__(name, text, labels)
        self._series: dict[Labels, int] = {} if labels else {(): 0}

    def add(self, *values: str, count: int = 1) -> None:
        """Count `count` more under these label values."""
        with self._lock:
            try:
                self._series[values] += count
            except KeyError:
                known = self._known(values, self._series)
                self._series[known] = self._series.get(known, 0) + count

    def start(self, *values: str) -> None:
        """Show a series at 0 before its first event: an alert on its growth then sees that event."""
        self.add(*values, count=0)

    def replace(self, total: int, *values: str) -> None:
        """Take over a total that somebody else counts."""
        with self._lock:
            self._series[self._known(values, self._series)] = total

    def samples(self) -> list[tuple[Labels, int]]:
        """Series in order of their labels."""
        with self._lock:
            return sorted(self._series.items())


class Gauge(Instrument):
    """A number that goes up and down; not shown until it is known."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        """Start unknown."""
        super().__init__(name, text, labels)
        self._series: dict[Labels, float] = {}

    def set(self, value: float, *values: str) -> None:
        """Set one series."""
        with self._lock:
            self._series[self._known(values, self._series)] = value

    def replace(self, series: Mapping[Labels, float]) -> None:
        """Set all series; what is not named disappears."""
        with self._lock:
            self._series.clear()
            for values, value in series.items():
                self._series[self._known(values, self._series)] = value

    def samples(self) -> list[tuple[Labels, float]]:
        """Series in order of their labels."""
        with self._lock:
            return sorted(self._series.items())


class Histogram(Instrument):
    """How often a duration fell into which range, and the sum of all."""

    def __init__(
        self, name: str, text: str, labels: Labels = (), bounds: Sequence[float] = SECONDS
    ) -> None:
        """`bounds` are the upper ends of the ranges, ascending; above the last is one more."""
        super().__init__(name, text, labels)
        self.bounds = tuple(bounds)
        self._series: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def observe(self, value: float, *values: str) -> None:
        """Count one duration."""
        index = bisect_left(self.bounds, value)
        with self._lock:
            counts = self._series.get(values)
            if counts is None:
                values = self._known(values, self._series)
                counts = self._series.setdefault(values, [0] * (len(self.bounds) + 1))
                self._sums.setdefault(values, 0.0)
            counts[index] += 1
            self._sums[values] += value

    def samples(self) -> list[tuple[Labels, list[int], float]]:
        """Labels, counts of each range, sum; in order of the labels."""
        with self._lock:
            return [
                (values, list(counts), self._sums[values])
                for values, counts in sorted(self._series.items())
            ]


class Instruments:
    """All instruments of a process, and what brings its gauges up to date before they are read."""

    def __init__(self) -> None:
        """Start empty."""
        self._all: dict[str, Instrument] = {}
        self._refreshers: list[Callable[[], None]] = []

    def counter(self, name: str, text: str, *labels: str) -> Counter:
        """Add a counter."""
        return self._add(Counter(name, text, labels))

    def gauge(self, name: str, text: str, *labels: str) -> Gauge:
        """Add a gauge."""
        return self._add(Gauge(name, text, labels))

    def histogram(self, name: str, text: str, *labels: str) -> Histogram:
        """Add a histogram of seconds."""
        return self._add(Histogram(name, text, labels))

    def before_reading(self, refresh: Callable[[], None]) -> None:
        """Call `refresh` whenever the instruments are about to be read."""
        self._refreshers.append(refresh)

    def read(self) -> Iterator[Instrument]:
        """Refresh, then every instrument."""
        for refresh in self._refreshers:
            refresh()
        yield from self._all.values()

    def _add(self, instrument: Added) -> Added:
        if instrument.name in self._all:
            raise TelemetryError(f"{instrument.name} exists already")
        self._all[instrument.name] = instrument
        return instrument
