"""What a process that holds secrets asks of its own operating system."""

import ctypes
import resource

import structlog

_PR_SET_DUMPABLE = 4

log = structlog.get_logger("core.hardening")


def harden() -> None:
    """Allow no core dumps, and no other process of this user to look into our memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("memory can be read by other processes of this user")
