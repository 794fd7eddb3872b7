"""`tkms query audit` and `tkms query evidence`: what the backend did, and who contradicted itself."""

import json
import struct
from typing import Any

import click

from cli.lazy import TkmsCommand
from cli.output import table
from cli.session import Session, accounts_of, with_session
from wire.documents import document

_COLUMNS = ("sequence", "height", "kind", "status", "application", "requester", "allowed", "price")


@click.command(
    cls=TkmsCommand,
    example="tkms query audit\ntkms query audit --from-sequence 1 --requester alice --prove -o json",
)
@click.option("--from-sequence", type=click.IntRange(min=1), help="Default: the newest page.")
@click.option("--limit", type=click.IntRange(min=1, max=100), default=20, show_default=True)
@click.option("--requester", help="Account that asked and paid (name or address).")
@click.option("--application", help="Application whose ciphertexts were asked for.")
@click.option("--prove", is_flag=True, help="Check every record against verified headers.")
@with_session()
def audit(
    session: Session,
    from_sequence: int | None,
    limit: int,
    requester: str | None,
    application: str | None,
    prove: bool,
) -> None:
    """Show decided requests in chain order: who asked, why it was allowed, what was decided and paid.

    With --prove a page without filters is also proven to be complete.
    """
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    query = state_pb2.AuditQuery(
        from_sequence=from_sequence or 0,
        limit=limit,
        requester=accounts_of(session, [requester])[0] if requester else b"",
        application=application or "",
    )
    newest = from_sequence is None and not (requester or application)
    page = session.run(lambda chain: _page(chain, query, newest=newest, prove=prove))
    records = [document(record) for record in page.records]
    shown: dict[str, Any] = {
        "records": records,
        "next_sequence": page.next_sequence,
        "last_sequence": page.last_sequence,
    }
    if prove:
        shown["proven_at_height"] = page.proven_at_height
    rows = [_row(record) for record in records]
    session.out.result(shown, lambda: table("", _COLUMNS, rows))


@click.command(cls=TkmsCommand, example="tkms query evidence\ntkms query evidence -o json")
@click.option("--from-sequence", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--limit", type=click.IntRange(min=1, max=100), default=20, show_default=True)
@with_session()
def evidence(session: Session, from_sequence: int, limit: int) -> None:
    """Show evidence of equivocation, each record judged from proven state: two answers, one party.

    Record, request and the party's key are proven; its signatures are verified here.
    """
    page = session.run(lambda chain: _evidence(chain, from_sequence, limit))
    session.out.result(page, lambda: json.dumps(page, indent=1))


async def _page(chain: Any, query: Any, *, newest: bool, prove: bool) -> Any:
    from client.audit import audit_page, proven_audit_page  # noqa: PLC0415 - slow import
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415

    if newest:
        last = (await audit_page(chain, state_pb2.AuditQuery(limit=1))).last_sequence
        query.from_sequence = max(1, last - query.limit + 1)
    return await (proven_audit_page(chain, query) if prove else audit_page(chain, query))


async def _evidence(chain: Any, first: int, limit: int) -> dict[str, Any]:
    from client.audit import proven_evidence  # noqa: PLC0415 - slow import
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415

    raw = await chain.query("/asc/evidence", struct.pack(">QI", first, limit))
    found = state_pb2.EvidenceList.FromString(raw)
    records = [document(await proven_evidence(chain, record)) for record in found.records]
    return {
        "records": records,
        "next_sequence": found.next_sequence,
        "last_sequence": found.last_sequence,
    }


def _row(record: dict[str, Any]) -> list[Any]:
    bases = sorted({allowance["basis"] for allowance in record["allowances"]})
    return [
        record["sequence"],
        record["decided_height"],
        record["kind"],
        record["status"],
        record["application"],
        record["requester"],
        ", ".join(bases),
        record["price"],
    ]
