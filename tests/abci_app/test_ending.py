"""When a node's process ends: signals in any number, failures from any thread."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 60
# Three signals close together, while another thread holds the interpreter: the main thread is then inside of
# its waiting when the second handler is due. A waiting by a queue hung in a quarter of such lives.
STORM = """
import os, signal, sys, time
from threading import Thread
from abci_app.ending import Ending

def busy():
    end = time.monotonic() + 0.05
    while time.monotonic() < end:
        sum(range(100))

def storm():
    time.sleep(0.01)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), number)

sys.setswitchinterval(0.001)
for _ in range(100):
    ending = Ending()
    threads = [Thread(target=busy), Thread(target=storm)]
    for thread in threads:
        thread.start()
    ending.wait()
    assert ending.failure is None
    for thread in threads:
        thread.join()
print("all ended", flush=True)
# The end of the interpreter is no moment to die of a signal either.
parent = os.getpid()
if os.fork() == 0:
    while os.getppid() == parent:
        os.kill(parent, signal.SIGTERM)
    os._exit(0)
"""
FAILURES = """
from threading import Thread
from abci_app.ending import Ending

ending = Ending()
threads = [Thread(target=ending.fail, args=(ValueError(number),)) for number in range(2)]
for thread in threads:
    thread.start()
    thread.join()
ending.wait()
# One that comes too late changes nothing and breaks nothing; nor do more than a socket holds.
for number in range(2, 100_000):
    ending.fail(ValueError(number))
print(repr(ending.failure))
"""


def outcome(program: str) -> tuple[int, str]:
    """Exit code and words of a process that runs a program."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.strip()


def test_signals_that_follow_each_other_end_the_process() -> None:
    """All lives end, and the last one orderly: signals during the end are ignored."""
    assert outcome(STORM) == (0, "all ended")


def test_the_first_failure_counts() -> None:
    """Whichever thread finds it; more of them do not block."""
    assert outcome(FAILURES) == (0, "ValueError(0)")


def test_a_signal_before_the_waiting_is_not_lost() -> None:
    """It came between taking the signals and waiting for them."""
    program = (
        "import os, signal\nfrom abci_app.ending import Ending\nending = Ending()\n"
        f"os.kill(os.getpid(), {int(signal.SIGTERM)})\nending.wait()\nprint('ended')"
    )
    assert outcome(program) == (0, "ended")
