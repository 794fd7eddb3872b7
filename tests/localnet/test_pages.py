"""No page shows a command that no test types."""

import re
import shlex

import click
import pytest

from cli.main import root
from tests.localnet.harness import ROOT
from tests.localnet.reader import commands, commands_of

# Typed by test_how_to.py, test_operator_page.py, test_governance_page.py, test_keys_page.py, test_explorer.py and test_gateways.py.
_TYPED = ("explorer.md", "gateway.md", "governance.md", "keys.md", "operator.md", "submitter.md")


# Their commands ask for words or codes: tests/cli/test_backup.py runs them with those of its own.
_READ = ("backup.md",)


def test_every_page_with_commands_is_typed() -> None:
    """A page that begins to show commands needs a test."""
    pages = (ROOT / "docs").rglob("*.md")
    shown = {
        str(page.relative_to(ROOT / "docs")) for page in pages if commands_of(page.read_text())
    }
    assert shown == {*_TYPED, *_READ}


@pytest.mark.parametrize("page", _READ)
def test_commands_that_are_only_read_are_commands(page: str) -> None:
    """Each names a command of the line, with options and arguments that it has."""
    shown = commands(page)
    assert len(shown) > 4
    for words in shown:
        command: click.Command = root
        context = click.Context(command)
        left = list(words)
        while isinstance(command, click.Group):
            name, found, left = command.resolve_command(context, left)
            assert found is not None, words
            command, context = found, click.Context(found, parent=context, info_name=name)
        parsed = command.make_parser(context).parse_args(list(left))
        assert parsed[1] == [], words


def test_the_readme_shows_what_the_pages_show() -> None:
    """Its commands are those of pages that are typed."""
    blocks = re.findall(
        r"^```sh$(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    shown = [
        shlex.split(line, comments=True)[1:]
        for block in blocks
        for line in block.splitlines()
        if line.startswith("tkms ")
    ]
    assert len(shown) > 7
    typed = [words for page in _TYPED for words in commands(page)]
    assert [words for words in shown if words not in typed] == []
