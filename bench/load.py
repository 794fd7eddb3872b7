"""Sends pre-made transactions with the generator of tools/load, which costs little of the CPU that is measured."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from wire.reasons import Reason

_TOOLS = Path(__file__).resolve().parent.parent / "tools"


@dataclass(frozen=True, slots=True)
class Shape:
    """How transactions are sent: the engine checks one of each request at a time."""

    connections: int
    batch: int


# Ten is what the engine takes in one JSON-RPC request by default.
SMALL = Shape(connections=96, batch=10)
# Checked in milliseconds each: the engine gives up on a request after ten seconds.
LARGE = Shape(connections=16, batch=1)
_GRACE_S = 60.0
# The application's ways to say: later.
_BUSY = ",".join(str(reason.value) for reason in (Reason.BUSY, Reason.RATE_LIMITED))


@dataclass(frozen=True, slots=True)
class Sent:
    """What the nodes said; seconds since 1970."""

    accepted: int
    # How often a transaction was sent again because a mempool took none.
    busy: int
    left: int
    began: float
    ended: float


@cache
def _generator() -> Path:
    """Build the generator; Go's own cache makes that quick."""
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tkms" / "bin"
    cache_folder.mkdir(parents=True, exist_ok=True)
    target = cache_folder / "tkms-load"
    subprocess.run(
        ["go", "build", "-trimpath", "-o", str(target), "./load"],
        cwd=_TOOLS,
        env={**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
        check=True,
    )
    return target


def send(urls: Sequence[str], transactions: Sequence[bytes], shape: Shape, seconds: float) -> Sent:
    """Send until all are sent or the time is up.

    Raises:
        RuntimeError: a node refused a transaction or could not be asked.
    """
    with tempfile.NamedTemporaryFile(prefix="tkms-load-") as file:
        for raw in transactions:
            file.write(len(raw).to_bytes(4, "big") + raw)
        file.flush()
        command = [str(_generator()), "-file", file.name, "-urls", ",".join(urls)]
        command += ["-connections", str(shape.connections), "-batch", str(shape.batch)]
        command += ["-duration", f"{seconds}s", "-busy-codes", _BUSY]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds + _GRACE_S, check=False
        )
    if done.returncode != 0:
        raise RuntimeError(f"the load failed: {done.stderr.strip()[-500:]}")
    said = json.loads(done.stdout)
    if said["refused"]:
        raise RuntimeError(f"transactions were refused: {said['refused']}: {said['reason']}")
    return Sent(
        accepted=said["accepted"] + said["known"],
        busy=said["busy"],
        left=said["left"],
        began=said["began"] / 1e9,
        ended=said["ended"] / 1e9,
    )
