"""How each operation of the API reads its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool

from edge.explorer.api.operations import Values
from edge.explorer.api.proofs import ProofAnswer, proof_answer
from edge.explorer.index import model
from edge.explorer.node import NodeAway, NodeView
from edge.explorer.proof import ProofState, Verifier
from edge.explorer.reader import BadCursor, Reader
from edge.explorer.search import Found, SearchRefused, find
from edge.serving import ProblemError
from wire.ids import RequestId


@dataclass(frozen=True, slots=True)
class Sources:
    """What answers come from."""

    reader: Reader
    verifier: Verifier
    node: NodeView


@dataclass(frozen=True, slots=True)
class AccountAnswer:
    """An account; the balance is the node's word, null while it does not answer."""

    account: model.Account
    balance: model.Balance | None


def paged(method: str) -> Any:
    """Read of a list without filters."""

    def read(sources: Sources, values: Values) -> Any:
        return getattr(sources.reader, method)(values["cursor"], values["limit"])

    return refusing(read)


def all_of(method: str) -> Any:
    """Read of a list that is short: one page, which is the last."""

    def read(sources: Sources, _values: Values) -> Any:
        return model.Page(getattr(sources.reader, method)(), None)

    return read


def one(method: str, parameter: str) -> Any:
    """Read of one thing by its name."""

    def read(sources: Sources, values: Values) -> Any:
        return getattr(sources.reader, method)(values[parameter])

    return read


def refusing(read: Any) -> Any:
    """A cursor of no page is the peer's mistake."""

    def refusing(sources: Sources, values: Values) -> Any:
        try:
            return read(sources, values)
        except BadCursor as error:
            raise ProblemError(400, "malformed parameter", f"cursor: {error}") from error

    return refusing


def head(sources: Sources, _values: Values) -> model.Head:
    """Where the index is; 503 while it is empty."""
    found = sources.reader.head()
    if found is None:
        raise ProblemError(503, "index is empty", "the first blocks are being read")
    return found


def transactions(sources: Sources, values: Values) -> Any:
    """Transactions that meet the filters."""
    outcome = values["outcome"]
    return sources.reader.transactions(
        values["cursor"],
        values["limit"],
        kind=values["kind"],
        sender=values["sender"],
        failed=None if outcome is None else outcome == "refused",
    )


def requests(sources: Sources, values: Values) -> Any:
    """Requests that meet the filters."""
    return sources.reader.requests(
        values["cursor"],
        values["limit"],
        kind=values["kind"],
        status=values["status"],
        application=values["application"],
        key_id=values["key"],
        requester=values["requester"],
    )


def audit(sources: Sources, values: Values) -> Any:
    """Records of the audit log that meet the filters."""
    return sources.reader.audit(
        values["cursor"],
        values["limit"],
        application=values["application"],
        requester=values["requester"],
    )


def handle(sources: Sources, values: Values) -> Any:
    """Registrations of a handle."""
    found = sources.reader.handle(values["id"])
    return model.Page(found, None) if found else None


def handle_requests(sources: Sources, values: Values) -> Any:
    """Requests that name a handle."""
    return sources.reader.requests_of_handle(values["id"], values["cursor"], values["limit"])


def application_handles(sources: Sources, values: Values) -> Any:
    """Handles of an application."""
    return sources.reader.handles(values["id"], values["cursor"], values["limit"])


def charts(sources: Sources, values: Values) -> model.Charts:
    """Charts of a range."""
    return sources.reader.charts(values["range"])


def search(sources: Sources, values: Values) -> Found:
    """Everything that a text names."""
    try:
        return find(sources.reader, values["q"])
    except SearchRefused as error:
        raise ProblemError(400, "malformed parameter", f"q: {error}") from error


async def proof(sources: Sources, values: Values) -> ProofAnswer | None:
    """What the light client verified; it waits a moment only."""
    found = await sources.verifier.verify(RequestId(values["id"]))
    return None if found.state is ProofState.UNKNOWN else proof_answer(found)


async def account(sources: Sources, values: Values) -> AccountAnswer:
    """An account with its balance, where the node tells it."""
    found = await run_in_threadpool(sources.reader.account, values["address"])
    try:
        balance = await sources.node.balance(values["address"])
    except NodeAway:
        return AccountAnswer(found, None)
    return AccountAnswer(found, balance)


async def config(sources: Sources, _values: Values) -> model.Config:
    """The configuration in force; 503 while the node does not tell it."""
    try:
        return await sources.node.config()
    except NodeAway as error:
        raise ProblemError(503, "node does not answer", str(error)) from error


async def consensus(sources: Sources, _values: Values) -> model.Consensus:
    """The state of consensus; 503 while the node does not tell it."""
    try:
        return await sources.node.consensus()
    except NodeAway as error:
        raise ProblemError(503, "node does not answer", str(error)) from error
