"""`tkms compute`: operations on handles."""

import asyncio
from typing import Any

import click

from cli import coprocessor
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
    "not": (1, "Bitwise not."),
    "eq": (2, "Whether two values are equal (ebool)."),
    "lt": (2, "Whether the first is smaller (ebool)."),
    "gt": (2, "Whether the first is larger (ebool)."),
    "min": (2, "The smaller value."),
    "max": (2, "The larger value."),
    "select": (3, "The second where the first (ebool) is true, else the third."),
}


@click.group(cls=TkmsGroup)
def compute() -> None:
    """Compute on handles with the coprocessor stand-in; prints the result's handle."""


def _operation(name: str, operands: int, text: str) -> click.Command:
    example = f"tkms compute {name} " + " ".join(["0x1f..."] * operands)

    @click.command(name, cls=TkmsCommand, help=text, example=example)
    @click.argument("handles", nargs=operands)
    @with_session()
    def command(session: Session, handles: Any) -> None:
        given = [handles] if isinstance(handles, str) else list(handles)
        for handle in given:
            parse_handle(handle)
        base = session.need("coprocessor")
        answer = asyncio.run(coprocessor.operate(base, name, given))
        session.out.result(answer, lambda: str(answer["handle"]))

    return command


for _name, (_operands, _text) in OPERATIONS.items():
    compute.add_command(_operation(_name, _operands, _text))
