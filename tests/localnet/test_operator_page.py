"""docs/operator.md, typed from its first command to its last: four operators and one who joins."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.localnet.harness import ROOT, processes_of

pytestmark = pytest.mark.localnet

_COMMAND = re.compile(r"^    (tkms .*)$", re.MULTILINE)
# What has to become true: the page says that one waits for it.
_WAITS = {("status", "--home"), ("validator", "show")}
_PATIENCE_S = 120.0


class Machine:
    """The machine on which the page is typed; what was started is ended."""

    def __init__(self, folder: Path) -> None:
        """Work in an own folder, short enough for sockets."""
        self.folder = folder
        self.known: dict[str, str] = {}
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = {
            **{name: text for name, text in os.environ.items() if not name.startswith("TKMS_")},
            "PYTHONPATH": str(ROOT),
            "TKMS_CONFIG_HOME": str(folder / "user"),
            "TKMS_OUTPUT": "json",
        }

    def types(self, arguments: list[str]) -> dict[str, Any]:
        """Type one command, again and again where the page waits; it must succeed in the end."""
        words = [self._filled(word) for word in arguments]
        if words[0] == "start":
            return self._starts(words)
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            done = subprocess.run(
                [sys.executable, "-m", "cli", *words],
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if done.returncode == 0:
                break
            waits = tuple(words[:2]) in _WAITS and time.monotonic() < deadline
            assert waits, (words, done.returncode, done.stdout, done.stderr, self.last_words())
            time.sleep(1)
        document = json.loads(done.stdout)
        if words[:2] == ["key", "new"]:
            self.known["COORDINATOR"] = document["address"]
        if words[:2] == ["add", "relay"]:
            self.known["RELAY"] = document["account"]
        if words[:2] == ["init", "alice"]:
            self.known["ALICE_NODE_ID"] = document["node_id"]
        return dict(document)

    def last_words(self) -> str:
        """The ends of all logs, for who looks at a failure."""
        return "\n".join(
            f"== {log.name}\n{log.read_text('utf-8', 'replace')[-1500:]}"
            for log in sorted(self.folder.glob("*.log"))
        )

    def end(self) -> None:
        """End what still runs."""
        for process in self.started.values():
            process.terminate()
        for process in self.started.values():
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _filled(self, word: str) -> str:
        for name, value in self.known.items():
            word = word.replace(f"${name}", value)
        assert "$" not in word, word
        return word

    def _starts(self, words: list[str]) -> dict[str, Any]:
        home = words[words.index("--home") + 1]
        if home in self.started:
            self.started[home].wait(60)
        with (self.folder / f"{home}.log").open("ab") as log:
            self.started[home] = subprocess.Popen(
                [sys.executable, "-m", "cli", *words],
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        return {}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Nothing stays behind."""
    machine = Machine(tmp_path)
    secret = tmp_path / "passphrase.txt"
    secret.write_text("only for this test\n")
    secret.chmod(0o600)
    yield machine
    machine.end()
    assert processes_of(tmp_path) == []


def test_the_page_works_as_it_is_written(machine: Machine) -> None:
    """Every command before the part about local networks, in its order."""
    page = (ROOT / "docs" / "operator.md").read_text()
    text = page[: page.index("## Look at a whole network")]
    typed = [shlex.split(line, comments=True)[1:] for line in _COMMAND.findall(text)]
    # A snapshot is there when somebody joins: on a real chain hours have passed.
    quick = (("node.snapshot_interval", "10"), ("node.snapshot_keep", "1000"))
    seen: list[tuple[list[str], dict[str, Any]]] = []
    for arguments in typed:
        if arguments[0] == "start" and arguments[2] in {"alice", "bob"}:
            for name, value in quick:
                machine.types(["config", "set", name, value, "--home", arguments[2]])
        if arguments[:2] == ["snapshot", "join"]:
            _wait_for_snapshots(machine)
        seen.append((arguments, machine.types(arguments)))
    _check(seen)


def _wait_for_snapshots(machine: Machine) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    homes = [machine.folder / name / "app" / "snapshots" for name in ("alice", "bob")]
    while not all(any(home.glob("[0-9]*")) for home in homes):
        assert time.monotonic() < deadline, machine.last_words()
        time.sleep(0.5)


def _check(seen: list[tuple[list[str], dict[str, Any]]]) -> None:
    """What the page promises, beyond exit codes."""
    statuses = [document for arguments, document in seen if arguments[:2] == ["status", "--home"]]
    alice, frank, dave = (document["nodes"][0] for document in statuses)
    assert {alice["phase"], frank["phase"], dave["phase"]} == {"following"}
    assert alice["parties"] == 4
    assert (alice["validators"], alice["chain_id"]) == (4, "kms-1")
    # It began with a snapshot: blocks before it are not there.
    assert frank["earliest_height"] > 1
    shown = [document for arguments, document in seen if arguments[:2] == ["validator", "show"]]
    assert [entry["in_set"] for entry in shown] == [True, True]
    assert shown[1]["validators"] == 5
    processes = {row["process"]: row["state"] for row in statuses[0]["processes"]}
    assert (processes["relay"], processes["explorer"]) == ("ok", "ok")
