"""Deliberate misbehaviour for tests: what becomes of what a core sends."""

from collections.abc import Callable, Mapping
from typing import Final

from core.settings import FaultMode


def spoiled(share: bytes) -> bytes:
    """Bytes that are certainly wrong."""
    return bytes(byte ^ 0x5A for byte in share)


FAULTS: Final[Mapping[FaultMode, Callable[[bytes], bytes | None]]] = {
    FaultMode.WRONG_SHARES: spoiled,
    FaultMode.SILENT: lambda _: None,
}
"""What becomes of messages of runs; None is silence."""
