"""Blocks and transactions."""

from __future__ import annotations

import json
import sqlite3
import zlib
from typing import Final

from edge.explorer.index import model
from edge.explorer.reading.cursors import Listing
from wire.documents import account, document
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.tx import REQUEST_KINDS, decode

_REASONS: Final = {int(reason): reason for reason in Reason}
_BLOCK: Final = (
    "height, hash, time_ms, interval_ms, proposer, transactions, opened, decided, size, gas_used"
)
_TRANSACTION: Final = (
    "hash, height, position, time_ms, sender, kinds, code, max_fee, gas_used, size"
)


def head(connection: sqlite3.Connection, node_height: int) -> model.Head | None:
    """Where the index is; None while it is empty."""
    last = connection.execute("SELECT * FROM blocks ORDER BY height DESC LIMIT 1").fetchone()
    if last is None:
        return None
    meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    first = connection.execute("SELECT min(height) FROM blocks").fetchone()[0]
    mean = connection.execute(
        "SELECT avg(interval_ms) FROM blocks WHERE height > ? AND interval_ms > 0",
        (last["height"] - 100,),
    ).fetchone()[0]
    opened = connection.execute("SELECT count(*) FROM requests WHERE status IN (0, 1)").fetchone()
    return model.Head(
        chain_id=str(meta.get("chain_id", "")),
        height=last["height"],
        hash=last["hash"].hex(),
        time_ms=last["time_ms"],
        app_hash=last["app_hash"].hex(),
        mean_interval_ms=round(mean or 0.0, 1),
        first_height=first,
        transactions=int(meta.get("count:transactions", 0)),
        requests=int(meta.get("count:requests", 0)),
        open_requests=opened[0],
        epoch_id=int(meta.get("epoch", 0)),
        node_height=max(node_height, last["height"]),
    )


def blocks(
    connection: sqlite3.Connection, cursor: str | None, limit: int
) -> model.Page[model.BlockSummary]:
    """Newest first."""
    return Listing(_BLOCK, "blocks", ("height",)).page(connection, cursor, limit, _summary)


def block(connection: sqlite3.Connection, height: int) -> model.Block | None:
    """One block with its transactions."""
    row = connection.execute("SELECT * FROM blocks WHERE height = ?", (height,)).fetchone()
    return None if row is None else _block(connection, row)


def block_by_hash(connection: sqlite3.Connection, digest: bytes) -> model.Block | None:
    """One block by its hash."""
    row = connection.execute("SELECT * FROM blocks WHERE hash = ?", (digest,)).fetchone()
    return None if row is None else _block(connection, row)


def transactions(
    connection: sqlite3.Connection,
    cursor: str | None,
    limit: int,
    *,
    kind: str | None = None,
    sender: bytes | None = None,
    failed: bool | None = None,
) -> model.Page[model.TransactionSummary]:
    """Newest first; filters that are set must all hold."""
    listing = Listing(_TRANSACTION, "transactions", ("height", "position"))
    if kind is not None:
        columns = ", ".join(f"transactions.{name.strip()}" for name in _TRANSACTION.split(","))
        table = "transaction_kinds JOIN transactions USING (height, position)"
        key = ("transaction_kinds.height", "transaction_kinds.position")
        listing = Listing(columns, table, key)
        listing.only("transaction_kinds.kind = ?", kind)
        if failed is not None:
            listing.only("transaction_kinds.refused = ?", int(failed))
    elif failed is not None:
        listing.only("code != 0" if failed else "code = 0")
    if sender is not None:
        listing.only("sender = ?", sender)
    return listing.page(connection, cursor, limit, _transaction_summary)


def transaction(connection: sqlite3.Connection, digest: bytes) -> model.Transaction | None:
    """One transaction, decoded."""
    row = connection.execute("SELECT * FROM transactions WHERE hash = ?", (digest,)).fetchone()
    if row is None:
        return None
    reason = _REASONS.get(row["code"])
    body, scheme, messages = _decoded(row["raw"])
    return model.Transaction(
        summary=_transaction_summary(row),
        log=row["log"],
        sentence="" if reason is None else reason.sentence,
        hint="" if reason is None else reason.hint,
        scheme=scheme,
        nonce=body.nonce.hex(),
        expires_at_height=body.expires_at_height,
        messages=messages,
        events=_events(row["events"]),
        raw=row["raw"].hex(),
    )


def reason_name(code: int) -> str:
    """Name of a result code; empty for success."""
    reason = _REASONS.get(code)
    if reason is not None:
        return reason.name
    return f"code {code}" if code else ""


def _block(connection: sqlite3.Connection, row: sqlite3.Row) -> model.Block:
    query = f"SELECT {_TRANSACTION} FROM transactions WHERE height = ? ORDER BY position"  # noqa: S608 - columns of ours
    found = connection.execute(query, (row["height"],)).fetchall()
    members = connection.execute(
        "SELECT members FROM validator_sets WHERE height <= ? ORDER BY height DESC LIMIT 1",
        (row["height"] - 1,),
    ).fetchone()
    addresses = [member[0] for member in json.loads(members[0])] if members else []
    absent = [int(place) for place in json.loads(row["previous_absent"])]
    return model.Block(
        summary=_summary(row),
        app_hash=row["app_hash"].hex(),
        previous_hash=row["previous_hash"].hex(),
        validators_hash=row["validators_hash"].hex(),
        previous_round=row["previous_round"],
        previous_absent=tuple(addresses[place] for place in absent if place < len(addresses)),
        transactions=tuple(_transaction_summary(item) for item in found),
        events=_events(row["events"]),
    )


def _summary(row: sqlite3.Row) -> model.BlockSummary:
    return model.BlockSummary(
        height=row["height"],
        hash=row["hash"].hex(),
        time_ms=row["time_ms"],
        interval_ms=row["interval_ms"],
        proposer=row["proposer"].hex(),
        transactions=row["transactions"],
        requests_opened=row["opened"],
        requests_decided=row["decided"],
        size=row["size"],
        gas_used=row["gas_used"],
    )


def _transaction_summary(row: sqlite3.Row) -> model.TransactionSummary:
    return model.TransactionSummary(
        hash=row["hash"].hex(),
        height=row["height"],
        index=row["position"],
        time_ms=row["time_ms"],
        sender=account(row["sender"]),
        kinds=tuple(json.loads(row["kinds"])),
        code=row["code"],
        reason=reason_name(row["code"]),
        max_fee=row["max_fee"],
        gas_used=row["gas_used"],
        size=row["size"],
    )


def _events(packed: bytes) -> tuple[model.Event, ...]:
    listed = json.loads(zlib.decompress(packed))
    return tuple(model.Event(name, attributes) for name, attributes in listed)


def _decoded(raw: bytes) -> tuple[tx_pb2.TxBody, str, tuple[model.TransactionMessage, ...]]:
    """Body, scheme and messages; empty where the bytes are no transaction."""
    try:
        signed = decode(raw)
    except Rejection:
        return tx_pb2.TxBody(), "", ()
    scheme = tx_pb2.Scheme.Name(signed.scheme).removeprefix("SCHEME_").lower()
    messages = tuple(
        model.TransactionMessage(
            kind,
            document(getattr(message, kind)),
            signed.request_id(index).hex if kind in REQUEST_KINDS else "",
        )
        for index, (kind, message) in enumerate(zip(signed.kinds, signed.messages, strict=True))
    )
    return signed.body, scheme, messages
