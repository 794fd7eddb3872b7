"""The supervisor of a local network: a process of its own, detached from the terminal."""

import asyncio
import contextlib
import os
from pathlib import Path

from cli.localnet import plan as localnet_plan
from cli.localnet.logs import LogFiles
from cli.supervision.supervisor import Supervisor, sole_supervisor


def run(home: Path, owner: int | None = None) -> None:
    """Be the supervisor of `home`.

    Raises:
        CliError: another one runs already.
    """
    plan = localnet_plan.load(home)
    # Leave the terminal's session; a supervisor in a shell's foreground is a group leader and stays.
    with contextlib.suppress(PermissionError):
        os.setsid()
    with sole_supervisor(plan.home, "this local network", "tkms localnet status"):
        asyncio.run(_main(plan, owner))


async def _main(plan: localnet_plan.Plan, owner: int | None) -> None:
    logs = LogFiles(plan.home / "logs")
    try:
        await Supervisor(plan.home, plan.processes, logs).run(owner)
    finally:
        logs.close()
