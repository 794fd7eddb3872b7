"""`tkms custodian`: a seed of 24 words, and what its holder does for operators. Works without a network."""

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.errors import ConfigError
from cli.keystore import write_private
from cli.lazy import TkmsGroup, terminal
from cli.phrase import from_words, to_words

if TYPE_CHECKING:
    from core.custody.custodian import Custodian

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_FILE = click.Path(dir_okay=False, path_type=Path)
_PHRASE = click.option(
    "--phrase-file", required=True, type=_FILE, help="File of mode 600 with the 24 words."
)


@click.group(cls=TkmsGroup)
def custodian() -> None:
    """Be a custodian of an operator's backup."""


@custodian.command(
    "new", example="tkms custodian new --name ann --phrase-file ann.phrase ann.setup"
)
@click.argument("setup", type=_NEW_FILE)
@click.option("--name", required=True, help="How operators call you.")
@click.option("--phrase-file", required=True, type=_NEW_FILE, help="New file for the 24 words.")
@click.pass_context
def new(context: click.Context, setup: Path, name: str, phrase_file: Path) -> None:
    """Make a custodian: words to write down and keep offline, and a setup file for operators."""
    from core.custody.custodian import Custodian  # noqa: PLC0415 - slow import

    if phrase_file.exists() or setup.exists():
        raise ConfigError("one of the files is there already", reason="EXISTS")
    seed = secrets.token_bytes(32)
    made = Custodian(seed)
    write_private(phrase_file, to_words(seed).encode() + b"\n")
    setup.write_bytes(made.setup(name))
    terminal(context).warn(
        f"write the words in {phrase_file} on paper, keep them offline and delete the file: "
        "whoever has those of enough custodians has the operator's secrets"
    )
    terminal(context).result({"name": name, "verification_key": made.verification_key.hex()})


@custodian.command("check", example="tkms custodian check --phrase-file ann.phrase context.json")
@click.argument("backup", type=_FILE)
@_PHRASE
@click.pass_context
def check(context: click.Context, backup: Path, phrase_file: Path) -> None:
    """Make sure that your share of a backup opens and is the one that the operator committed to."""
    from core.custody.documents import read_context  # noqa: PLC0415 - slow import

    read = read_context(backup.read_bytes())
    material = _load(phrase_file).material(read)
    terminal(context).result(
        {
            "backup_id": read.backup_id.hex(),
            "chain_id": read.chain_id,
            "party": read.party,
            "operator_key": read.operator_key.hex(),
            "custodian": material.custodian,
            "custodians": [each.name for each in read.custodians],
            "needed": read.threshold + 1,
        }
    )


@custodian.command(
    "answer",
    example="tkms custodian answer --phrase-file ann.phrase --code 01ab-23cd-45ef-6789 \\\n"
    "    context.json request.json ann.answer",
)
@click.argument("backup", type=_FILE)
@click.argument("request", type=_FILE)
@click.argument("answer", type=_NEW_FILE)
@_PHRASE
@click.option("--code", required=True, help="What the operator told you by voice, not by mail.")
@click.pass_context
def answer_command(
    context: click.Context, backup: Path, request: Path, answer: Path, phrase_file: Path, code: str
) -> None:
    """Give your share to an operator whose voice you know: it tells you the code of its request."""
    from core.custody.documents import read_context, read_request  # noqa: PLC0415 - slow import

    read, wish = read_context(backup.read_bytes()), read_request(request.read_bytes())
    made = _load(phrase_file).answer(read, wish, code, time.time_ns() // 1_000_000)
    answer.write_bytes(made)
    terminal(context).result({"party": read.party, "purpose": wish.purpose, "answer": str(answer)})


def _load(phrase_file: Path) -> "Custodian":
    from core.custody.custodian import Custodian  # noqa: PLC0415 - slow import
    from core.vault import read_private  # noqa: PLC0415

    return Custodian(from_words(read_private(phrase_file).decode("utf-8", "replace")))
