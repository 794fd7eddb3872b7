"""What ends a node's process: a signal, or something in it that must not go on.

Python runs a signal's handler in the main thread, between two instructions. A handler that wakes a queue, a
lock or an event may therefore run inside that very primitive: `queue.SimpleQueue` loses its wakening so when
a second signal follows the first closely, and the process waits for ever. So no handler does anything here:
the interpreter itself writes the number of each signal into a socket (`signal.set_wakeup_fd`, which is safe
inside a handler of C, in whichever thread), and the main thread reads it.
"""

from __future__ import annotations

import signal
import socket
from contextlib import suppress
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class Ending:
    """Waits for a signal or for a failure; made and waited for by the main thread."""

    def __init__(self) -> None:
        """Take SIGTERM and SIGINT from here on."""
        self.failure: Exception | None = None
        self._woken, self._wake = socket.socketpair()
        self._wake.setblocking(False)
        # A full socket wakes as well as one byte does.
        signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, _nothing)

    def fail(self, error: Exception) -> None:
        """Take what ends the node, from any thread; the first one counts."""
        if self.failure is None:
            self.failure = error
        with suppress(BlockingIOError):
            self._wake.send(b"\0")

    def wait(self) -> None:
        """Return when the process has to end.

        Signals are ignored from then on: the end is under way, and the interpreter, when it goes, would give
        them back their deadly meaning, and the node an exit code that tells its supervisor of a failure.
        """
        self._woken.recv(1)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)


def _nothing(_signal: int, _frame: FrameType | None) -> None:
    """Be there, so that the interpreter takes the signal."""
