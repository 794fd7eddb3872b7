"""`tkms node`: the process of one node.

It exits with 0 on SIGTERM or SIGINT, after the block method that runs has been answered, and at halt_height;
with 9 when its disk cannot be written or read; with 10 when the chain follows rules that this program does not
know; with 1 on any bug in executing a block: a node that cannot be sure of its state must not go on.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final

import structlog

from abci_app import disk, faults
from abci_app.app import APP_VERSION, Application
from abci_app.ending import Ending
from abci_app.errors import HaltError
from abci_app.grammar import Recorder, Watch
from abci_app.observation.observer import Observer
from abci_app.server import Server
from abci_app.settings import NodeSettings, load
from ledger.errors import LedgerError, VersionError
from ledger.store import Store

_LOG: Final = structlog.get_logger(__name__)
_EXIT_BUG: Final = 1
_EXIT_DISK: Final = 9
_EXIT_VERSION: Final = 10
# So that a thread which executes a block waits for one that answers a query no longer than this.
_SWITCH_SECONDS: Final = 0.001


def run(home: Path) -> None:
    """Serve the engine until a signal; SystemExit(1) after a bug.

    Raises:
        SettingsError: node.toml is not usable.
        StoreError: the database is not usable or another process holds it.
        NodeError: another process listens on the socket.
    """
    settings = load(home)
    configure_logs(settings)
    ending = Ending()
    sys.setswitchinterval(_SWITCH_SECONDS)
    try:
        error = _serve(home, settings, ending)
    except (OSError, LedgerError) as failure:
        known = isinstance(failure, VersionError)
        if not known and disk.find(failure, settings.database) is None:
            raise
        error = failure
    if error is not None:
        raise SystemExit(_report(error, settings))
    _LOG.info("stopped")


def _serve(home: Path, settings: NodeSettings, ending: Ending) -> Exception | None:
    """Serve the engine until the end; what ended it, None for a signal."""
    planned = faults.load(home, allowed=settings.developer_faults)
    if settings.developer_faults:
        _LOG.warning("developer_faults is on: this node may kill itself, and is for tests only")
    store = Store(settings.database, keep_versions=settings.keep_versions, fault_point=planned.at)
    height, app_hash = store.height, store.app_hash.hex()
    application = Application(
        store, settings.chain_id, halt_height=settings.halt_height, keeping=settings.keeping
    )
    server = Server(
        settings.proxy_socket,
        application,
        ending.fail,
        watch=_watch(settings, store),
        faults=planned,
    )
    observer = Observer(settings, store, application)
    server.start()
    observer.start()
    _LOG.info(
        "ready",
        chain_id=settings.chain_id,
        socket=str(settings.proxy_socket),
        height=height,
        app_hash=app_hash,
        app_version=APP_VERSION,
    )
    ending.wait()
    observer.stop()
    server.stop()
    application.close()
    return ending.failure


def _watch(settings: NodeSettings, store: Store) -> Watch | None:
    """What debugging wants to see of the engine's calls."""
    if not settings.assert_grammar and settings.record_calls is None:
        return None

    def committed() -> int:
        """Height of the last block; 0 while there is only a genesis, whatever its height."""
        height = store.height
        return 0 if height is None or height == store.genesis_height else height

    recorder = None
    if settings.record_calls is not None:
        recorder = Recorder(settings.record_calls, committed())
    return Watch(committed, recorder, asserts=settings.assert_grammar)


def _report(error: Exception, settings: NodeSettings) -> int:
    """Say why the node ends; its exit code."""
    if isinstance(error, HaltError):
        _LOG.warning("HALTED: raise halt_height in node.toml to go on", reason=str(error))
        return 0
    if isinstance(error, VersionError):
        _LOG.critical("STOPPING: this program is too old", reason=str(error))
        return _EXIT_VERSION
    failure = disk.find(error, settings.database)
    if failure is not None:
        _LOG.critical(
            "STOPPING: the disk fails",
            disk=str(failure.path),
            error=failure.error,
            free_bytes=failure.free_bytes,
            hint=failure.hint,
            exc_info=error,
        )
        return _EXIT_DISK
    _LOG.critical("STOPPING: bug in the node", exc_info=error)
    return _EXIT_BUG


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
