"""Where protocols compute: online work, and work that must delay nothing."""

import contextlib
import os
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass

_NICE = 5
"""A third of the processor time of a normal thread that wants the same processor.

Not the lowest priority: this thread holds the interpreter's lock now and then, and as long as it is
kept from running with it, so is the event loop. At 19 a run on a busy machine stood nearly still; that
this was the reason is suspected, not measured.
"""


@dataclass(frozen=True, slots=True)
class Threads:
    """Executors of machines."""

    online: Executor
    background: Executor

    def close(self) -> None:
        """End the background thread after its call in progress; the online one has an owner."""
        self.background.shutdown(wait=True, cancel_futures=True)


def with_background(online: Executor) -> Threads:
    """The given executor, and one thread of lower priority."""
    return Threads(
        online, ThreadPoolExecutor(1, thread_name_prefix="background", initializer=_step_back)
    )


def _step_back() -> None:
    """Lower the priority of this thread only."""
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
