"""Processes that a killed supervisor left behind."""

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from cli.supervision.client import RUNNING

_TERMINATE_S, _POLL_S = 15.0, 0.1


def end_gently(home: Path) -> bool:
    """End recorded processes as their supervisor would have, engine first; whether there were any."""
    found = [pid for pid in _recorded(home) if belongs_to(pid, home)]
    # The node is started first and answers until the engine is gone.
    for pid in reversed(found):
        _terminate(pid, home)
    sweep(home)
    (home / RUNNING).unlink(missing_ok=True)
    return bool(found)


def _terminate(pid: int, home: Path) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _TERMINATE_S
    while belongs_to(pid, home) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _recorded(home: Path) -> list[int]:
    try:
        record = json.loads((home / RUNNING).read_text("utf-8"))
        return [int(pid) for pid in [record["supervisor"], *record["pids"]]]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def sweep(home: Path) -> None:
    """Kill what a crashed supervisor left: recorded pids whose command line names this home."""
    for pid in _recorded(home):
        if belongs_to(pid, home):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(pid, signal.SIGKILL)


def belongs_to(pid: int, home: Path) -> bool:
    """Whether a living process's command line names this home: pids are reused."""
    shown = subprocess.run(  # noqa: S603 - fixed arguments
        ["ps", "-ww", "-o", "stat=", "-o", "args=", "-p", str(pid)],  # noqa: S607 - ps is everywhere
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return bool(shown) and not shown.startswith("Z") and str(home.resolve()) in shown
