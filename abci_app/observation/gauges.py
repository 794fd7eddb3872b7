"""Gauges that are read from disk and state when somebody looks: nothing of this happens while blocks are made.

What takes long (counting all keys) is done by a thread of its own in small steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Event, Thread
from typing import Final

import structlog

from abci_app.history.snapshots import SnapshotFolder, SnapshotWriter
from abci_app.observation.metrics import NodeMeter
from ledger import migrations
from ledger.clock import state as clock_state
from ledger.config import state as config
from ledger.state import State
from ledger.store import Store
from telemetry.instruments import Instruments

_LOG: Final = structlog.get_logger(__name__)
# Not more often than this, and at most a hundredth of the time is spent on it.
_COUNT_EVERY_SECONDS: Final = 30.0
_COUNT_SHARE: Final = 100
# Keys counted without a pause, about a millisecond; consensus waits no longer for the interpreter.
_COUNT_STEP: Final = 2_000
_PAUSE_SECONDS: Final = 0.01


class StateGauges:
    """What the committed state and the disk say."""

    def __init__(self, meter: NodeMeter, store: Store, database: Path) -> None:
        """Add the gauges and look once; `database` is the folder of the store."""
        self._meter = meter
        self._store = store
        self._database = database
        self._height = -1
        # What is open now was opened before this process started.
        meter.restored = True
        self._make(meter.instruments)
        self._read_state()
        meter.instruments.before_reading(self._refresh)

    def _make(self, add: Instruments) -> None:
        self._epoch = add.gauge("tkms_node_epoch_number", "Number of the epoch in force.")
        self._parties = add.gauge("tkms_node_epoch_parties", "Parties of the epoch in force.")
        self._pending = add.gauge(
            "tkms_node_epoch_change_age_blocks",
            "Heights since the change of epochs that is under way began; 0 without one.",
        )
        self._version = add.gauge(
            "tkms_node_app_version_number", "Version of the rules that blocks follow."
        )
        self._credit = add.gauge(
            "tkms_node_outage_credit_seconds",
            "Time in which the chain stood still, by which every timer is late.",
        )
        self._outages = add.counter(
            "tkms_node_outages_total", "Times that the chain stood still for too long."
        )
        self._database_bytes = add.gauge(
            "tkms_node_store_bytes", "Size of the database's files on disk."
        )
        self._free = add.gauge(
            "tkms_node_disk_free_bytes", "Free space of the disk that holds the database."
        )
        self._size = add.gauge(
            "tkms_node_disk_size_bytes", "Size of the disk that holds the database."
        )

    def _refresh(self) -> None:
        self._database_bytes.set(folder_bytes(self._database))
        disk = os.statvfs(self._database)
        self._free.set(disk.f_bavail * disk.f_frsize)
        self._size.set(disk.f_blocks * disk.f_frsize)
        if self._meter.height != self._height:
            self._read_state()

    def _read_state(self) -> None:
        with self._store.snapshot() as view:
            height = view.height
            if height is None:
                return
            state = State(view)
            self._height = height
            if self._meter.restored:
                self._meter.restored = False
                self._meter.requests.load(state)
            self._meter.requests.load_epoch(state)
            epoch = config.current_epoch(state)
            self._epoch.set(epoch.id)
            self._parties.set(len(epoch.parties))
            pending = config.pending_epoch(state)
            self._pending.set(0 if pending is None else height - pending.since_height + 1)
            self._version.set(migrations.version(state))
            record = clock_state.clock(state)
            self._credit.set(record.outage_credit_ns / 1e9)
            self._outages.replace(record.outages)


class SnapshotGauges:
    """The newest state-sync snapshot on disk."""

    def __init__(
        self,
        instruments: Instruments,
        folder: SnapshotFolder,
        writer: SnapshotWriter,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Add the gauges; they are absent while there is no snapshot."""
        self._folder = folder
        self._writer = writer
        self._now = now
        self._count = instruments.gauge("tkms_node_snapshots", "State-sync snapshots on disk.")
        self._height = instruments.gauge(
            "tkms_node_snapshot_height_blocks", "Height of the newest snapshot."
        )
        self._age = instruments.gauge(
            "tkms_node_snapshot_age_seconds", "Since the newest snapshot was written."
        )
        self._size = instruments.gauge(
            "tkms_node_snapshot_bytes", "Size of the newest snapshot on disk."
        )
        self._seconds = instruments.gauge(
            "tkms_node_snapshot_duration_seconds",
            "Time to write the last snapshot that this process wrote.",
        )
        instruments.before_reading(self._refresh)

    def _refresh(self) -> None:
        self._count.set(len(self._folder.heights()))
        try:
            newest = self._folder.newest()
        except FileNotFoundError:
            # Replaced by a newer one at this moment.
            return
        if newest is not None:
            height, written, size = newest
            self._height.set(height)
            self._age.set(max(0.0, self._now() - written))
            self._size.set(size)
        if self._writer.last_seconds is not None:
            self._seconds.set(self._writer.last_seconds)


class KeyCounter:
    """Counts the keys of the state now and then."""

    def __init__(
        self, instruments: Instruments, store: Store, pause_seconds: float = _PAUSE_SECONDS
    ) -> None:
        """Prepare; `start` begins."""
        self._store = store
        self._pause_seconds = pause_seconds
        self._stopped = Event()
        self._keys = instruments.gauge(
            "tkms_node_store_keys", "Keys of the state, counted now and then."
        )
        self._thread = Thread(target=self._run, name="count-keys", daemon=True)

    def start(self) -> None:
        """Begin to count."""
        self._thread.start()

    def stop(self) -> None:
        """Let go of the store."""
        self._stopped.set()
        self._thread.join()

    def count(self) -> int | None:
        """Keys at this moment; None when stopped before the end."""
        total = 0
        with self._store.snapshot() as view:
            for _ in view.iterate(b""):
                total += 1
                if total % _COUNT_STEP == 0 and self._stopped.wait(self._pause_seconds):
                    return None
        return total

    def count_once(self) -> None:
        """Count and show; a failure is logged."""
        try:
            total = self.count()
        except Exception:  # noqa: BLE001 - a number that cannot be had ends nothing
            _LOG.exception("keys not counted")
        else:
            if total is not None:
                self._keys.set(total)

    def _run(self) -> None:
        while not self._stopped.is_set():
            started = time.monotonic()
            self.count_once()
            taken = time.monotonic() - started
            self._stopped.wait(max(_COUNT_EVERY_SECONDS, _COUNT_SHARE * taken))


def folder_bytes(folder: Path) -> int:
    """Bytes of the files directly in a folder; files that vanish meanwhile count as nothing."""
    return sum(_sizes(os.scandir(folder)))


def _sizes(entries: Iterable[os.DirEntry[str]]) -> Iterable[int]:
    for entry in entries:
        try:
            if entry.is_file():
                yield entry.stat().st_size
        except FileNotFoundError:
            continue
