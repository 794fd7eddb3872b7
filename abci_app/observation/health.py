"""Whether a node does its work: its chain must grow.

    starting     the engine has not asked for a block yet
    state-sync   a snapshot is being restored
    replay       blocks come, but old ones: the node is catching up
    running      blocks come and are of now

Healthy is a node whose last commit is younger than a limit, so it is not healthy before its first block
and during state sync, and it says which. Ready is one that is also up to date: what it answers is of now.
An engine whose consensus has failed keeps running and answering; only this tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from abci_app.observation.metrics import NodeMeter
from telemetry.health import Health


class NodeHealth:
    """Judges one node by its meter."""

    def __init__(
        self,
        meter: NodeMeter,
        limit_seconds: float,
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """A commit older than `limit_seconds` is too old."""
        self._meter = meter
        self._limit = limit_seconds
        self._now = now
        self._ticks = ticks

    def __call__(self) -> Health:
        """The verdict now."""
        meter = self._meter
        age = None if meter.committed_at is None else self._ticks() - meter.committed_at
        facts: dict[str, object] = {
            "height": meter.height,
            "seconds_since_commit": None if age is None else round(age, 3),
            "limit_seconds": self._limit,
        }
        if meter.state_sync:
            words = "a snapshot is being restored: no blocks yet"
            return Health("state-sync", (words,), ready=False, facts=facts)
        if age is None:
            words = "no block since the start" if meter.engine_seen else "the engine is not there"
            return Health("starting", (words,), ready=False, facts=facts)
        problems: tuple[str, ...] = ()
        if age > self._limit:
            problems = (f"height {meter.height} has not grown for {age:.0f} s",)
        behind = self._now() - meter.block_time
        facts["block_time_behind_seconds"] = round(behind, 3)
        # A stalled chain is not replaying: it is judged by its last commit alone.
        replaying = not problems and behind > self._limit
        return Health(
            "replay" if replaying else "running", problems, ready=not replaying, facts=facts
        )
