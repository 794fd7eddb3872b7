"""Snapshots on disk: FOLDER/<height>/metadata and FOLDER/<height>/<chunk number>, written by a thread.

The thread reads a frozen database, so Commit never waits for it. It writes under a name that begins with a
dot and renames when everything is on disk: what has a height for its name is whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from time import monotonic, perf_counter
from typing import Final

import structlog

from ledger import migrations, snapshots
from ledger.errors import LedgerError
from ledger.store import Snapshot, Store, sync_folder
from wire.pb.tkms.comet.v1 import abci_pb2

_LOG: Final = structlog.get_logger(__name__)
_METADATA: Final = "metadata"
_UNFINISHED: Final = "."
# The engine asks for a chunk again after 10 seconds.
_FETCHING_SECONDS: Final = 60.0
# The engine shows its peers no more.
_MAX_LISTED: Final = 10


class CancelledError(Exception):
    """The node ends while a snapshot is being written."""


class SnapshotFolder:
    """The snapshots that this node has."""

    def __init__(self, path: Path) -> None:
        """Use a folder, which need not exist."""
        self._path = path
        # When a chunk of a height was last asked for.
        self._loaded: dict[int, float] = {}

    def clean(self, last_height: int) -> None:
        """Remove what a crash left half-written, and what was taken above the chain's end before a rollback."""
        if not self._path.is_dir():
            return
        for entry in sorted(self._path.iterdir()):
            above = entry.name.isdecimal() and int(entry.name) > last_height
            if entry.name.startswith(_UNFINISHED) or above:
                shutil.rmtree(entry, ignore_errors=True)

    def heights(self) -> list[int]:
        """Heights of the whole snapshots, newest first."""
        if not self._path.is_dir():
            return []
        names = (entry.name for entry in self._path.iterdir())
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def newest(self) -> tuple[int, float, int] | None:
        """Height, time of writing (seconds since 1970) and bytes of the newest snapshot; for people."""
        for height in self.heights()[:1]:
            files = [entry.stat() for entry in (self._path / str(height)).iterdir()]
            if files:
                size = sum(entry.st_size for entry in files)
                return height, max(entry.st_mtime for entry in files), size
        return None

    def offered(self) -> list[abci_pb2.Snapshot]:
        """The snapshots as the engine shows them to its peers."""
        found = (self._offered(height) for height in self.heights()[:_MAX_LISTED])
        return [each for each in found if each is not None]

    def chunk(self, height: int, index: int) -> bytes:
        """A chunk; empty when there is none."""
        try:
            chunk = (self._path / str(height) / str(index)).read_bytes()
        except OSError:
            return b""
        self._loaded[height] = monotonic()
        return chunk

    def keep(self, count: int) -> None:
        """Remove all but the newest, and the next as many while somebody is fetching them.

        A node whose snapshot goes away in the middle waits for its chunks for ever.
        """
        now = monotonic()
        for number, height in enumerate(self.heights()[count:]):
            loaded = self._loaded.get(height)
            if number < count and loaded is not None and now - loaded < _FETCHING_SECONDS:
                continue
            # Not under its height any more before it is torn: a kill in the middle must not leave it on offer.
            leaving = self._path / f"{_UNFINISHED}{height}"
            shutil.rmtree(leaving, ignore_errors=True)
            with suppress(OSError):
                (self._path / str(height)).rename(leaving)
            shutil.rmtree(leaving, ignore_errors=True)
            self._loaded.pop(height, None)

    def write(self, view: Snapshot, cancelled: Event) -> None:
        """Write the snapshot of a frozen database's height.

        Raises:
            OSError: the disk.
            LedgerError: the database, or a state that is too large for a snapshot.
            CancelledError: `cancelled` was set.
        """
        height = view.height or 0
        unfinished = self._path / f"{_UNFINISHED}{height}"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        hashes: list[bytes] = []
        entries = 0
        for chunk, count in snapshots.cut(_until(cancelled, view)):
            if len(hashes) == snapshots.MAX_CHUNKS:
                raise LedgerError("the state is too large for a snapshot")
            _write(unfinished / str(len(hashes)), chunk)
            hashes.append(snapshots.digest(chunk))
            entries += count
        metadata = snapshots.describe(
            chain_id=view.chain_id or "",
            height=height,
            app_version=migrations.version(view),
            entries=entries,
            chunk_hashes=hashes,
        )
        _write(unfinished / _METADATA, metadata)
        sync_folder(unfinished)
        final = self._path / str(height)
        shutil.rmtree(final, ignore_errors=True)
        unfinished.rename(final)
        sync_folder(self._path)

    def _offered(self, height: int) -> abci_pb2.Snapshot | None:
        try:
            metadata = (self._path / str(height) / _METADATA).read_bytes()
        except OSError:
            # Removed by `keep` meanwhile.
            return None
        return abci_pb2.Snapshot(
            height=height,
            format=snapshots.FORMAT,
            chunks=len(snapshots.parse_metadata(metadata).chunk_hashes),
            hash=snapshots.digest(metadata),
            metadata=metadata,
        )


class SnapshotWriter:
    """Takes a snapshot every so many heights, one at a time."""

    def __init__(self, store: Store, folder: SnapshotFolder, interval: int, keep: int) -> None:
        """Take none where `interval` is 0."""
        self._store = store
        self._folder = folder
        self._interval = interval
        self._keep = keep
        self._cancelled = Event()
        self._thread: Thread | None = None
        # How long the last whole one took; for people.
        self.last_seconds: float | None = None

    def committed(self, height: int) -> None:
        """Begin a snapshot if this height is one for it; returns at once."""
        if not self._interval or height % self._interval:
            return
        if self._thread is not None and self._thread.is_alive():
            _LOG.warning("snapshot left out: the one before is still being written", height=height)
            return
        view = self._store.snapshot()
        self._thread = Thread(
            target=self._write, args=(view, height), name="snapshot-writer", daemon=True
        )
        self._thread.start()

    def wait(self) -> None:
        """Return when no snapshot is being written."""
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Give up what is being written; its leftover goes at the next start."""
        self._cancelled.set()
        self.wait()

    def _write(self, view: Snapshot, height: int) -> None:
        started = perf_counter()
        with view:
            try:
                self._folder.write(view, self._cancelled)
                self._folder.keep(self._keep)
            except CancelledError:
                return
            except (OSError, LedgerError) as error:
                # The chain goes on without; the older snapshots are still there.
                _LOG.error("snapshot failed", height=height, error=str(error))
                return
        self.last_seconds = perf_counter() - started
        _LOG.info("snapshot taken", height=height, seconds=round(self.last_seconds, 3))


def _until(cancelled: Event, view: Snapshot) -> Iterator[tuple[bytes, bytes]]:
    for entry in snapshots.proven(view):
        if cancelled.is_set():
            raise CancelledError
        yield entry


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
