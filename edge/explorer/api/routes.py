"""The list of all operations of the API. Every page has its twin under the same name."""

from __future__ import annotations

from typing import Any, Final

from starlette.routing import Route

from edge.explorer.api import reads
from edge.explorer.api.handlers import Document, route, routes_of, unknown_path
from edge.explorer.api.openapi import document
from edge.explorer.api.operations import (
    APPLICATION,
    FORMAT,
    OF_APPLICATION,
    PAGE,
    Operation,
    Parameter,
    filter_hexadecimal,
    hexadecimal,
    number,
    one_of,
)
from edge.explorer.api.proofs import ProofAnswer
from edge.explorer.index import model
from edge.explorer.reading.charts import RANGES
from edge.explorer.reading.requests import words_of
from edge.explorer.search import MAX_QUERY_CHARACTERS, Found
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.tx import MESSAGE_KINDS

PREFIX: Final = "/api/v1"
VERSION: Final = "1"
# Blocks and transactions never change; an index that is made anew says the same of them.
_FOREVER_S: Final = 3_600


_ADDRESS: Final = hexadecimal("address", 20, "20 bytes in hexadecimal, with or without 0x")
_ID: Final = hexadecimal("id", 20, "40 hexadecimal digits")
_HASH: Final = hexadecimal("hash", 32, "64 hexadecimal digits")
_HANDLE: Final = hexadecimal("id", 32, "64 hexadecimal digits, with or without 0x")
_HEIGHT: Final = number("height", "Height of the block", in_path=True)
_PARTY: Final = number("number", "Number of the party, from 1", in_path=True, maximum=2**31 - 1)
_QUERY: Final = Parameter(
    "q",
    f"What to look for, at most {MAX_QUERY_CHARACTERS} characters",
    {"type": "string", "maxLength": MAX_QUERY_CHARACTERS},
    required=True,
)
_RANGE: Final = Parameter(
    "range",
    f"One of {', '.join(RANGES)}",
    {"type": "string", "enum": list(RANGES), "default": "day"},
    default="day",
)
_KINDS: Final = one_of("kind", MESSAGE_KINDS, "Only with a message of this kind")
_OUTCOME: Final = one_of("outcome", ("executed", "refused"), "Only with this outcome")
_REQUEST_KIND: Final = one_of("kind", words_of(asc_pb2.RequestKind), "Only of this kind")
_STATUS: Final = one_of("status", words_of(asc_pb2.Status), "Only of this status")
_SENDER: Final = filter_hexadecimal("sender", 20, "Only of this sender: 20 bytes")
_REQUESTER: Final = filter_hexadecimal("requester", 20, "Only of this account: 20 bytes")
_KEY: Final = filter_hexadecimal("key", 20, "Only under this key: 40 hexadecimal digits")


def _listing(
    name: str,
    summary: str,
    item: Any,
    read: Any,
    *filters: Parameter,
    path: str = "",
    pages: tuple[Parameter, ...] = PAGE,
    absent: bool = False,
) -> Operation:
    return Operation(
        name,
        f"{PREFIX}{path or '/' + name}",
        summary,
        model.Page[item],
        read,
        (*filters, *pages),
        listed=item,
        absent=absent,
    )


def _named(
    name: str,
    summary: str,
    answer: Any,
    read: Any,
    parameter: Parameter,
    max_age_s: int = 0,
    path: str = "",
) -> Operation:
    return Operation(
        name,
        f"{PREFIX}{path or f'/{name}/{{{parameter.name}}}'}",
        summary,
        answer,
        read,
        (parameter,),
        max_age_s=max_age_s,
        absent=True,
    )


def _single(name: str, summary: str, answer: Any, read: Any, *parameters: Parameter) -> Operation:
    return Operation(name, f"{PREFIX}/{name}", summary, answer, read, parameters)


_SHORT: Final = (FORMAT,)

OPERATIONS: Final = (
    _single("head", "Where the index is", model.Head, reads.head),
    _listing("blocks", "Blocks", model.BlockSummary, reads.paged("blocks")),
    _named("block", "Block", model.Block, reads.one("block", "height"), _HEIGHT, _FOREVER_S),
    _listing(
        "transactions",
        "Transactions",
        model.TransactionSummary,
        reads.refusing(reads.transactions),
        _KINDS,
        _SENDER,
        _OUTCOME,
    ),
    _named(
        "transaction",
        "Transaction",
        model.Transaction,
        reads.one("transaction", "hash"),
        _HASH,
        _FOREVER_S,
    ),
    _listing(
        "requests",
        "Requests",
        model.RequestSummary,
        reads.refusing(reads.requests),
        _REQUEST_KIND,
        _STATUS,
        OF_APPLICATION,
        _KEY,
        _REQUESTER,
    ),
    _named("request", "Request", model.Request, reads.one("request", "id"), _ID),
    _named(
        "request-proof",
        "What the explorer's own light client verified of a request",
        ProofAnswer,
        reads.proof,
        _ID,
        path="/request/{id}/proof",
    ),
    _listing("keys", "Keys", model.MaterialSummary, reads.all_of("keys"), pages=_SHORT),
    _named("key", "Key", model.Material, reads.one("key", "id"), _ID),
    _listing(
        "reference-strings",
        "Reference strings",
        model.MaterialSummary,
        reads.all_of("reference_strings"),
        pages=_SHORT,
    ),
    _named(
        "reference-string",
        "Reference string",
        model.Material,
        reads.one("reference_string", "id"),
        _ID,
    ),
    _listing(
        "preprocessings",
        "Preprocessings",
        model.MaterialSummary,
        reads.all_of("preprocessings"),
        pages=_SHORT,
    ),
    _named("preprocessing", "Preprocessing", model.Material, reads.one("preprocessing", "id"), _ID),
    _listing(
        "applications",
        "Applications",
        model.ApplicationSummary,
        reads.all_of("applications"),
        pages=_SHORT,
    ),
    _named(
        "application", "Application", model.Application, reads.one("application", "id"), APPLICATION
    ),
    _listing(
        "application-handles",
        "Handles of an application",
        model.Handle,
        reads.refusing(reads.application_handles),
        APPLICATION,
        path="/application/{id}/handles",
    ),
    _listing(
        "handle",
        "Registrations of a handle, one an application",
        model.Handle,
        reads.handle,
        _HANDLE,
        path="/handle/{id}",
        pages=_SHORT,
        absent=True,
    ),
    _listing(
        "handle-requests",
        "Requests that name a handle",
        model.RequestSummary,
        reads.refusing(reads.handle_requests),
        _HANDLE,
        path="/handle/{id}/requests",
    ),
    _named("account", "Account", reads.AccountAnswer, reads.account, _ADDRESS),
    _listing(
        "parties",
        "Parties of the current epoch",
        model.Party,
        reads.all_of("parties"),
        pages=_SHORT,
    ),
    _named(
        "party", "Party of the current epoch", model.Party, reads.one("party", "number"), _PARTY
    ),
    _listing("validators", "Validators", model.Validator, reads.all_of("validators"), pages=_SHORT),
    _single("config", "Configuration in force, by the node's word", model.Config, reads.config),
    _listing(
        "config-history",
        "What became of proposed changes",
        model.ConfigChange,
        reads.paged("config_history"),
    ),
    _single(
        "consensus", "Votes on the next block, by the node's word", model.Consensus, reads.consensus
    ),
    _single("charts", "Charts", model.Charts, reads.charts, _RANGE),
    _listing(
        "audit",
        "Audit log",
        model.AuditRecord,
        reads.refusing(reads.audit),
        OF_APPLICATION,
        _REQUESTER,
    ),
    _listing(
        "evidence", "Evidence of contradictions", model.EvidenceRecord, reads.paged("evidence")
    ),
    _single("search", "Everything that a text names", Found, reads.search, _QUERY),
)


def routes(sources: reads.Sources) -> list[Route]:
    """All routes of the API; the last refuses what is none."""
    described = Document(document(OPERATIONS, VERSION))
    return [
        *routes_of(OPERATIONS, sources),
        route(f"{PREFIX}/openapi.json", described),
        route("/api", unknown_path),
        route("/api/{rest:path}", unknown_path),
    ]
