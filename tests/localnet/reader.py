"""Somebody who reads a page and types its commands."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.localnet.harness import ROOT, Network

_COMMAND = re.compile(r"^    (tkms .*)$", re.MULTILINE)


def commands(page: str) -> list[list[str]]:
    """Commands of a page without their comments."""
    return commands_of((ROOT / "docs" / page).read_text())


def commands_of(text: str) -> list[list[str]]:
    """Commands of a part of a page."""
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
        target = None
        if ">" in words:
            words, target = words[: words.index(">")], words[words.index(">") + 1]
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
        if target is not None:
            (self.folder / target).write_text(done.stdout)
        self.remember(document)
        return dict(document)

    def remember(self, document: dict[str, Any]) -> None:
        """Names that the page uses later."""
        if "transaction" in document:
            self.known["HASH"] = str(document["transaction"])
        if "preprocessing_id" in document:
            self.known["PREPROCESSING"] = str(document["preprocessing_id"])
        if "key_id" in document:
            self.known["KEY"] = str(document["key_id"])
        if "request" in document:
            self.known["REQUEST"] = str(document["request"])
        if "proposal" in document:
            self.known["PROPOSAL"] = str(document["proposal"])
        if "digest" in document:
            self.known["DIGEST"] = str(document["digest"])
        if "validators" in document and "total_power" in document:
            self.known["VALIDATOR"] = str(document["validators"][-1]["engine_key"])
        if "handle" in document:
            self.known["SUM"] = str(document["handle"])
        if len(document.get("handles", [])) == 2:
            self.known["FIRST"], self.known["SECOND"] = (
                str(entry["handle"]) for entry in document["handles"]
            )
