"""Instruments in the text form that Prometheus reads, made only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from telemetry.instruments import Counter, Gauge, Histogram, Instrument, Instruments

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


class Exposition(Collector):
    """A process's instruments, and what the operating system knows of it (`process_...`)."""

    def __init__(self, instruments: Instruments) -> None:
        """Use a registry of its own: nothing global."""
        self._instruments = instruments
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        self._lock = Lock()

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: describing would read everything."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """One family an instrument."""
        return [family(instrument) for instrument in self._instruments.read()]

    def text(self) -> bytes:
        """Everything as text; readers wait for each other."""
        with self._lock:
            return generate_latest(self._registry)


def family(instrument: Instrument) -> Metric:
    """One instrument in the client library's form."""
    name, text, labels = instrument.name, instrument.text, instrument.labels
    if isinstance(instrument, Counter):
        counter = CounterMetricFamily(name, text, labels=labels)
        for values, count in instrument.samples():
            counter.add_metric(values, count)
        return counter
    if isinstance(instrument, Gauge):
        gauge = GaugeMetricFamily(name, text, labels=labels)
        for values, number in instrument.samples():
            gauge.add_metric(values, number)
        return gauge
    if not isinstance(instrument, Histogram):
        raise TypeError(f"{name} is of an unknown form")
    histogram = HistogramMetricFamily(name, text, labels=labels)
    bounds = [*map(repr, instrument.bounds), "+Inf"]
    for values, counts, total in instrument.samples():
        buckets = list(zip(bounds, map(float, accumulate(counts)), strict=True))
        histogram.add_metric(values, buckets, total)
    return histogram
