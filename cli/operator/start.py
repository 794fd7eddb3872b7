"""`tkms start` and `stop`: node and engine of one home, and what else it has, in the foreground."""

import asyncio
import datetime as dt
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.errors import CliError
from cli.lazy import TkmsCommand, home_option, terminal

if TYPE_CHECKING:
    from cli.home.files import OperatorFiles
    from cli.supervision.plan import ProcessPlan

_POLL_S = 0.1


@click.command(
    cls=TkmsCommand,
    example="tkms start --home DIR\n"
    "tkms start --home DIR --core --connector --relay --explorer --log-format json",
)
@home_option()
@click.option("--core", is_flag=True, help="Run the core too (HOME/core).")
@click.option("--connector", is_flag=True, help="Run the connector too (HOME/connector).")
@click.option("--relay", is_flag=True, help="Run the relay too (HOME/relay, `tkms add relay`).")
@click.option("--explorer", is_flag=True, help="Run the explorer too (HOME/explorer).")
@click.option(
    "--restarts",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Crashes in a row after which all is stopped with exit code 1.",
)
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"]),
    default="plain",
    show_default=True,
    help="Lines on stderr: prefixed text or one JSON object each.",
)
@click.pass_context
def start(
    context: click.Context,
    /,
    *,
    home: Path,
    restarts: int,
    log_format: str,
    **chosen: bool,
) -> None:
    """Run a home in the foreground until SIGTERM, SIGINT or SIGHUP.

    The node starts before its engine and ends after it: a block in work is finished and answered. A
    process that crashes is started again with growing pauses; after the given number of crashes in a
    row, a wrong setting or a full disk, everything is stopped; also when the node has reached its
    halt_height.

    Exit code 0: asked to stop, or halted; 1: a process did not stay up; 3: the home is not usable or in use.
    """
    from cli.home.files import OperatorFiles  # noqa: PLC0415
    from cli.supervision import leftovers  # noqa: PLC0415 - keeps `--help` quick
    from cli.supervision.supervisor import sole_supervisor  # noqa: PLC0415

    files = OperatorFiles.of(home)
    wanted = {name for name, is_wanted in chosen.items() if is_wanted}
    plans = _plans(files, wanted, log_format)
    out = terminal(context)
    with sole_supervisor(files.home, f"{files.home}", f"tkms status --home {home}"):
        if leftovers.end_gently(files.home):
            out.warn("an earlier supervisor was killed: its processes are ended now")
        states = asyncio.run(_run(files.home, plans, restarts, log_format == "json"))
    failed = [state for state in states if state["state"] == "failed"]
    if failed:
        name, words = failed[0]["name"], failed[0]["last_error"]
        raise CliError(
            f"{name} does not stay up (exit code {failed[0]['exit_code']}): {words or 'see its log'}",
            reason="PROCESS_CRASHED",
            hint=f"tkms doctor --home {home}",
            details={"processes": states},
        )
    document: dict[str, object] = {"home": str(files.home), "stopped": True, "processes": states}
    out.result(document, lambda: "stopped")


@click.command(cls=TkmsCommand, example="tkms stop --home DIR")
@home_option("Home that `tkms start` runs.")
@click.option("--timeout", type=float, default=60.0, show_default=True, help="Seconds to wait.")
@click.pass_context
def stop(context: click.Context, home: Path, timeout: float) -> None:
    """Ask the supervisor of a home to end everything in order, and wait until it has."""
    import time  # noqa: PLC0415

    from cli.errors import ExitCode  # noqa: PLC0415
    from cli.home.files import OperatorFiles  # noqa: PLC0415
    from cli.supervision import client as supervisor_client  # noqa: PLC0415 - keeps `--help` quick

    files = OperatorFiles.of(home)
    supervisor_client.ask(files.home, "shutdown")
    deadline = time.monotonic() + timeout
    while (files.home / supervisor_client.PID_FILE).exists():
        if time.monotonic() > deadline:
            raise CliError(
                f"{home} did not end in {timeout:.0f} s",
                reason="TIMEOUT",
                exit_code=ExitCode.TIMEOUT,
                hint=f"tkms status --home {home}",
            )
        time.sleep(_POLL_S)
    terminal(context).result({"home": str(files.home), "stopped": True}, lambda: "stopped")


def _plans(files: "OperatorFiles", wanted: set[str], log_format: str) -> "list[ProcessPlan]":
    from cli.genesis import document as genesis_document  # noqa: PLC0415
    from cli.home import processes as operator_processes  # noqa: PLC0415

    genesis_document.load(files.genesis)
    options = ("--log-format", "json") if log_format == "json" else ()
    return operator_processes.plans(files, wanted, options)


async def _run(
    home: Path, plans: "list[ProcessPlan]", restarts: int, as_json: bool
) -> list[dict[str, object]]:
    from cli.supervision.process import RestartPolicy  # noqa: PLC0415
    from cli.supervision.supervisor import Supervisor  # noqa: PLC0415

    supervisor = Supervisor(home, plans, ConsoleLog(as_json), RestartPolicy(restarts))
    return await supervisor.run()


class ConsoleLog:
    """The words of all processes on stderr, each line with its process's name."""

    def __init__(self, as_json: bool) -> None:
        """Write prefixed text, or one JSON object a line."""
        self._as_json = as_json

    def write(self, name: str, line: bytes) -> None:
        """Write one line."""
        now = dt.datetime.now(dt.UTC)
        text = line.decode("utf-8", "replace").rstrip()
        if self._as_json:
            shown = json.dumps({"time": now.isoformat(), "process": name, **_record(text)})
        else:
            shown = f"{now.strftime('%H:%M:%S.%f')[:-3]} {name:<9} | {text}"
        sys.stderr.write(shown + "\n")
        sys.stderr.flush()


def _record(text: str) -> dict[str, object]:
    """Return the line's own fields where it is a JSON object already."""
    if text.startswith("{"):
        try:
            return {"record": json.loads(text)}
        except ValueError:
            pass
    return {"text": text}
