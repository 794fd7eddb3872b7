"""One supervised process where something fails: its program, its log, and several who stop it at once."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.errors import ExitCode
from cli.supervision import process as module
from cli.supervision.plan import ProcessPlan
from cli.supervision.process import FOR_EVER, RestartPolicy, Supervised

PATIENCE_SECONDS = 60
SERVES = "import signal; print('event=ready', flush=True); signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print('event=ready', flush=True)\nwhile True: signal.pause()"
)


class Lines:
    """A log that can be full."""

    def __init__(self, *, full: bool = False) -> None:
        self.full = full
        self.lines: list[bytes] = []

    def write(self, _name: str, line: bytes) -> None:
        """Take a line, or do not."""
        if self.full:
            raise OSError(28, "No space left on device")
        self.lines.append(line)


def supervised(
    home: Path, argv: tuple[str, ...], logs: Lines, policy: RestartPolicy = FOR_EVER
) -> Supervised:
    """A process that says `ready`."""
    plan = ProcessPlan("toy", argv, "log:ready")
    return Supervised(plan, home, logs, lambda _name: True, lambda: None, policy)


def lives(pid: int | None) -> bool:
    """Whether there is such a process."""
    assert pid is not None
    return Path(f"/proc/{pid}").exists()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 - a foreign process gives no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("attempts", "state"), [(None, "back-off"), (0, "failed")])
async def test_a_program_that_is_not_there(
    tmp_path: Path, attempts: int | None, state: str
) -> None:
    """It counts as a crash: tried again or given up, with words, and it can be stopped."""
    logs = Lines()
    toy = supervised(tmp_path, ("/nowhere/program",), logs, RestartPolicy(attempts))
    toy.start()
    await until(lambda: toy.state == state)
    assert toy.exit_code == ExitCode.FAILURE
    assert "/nowhere/program" in toy.last_error
    assert logs.lines[-1].startswith(b"supervisor: ended with 1; ")
    await toy.stop()
    assert (toy.state, toy.pid) == ("stopped", None)


async def test_a_log_that_takes_nothing_ends_nobody(tmp_path: Path) -> None:
    """The process becomes ready, and is started again when it is killed."""
    toy = supervised(tmp_path, (sys.executable, "-c", SERVES), Lines(full=True))
    toy.start()
    await until(lambda: toy.state == "ready")
    first = toy.pid
    toy.kill()
    await until(lambda: toy.state == "ready" and toy.pid not in (None, first))
    await toy.stop()
    assert toy.state == "stopped"


async def test_all_who_stop_wait_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second does not cut off what the first began, and a start meanwhile makes no second process."""
    monkeypatch.setattr(module, "_TERMINATE_S", 0.5)
    logs = Lines()
    toy = supervised(tmp_path, (sys.executable, "-c", STUBBORN), logs)
    toy.start()
    await until(lambda: toy.state == "ready")
    pid = toy.pid
    first = asyncio.create_task(toy.stop())
    await asyncio.sleep(0.05)
    toy.start()
    await toy.stop()
    assert not lives(pid)
    await first
    assert (toy.state, toy.pid, toy.restarts) == ("stopped", None, 0)
    assert b"supervisor: did not end on SIGTERM: killed" in logs.lines
    toy.start()
    await until(lambda: toy.state == "ready")
    second = toy.pid
    await toy.stop()
    assert not lives(second)
