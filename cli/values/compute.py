"""`tkms compute`: operations on handles."""

import asyncio
from typing import Any

import click

from cli.lazy import TkmsCommand, TkmsGroup
from cli.session import Session, parse_handle, with_session

# Name -> (number of operands, one line).
OPERATIONS = {
    "add": (2, "Add two values (wraps around)."),
    "sub": (2, "Subtract the second from the first (wraps around)."),
    "mul": (2, "Multiply two values (wraps around)."),
    "and": (2, "Bitwise and."),
    "or": (2, "Bitwise or."),
    "xor": (2, "Bitwise exclusive or."),
    "eq": (2, "Whether two values are equal (ebool)."),
    "ne": (2, "Whether two values differ (ebool)."),
    "lt": (2, "Whether the first is smaller (ebool)."),
    "le": (2, "Whether the first is not larger (ebool)."),
    "gt": (2, "Whether the first is larger (ebool)."),
    "ge": (2, "Whether the first is not smaller (ebool)."),
    "select": (3, "The second where the first (ebool) is true, else the third."),
}


@click.group(cls=TkmsGroup)
def compute() -> None:
    """Compute on handles with the coprocessor stand-in; prints the result's handle."""


async def operate(session: Session, operation: str, handles: list[bytes]) -> Any:
    """Ask the coprocessor; returns the result's handle and type."""
    from cli.values.coprocessor import CoprocessorClient  # noqa: PLC0415 - slow import
    from wire.ids import HandleId  # noqa: PLC0415

    async with CoprocessorClient(session.need("coprocessor")) as coprocessor:
        return await coprocessor.operation(operation, [HandleId(handle) for handle in handles])


def _operation(name: str, operands: int, text: str) -> click.Command:
    example = f"tkms compute {name} " + " ".join(["0x1f..."] * operands)

    @click.command(name, cls=TkmsCommand, help=text, example=example)
    @click.argument("handles", nargs=operands)
    @with_session()
    def command(session: Session, handles: tuple[str, ...]) -> None:
        from wire.fhe import FheType  # noqa: PLC0415

        given = [parse_handle(handle) for handle in handles]
        value = asyncio.run(operate(session, name, given))
        session.out.result(
            {"handle": str(value.handle), "type": FheType(value.fhe_type).label},
            lambda: str(value.handle),
        )

    return command


for _name, (_operands, _text) in OPERATIONS.items():
    compute.add_command(_operation(_name, _operands, _text))
