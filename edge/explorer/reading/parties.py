"""Parties, validators and the configuration."""

from __future__ import annotations

import base64
import binascii
import json
import sqlite3
import statistics
from typing import Any, Final

from edge.explorer.index import model
from edge.explorer.reading.cursors import Listing
from edge.explorer.reading.requests import parties_of
from wire.digests import sha256
from wire.documents import account, document, label
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason
from wire.signing import SignatureError, address_of

UPTIME_BLOCKS: Final = 200
PARTICIPATION_REQUESTS: Final = 100
# Lags of the newest answers tell how a party is doing.
_LAGS: Final = 200
_NO_POWER: Final = "-"
_OPEN: Final = "-"


def current_epoch(connection: sqlite3.Connection) -> int:
    """Id of the current epoch, 0 while nothing is indexed."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    return int(row[0]) if row else 0


def parties(connection: sqlite3.Connection) -> tuple[model.Party, ...]:
    """Parties of the current epoch, by number."""
    epoch_id = current_epoch(connection)
    return tuple(
        _party(connection, epoch_id, record)
        for _, record in sorted(parties_of(connection, epoch_id).items())
    )


def party(connection: sqlite3.Connection, number: int) -> model.Party | None:
    """One party of the current epoch."""
    epoch_id = current_epoch(connection)
    record = parties_of(connection, epoch_id).get(number)
    return None if record is None else _party(connection, epoch_id, record)


def named(connection: sqlite3.Connection, name: str) -> tuple[config_pb2.Party, ...]:
    """Parties of the current epoch that are called so, in any case."""
    found = parties_of(connection, current_epoch(connection)).values()
    return tuple(record for record in found if record.name.lower() == name.lower())


def validators(connection: sqlite3.Connection) -> tuple[model.Validator, ...]:
    """Validators of the newest set with the grid of the last blocks, by power."""
    last = connection.execute("SELECT max(height) FROM blocks").fetchone()[0]
    sets = _sets(connection)
    if last is None or not sets:
        return ()
    since = sets[-1][0]
    grid = _grid(connection, last, sets)
    proposed = dict(
        connection.execute(
            "SELECT lower(hex(proposer)), count(*) FROM blocks WHERE height > ? GROUP BY proposer",
            (last - UPTIME_BLOCKS,),
        ).fetchall()
    )
    found = []
    for address, key, power, name in sets[-1][1]:
        marks = "".join(column.get(address, _NO_POWER) for column in grid)
        known = len(marks) - marks.count(_NO_POWER)
        found.append(
            model.Validator(
                address=address,
                public_key=_hexadecimal(key),
                name=name,
                power=power,
                since_height=_since(sets, address, since),
                proposed=int(proposed.get(address, 0)),
                signed_share=round(marks.count("1") / known, 4) if known else 0.0,
                uptime=marks,
                uptime_until=last - 1,
            )
        )
    return tuple(found)


def config_history(
    connection: sqlite3.Connection, cursor: str | None, limit: int
) -> model.Page[model.ConfigChange]:
    """What became of proposed changes, newest first."""
    listing = Listing("sequence, record", "config_history", ("sequence",))
    return listing.page(connection, cursor, limit, _change)


def epochs(connection: sqlite3.Connection) -> tuple[dict[str, Any], ...]:
    """Records of all epochs that requests named, newest first."""
    rows = connection.execute("SELECT record FROM epochs ORDER BY id DESC LIMIT 200").fetchall()
    return tuple(document(config_pb2.Epoch.FromString(row[0])) for row in rows)


def _party(connection: sqlite3.Connection, epoch_id: int, record: config_pb2.Party) -> model.Party:
    number = record.index
    asked = connection.execute(
        "SELECT requests FROM epoch_counts WHERE epoch_id = ?", (epoch_id,)
    ).fetchone()
    counts = connection.execute(
        "SELECT answered, agreed, failed, last_height FROM party_counts"
        " WHERE epoch_id = ? AND party = ?",
        (epoch_id, number),
    ).fetchone()
    answered, agreed, failed, last_height = counts or (0, 0, 0, None)
    lags = connection.execute(
        "SELECT lag_ms FROM answers WHERE epoch_id = ? AND party = ? AND lag_ms IS NOT NULL"
        " ORDER BY request DESC LIMIT ?",
        (epoch_id, number, _LAGS),
    ).fetchall()
    accused = connection.execute(
        "SELECT count(*) FROM accusations WHERE epoch_id = ? AND accused = ?", (epoch_id, number)
    ).fetchone()[0]
    evidence = connection.execute(
        "SELECT count(*) FROM evidence WHERE epoch_id = ? AND party = ?", (epoch_id, number)
    ).fetchone()[0]
    return model.Party(
        number=number,
        name=record.name,
        account=account(record.account),
        signer=_signer(record.verification_key),
        peer_address=record.peer_address,
        storage_label=record.storage_label,
        certificate_fingerprint=sha256(record.tls_certificate).hex(),
        asked=asked[0] if asked else 0,
        answered=answered,
        agreed=agreed,
        failures=failed,
        median_lag_ms=statistics.median(row[0] for row in lags) if lags else None,
        accused=accused,
        evidence=evidence,
        last_answer_height=last_height,
        participation=_participation(connection, epoch_id, number),
    )


def _participation(connection: sqlite3.Connection, epoch_id: int, number: int) -> str:
    rows = connection.execute(
        "SELECT agreed, failed, decided_height, closed_height FROM requests LEFT JOIN answers"
        " ON answers.request = sequence AND party = ?"
        " WHERE requests.epoch_id = ? ORDER BY sequence DESC LIMIT ?",
        (number, epoch_id, PARTICIPATION_REQUESTS),
    ).fetchall()
    return "".join(_mark(row) for row in reversed(rows))


def _mark(row: sqlite3.Row) -> str:
    """What a party did about a request; see `model.Party`."""
    if row["agreed"] is None:
        return _OPEN if row["closed_height"] is None else "0"
    if row["agreed"]:
        return "1"
    # Nothing is agreed on yet: an answer is not another one.
    return _OPEN if row["decided_height"] is None and not row["failed"] else "2"


def _signer(verification_key: bytes) -> str:
    try:
        return str(address_of(verification_key))
    except SignatureError:
        return ""


# Address, public key, power, name.
Member = tuple[str, str, int, str]
Sets = list[tuple[int, list[Member]]]


def _sets(connection: sqlite3.Connection) -> Sets:
    rows = connection.execute(
        "SELECT height, members FROM validator_sets ORDER BY height DESC LIMIT 500"
    ).fetchall()
    return [
        (
            row["height"],
            [(item[0], item[1], item[2], item[3]) for item in json.loads(row["members"])],
        )
        for row in reversed(rows)
    ]


def _grid(connection: sqlite3.Connection, last: int, sets: Sets) -> list[dict[str, str]]:
    """For each of the last blocks, oldest first: who of its validators signed it. A block tells of the one before."""
    rows = connection.execute(
        "SELECT height, previous_absent FROM blocks WHERE height > ? AND height > 1 ORDER BY height",
        (last - UPTIME_BLOCKS,),
    ).fetchall()
    grid = []
    for row in rows:
        members = _members(sets, row["height"] - 1)
        absent = {int(place) for place in json.loads(row["previous_absent"])}
        grid.append(
            {
                address: "0" if place in absent else "1"
                for place, (address, _, _, _) in enumerate(members)
            }
        )
    return grid


def _members(sets: Sets, height: int) -> list[Member]:
    """The set that signs a height."""
    found: list[Member] = []
    for since, members in sets:
        if since <= height:
            found = members
    return found


def _since(sets: Sets, address: str, newest: int) -> int:
    """First height of the unbroken membership that goes on now."""
    since = newest
    for height, members in reversed(sets):
        if all(member[0] != address for member in members):
            break
        since = height
    return since


def _hexadecimal(key: str) -> str:
    try:
        return base64.b64decode(key, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def _change(row: sqlite3.Row) -> model.ConfigChange:
    record = config_pb2.ConfigRecord.FromString(row["record"])
    reasons = {int(reason): reason.name for reason in Reason}
    return model.ConfigChange(
        sequence=record.sequence,
        proposal_id=record.proposal_id,
        kind=record.kind,
        title=record.title,
        proposer=account(record.proposer),
        approvers=tuple(account(item) for item in record.approvers),
        filed_height=record.filed_height,
        decided_height=record.decided_height,
        closed_height=record.closed_height,
        outcome=label(config_pb2.Outcome, record.outcome),
        reason=reasons.get(record.reason, "") if record.reason else "",
        digest=record.digest.hex(),
        change=document(record.change),
    )
