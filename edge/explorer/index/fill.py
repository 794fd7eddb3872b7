"""Writes one block into the index: all of it and the cursor, or nothing."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from edge.explorer.facts import needed_signers
from edge.explorer.index import slots
from edge.explorer.index.decode import DecodedBlock, PermissionRow, TransactionRow
from wire.answers import answering_epoch_id
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2

KEY: Final = "key"
REFERENCE_STRING: Final = "reference-string"
PREPROCESSING: Final = "preprocessing"
# Answers with the agreed result may come after the decision, until the request is closed.
_FULFILLED: Final = asc_pb2.STATUS_FULFILLED


@dataclass(frozen=True, slots=True)
class ValidatorSet:
    """Validators from a height on, in the engine's order; each is (address, public key, power, name)."""

    height: int
    # As headers name the set.
    digest: str
    members: tuple[tuple[str, str, int, str], ...]


@dataclass(slots=True)
class Facts:
    """What the node says about that which a block touched."""

    requests: list[state_pb2.RequestView] = field(default_factory=list)
    materials: list[tuple[str, state_pb2.MaterialView]] = field(default_factory=list)
    applications: list[state_pb2.ApplicationView] = field(default_factory=list)
    audit: list[asc_pb2.AuditRecord] = field(default_factory=list)
    evidence: list[asc_pb2.EvidenceRecord] = field(default_factory=list)
    config: list[config_pb2.ConfigRecord] = field(default_factory=list)
    epochs: list[config_pb2.Epoch] = field(default_factory=list)
    current_epoch: int | None = None
    validators: ValidatorSet | None = None


class Filler:
    """The one writer of the index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take over a connection of `database.create`."""
        self._connection = connection

    def meta(self, name: str) -> str | int | None:
        """A remembered value."""
        row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def remember(self, name: str, value: str | int) -> None:
        """Keep a value; inside of a block's transaction it is kept with the block."""
        self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    @property
    def cursor(self) -> int:
        """Last height that is written, 0 before the first."""
        return int(self.meta("height") or 0)

    def last_sequence(self, table: str) -> int:
        """Last sequence of audit, evidence or config_history."""
        query = f"SELECT max(sequence) FROM {table}"  # noqa: S608 - one of three names of ours
        return int(self._connection.execute(query).fetchone()[0] or 0)

    def knows_epoch(self, epoch_id: int) -> bool:
        """Whether the epoch's record is here."""
        query = "SELECT 1 FROM epochs WHERE id = ?"
        return self._connection.execute(query, (epoch_id,)).fetchone() is not None

    def closed_view(self, request: bytes) -> state_pb2.RequestView | None:
        """View of a request about which the chain says nothing new any more."""
        query = "SELECT view FROM requests WHERE id = ? AND closed_height IS NOT NULL"
        row = self._connection.execute(query, (request,)).fetchone()
        return None if row is None else state_pb2.RequestView.FromString(row[0])

    def fill(self, decoded: DecodedBlock, facts: Facts) -> None:
        """Write a block with its facts and move the cursor."""
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            self._write(decoded, facts)
            self.remember("height", decoded.block.height)
            connection.execute("COMMIT")
        except BaseException:
            # On a full disk SQLite has rolled back by itself, and refuses to do it again.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _write(self, decoded: DecodedBlock, facts: Facts) -> None:
        self._block(decoded)
        for transaction in decoded.transactions:
            self._transaction(decoded, transaction)
        for view in facts.requests:
            self._request(decoded, view)
        self._steps(decoded)
        self._handles(decoded)
        for change in decoded.permissions:
            self._permission(change)
        height = decoded.block.height
        for kind, material in facts.materials:
            self._material(kind, material, height)
        for application in facts.applications:
            self._application(application, height)
        self._records(facts)

    def _block(self, decoded: DecodedBlock) -> None:
        row = decoded.block
        before = self._connection.execute(
            "SELECT time_ms FROM blocks WHERE height = ?", (row.height - 1,)
        ).fetchone()
        interval = row.time_ms - before[0] if before else 0
        gas = sum(transaction.gas_used for transaction in decoded.transactions)
        values = (
            row.height,
            row.hash,
            row.time_ms,
            interval,
            row.proposer,
            row.app_hash,
            row.previous_hash,
            row.validators_hash,
            row.previous_round,
            json.dumps(row.previous_absent),
            len(decoded.transactions),
            len(decoded.opened),
            decoded.decided,
            row.size,
            gas,
            _packed(row.events),
        )
        self._insert("blocks", values)
        self._count("transactions", len(decoded.transactions))
        slots.add_block(self._connection, row.time_ms, interval, len(decoded.transactions))

    def _count(self, name: str, more: int) -> None:
        if more:
            self.remember(f"count:{name}", int(self.meta(f"count:{name}") or 0) + more)

    def _transaction(self, decoded: DecodedBlock, row: TransactionRow) -> None:
        signed = row.signed
        kinds = () if signed is None else signed.kinds
        height = decoded.block.height
        values = (
            row.hash,
            height,
            row.position,
            decoded.block.time_ms,
            b"" if signed is None else bytes(signed.sender),
            json.dumps(kinds),
            row.code,
            0 if signed is None else _bounded(signed.body.max_fee),
            row.gas_used,
            len(row.raw),
            row.log,
            _packed(row.events),
            row.raw,
        )
        self._insert("transactions", values)
        for kind in set(kinds):
            self._insert("transaction_kinds", (kind, height, row.position, row.code != 0))

    def _request(self, decoded: DecodedBlock, view: state_pb2.RequestView) -> None:
        entry, status = view.entry, view.status
        known = self._connection.execute(
            "SELECT transaction_hash, opened_ms, decided_ms FROM requests WHERE sequence = ?",
            (entry.sequence,),
        ).fetchone()
        if known is None:
            self._count("requests", 1)
            self._connection.execute(
                "INSERT INTO epoch_counts VALUES (?, 1) ON CONFLICT DO UPDATE SET requests = requests + 1",
                (answering_epoch_id(entry),),
            )
            for ciphertext in entry.ciphertexts:
                self._insert("request_handles", (ciphertext.handle, entry.sequence))
        transaction = known[0] if known else decoded.opened.get(entry.request_id, b"")
        opened_ms = known[1] if known else self._time(entry.height) or decoded.block.time_ms
        decided_ms = self._time(status.decided_height)
        if known is None:
            slots.add_request(self._connection, opened_ms, entry.kind)
        if decided_ms is not None and (known is None or known[2] is None):
            slots.add_latency(self._connection, decided_ms, decided_ms - opened_ms)
        values = (
            entry.sequence,
            entry.request_id,
            entry.kind,
            status.status,
            entry.application,
            entry.key_id,
            entry.requester,
            entry.height,
            opened_ms,
            status.decided_height or None,
            decided_ms,
            status.closed_height or None,
            _bounded(entry.price),
            len(view.answers),
            needed_signers(entry),
            entry.parties,
            answering_epoch_id(entry),
            transaction,
            view.SerializeToString(deterministic=True),
        )
        self._insert("requests", values)
        self._answers(view, opened_ms)

    def _answers(self, view: state_pb2.RequestView, opened_ms: int) -> None:
        entry, status = view.entry, view.status
        epoch_id = answering_epoch_id(entry)
        for answer in view.answers:
            at = self._time(answer.height)
            failed = answer.WhichOneof("outcome") == "failure"
            agreed = (
                not failed
                and status.status == _FULFILLED
                and answer.canonical_digest == status.agreed_digest
            )
            lag = None if at is None else at - opened_ms
            row = (entry.sequence, answer.party, epoch_id, answer.height, lag, failed, agreed)
            self._answer(row)
        for accusation in status.accusations:
            self._insert("accusations", (entry.sequence, epoch_id, accusation.accused))

    def _answer(self, row: tuple[int, int, int, int, int | None, bool, bool]) -> None:
        """Write an answer, and count what is new of it."""
        sequence, party, epoch_id, height, _, failed, agreed = row
        known = self._connection.execute(
            "SELECT failed, agreed FROM answers WHERE request = ? AND party = ?", (sequence, party)
        ).fetchone()
        # A block that was pruned meanwhile has no time any more: the lag that was known stays.
        self._connection.execute(
            "INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request, party) DO UPDATE"
            " SET height = excluded.height, lag_ms = coalesce(excluded.lag_ms, lag_ms),"
            " failed = excluded.failed, agreed = excluded.agreed",
            row,
        )
        before = (1, *known) if known else (0, 0, 0)
        more = (1 - before[0], agreed - before[2], failed - before[1])
        self._connection.execute(
            "INSERT INTO party_counts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " answered = answered + excluded.answered, agreed = agreed + excluded.agreed,"
            " failed = failed + excluded.failed, last_height = max(last_height, excluded.last_height)",
            (epoch_id, party, *more, height),
        )

    def _steps(self, decoded: DecodedBlock) -> None:
        height = decoded.block.height
        for place, step in enumerate(decoded.steps):
            values = (step.request, height, place, step.name, step.detail, step.transaction)
            self._insert("steps", values)
        for report in decoded.progress:
            self._insert(
                "progress",
                (
                    report.request,
                    report.party,
                    report.phase,
                    _bounded(report.done),
                    _bounded(report.total),
                    height,
                ),
            )

    def _handles(self, decoded: DecodedBlock) -> None:
        for place, row in enumerate(decoded.handles):
            values = (
                row.ciphertext.handle,
                row.application,
                row.ciphertext.SerializeToString(deterministic=True),
                decoded.block.height,
                place,
                row.transaction,
            )
            # Registering the same again changes nothing.
            self._connection.execute(
                "INSERT OR IGNORE INTO handles VALUES (?, ?, ?, 0, '[]', ?, ?, ?)", values
            )

    def _permission(self, change: PermissionRow) -> None:
        place = (change.handle, change.application)
        if not change.account:
            self._connection.execute(
                "UPDATE handles SET public = ? WHERE handle = ? AND application = ?",
                (change.allowed, *place),
            )
            return
        row = self._connection.execute(
            "SELECT granted FROM handles WHERE handle = ? AND application = ?", place
        ).fetchone()
        if row is None:
            return
        granted = set(json.loads(row[0])) - {change.account}
        if change.allowed:
            granted.add(change.account)
        self._connection.execute(
            "UPDATE handles SET granted = ? WHERE handle = ? AND application = ?",
            (json.dumps(sorted(granted)), *place),
        )

    def _material(self, kind: str, view: state_pb2.MaterialView, height: int) -> None:
        record = view.record
        query = "SELECT height, view FROM materials WHERE id = ?"
        known = self._connection.execute(query, (record.id,)).fetchone()
        first = known[0] if known else record.active_height or height
        raw = view.SerializeToString(deterministic=True)
        if known is not None and known[1] == raw:
            return
        self._insert("materials", (record.id, kind, first, raw))
        self._insert("material_history", (record.id, height, record.status, record.epoch_id))

    def _application(self, view: state_pb2.ApplicationView, height: int) -> None:
        name = view.application.id
        query = "SELECT height FROM applications WHERE id = ?"
        known = self._connection.execute(query, (name,)).fetchone()
        raw = view.SerializeToString(deterministic=True)
        self._insert("applications", (name, known[0] if known else height, raw))

    def _records(self, facts: Facts) -> None:
        for record in facts.audit:
            self._insert(
                "audit",
                (
                    record.sequence,
                    record.request_id,
                    record.application,
                    record.requester,
                    record.SerializeToString(deterministic=True),
                ),
            )
        for proof in facts.evidence:
            raw = proof.SerializeToString(deterministic=True)
            self._insert(
                "evidence", (proof.sequence, proof.request_id, proof.epoch_id, proof.party, raw)
            )
        for change in facts.config:
            raw = change.SerializeToString(deterministic=True)
            self._insert("config_history", (change.sequence, raw))
        for epoch in facts.epochs:
            self._insert("epochs", (epoch.id, epoch.SerializeToString(deterministic=True)))
        if facts.current_epoch is not None:
            self.remember("epoch", facts.current_epoch)
        if facts.validators is not None:
            members = json.dumps(facts.validators.members)
            self._insert("validator_sets", (facts.validators.height, members))
            self.remember("validators", facts.validators.digest)

    def _time(self, height: int) -> int | None:
        """Time of a block that is here; answers may be of later blocks than the index."""
        row = self._connection.execute(
            "SELECT time_ms FROM blocks WHERE height = ?", (height,)
        ).fetchone()
        return None if row is None else int(row[0])

    def _insert(self, table: str, values: Iterable[object]) -> None:
        row = tuple(values)
        places = ", ".join("?" * len(row))
        self._connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({places})", row)  # noqa: S608 - tables of ours


def _packed(events: Iterable[tuple[str, dict[str, str]]]) -> bytes:
    """Events repeat their words: packed they are a tenth."""
    return zlib.compress(json.dumps(list(events), separators=(",", ":")).encode(), 1)


def _bounded(number: int) -> int:
    """SQLite's integers have 63 bits and a sign; nothing honest is above."""
    return min(int(number), 2**63 - 1)
