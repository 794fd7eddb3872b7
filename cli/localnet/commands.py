"""`tkms localnet`: a whole network on this machine."""

from pathlib import Path
from typing import Any

import click

from cli.errors import CliError
from cli.lazy import TkmsCommand, TkmsGroup, terminal
from cli.output import Terminal, console, table

_HOME = click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".tkms-localnet"),
    show_default=True,
    envvar="TKMS_LOCALNET_HOME",
    help="Folder of the network.",
)
_YES = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
_READY_S = 120.0


@click.group(cls=TkmsGroup)
def localnet() -> None:
    """Run a whole network on this machine: engines, nodes, cores, connectors, storage."""


@localnet.command(
    cls=TkmsCommand,
    example="tkms localnet up\ntkms localnet up --operators 7 --parameters test --home /tmp/net",
)
@_HOME
@click.option("--topology", type=click.Path(dir_okay=False, path_type=Path), help="Another file.")
@click.option("--operators", type=int, help="1, 4, 7, 10 or 13.")
@click.option("--parameters", help="Default parameter set: production, production-64 or test.")
@click.option("--prometheus/--no-prometheus", default=None, help="Engines serve metrics.")
@click.option("--timeout", default=_READY_S, show_default=True, help="Seconds until ready.")
@click.option("--owner", type=int, hidden=True, help="End when this process ends.")
@click.pass_context
def up(  # noqa: PLR0913, PLR0917 - one parameter an option
    context: click.Context,
    home: Path,
    topology: Path | None,
    operators: int | None,
    parameters: str | None,
    prometheus: bool | None,
    timeout: float,
    owner: int | None,
) -> None:
    """Make the network if there is none, start it, wait until it is ready."""
    from cli.localnet import life  # noqa: PLC0415 - keeps `--help` quick
    from cli.localnet import topology as localnet_topology  # noqa: PLC0415

    out = terminal(context)
    wanted = localnet_topology.load(topology).with_overrides(
        operators=operators, parameters=parameters, prometheus=prometheus
    )
    if life.running(home):
        out.note("it runs already")
        plan = _plan(home)
        life.resume(plan)
    else:
        plan, made = life.create_or_load(home, wanted)
        out.note(f"{'made' if made else 'found'} {plan.home}")
        life.start(plan, owner)
    if plan.parameters == "test":
        out.warn("the default parameter set is `test`: a toy that protects nothing")
    states = _watch(plan, timeout, out)
    document = {**_endpoints(plan), "processes": states}
    out.result(document, lambda: _summary(plan))


@localnet.command(cls=TkmsCommand, example="tkms localnet status -o json")
@_HOME
@click.pass_context
def status(context: click.Context, home: Path) -> None:
    """Show every process; exit code 0 only when all are ready."""
    from cli.localnet import life  # noqa: PLC0415

    plan = _plan(home)
    states = life.ask(home, "status")
    bad = [state["name"] for state in states if state["state"] != "ready"]
    document = {**_endpoints(plan), "ready": not bad, "processes": states}
    terminal(context).result(document, lambda: _state_table(states))
    if bad:
        context.exit(1)


@localnet.command(cls=TkmsCommand, example="tkms localnet logs -f node2 core2")
@_HOME
@click.argument("names", nargs=-1)
@click.option("-f", "--follow", is_flag=True, help="Go on with new lines.")
@click.option("-n", "--lines", default=100, show_default=True, help="Last lines; 0 is all.")
@click.pass_context
def logs(
    context: click.Context, home: Path, names: tuple[str, ...], follow: bool, lines: int
) -> None:
    """Show the combined log, or only some processes' lines (JSON lines with -o json)."""
    import sys  # noqa: PLC0415

    from cli.localnet import logs as localnet_logs  # noqa: PLC0415

    plan = _plan(home)
    known = {process.name for process in plan.processes}
    unknown = sorted(set(names) - known)
    if unknown:
        raise CliError(
            f"there is no process {unknown[0]}", hint=f"known: {', '.join(sorted(known))}"
        )
    path = plan.home / "logs" / localnet_logs.COMBINED
    out = terminal(context)
    colours = sys.stdout.isatty()

    def show(line: str) -> None:
        shown = localnet_logs.coloured(line) if colours else line
        out.line(localnet_logs.split(line), shown)

    for line in localnet_logs.tail(path, names, lines):
        show(line)
    if follow:
        for line in localnet_logs.follow(path, names):
            show(line)


@localnet.command(cls=TkmsCommand, example="tkms localnet stop core3\ntkms localnet stop operator2")
@_HOME
@click.argument("names", nargs=-1)
@click.pass_context
def stop(context: click.Context, home: Path, names: tuple[str, ...]) -> None:
    """Stop processes (node2 takes its engine along); without names all, keeping the data."""
    _control(context, home, "stop", names)


@localnet.command(cls=TkmsCommand, example="tkms localnet start core3")
@_HOME
@click.argument("names", nargs=-1)
@click.pass_context
def start(context: click.Context, home: Path, names: tuple[str, ...]) -> None:
    """Start stopped processes; without names the whole network."""
    _control(context, home, "start", names)


@localnet.command(cls=TkmsCommand, example="tkms localnet kill connector1")
@_HOME
@click.argument("names", nargs=-1, required=True)
@click.pass_context
def kill(context: click.Context, home: Path, names: tuple[str, ...]) -> None:
    """Kill processes as a crash would (SIGKILL); the supervisor restarts them."""
    _control(context, home, "kill", names)


@localnet.command(cls=TkmsCommand, example="tkms localnet down\ntkms localnet down --keep-data")
@_HOME
@click.option("--keep-data", is_flag=True, help="Keep the folder; `up` goes on with it.")
@click.pass_context
def down(context: click.Context, home: Path, keep_data: bool) -> None:
    """End all processes and remove the network's folder."""
    from cli.localnet import life  # noqa: PLC0415

    life.end(home)
    if not keep_data:
        life.remove(home)
    document: dict[str, object] = {"home": str(home), "running": False, "data_kept": keep_data}
    kept = "its data is kept" if keep_data else "its folder is removed"
    terminal(context).result(document, lambda: f"the network is down; {kept}")


@localnet.command(cls=TkmsCommand, example="tkms localnet reset --yes")
@_HOME
@_YES
@click.pass_context
def reset(context: click.Context, home: Path, yes: bool) -> None:
    """Throw the chain away and start a new one with the same size and parameters."""
    from cli.localnet import life  # noqa: PLC0415
    from cli.localnet import topology as localnet_topology  # noqa: PLC0415

    plan = _plan(home)
    if not yes:
        click.confirm(f"delete everything in {home}?", abort=True, err=True)
    life.end(home)
    life.remove(home)
    wanted = localnet_topology.load(None).with_overrides(
        operators=len(plan.operators), parameters=plan.parameters, chain_id=plan.chain_id
    )
    plan, _ = life.create_or_load(home, wanted)
    life.start(plan)
    states = _watch(plan, _READY_S, terminal(context))
    document = {**_endpoints(plan), "processes": states}
    terminal(context).result(document, lambda: _summary(plan))


@localnet.command(cls=TkmsCommand, hidden=True, example="tkms localnet supervise --home DIR")
@_HOME
@click.option("--owner", type=int, help="End when this process ends.")
def supervise(home: Path, owner: int | None) -> None:
    """Be the supervisor in the foreground (what `up` starts detached)."""
    from cli.localnet import supervisor as localnet_supervisor  # noqa: PLC0415

    localnet_supervisor.run(home, owner)


def _plan(home: Path) -> Any:
    from cli.localnet import plan as localnet_plan  # noqa: PLC0415

    return localnet_plan.load(home)


def _control(context: click.Context, home: Path, verb: str, names: tuple[str, ...]) -> None:
    """Stop, start or kill by name; without names the whole network."""
    from cli.localnet import life  # noqa: PLC0415

    out = terminal(context)
    plan = _plan(home)
    if names:
        states = life.ask(home, verb, names)
    elif verb == "stop":
        life.end(home)
        states = []
    else:
        life.resume(plan)
        states = _watch(plan, _READY_S, out)
    out.result(
        {"verb": verb, "names": list(names), "processes": states},
        lambda: _state_table(states) if states else "stopped; the data is kept",
    )


def _watch(plan: Any, timeout: float, out: Terminal) -> list[dict[str, Any]]:
    """Wait until ready with a live table on a terminal, a line a change elsewhere."""
    import sys  # noqa: PLC0415

    from cli.localnet import life  # noqa: PLC0415

    if out.as_json or not sys.stderr.isatty():
        said: set[str] = set()

        def note(states: list[dict[str, Any]]) -> None:
            for state in states:
                if state["state"] == "ready" and state["name"] not in said:
                    said.add(state["name"])
                    out.note(f"{state['name']} is ready")

        return life.wait_ready(plan, timeout, note)
    from rich.live import Live  # noqa: PLC0415

    with Live(console=console(stderr=True), transient=True) as live:
        return life.wait_ready(plan, timeout, lambda states: live.update(_state_table(states)))


def _state_table(states: list[dict[str, Any]]) -> Any:
    rows = [
        (state["name"], state["state"], state["pid"] or "-", state["restarts"]) for state in states
    ]
    return table("", ("process", "state", "pid", "restarts"), rows)


def _endpoints(plan: Any) -> dict[str, object]:
    return {
        "home": str(plan.home),
        "chain_id": plan.chain_id,
        "parameters": plan.parameters,
        "nodes": [operator.rpc_url for operator in plan.operators],
        "storage": plan.storage_url,
        "coprocessor": plan.coprocessor_url,
        "relay": plan.relay_address,
        "explorer": plan.explorer_url,
        "trusted_validators_hash": plan.validators_hash,
        "accounts": plan.accounts,
    }


def _summary(plan: Any) -> Any:
    rows = [(operator.name, operator.rpc_url) for operator in plan.operators]
    rows += [("storage", plan.storage_url), ("coprocessor", plan.coprocessor_url)]
    doors = [("relay (gRPC)", plan.relay_address), ("explorer", plan.explorer_url)]
    rows += [door for door in doors if door[1]]
    rows += [(f"account {name}", address) for name, address in plan.accounts.items()]
    return table(f"{plan.chain_id} is ready in {plan.home}", ("what", "where"), rows)
