"""Counts by slots of time, kept while blocks are written: a chart of a month costs what one of an hour does.

Latencies are counted in buckets whose bounds grow by a twentieth: percentiles are right within that.
"""

from __future__ import annotations

import math
import sqlite3
from typing import Final

# Seconds of a slot: the first serves charts of an hour, the second all longer ones.
STEPS: Final = (30, 600)
_GROWTH: Final = math.log(1.05)


def add_block(
    connection: sqlite3.Connection, time_ms: int, interval_ms: int, transactions: int
) -> None:
    """Count a block; the first of an index has no interval."""
    for step in STEPS:
        connection.execute(
            "INSERT INTO slots VALUES (?, ?, 1, ?, ?, ?) ON CONFLICT DO UPDATE SET blocks = blocks + 1,"
            " interval_ms = interval_ms + excluded.interval_ms,"
            " longest_ms = max(longest_ms, excluded.longest_ms),"
            " transactions = transactions + excluded.transactions",
            (step, slot_of(time_ms, step), interval_ms, interval_ms, transactions),
        )


def add_request(connection: sqlite3.Connection, time_ms: int, kind: int) -> None:
    """Count a request where it was opened."""
    for step in STEPS:
        connection.execute(
            "INSERT INTO slot_kinds VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET requests = requests + 1",
            (step, slot_of(time_ms, step), kind),
        )


def add_latency(connection: sqlite3.Connection, time_ms: int, latency_ms: int) -> None:
    """Count a decision where it fell."""
    for step in STEPS:
        connection.execute(
            "INSERT INTO slot_latencies VALUES (?, ?, ?, 1)"
            " ON CONFLICT DO UPDATE SET requests = requests + 1",
            (step, slot_of(time_ms, step), bucket_of(latency_ms)),
        )


def slot_of(time_ms: int, step_s: int) -> int:
    """Slot that a time is in."""
    return time_ms // 1_000 // step_s


def bucket_of(latency_ms: int) -> int:
    """Bucket of a latency."""
    return round(math.log(max(latency_ms, 1)) / _GROWTH)


def latency_of(bucket: int) -> float:
    """Middle of a bucket, milliseconds."""
    return math.exp(bucket * _GROWTH)
