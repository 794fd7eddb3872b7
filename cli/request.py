"""`tkms request`: the life of requests."""

import struct
from typing import Any

import click

from cli.lazy import TkmsCommand, TkmsGroup
from cli.output import table
from cli.session import Session, parse_request, with_session
from cli.waiting import status_word, until_decided
from wire.documents import document

_KINDS = {
    1: "key",
    2: "reference-string",
    3: "public-decryption",
    4: "user-decryption",
    5: "preprocessing",
    6: "epoch-change",
    7: "key-destruction",
}


@click.group(cls=TkmsGroup)
def request() -> None:
    """Show, list and wait for requests."""


@request.command(cls=TkmsCommand, example="tkms request show 3f9a0c...")
@click.argument("request_id")
@with_session()
def show(session: Session, request_id: str) -> None:
    """Show one request: what was asked, who answered, who was accused, how far the parties are."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    wanted = parse_request(request_id)

    async def work(chain: Any) -> Any:
        reports = await chain.query("/asc/progress", bytes(wanted))
        return await chain.request(wanted), state_pb2.ProgressList.FromString(reports)

    view, reports = session.run(work)
    told = {"progress": document(reports)["progress"]}
    session.out.result(summary(view) | told | {"record": document(view)}, lambda: _text(view, told))


@request.command("list", cls=TkmsCommand, example="tkms request list --limit 20")
@click.option("--from-sequence", type=click.IntRange(min=0), default=0, help="0: the newest.")
@click.option("--limit", type=click.IntRange(min=1, max=100), default=20, show_default=True)
@with_session()
def list_(session: Session, from_sequence: int, limit: int) -> None:
    """List requests."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    raw = session.run(
        lambda chain: chain.query("/asc/list", struct.pack(">QI", from_sequence, limit))
    )
    views = state_pb2.RequestList.FromString(raw)
    rows = [summary(view) for view in views.requests]
    columns = ("sequence", "request", "kind", "status", "answers", "opened_height")
    session.out.result(
        {"requests": rows, "next_sequence": views.next_sequence},
        lambda: table("", columns, [[row[name] for name in columns] for row in rows]),
    )


@request.command(cls=TkmsCommand, example="tkms request wait 3f9a0c... --timeout 60")
@click.argument("request_id")
@click.option("--timeout", type=float, default=300.0, show_default=True, help="Seconds to wait.")
@with_session()
def wait(session: Session, request_id: str, timeout: float) -> None:
    """Wait until a request is fulfilled; exit code 1 when it failed or expired, 6 when not yet."""
    wanted = parse_request(request_id)

    async def work(chain: Any) -> Any:
        await until_decided(session.out, chain, wanted, timeout, "answers")
        return await chain.request(wanted)

    view = session.run(work)
    session.out.result(summary(view), lambda: _text(view))


@request.command(cls=TkmsCommand, example="tkms request abort 3f9a0c...")
@click.argument("request_id")
@with_session(sends=True)
def abort(session: Session, request_id: str) -> None:
    """End a pending preprocessing, key or reference string generation (needs the generator role)."""
    from wire.pb.tkms.asc.v1 import asc_pb2  # noqa: PLC0415 - slow import
    from wire.pb.tkms.tx.v1 import tx_pb2  # noqa: PLC0415

    wanted = bytes(parse_request(request_id))
    message = tx_pb2.Message(abort_generation=asc_pb2.AbortGeneration(request_id=wanted))
    session.out.result(session.run(lambda chain: session.send(chain, [message], session.signer())))


def summary(view: Any) -> dict[str, Any]:
    """Return what a list shows of a request."""
    status = view.status
    return {
        "request": status.request_id.hex(),
        "sequence": status.sequence,
        "kind": _KINDS.get(view.entry.kind, "unknown"),
        "status": status_word(status.status),
        "answers": f"{len(status.answered)}/{view.entry.parties}",
        "answered": list(status.answered),
        "agreed": list(status.agreed),
        "failed": list(status.failed),
        "accused": {str(item.accused): list(item.accusers) for item in status.accusations},
        "conflicts": [item.party for item in status.conflicts],
        "opened_height": status.opened_height,
        "decided_height": status.decided_height,
        "closed_height": status.closed_height,
        "deadline_height": view.entry.deadline_height,
        "price": view.entry.price,
        "dealer": view.entry.dealer,
    }


def _text(view: Any, more: dict[str, Any] | None = None) -> Any:
    shown = summary(view) | (more or {})
    return table(
        "",
        ("field", "value"),
        [(key, value) for key, value in shown.items() if value not in ([], {})],
    )
