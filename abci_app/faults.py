"""Faults on purpose: a node that kills itself or waits at a named point of a named block. For tests only.

They work only where node.toml says `developer_faults = true`, and are planned in HOME/faults.toml:

    point = "before-write"     # one of POINTS
    height = 12                # of the block; the first one at or above it counts
    action = "kill"            # SIGKILL to this process, or "pause"
    seconds = 3                # how long a pause lasts
"""

from __future__ import annotations

import os
import signal
import time
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

import structlog

from abci_app.errors import SettingsError
from ledger.store import FAULT_POINTS

FILE_NAME: Final = "faults.toml"
ACTIONS: Final = ("kill", "pause")
# In the order in which a block passes them: the decided block is here and nothing of it is computed; it is
# computed; Commit was asked for; the batch is full; it is written; the engine has the answer or will have it.
POINTS: Final = (*FAULT_POINTS, "after-response")

_LOG: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """One fault."""

    point: str
    height: int
    action: str = "kill"
    seconds: float = 0


class Faults:
    """Where the node is, and what happens there; without a plan nothing."""

    def __init__(self, plan: FaultPlan | None = None) -> None:
        """Wait for the planned block."""
        self._plan = plan
        self._height = 0

    def block(self, height: int) -> None:
        """Note the block that is being decided."""
        self._height = height

    def at(self, point: str) -> None:
        """Pass a point."""
        plan = self._plan
        if plan is None or point != plan.point or not 0 < plan.height <= self._height:
            return
        self._plan = None
        _LOG.warning("fault on purpose", point=point, height=self._height, action=plan.action)
        if plan.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(plan.seconds)


def load(home: Path, *, allowed: bool) -> Faults:
    """Read the plan of a node's home, if it has one.

    Raises:
        SettingsError: there is a plan and the settings do not allow it, or it is not understood.
    """
    path = home / FILE_NAME
    if not path.exists():
        return Faults()
    if not allowed:
        raise SettingsError(f"{path} is there and node.toml does not say developer_faults = true")
    try:
        plan = FaultPlan(**tomllib.loads(path.read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        known = ", ".join(field.name for field in fields(FaultPlan))
        raise SettingsError(f"{path}: {error}; known: {known}") from error
    if plan.point not in POINTS or plan.action not in ACTIONS:
        raise SettingsError(f"{path}: a point is one of {POINTS}, an action one of {ACTIONS}")
    return Faults(plan)
