"""Numbers are exact under threads, bounded in memory, and read as Prometheus writes them."""

from __future__ import annotations

from threading import Thread

import pytest

from telemetry.errors import TelemetryError
from telemetry.instruments import MOST_SERIES, Counter, Instruments
from tests.support.scrape import read


def test_nothing_is_lost_between_threads() -> None:
    """Eight threads add to the same series and to new ones."""
    counter = Counter("tkms_x_total", "x", ("kind",))

    def work() -> None:
        for index in range(5_000):
            counter.add(str(index % 5))

    threads = [Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.samples() == [((str(kind),), 8_000) for kind in range(5)]


def test_series_are_bounded() -> None:
    """Whoever brings ever new label values fills one series."""
    instruments = Instruments()
    counter = instruments.counter("tkms_x_total", "x", "kind")
    gauge = instruments.gauge("tkms_x_units", "x", "kind")
    histogram = instruments.histogram("tkms_x_seconds", "x", "kind")
    for index in range(MOST_SERIES + 50):
        counter.add(f"{index:04}")
        gauge.set(1, f"{index:04}")
        histogram.observe(1, f"{index:04}")
    for instrument in (counter, gauge, histogram):
        assert len(instrument.samples()) == MOST_SERIES + 1
    assert dict(counter.samples())["other",] == 50
    assert [counts for values, counts, _ in histogram.samples() if values == ("other",)] == [
        [0] * 12 + [50] + [0] * 4
    ]


def test_labels_must_be_those_declared() -> None:
    """A forgotten label is noticed where it is forgotten."""
    counter = Counter("tkms_x_total", "x", ("kind", "reason"))
    with pytest.raises(TelemetryError):
        counter.add("a")
    instruments = Instruments()
    instruments.counter("tkms_x_total", "x")
    with pytest.raises(TelemetryError):
        instruments.gauge("tkms_x_total", "twice")


def test_text_form() -> None:
    """Counter, gauge and histogram as they are read back, refreshed before reading."""
    instruments = Instruments()
    counter = instruments.counter("tkms_x_total", "How many x.", "kind")
    counter.start("b")
    counter.add("a", count=3)
    gauge = instruments.gauge("tkms_x_units", "How much x.")
    instruments.before_reading(lambda: gauge.set(2.5))
    instruments.gauge("tkms_unknown_units", "Not known yet.")
    histogram = instruments.histogram("tkms_x_seconds", "How long x.")
    for seconds in (0.0001, 0.0002, 7.0, 100.0):
        histogram.observe(seconds)
    found = read(instruments)
    assert found.helps["tkms_x_total"] == "How many x."
    assert found.samples["tkms_x_total"] == {(("kind", "a"),): 3, (("kind", "b"),): 0}
    assert found.value("tkms_x_units") == 2.5
    assert "tkms_unknown_units" not in found.samples
    assert found.value("tkms_x_seconds_bucket", le="0.0001") == 1
    assert found.value("tkms_x_seconds_bucket", le="0.00025") == 2
    assert found.value("tkms_x_seconds_bucket", le="10.0") == 3
    assert found.value("tkms_x_seconds_bucket", le="+Inf") == 4
    assert found.value("tkms_x_seconds_count") == 4
    assert found.value("tkms_x_seconds_sum") == pytest.approx(107.0003)
    assert found.total("process_resident_memory_bytes") > 0
