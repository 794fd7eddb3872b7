"""`tkms prepare`: ciphertexts ready for decryption."""

import asyncio
from typing import Any

import click

from cli.lazy import TkmsCommand
from cli.output import table
from cli.session import Session, parse_handle, with_session

FORMS = {"default": 0, "ordinary": 1, "compressed": 2, "expanded": 3}


@click.command(cls=TkmsCommand, example="tkms prepare 0x1f... 0x2a...")
@click.argument("handles", nargs=-1, required=True)
@click.option("--form", type=click.Choice(list(FORMS)), default="default", show_default=True)
@with_session()
def prepare(session: Session, handles: tuple[str, ...], form: str) -> None:
    """Store the bytes and register their digests on the chain (as delegate).

    Ordinary values are decrypted as they are. The compressed and the expanded form are squashed first
    (seconds a value): what keys need that one operator alone holds, and what old requests name.
    """
    given = [parse_handle(handle) for handle in handles]
    rows = asyncio.run(ready(session, given, FORMS[form]))
    columns = ("handle", "fhe_type", "format", "size", "digest")
    session.out.result(
        {"ciphertexts": rows},
        lambda: table("", columns, [[row[name] for name in columns] for row in rows]),
    )


async def ready(session: Session, handles: list[bytes], form: int) -> list[dict[str, Any]]:
    """Ask the coprocessor; returns what is registered now."""
    from cli.values.coprocessor import CoprocessorClient  # noqa: PLC0415
    from wire.documents import document  # noqa: PLC0415 - slow import
    from wire.ids import HandleId  # noqa: PLC0415

    async with CoprocessorClient(session.need("coprocessor")) as coprocessor:
        found = await coprocessor.prepare([HandleId(handle) for handle in handles], form)
    return [document(ciphertext) for ciphertext in found]
