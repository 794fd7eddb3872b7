"""Every command that a how-to page shows is run, in the page's order, on a live network."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.localnet.harness import ROOT, Network

pytestmark = pytest.mark.localnet

_COMMAND = re.compile(r"^    (tkms .*)$", re.MULTILINE)
_BACKGROUND = ("-f", "--home")


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators."""
    return start_network()


def commands(page: str) -> list[list[str]]:
    """Commands of a page without their comments."""
    text = (ROOT / "docs" / page).read_text()
    return [shlex.split(line, comments=True)[1:] for line in _COMMAND.findall(text)]


class Reader:
    """Somebody who types what the page says and keeps what it prints."""

    def __init__(self, network: Network, folder: Path) -> None:
        """Work in an own folder."""
        self.folder = folder
        self.known = {"SOON": "900"}
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("TKMS_")},
            "PYTHONPATH": str(ROOT),
            "TKMS_LOCALNET_HOME": str(network.home),
            "TKMS_CONFIG_HOME": str(folder / "config"),
            "TKMS_OUTPUT": "json",
        }

    def types(self, arguments: list[str]) -> dict[str, Any]:
        """Run one command; it must succeed and print one document."""
        words = [self.known[word[1:]] if word.startswith("$") else word for word in arguments]
        done = subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        document = json.loads(done.stdout)
        self.remember(document)
        return dict(document)

    def remember(self, document: dict[str, Any]) -> None:
        """Names that the page uses later."""
        if "transaction" in document:
            self.known["HASH"] = str(document["transaction"])
        if "request" in document:
            self.known["REQUEST"] = str(document["request"])
        if "handle" in document:
            self.known["SUM"] = str(document["handle"])
        if len(document.get("handles", [])) == 2:
            self.known["FIRST"], self.known["SECOND"] = (
                str(entry["handle"]) for entry in document["handles"]
            )


def test_submitter(network: Network, tmp_path: Path) -> None:
    """The page for people who submit transactions, from account to revocation."""
    secret = tmp_path / "passphrase.txt"
    secret.write_text("only for this test\n")
    secret.chmod(0o600)
    reader = Reader(network, tmp_path)
    typed = commands("submitter.md")
    assert len(typed) > 20
    documents = [reader.types(arguments) for arguments in typed]
    revealed = {
        arguments[0]: document["values"][0]["value"]
        for arguments, document in zip(typed, documents, strict=True)
        if arguments[0] in {"decrypt", "reencrypt"}
    }
    assert revealed == {"decrypt": 12, "reencrypt": 12}


def test_operator(network: Network, tmp_path: Path) -> None:
    """The page for operators: what looks at the network, and the fault drills, which end well."""
    reader = Reader(network, tmp_path)
    typed = [
        arguments
        for arguments in commands("operator.md")
        if not set(arguments) & set(_BACKGROUND)
        and arguments[:2] != ["localnet", "up"]
        and "http://HOST:26657" not in arguments
    ]
    assert ["localnet", "stop", "core3"] in typed
    for arguments in typed:
        reader.types(arguments)
    reader.types(["localnet", "start"])
