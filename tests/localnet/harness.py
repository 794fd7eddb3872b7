"""A running network and its command line, as tests use it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.localnet import life
from cli.localnet.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
READY_S = 180.0


def processes_of(home: Path) -> list[str]:
    """Command lines of all living processes that name this folder."""
    shown = subprocess.run(
        ["ps", "-ww", "-eo", "stat=", "-o", "args="], capture_output=True, text=True, check=True
    )
    return [
        line
        for line in shown.stdout.splitlines()
        if str(home) in line and not line.startswith("Z") and " ps " not in line
    ]


def until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Poll the outside world until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        time.sleep(0.2)


@dataclass(frozen=True)
class Network:
    """A running network and its command line."""

    home: Path
    plan: Plan

    def tkms(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """One command with -o json; its single document. The exit code must be `code`."""
        environment = {name: v for name, v in os.environ.items() if not name.startswith("TKMS_")}
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments, "-o", "json"],
            cwd=ROOT,
            env={
                **environment,
                "TKMS_LOCALNET_HOME": str(self.home),
                "TKMS_CONFIG_HOME": str(self.home.parent / "config"),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
        lines = done.stdout.splitlines()
        assert len(lines) == 1, done.stdout
        document = json.loads(lines[0])
        assert isinstance(document, dict)
        return document

    def state(self, name: str) -> dict[str, Any]:
        """What the supervisor says of a process."""
        return next(state for state in life.ask(self.home, "status") if state["name"] == name)
