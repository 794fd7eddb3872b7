"""Everything by which an operator watches a node: its numbers, its health, the address where they are read."""

from __future__ import annotations

from typing import Protocol

from abci_app.errors import NodeError
from abci_app.history.snapshots import SnapshotFolder, SnapshotWriter
from abci_app.observation.gauges import KeyCounter, SnapshotGauges, StateGauges
from abci_app.observation.health import NodeHealth
from abci_app.observation.metrics import NodeMeter
from abci_app.settings import NodeSettings
from ledger.store import Store
from telemetry.errors import TelemetryError
from telemetry.listener import Listener


class Observed(Protocol):
    """What is looked at of the application, which itself knows nothing of its observer."""

    meter: NodeMeter
    snapshots: SnapshotFolder
    snapshot_writer: SnapshotWriter


class Observer:
    """Serves a node's numbers and health; does nothing where the settings name no address."""

    def __init__(self, settings: NodeSettings, store: Store, application: Observed) -> None:
        """Take the address.

        Raises:
            NodeError: it is taken or not ours.
        """
        self._listener: Listener | None = None
        if not settings.metrics_listen:
            return
        meter = application.meter
        StateGauges(meter, store, settings.database)
        SnapshotGauges(meter.instruments, application.snapshots, application.snapshot_writer)
        self._keys = KeyCounter(meter.instruments, store)
        health = NodeHealth(meter, settings.commit_age_limit_seconds)
        try:
            self._listener = Listener(settings.metrics_listen, meter.instruments, health)
        except TelemetryError as error:
            raise NodeError(str(error)) from error

    @property
    def url(self) -> str:
        """Where it listens; empty where it does not."""
        return "" if self._listener is None else self._listener.url

    def start(self) -> None:
        """Begin to answer."""
        if self._listener is not None:
            self._keys.start()
            self._listener.start()

    def stop(self) -> None:
        """End before the store is closed."""
        if self._listener is not None:
            self._listener.stop()
            self._keys.stop()
