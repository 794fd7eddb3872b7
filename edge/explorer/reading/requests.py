"""Requests, the audit log and evidence."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from edge.explorer.index import model
from edge.explorer.reading.cursors import Listing
from wire.documents import account, document, label
from wire.eip712 import decode_plaintexts
from wire.fhe import FheType
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2

_SUMMARY: Final = (
    "sequence, id, kind, status, application, key_id, requester, opened_height, opened_ms, decided_height,"
    " decided_ms, price, answers, needed, parties"
)


def requests(
    connection: sqlite3.Connection,
    cursor: str | None,
    limit: int,
    filters: Mapping[str, Any],
) -> model.Page[model.RequestSummary]:
    """Newest first. Filters: kind, status, application, key_id, requester; what is None does not narrow."""
    listing = Listing(_SUMMARY, "requests", ("sequence",))
    for column, value in filters.items():
        if value is None:
            continue
        if column == "kind":
            listing.only("kind = ?", number_of(asc_pb2.RequestKind, value))
        elif column == "status":
            listing.only("status = ?", number_of(asc_pb2.Status, value))
        elif column in ("application", "key_id", "requester"):
            listing.only(f"{column} = ?", value)
    return listing.page(connection, cursor, limit, summary)


def requests_of_handle(
    connection: sqlite3.Connection, handle: bytes, cursor: str | None, limit: int
) -> model.Page[model.RequestSummary]:
    """Requests that name a handle, newest first."""
    columns = ", ".join(f"requests.{name.strip()}" for name in _SUMMARY.split(","))
    table = "request_handles JOIN requests ON requests.sequence = request_handles.request"
    listing = Listing(columns, table, ("requests.sequence",))
    listing.only("request_handles.handle = ?", handle)
    return listing.page(connection, cursor, limit, summary)


def request(connection: sqlite3.Connection, request_id: bytes) -> model.Request | None:
    """One request with everything around it."""
    row = connection.execute("SELECT * FROM requests WHERE id = ?", (request_id,)).fetchone()
    if row is None:
        return None
    view = state_pb2.RequestView.FromString(row["view"])
    entry, status = view.entry, view.status
    audit = connection.execute(
        "SELECT record FROM audit WHERE request = ?", (request_id,)
    ).fetchone()
    record = asc_pb2.AuditRecord.FromString(audit[0]) if audit else None
    evidence = connection.execute(
        "SELECT sequence FROM evidence WHERE request = ? ORDER BY sequence", (request_id,)
    ).fetchall()
    answered = {answer.party for answer in view.answers}
    return model.Request(
        summary=summary(row),
        user=account(entry.user),
        relayer=account(entry.relayer),
        epoch_id=row["epoch_id"],
        threshold=entry.threshold,
        deadline_height=entry.deadline_height,
        closed_height=row["closed_height"],
        transaction=row["transaction_hash"].hex(),
        ciphertexts=tuple(ciphertext(item) for item in entry.ciphertexts),
        allowances=_allowances(entry),
        timeline=_timeline(connection, request_id),
        answers=_answers(connection, row, view),
        silent=tuple(number for number in range(1, entry.parties + 1) if number not in answered),
        progress=_progress(connection, request_id),
        conflicts=tuple(sorted({conflict.party for conflict in status.conflicts})),
        accusations={str(item.accused): tuple(item.accusers) for item in status.accusations},
        result_digest=status.agreed_digest.hex(),
        values=_values(view),
        failure=label(asc_pb2.FailureCode, status.failure) if status.failure else "",
        paid=record.paid if record else 0,
        relayer_units=record.relayer_units if record else 0,
        refunded=record.refunded if record else 0,
        audit_sequence=record.sequence if record else None,
        evidence=tuple(item[0] for item in evidence),
        document={"entry": document(entry), "status": document(status)},
    )


def audit(
    connection: sqlite3.Connection,
    cursor: str | None,
    limit: int,
    *,
    application: str | None = None,
    requester: bytes | None = None,
) -> model.Page[model.AuditRecord]:
    """The audit log, newest first."""
    listing = Listing("sequence, record", "audit", ("sequence",))
    if application is not None:
        listing.only("application = ?", application)
    if requester is not None:
        listing.only("requester = ?", requester)
    return listing.page(connection, cursor, limit, _audit_record)


def evidence(
    connection: sqlite3.Connection, cursor: str | None, limit: int
) -> model.Page[model.EvidenceRecord]:
    """Evidence of contradictions, newest first."""
    listing = Listing("sequence, record", "evidence", ("sequence",))
    return listing.page(connection, cursor, limit, _evidence_record)


def number_of(enum: Any, name: str) -> int:
    """Number of a word as `label` makes it; -1 where there is none, which no row has."""
    for value in enum.DESCRIPTOR.values:
        if label(enum, value.number) == name:
            return int(value.number)
    return -1


def words_of(enum: Any) -> tuple[str, ...]:
    """All words of an enumeration but the unspecified one."""
    return tuple(label(enum, value.number) for value in enum.DESCRIPTOR.values if value.number)


def summary(row: sqlite3.Row) -> model.RequestSummary:
    """A row of the list."""
    decided = row["decided_ms"]
    return model.RequestSummary(
        id=row["id"].hex(),
        sequence=row["sequence"],
        kind=label(asc_pb2.RequestKind, row["kind"]),
        status=label(asc_pb2.Status, row["status"]),
        application=row["application"],
        key_id=row["key_id"].hex(),
        requester=account(row["requester"]),
        opened_height=row["opened_height"],
        opened_ms=row["opened_ms"],
        decided_height=row["decided_height"],
        latency_ms=None if decided is None else decided - row["opened_ms"],
        price=row["price"],
        answers=row["answers"],
        needed=row["needed"],
        parties=row["parties"],
    )


def ciphertext(record: isc_pb2.Ciphertext) -> model.Ciphertext:
    """A ciphertext of a request."""
    return model.Ciphertext(
        handle="0x" + record.handle.hex(),
        digest=record.digest.hex(),
        type=type_name(record.fhe_type),
        size=record.size,
        key_id=record.key_id.hex(),
    )


def type_name(number: int) -> str:
    """Name of a plaintext type."""
    known = {int(kind) for kind in FheType}
    return FheType(number).label if number in known else str(number)


def _allowances(entry: asc_pb2.LogEntry) -> tuple[model.Allowance, ...]:
    handles = ["0x" + item.handle.hex() for item in entry.ciphertexts]
    return tuple(
        model.Allowance(
            handles[place] if place < len(handles) else "",
            label(isc_pb2.Basis, allowance.basis),
            allowance.since_height,
            account(allowance.given_by),
        )
        for place, allowance in enumerate(entry.allowances)
    )


def _timeline(connection: sqlite3.Connection, request_id: bytes) -> tuple[model.Step, ...]:
    rows = connection.execute(
        "SELECT steps.height, name, detail, transaction_hash, time_ms FROM steps"
        " LEFT JOIN blocks ON blocks.height = steps.height"
        " WHERE request = ? ORDER BY steps.height, place",
        (request_id,),
    ).fetchall()
    return tuple(
        model.Step(
            name=row["name"],
            height=row["height"],
            time_ms=row["time_ms"],
            detail=row["detail"],
            transaction=row["transaction_hash"].hex(),
        )
        for row in rows
    )


def _answers(
    connection: sqlite3.Connection, row: sqlite3.Row, view: state_pb2.RequestView
) -> tuple[model.Answer, ...]:
    entry = view.entry
    found = connection.execute(
        "SELECT party, lag_ms, agreed FROM answers WHERE request = ?", (entry.sequence,)
    ).fetchall()
    known = {item["party"]: item for item in found}
    parties = parties_of(connection, row["epoch_id"])
    answers = []
    for answer in view.answers:
        item = known.get(answer.party)
        lag = None if item is None else item["lag_ms"]
        party = parties.get(answer.party)
        failed = answer.WhichOneof("outcome") == "failure"
        answers.append(
            model.Answer(
                party=answer.party,
                name="" if party is None else party.name,
                account="" if party is None else account(party.account),
                height=answer.height,
                time_ms=None if lag is None else row["opened_ms"] + lag,
                lag_ms=lag,
                lag_blocks=answer.height - entry.height,
                outcome=label(asc_pb2.FailureCode, answer.failure) if failed else "answered",
                agreed=bool(item is not None and item["agreed"]),
                digest=answer.canonical_digest.hex(),
                signature=answer.fulfil.signature.hex(),
            )
        )
    return tuple(answers)


def parties_of(connection: sqlite3.Connection, epoch_id: int) -> dict[int, config_pb2.Party]:
    """Parties of an epoch by their number; empty where its record is not here."""
    row = connection.execute("SELECT record FROM epochs WHERE id = ?", (epoch_id,)).fetchone()
    if row is None:
        return {}
    return {party.index: party for party in config_pb2.Epoch.FromString(row[0]).parties}


def _progress(connection: sqlite3.Connection, request_id: bytes) -> tuple[model.Progress, ...]:
    rows = connection.execute(
        "SELECT party, phase, done, total, height FROM progress WHERE request = ? ORDER BY party",
        (request_id,),
    ).fetchall()
    return tuple(model.Progress(*row) for row in rows)


def _values(view: state_pb2.RequestView) -> tuple[str, ...]:
    """Plaintexts that were agreed on, while the chain still keeps them."""
    types = [item.fhe_type for item in view.entry.ciphertexts]
    for answer in view.answers:
        result = answer.fulfil.public_decryption.decrypted_result
        if result and answer.canonical_digest == view.status.agreed_digest:
            try:
                return tuple(str(value) for value in decode_plaintexts(result, types))
            except ValueError:
                return ()
    return ()


def _audit_record(row: sqlite3.Row) -> model.AuditRecord:
    record = asc_pb2.AuditRecord.FromString(row["record"])
    return model.AuditRecord(
        sequence=record.sequence,
        request_id=record.request_id.hex(),
        kind=label(asc_pb2.RequestKind, record.kind),
        status=label(asc_pb2.Status, record.status),
        failure=label(asc_pb2.FailureCode, record.failure) if record.failure else "",
        requester=account(record.requester),
        user=account(record.user),
        relayer=account(record.relayer),
        application=record.application,
        key_id=record.key_id.hex(),
        handles=tuple("0x" + handle.hex() for handle in record.handles),
        bases=tuple(label(isc_pb2.Basis, item.basis) for item in record.allowances),
        request_height=record.request_height,
        decided_height=record.decided_height,
        epoch_id=record.epoch_id,
        result_digest=record.result_digest.hex(),
        agreed=tuple(record.agreed),
        price=record.price,
        paid=record.paid,
        relayer_units=record.relayer_units,
        refunded=record.refunded,
    )


def _evidence_record(row: sqlite3.Row) -> model.EvidenceRecord:
    record = asc_pb2.EvidenceRecord.FromString(row["record"])
    return model.EvidenceRecord(
        sequence=record.sequence,
        height=record.height,
        request_id=record.request_id.hex(),
        epoch_id=record.epoch_id,
        party=record.party,
        first_digest=record.first_digest.hex(),
        second_digest=record.second_digest.hex(),
        document=document(record),
    )
