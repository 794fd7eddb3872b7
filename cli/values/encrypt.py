"""`tkms encrypt`: from values to handles."""

from typing import Any

import click

from cli.errors import UsageError
from cli.lazy import TkmsCommand
from cli.output import table
from cli.session import Session, with_session


@click.command(
    cls=TkmsCommand,
    example="tkms encrypt --type euint8 --value 5\n"
    "tkms encrypt --type ebool --value true --type euint64 --value 1000000 -o json",
)
@click.option("--type", "types", multiple=True, required=True, help="ebool, euint4, ... euint256.")
@click.option("--value", "values", multiple=True, required=True, help="One a type, in order.")
@click.option("--key-id", help="Key [default: the newest].")
@click.option("--crs-id", help="Reference string [default: the key's newest].")
@click.option("--application", help="Application the values are for.")
@click.option("--for", "owner", default=None, help="Account the proof is bound to [default: demo].")
@with_session()
def encrypt(
    session: Session,
    types: tuple[str, ...],
    values: tuple[str, ...],
    key_id: str | None,
    crs_id: str | None,
    application: str | None,
    owner: str | None,
) -> None:
    """Encrypt values under the chain's key, prove them, hand them in, print their handles.

    Public key and reference string come from storage and must have the digests that the chain
    proves. Values are visible in this machine's process list.
    """
    from cli.values import handles as work  # noqa: PLC0415 - slow import

    if len(types) != len(values):
        raise UsageError("as many --type as --value are needed")
    typed = [work.parse_typed(kind, text) for kind, text in zip(types, values, strict=True)]
    account = session.network.keystore.resolve(owner or "demo")
    chosen = session.application(application)

    async def run(chain: Any) -> Any:
        material = await work.choose_material(chain, key_id, crs_id)
        return await work.encrypt_values(session, chain, typed, material, chosen, account)

    handles = session.run(run)
    rows = [
        {"handle": str(value.handle), "type": typed[index][0].label}
        for index, value in enumerate(handles)
    ]
    session.out.result(
        {"application": chosen, "handles": rows},
        lambda: table("", ("handle", "type"), [tuple(row.values()) for row in rows]),
    )
