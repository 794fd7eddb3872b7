"""Keys, reference strings, preprocessings, applications, handles and accounts."""

from __future__ import annotations

import json
import sqlite3
from typing import Final

from edge.explorer.index import model
from edge.explorer.index.fill import KEY, REFERENCE_STRING
from edge.explorer.reading.cursors import Listing
from edge.explorer.reading.requests import type_name
from wire.documents import account, label
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2

# There are few of these on a chain; more than this are not shown in one list.
_MOST: Final = 1_000


def materials(connection: sqlite3.Connection, kind: str) -> tuple[model.MaterialSummary, ...]:
    """All of a kind, newest first."""
    rows = connection.execute(
        "SELECT * FROM materials WHERE kind = ? ORDER BY height DESC, id LIMIT ?", (kind, _MOST)
    ).fetchall()
    return tuple(_material_summary(row) for row in rows)


def material(connection: sqlite3.Connection, kind: str, name: bytes) -> model.Material | None:
    """One key, reference string or preprocessing."""
    row = connection.execute(
        "SELECT * FROM materials WHERE id = ? AND kind = ?", (name, kind)
    ).fetchone()
    if row is None:
        return None
    view = state_pb2.MaterialView.FromString(row["view"])
    record = view.record
    history = connection.execute(
        "SELECT material_history.height, status, epoch_id, time_ms FROM material_history"
        " LEFT JOIN blocks ON blocks.height = material_history.height"
        " WHERE id = ? ORDER BY material_history.height",
        (name,),
    ).fetchall()
    count = 0
    if kind == KEY:
        query = "SELECT count(*) FROM requests WHERE key_id = ? AND kind IN (3, 4)"
        count = connection.execute(query, (name,)).fetchone()[0]
    return model.Material(
        summary=_material_summary(row),
        born_epoch_id=record.born_epoch_id,
        status_height=record.status_height,
        files=_files(view),
        signers=tuple(signature.party for signature in record.signatures),
        preprocessing_id=record.preprocessing_id.hex(),
        consumed_by=record.consumed_by.hex(),
        destruction_id=record.destruction_id.hex(),
        history=tuple(
            model.MaterialChange(
                item["height"],
                item["time_ms"],
                label(asc_pb2.KeyStatus, item["status"]),
                item["epoch_id"],
            )
            for item in history
        ),
        reference_strings=_reference_strings(connection, name) if kind == KEY else (),
        requests=count,
    )


def applications(connection: sqlite3.Connection) -> tuple[model.ApplicationSummary, ...]:
    """All applications, by name."""
    rows = connection.execute("SELECT * FROM applications ORDER BY id LIMIT ?", (_MOST,)).fetchall()
    return tuple(_application_summary(connection, row) for row in rows)


def application(connection: sqlite3.Connection, name: str) -> model.Application | None:
    """One application with its settings."""
    row = connection.execute("SELECT * FROM applications WHERE id = ?", (name,)).fetchone()
    if row is None:
        return None
    view = state_pb2.ApplicationView.FromString(row["view"])
    domain = view.application.domain
    return model.Application(
        summary=_application_summary(connection, row),
        domain_name=domain.name,
        domain_version=domain.version,
        domain_chain_id=domain.chain_id,
        verifying_contract=account(domain.verifying_contract),
        delegates=tuple(account(item) for item in view.delegates),
    )


def handle(connection: sqlite3.Connection, name: bytes) -> tuple[model.Handle, ...]:
    """All registrations of a handle: it is unique inside an application only."""
    rows = connection.execute(
        "SELECT * FROM handles WHERE handle = ? ORDER BY application LIMIT ?", (name, _MOST)
    ).fetchall()
    return tuple(_handle(row) for row in rows)


def handles(
    connection: sqlite3.Connection, name: str, cursor: str | None, limit: int
) -> model.Page[model.Handle]:
    """Handles of an application, newest first."""
    listing = Listing("*", "handles", ("height", "place"))
    listing.only("application = ?", name)
    return listing.page(connection, cursor, limit, _handle)


def account_of(connection: sqlite3.Connection, address: bytes) -> model.Account:
    """An account; every address is one, whether the chain has seen it or not."""
    sent = connection.execute(
        "SELECT count(*), min(height), max(height) FROM transactions WHERE sender = ?", (address,)
    ).fetchone()
    asked = connection.execute(
        "SELECT count(*) FROM requests WHERE requester = ?", (address,)
    ).fetchone()
    return model.Account(
        address=account(address),
        transactions=sent[0],
        requests=asked[0],
        names=_names(connection, address),
        first_height=sent[1],
        last_height=sent[2],
    )


def _names(connection: sqlite3.Connection, address: bytes) -> tuple[str, ...]:
    names = []
    rows = connection.execute("SELECT record FROM epochs ORDER BY id DESC LIMIT 20").fetchall()
    for row in rows:
        epoch = config_pb2.Epoch.FromString(row[0])
        names += [
            f"{party.name}, party {party.index} of epoch {epoch.id}"
            for party in epoch.parties
            if party.account == address
        ]
    rows = connection.execute("SELECT view FROM applications LIMIT ?", (_MOST,)).fetchall()
    for row in rows:
        view = state_pb2.ApplicationView.FromString(row[0])
        if view.application.owner == address:
            names.append(f"owner of {view.application.id}")
        if address in view.delegates:
            names.append(f"delegate of {view.application.id}")
    return tuple(names)


def _material_summary(row: sqlite3.Row) -> model.MaterialSummary:
    record = state_pb2.MaterialView.FromString(row["view"]).record
    return model.MaterialSummary(
        id=record.id.hex(),
        kind=row["kind"],
        status=label(asc_pb2.KeyStatus, record.status),
        parameters=record.parameters,
        epoch_id=record.epoch_id,
        dealer=record.dealer,
        height=row["height"],
        key_id=record.key_id.hex(),
        max_bits=record.max_bits,
    )


def _files(view: state_pb2.MaterialView) -> tuple[model.MaterialFile, ...]:
    return tuple(
        model.MaterialFile(
            item.kind,
            item.digest.hex(),
            item.size,
            tuple(uri for uri in view.uris if item.digest.hex() in uri),
        )
        for item in view.record.digests
    )


def _reference_strings(connection: sqlite3.Connection, key_id: bytes) -> tuple[str, ...]:
    found = materials(connection, REFERENCE_STRING)
    return tuple(item.id for item in found if item.key_id == key_id.hex())


def _application_summary(
    connection: sqlite3.Connection, row: sqlite3.Row
) -> model.ApplicationSummary:
    record = state_pb2.ApplicationView.FromString(row["view"]).application
    count = "SELECT count(*) FROM {} WHERE application = ?"
    return model.ApplicationSummary(
        id=record.id,
        kind=label(isc_pb2.Kind, record.kind),
        owner=account(record.owner),
        registered_height=row["height"],
        handles=connection.execute(count.format("handles"), (record.id,)).fetchone()[0],
        requests=connection.execute(count.format("requests"), (record.id,)).fetchone()[0],
    )


def _handle(row: sqlite3.Row) -> model.Handle:
    record = isc_pb2.Ciphertext.FromString(row["ciphertext"])
    return model.Handle(
        handle="0x" + record.handle.hex(),
        application=row["application"],
        digest=record.digest.hex(),
        type=type_name(record.fhe_type),
        size=record.size,
        key_id=record.key_id.hex(),
        height=row["height"],
        transaction=row["transaction_hash"].hex(),
        public=bool(row["public"]),
        granted=tuple(json.loads(row["granted"])),
    )
