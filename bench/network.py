"""A local network for a benchmark: made in a temporary folder, ended whatever happens."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cli.localnet import life as localnet_life
from cli.localnet import topology as localnet_topology
from cli.localnet.plan import Plan

_READY_S = 180.0


@dataclass(frozen=True, slots=True)
class Network:
    """A running network and how long it took to be ready."""

    plan: Plan
    ready_s: float

    def memory_mebibytes(self) -> dict[str, float]:
        """Resident memory of every process by name."""
        found = {}
        for state in localnet_life.ask(self.plan.home, "status"):
            status = Path(f"/proc/{state['pid']}/status")
            if state["pid"] and status.exists():
                for line in status.read_text().splitlines():
                    if line.startswith("VmRSS:"):
                        found[str(state["name"])] = int(line.split()[1]) / 1024
        return found


@contextmanager
def network(
    operators: int,
    parameters: str,
    *,
    chain_only: bool = False,
    adapt: Callable[[Plan], Plan] = lambda plan: plan,
) -> Iterator[Network]:
    """Start a network; `chain_only` leaves out cores, connectors, storage and coprocessor.

    `adapt` may change the homes, and what runs, before anything starts.
    """
    home = Path(tempfile.mkdtemp(prefix="tkms-bench-"))
    topology = localnet_topology.load(None).with_overrides(
        operators=operators, parameters=parameters
    )
    try:
        plan, _ = localnet_life.create_or_load(home, topology)
        if chain_only:
            kept = [entry for entry in plan.processes if entry.name.startswith(("node", "engine"))]
            plan = replace(plan, processes=tuple(kept))
        plan = adapt(plan)
        plan.save()
        started = time.monotonic()
        # Ends with us, even when we are killed.
        localnet_life.start(plan, owner=os.getpid())
        localnet_life.wait_ready(plan, _READY_S)
        yield Network(plan, time.monotonic() - started)
    finally:
        localnet_life.end(home)
        shutil.rmtree(home, ignore_errors=True)
