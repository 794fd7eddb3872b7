"""`tkms node`: the process of one node.

It exits with 0 on SIGTERM or SIGINT, after the block method that runs, and with 1 on any bug in executing a
block: a node that cannot be sure of its state must not go on.
"""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from threading import Event
from types import FrameType
from typing import Final

import structlog

from abci_app.app import APP_VERSION, Application
from abci_app.server import Server
from abci_app.settings import NodeSettings, load
from ledger.store import Store

_LOG: Final = structlog.get_logger(__name__)
_EXIT_BUG: Final = 1


class _Life:
    """Waits for a signal or for a bug."""

    def __init__(self) -> None:
        self._ended = Event()
        self.failure: Exception | None = None

    def end(self, _signal: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        self._ended.set()

    def fail(self, error: Exception) -> None:
        """Take a bug from a connection's thread; the first one counts."""
        _LOG.critical("STOPPING: bug in the node", exc_info=error)
        if self.failure is None:
            self.failure = error
        self._ended.set()

    def wait(self) -> None:
        """Return when the process has to end."""
        self._ended.wait()


def run(home: Path) -> None:
    """Serve the engine until a signal; SystemExit(1) after a bug.

    Raises:
        SettingsError: node.toml is not usable.
        StoreError: the database is not usable or another process holds it.
        NodeError: another process listens on the socket.
    """
    settings = load(home)
    configure_logs(settings)
    life = _Life()
    signal.signal(signal.SIGTERM, life.end)
    signal.signal(signal.SIGINT, life.end)
    store = Store(settings.database, keep_versions=settings.keep_versions)
    height, app_hash = store.height, store.app_hash.hex()
    application = Application(store, settings.chain_id)
    server = Server(settings.proxy_socket, application, life.fail)
    server.start()
    _LOG.info(
        "ready",
        chain_id=settings.chain_id,
        socket=str(settings.proxy_socket),
        height=height,
        app_hash=app_hash,
        app_version=APP_VERSION,
    )
    life.wait()
    server.stop()
    application.close()
    if life.failure is not None:
        raise SystemExit(_EXIT_BUG)
    _LOG.info("stopped")


def configure_logs(settings: NodeSettings) -> None:
    """Structured lines on standard error."""
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if settings.log_format == "logfmt":
        renderer = structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    run(Path(sys.argv[1]).resolve())
