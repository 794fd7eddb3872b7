"""All reading of the index, in one place: what pages and API call, in threads.

Every call uses a connection of its own thread; none of them changes anything. Bad cursors raise `BadCursor`,
which is the peer's fault.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.explorer.index import model
from edge.explorer.index.database import open_reading
from edge.explorer.index.fill import KEY, PREPROCESSING, REFERENCE_STRING
from edge.explorer.reading import blocks, charts, parties, requests, things
from edge.explorer.reading.cursors import BadCursor

__all__ = ["BadCursor", "Reader"]


class Reader:
    """The index, read."""

    def __init__(self, path: Path, node_height: Callable[[], int] = lambda: 0) -> None:
        """`node_height` says how far the node is, where somebody knows."""
        self._path = path
        self._node_height = node_height
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: dict[threading.Thread, sqlite3.Connection] = {}

    @property
    def _connection(self) -> sqlite3.Connection:
        known: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if known is None:
            known = self._local.connection = open_reading(self._path)
            with self._lock:
                # Health and numbers are read in threads of one request: what they leave behind goes.
                for thread in [thread for thread in self._all if not thread.is_alive()]:
                    self._all.pop(thread).close()
                self._all[threading.current_thread()] = known
        return known

    def close(self) -> None:
        """Close all connections; nobody reads any more."""
        with self._lock:
            for connection in self._all.values():
                connection.close()
            self._all.clear()
        self._local = threading.local()

    def head(self) -> model.Head | None:
        """Where the index is; None while it is empty."""
        return blocks.head(self._connection, self._node_height())

    def blocks(self, cursor: str | None = None, limit: int = 50) -> model.Page[model.BlockSummary]:
        """Blocks, newest first."""
        return blocks.blocks(self._connection, cursor, limit)

    def block(self, height: int) -> model.Block | None:
        """A block by its height."""
        return blocks.block(self._connection, height)

    def block_by_hash(self, digest: bytes) -> model.Block | None:
        """A block by its hash."""
        return blocks.block_by_hash(self._connection, digest)

    def transactions(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        kind: str | None = None,
        sender: bytes | None = None,
        failed: bool | None = None,
    ) -> model.Page[model.TransactionSummary]:
        """Transactions, newest first."""
        return blocks.transactions(
            self._connection, cursor, limit, kind=kind, sender=sender, failed=failed
        )

    def transaction(self, digest: bytes) -> model.Transaction | None:
        """A transaction by its hash."""
        return blocks.transaction(self._connection, digest)

    def requests(
        self, cursor: str | None = None, limit: int = 50, **filters: Any
    ) -> model.Page[model.RequestSummary]:
        """Requests, newest first; filters kind, status, application, key_id, requester."""
        return requests.requests(self._connection, cursor, limit, filters)

    def request(self, request_id: bytes) -> model.Request | None:
        """A request by its id."""
        return requests.request(self._connection, request_id)

    def requests_of_handle(
        self, handle: bytes, cursor: str | None = None, limit: int = 50
    ) -> model.Page[model.RequestSummary]:
        """Requests that name a handle, newest first."""
        return requests.requests_of_handle(self._connection, handle, cursor, limit)

    def keys(self) -> tuple[model.MaterialSummary, ...]:
        """All keys, newest first."""
        return things.materials(self._connection, KEY)

    def key(self, name: bytes) -> model.Material | None:
        """A key by its id."""
        return things.material(self._connection, KEY, name)

    def reference_strings(self) -> tuple[model.MaterialSummary, ...]:
        """All reference strings, newest first."""
        return things.materials(self._connection, REFERENCE_STRING)

    def reference_string(self, name: bytes) -> model.Material | None:
        """A reference string by its id."""
        return things.material(self._connection, REFERENCE_STRING, name)

    def preprocessings(self) -> tuple[model.MaterialSummary, ...]:
        """All preprocessings, newest first."""
        return things.materials(self._connection, PREPROCESSING)

    def preprocessing(self, name: bytes) -> model.Material | None:
        """A preprocessing by its id."""
        return things.material(self._connection, PREPROCESSING, name)

    def applications(self) -> tuple[model.ApplicationSummary, ...]:
        """All applications, by name."""
        return things.applications(self._connection)

    def application(self, name: str) -> model.Application | None:
        """An application by its id."""
        return things.application(self._connection, name)

    def handle(self, name: bytes) -> tuple[model.Handle, ...]:
        """Registrations of a handle, one an application; empty where there is none."""
        return things.handle(self._connection, name)

    def handles(
        self, application: str, cursor: str | None = None, limit: int = 50
    ) -> model.Page[model.Handle]:
        """Handles of an application, newest first."""
        return things.handles(self._connection, application, cursor, limit)

    def account(self, address: bytes) -> model.Account:
        """An account; every address is one."""
        return things.account_of(self._connection, address)

    def parties(self) -> tuple[model.Party, ...]:
        """Parties of the current epoch, by number."""
        return parties.parties(self._connection)

    def party(self, number: int) -> model.Party | None:
        """A party of the current epoch."""
        return parties.party(self._connection, number)

    def party_numbers(self, name: str) -> tuple[int, ...]:
        """Numbers of the parties of the current epoch that are called so."""
        return tuple(record.index for record in parties.named(self._connection, name))

    def validators(self) -> tuple[model.Validator, ...]:
        """Validators with the grid of the last blocks."""
        return parties.validators(self._connection)

    def epochs(self) -> tuple[dict[str, Any], ...]:
        """Records of all epochs that requests named, newest first."""
        return parties.epochs(self._connection)

    def config_history(
        self, cursor: str | None = None, limit: int = 50
    ) -> model.Page[model.ConfigChange]:
        """What became of proposed changes, newest first."""
        return parties.config_history(self._connection, cursor, limit)

    def audit(
        self,
        cursor: str | None = None,
        limit: int = 50,
        *,
        application: str | None = None,
        requester: bytes | None = None,
    ) -> model.Page[model.AuditRecord]:
        """The audit log, newest first."""
        return requests.audit(
            self._connection, cursor, limit, application=application, requester=requester
        )

    def evidence(
        self, cursor: str | None = None, limit: int = 50
    ) -> model.Page[model.EvidenceRecord]:
        """Evidence of contradictions, newest first."""
        return requests.evidence(self._connection, cursor, limit)

    def charts(self, chosen: str = "day") -> model.Charts:
        """All charts of a range: hour, day, week or month."""
        return charts.charts(self._connection, chosen)
