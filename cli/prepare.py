"""`tkms prepare`: ciphertexts ready for decryption."""

import asyncio

import click

from cli import coprocessor
from cli.lazy import TkmsCommand
from cli.output import table
from cli.session import Session, parse_handle, with_session

_FORMS = {"compressed": 2, "expanded": 3}


@click.command(cls=TkmsCommand, example="tkms prepare 0x1f... 0x2a...")
@click.argument("handles", nargs=-1, required=True)
@click.option("--form", type=click.Choice(list(_FORMS)), default="expanded", show_default=True)
@with_session()
def prepare(session: Session, handles: tuple[str, ...], form: str) -> None:
    """Squash noise, store the bytes and register their digests on the chain (as delegate)."""
    for handle in handles:
        parse_handle(handle)
    base = session.need("coprocessor")
    rows = asyncio.run(coprocessor.prepare(base, handles, _FORMS[form]))
    columns = ("handle", "fhe_type", "format", "size", "digest")
    session.out.result(
        {"ciphertexts": rows},
        lambda: table("", columns, [[row.get(name, "") for name in columns] for row in rows]),
    )
