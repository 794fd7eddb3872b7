"""A block and its results, as the engine's JSON gives them, decoded into what the index writes.

Pure: the follower fetches, this decodes, `fill` writes. Events say only what was touched; the facts are asked of
the node. Nothing of a node is believed to be well-formed: whatever is not raises `Undecodable`.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from wire.digests import sha256
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Rejection
from wire.tx import SignedTransaction, decode

_ABSENT: Final = 1
# What a request's page tells of its life: the name of the step, and a few words from the event's values.
_STEPS: Final = {
    "request_opened": ("opened", "price {price}"),
    "request_answered": ("answered", "party {party}"),
    "request_decided": ("decided", "{status}"),
    "request_closed": ("closed", "paid {paid}, refunded {refunded}"),
    "request_conflict": ("conflict", "party {party} gave another answer"),
    "evidence_recorded": ("evidence", "party {party} signed two answers"),
    "party_accused": ("accused", "party {party}, by {accusers} parties"),
}
_MATERIAL_EVENTS: Final = frozenset(
    {"key_active", "crs_active", "preprocessing_ready", "key_status"}
)
_CONFIG_EVENTS: Final = frozenset(
    {"config_activated", "config_dropped", "config_expired", "config_withdrawn"}
)

Event = tuple[str, dict[str, str]]


class Undecodable(Exception):  # noqa: N818 - a verdict about an answer
    """The node's block or results have not the form of the engine's."""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """Columns of a block, as far as the block itself has them."""

    height: int
    hash: bytes
    time_ms: int
    proposer: bytes
    app_hash: bytes
    previous_hash: bytes
    validators_hash: bytes
    previous_round: int
    previous_absent: tuple[str, ...]
    size: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """A transaction of a block; `signed` is None where the bytes are none of this schema."""

    hash: bytes
    position: int
    raw: bytes
    signed: SignedTransaction | None
    code: int
    log: str
    gas_used: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class StepRow:
    """An event about a request."""

    request: bytes
    name: str
    detail: str
    transaction: bytes


@dataclass(frozen=True, slots=True)
class ProgressRow:
    """A party's report about a generation."""

    request: bytes
    party: int
    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class HandleRow:
    """A registered ciphertext."""

    application: str
    ciphertext: isc_pb2.Ciphertext
    transaction: bytes


@dataclass(frozen=True, slots=True)
class PermissionRow:
    """A change of who may use a handle; an empty account stands for everybody."""

    application: str
    handle: bytes
    account: str
    allowed: bool


@dataclass(slots=True)
class Touched:
    """What the facts of the node are needed of, each once."""

    requests: set[bytes] = field(default_factory=set)
    materials: set[bytes] = field(default_factory=set)
    applications: set[str] = field(default_factory=set)
    epochs: set[int] = field(default_factory=set)
    audit: bool = False
    evidence: bool = False
    config: bool = False


@dataclass(slots=True)
class DecodedBlock:
    """Everything that one block has to say."""

    block: BlockRow
    transactions: list[TransactionRow] = field(default_factory=list)
    steps: list[StepRow] = field(default_factory=list)
    progress: list[ProgressRow] = field(default_factory=list)
    handles: list[HandleRow] = field(default_factory=list)
    permissions: list[PermissionRow] = field(default_factory=list)
    opened: dict[bytes, bytes] = field(default_factory=dict)
    decided: int = 0
    touched: Touched = field(default_factory=Touched)


def decode_block(block: Mapping[str, Any], results: Mapping[str, Any]) -> DecodedBlock:
    """Decode the answers to `/block` and `/block_results` of one height.

    Raises:
        Undecodable: they are of another form, or do not belong together.
    """
    with _reading():
        header = block["block"]["header"]
        raws = [
            base64.b64decode(text, validate=True) for text in block["block"]["data"]["txs"] or []
        ]
        outcomes = results["txs_results"] or []
        if int(results["height"]) != int(header["height"]) or len(outcomes) != len(raws):
            raise Undecodable("block and results are not of one height")
        own = _events(results.get("finalize_block_events"))
        row = _block_row(block, header, sum(map(len, raws)), own)
        decoded = DecodedBlock(row)
        for position, (raw, outcome) in enumerate(zip(raws, outcomes, strict=True)):
            transaction = _transaction_row(position, raw, outcome)
            decoded.transactions.append(transaction)
            if transaction.code == 0:
                _register(decoded, transaction)
                for event in transaction.events:
                    _see(decoded, event, transaction.hash)
        for event in own:
            _see(decoded, event, b"")
    return decoded


def time_ms(text: str) -> int:
    """Milliseconds of an RFC 3339 time with up to nine digits after the point."""
    head, _, fraction = text.rstrip("Z").partition(".")
    moment = dt.datetime.fromisoformat(head).replace(tzinfo=dt.UTC)
    return int(moment.timestamp()) * 1000 + int((fraction + "000")[:3])


def _block_row(
    block: Mapping[str, Any], header: Mapping[str, Any], size: int, events: tuple[Event, ...]
) -> BlockRow:
    commit = block["block"].get("last_commit") or {}
    signatures = commit.get("signatures") or []
    absent = tuple(
        # The engine blanks the address of who is absent: then only its place in the set is known.
        str(place)
        for place, signature in enumerate(signatures)
        if int(signature["block_id_flag"]) == _ABSENT
    )
    return BlockRow(
        height=int(header["height"]),
        hash=bytes.fromhex(block["block_id"]["hash"]),
        time_ms=time_ms(header["time"]),
        proposer=bytes.fromhex(header["proposer_address"]),
        app_hash=bytes.fromhex(header["app_hash"]),
        previous_hash=bytes.fromhex((header.get("last_block_id") or {}).get("hash") or ""),
        validators_hash=bytes.fromhex(header["validators_hash"]),
        previous_round=int(commit.get("round") or 0),
        previous_absent=absent,
        size=size,
        events=events,
    )


def _transaction_row(position: int, raw: bytes, outcome: Mapping[str, Any]) -> TransactionRow:
    try:
        signed = decode(raw)
    except Rejection:
        signed = None
    return TransactionRow(
        hash=sha256(raw),
        position=position,
        raw=raw,
        signed=signed,
        code=int(outcome.get("code") or 0),
        log=str(outcome.get("log") or ""),
        gas_used=int(outcome.get("gas_used") or 0),
        events=_events(outcome.get("events")),
    )


def _events(given: Sequence[Mapping[str, Any]] | None) -> tuple[Event, ...]:
    return tuple(
        (
            str(event["type"]),
            {
                str(attribute["key"]): str(attribute.get("value") or "")
                for attribute in event.get("attributes") or []
                # The engine's own mark, of no use to people.
                if attribute["key"] != "mode"
            },
        )
        for event in given or []
    )


def _register(decoded: DecodedBlock, transaction: TransactionRow) -> None:
    """Take registered ciphertexts from the messages: their events have not all of it."""
    if transaction.signed is None:
        return
    for message in transaction.signed.messages:
        if message.WhichOneof("kind") == "register_ciphertexts":
            registered = message.register_ciphertexts
            decoded.touched.applications.add(registered.application)
            decoded.handles += [
                HandleRow(registered.application, ciphertext, transaction.hash)
                for ciphertext in registered.ciphertexts
            ]


def _see(decoded: DecodedBlock, event: Event, transaction: bytes) -> None:
    name, values = event
    touched = decoded.touched
    request = bytes.fromhex(values.get("request_id", ""))
    if request and name != "request_progress":
        touched.requests.add(request)
    if name in _STEPS:
        step, words = _STEPS[name]
        decoded.steps.append(StepRow(request, step, _words(words, values), transaction))
    special = _SPECIAL.get(name)
    if special is not None:
        special(decoded, values, transaction)
    if name in _MATERIAL_EVENTS:
        touched.materials |= {request, bytes.fromhex(values.get("key_id", ""))} - {b""}
    touched.config |= name in _CONFIG_EVENTS


def _words(form: str, values: Mapping[str, str]) -> str:
    """A few words about a step; a reported failure is named."""
    shown = {**values, "status": _plain(values.get("status", ""), "STATUS_")}
    words = form.format_map(defaultdict(str, shown))
    failure = _plain(values.get("failure", ""), "FAILURE_CODE_")
    return f"{words}: {failure}" if failure not in {"", "unspecified"} else words


def _plain(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).lower().replace("_", "-")


def _opened(decoded: DecodedBlock, values: Mapping[str, str], transaction: bytes) -> None:
    request = bytes.fromhex(values["request_id"])
    decoded.opened[request] = transaction
    if values.get("kind", "").endswith("_GENERATION"):
        decoded.touched.materials.add(request)
    if values.get("application"):
        decoded.touched.applications.add(values["application"])
    decoded.touched.epochs.add(int(values["epoch_id"]))


def _decided(decoded: DecodedBlock, values: Mapping[str, str], _transaction: bytes) -> None:
    decoded.decided += 1
    decoded.touched.audit = True
    request = bytes.fromhex(values["request_id"])
    if "DECRYPTION" not in values.get("kind", ""):
        decoded.touched.materials |= {request, bytes.fromhex(values.get("key_id", ""))} - {b""}


def _evidence(decoded: DecodedBlock, _values: Mapping[str, str], _transaction: bytes) -> None:
    decoded.touched.evidence = True


def _progress(decoded: DecodedBlock, values: Mapping[str, str], _transaction: bytes) -> None:
    decoded.progress.append(
        ProgressRow(
            bytes.fromhex(values["request_id"]),
            int(values["party"]),
            values["phase"],
            int(values["done"]),
            int(values["total"]),
        )
    )


def _epoch(decoded: DecodedBlock, values: Mapping[str, str], _transaction: bytes) -> None:
    decoded.touched.epochs.add(int(values["epoch_id"]))
    # An epoch change moves every key: which ones, the material list says.
    decoded.touched.materials.add(b"")


def _application(decoded: DecodedBlock, values: Mapping[str, str], _transaction: bytes) -> None:
    decoded.touched.applications.add(values["application"])


def _permission(allowed: bool | None) -> Callable[..., None]:
    def see(decoded: DecodedBlock, values: Mapping[str, str], _transaction: bytes) -> None:
        decoded.permissions.append(
            PermissionRow(
                values["application"],
                bytes.fromhex(values["handle"]),
                values.get("account", ""),
                values.get("allowed") == "1" if allowed is None else allowed,
            )
        )

    return see


_SPECIAL: Final[dict[str, Callable[[DecodedBlock, Mapping[str, str], bytes], None]]] = {
    "request_opened": _opened,
    "request_decided": _decided,
    "evidence_recorded": _evidence,
    "request_progress": _progress,
    "epoch_pending": _epoch,
    "epoch_active": _epoch,
    "application_registered": _application,
    "application_changed": _application,
    "delegate_changed": _application,
    "public_changed": _permission(None),
    "access_granted": _permission(allowed=True),
    "access_revoked": _permission(allowed=False),
}


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise Undecodable(f"not the engine's form: {type(error).__name__} {error}") from error
