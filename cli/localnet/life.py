"""What `localnet up`, `down`, `reset` and the demo do: make, start, wait, end, remove."""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cli.errors import CliError, ConfigError, ExitCode
from cli.localnet import homes as localnet_homes
from cli.localnet import plan as localnet_plan
from cli.localnet.plan import Plan
from cli.localnet.topology import Topology
from cli.ports import port_is_free
from cli.supervision import client as supervisor_client
from cli.supervision.client import PID_FILE, RUNNING, SOCKET, NotRunningError
from cli.supervision.leftovers import belongs_to, sweep
from cli.supervision.process import child_environment

# Engines end first, then their nodes: each may take as long as its block takes.
_ANSWER_S, _END_S, _POLL_S = 30.0, 60.0, 0.1
# What `down` may remove: anything else in the folder makes it refuse.
_OURS = {
    "accounts",
    "coprocessor",
    "explorer",
    "logs",
    "relay",
    "storage",
    localnet_plan.FILE_NAME,
    PID_FILE,
    SOCKET,
    RUNNING,
}


def default_home() -> Path:
    """Return the folder of the local network: TKMS_LOCALNET_HOME or ./.tkms-localnet."""
    return Path(os.environ.get("TKMS_LOCALNET_HOME") or ".tkms-localnet")


def ask(home: Path, verb: str, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Send one request to the supervisor and return the states of all processes.

    Raises:
        NotRunningError: nobody answers.
        CliError: the supervisor refuses.
    """
    try:
        return supervisor_client.ask(home, verb, names)
    except NotRunningError as error:
        raise NotRunningError(
            f"the local network in {home} does not run",
            hint="`tkms localnet up` starts it (and keeps its data)",
        ) from error


def running(home: Path) -> bool:
    """Whether the supervisor answers."""
    try:
        ask(home, "status")
    except NotRunningError:
        return False
    return True


def create_or_load(home: Path, topology: Topology) -> tuple[Plan, bool]:
    """Return the network in `home`, and whether it was made now."""
    if (home / localnet_plan.FILE_NAME).exists():
        plan = localnet_plan.load(home)
        taken = [port for port in plan.ports() if not port_is_free(port)]
        if taken:
            raise ConfigError(
                f"ports {', '.join(map(str, taken))} are in use by others",
                reason="PORT_TAKEN",
                hint="end what listens there, or make a new network with `tkms localnet reset`",
            )
        return plan, False
    if home.exists() and any(home.iterdir()):
        raise ConfigError(
            f"{home} is not empty and holds no local network", hint="name another folder"
        )
    plan = localnet_plan.make(home, topology)
    try:
        return localnet_homes.write(plan, topology), True
    except BaseException:
        # Half a network must not be taken for a whole one.
        shutil.rmtree(plan.home, ignore_errors=True)
        raise


def start(plan: Plan, owner: int | None = None) -> None:
    """Start the supervisor, detached; it ends by itself when `owner` (a pid) ends."""
    command = [sys.executable, "-m", "cli", "localnet", "supervise", "--home", str(plan.home)]
    if owner is not None:
        command += ["--owner", str(owner)]
    log = plan.home / "logs" / "supervisor.log"
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    # Not subprocess: this process is meant to outlive us, and leaves our session by itself.
    pid = os.posix_spawn(
        sys.executable,
        command,
        child_environment(),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600),
            (os.POSIX_SPAWN_OPEN, 2, str(log), flags, 0o600),
        ],
    )
    deadline = time.monotonic() + _ANSWER_S
    while not running(plan.home):
        if _has_ended(pid) or time.monotonic() > deadline:
            words = log.read_text("utf-8", "replace").strip()[-400:]
            raise CliError(f"the supervisor did not start: {words}", hint=f"see {log}")
        time.sleep(_POLL_S)


def resume(plan: Plan) -> None:
    """Start the whole network, or what of a running one was stopped."""
    if not running(plan.home):
        start(plan)
        return
    stopped = [state["name"] for state in ask(plan.home, "status") if state["state"] == "stopped"]
    if stopped:
        ask(plan.home, "start", stopped)


def wait_ready(
    plan: Plan,
    timeout_s: float,
    show: Callable[[list[dict[str, Any]]], None] = lambda _: None,
    only: Callable[[str], bool] = lambda _: True,
) -> list[dict[str, Any]]:
    """Wait until all processes (that `only` names) are ready; `show` sees every state.

    Raises:
        CliError: a process crashed repeatedly; TIMEOUT when time is up.
    """
    deadline = time.monotonic() + timeout_s
    # What was killed before is not held against a process that is starting now.
    before: dict[str, int] = {}
    while True:
        states = ask(plan.home, "status")
        before = before or {str(state["name"]): state["restarts"] for state in states}
        show(states)
        waited = [state for state in states if only(str(state["name"]))]
        if all(state["state"] == "ready" for state in waited):
            return states
        crashed = [state for state in waited if state["restarts"] - before[str(state["name"])] >= 3]
        if crashed:
            name = crashed[0]["name"]
            raise CliError(
                f"{name} does not stay up (exit code {crashed[0]['exit_code']}): "
                f"{last_words(plan.home, str(name))}",
                reason="PROCESS_CRASHED",
                hint=f"tkms localnet logs {name}",
            )
        if time.monotonic() > deadline:
            late = ", ".join(s["name"] for s in waited if s["state"] != "ready")
            raise CliError(
                f"not ready after {timeout_s:.0f} s: {late}",
                reason="NOT_READY",
                exit_code=ExitCode.TIMEOUT,
                hint="tkms localnet logs",
            )
        time.sleep(_POLL_S)


def last_words(home: Path, name: str) -> str:
    """Return the last line that a process itself wrote."""
    path = home / "logs" / f"{name}.log"
    if not path.exists():
        return "it said nothing"
    lines = path.read_text("utf-8", "replace").strip().splitlines()
    said = [line for line in lines if line and not line.startswith("supervisor:")]
    return said[-1][:300] if said else "it said nothing"


def end(home: Path) -> None:
    """End the supervisor and every process of the network; nothing when none runs."""
    pid = _supervisor_pid(home)
    with contextlib.suppress(NotRunningError):
        ask(home, "shutdown")
    deadline = time.monotonic() + _END_S
    while pid and belongs_to(pid, home) and time.monotonic() < deadline:
        _has_ended(pid)
        time.sleep(_POLL_S)
    sweep(home)
    for name in (SOCKET, PID_FILE, RUNNING):
        (home / name).unlink(missing_ok=True)


def remove(home: Path) -> None:
    """Delete the network's folder; refuses where something else lies in it."""
    if not home.exists():
        return
    if not (home / localnet_plan.FILE_NAME).exists() and any(home.iterdir()):
        raise ConfigError(f"{home} holds no local network: nothing is deleted")
    foreign = [
        path.name
        for path in home.iterdir()
        if path.name not in _OURS and not path.name.removeprefix("node").isdecimal()
    ]
    if foreign:
        raise ConfigError(
            f"{home} holds other things too ({', '.join(sorted(foreign))}): nothing is deleted"
        )
    shutil.rmtree(home)


def _has_ended(pid: int) -> bool:
    """Whether a child of ours has ended (and collect it); False for other people's processes."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _supervisor_pid(home: Path) -> int | None:
    try:
        return int((home / PID_FILE).read_text("ascii"))
    except (OSError, ValueError):
        return None
