"""`tkms status`: every process and the chain, in one table with a usable exit code."""

import asyncio
from pathlib import Path
from typing import Any

import click

from cli.errors import ExitCode
from cli.lazy import TkmsCommand
from cli.output import table
from cli.session import Session, with_session

_TIMEOUT_S = 3.0
_SHOWN = (
    "phase",
    "height",
    "block_age_s",
    "peers",
    "catching_up",
    "chain_id",
    "app_version",
    "epoch",
    "parties_online",
    "parties",
    "threshold_margin",
    "validators_signed",
    "validators",
    "validator_margin",
    "power",
    "snapshots",
    "last_error",
)


@click.command(
    cls=TkmsCommand,
    example="tkms status\ntkms status --home DIR\ntkms status -o json --node http://host:26657",
)
@click.option(
    "--stalled-after",
    type=float,
    default=30.0,
    show_default=True,
    help="Seconds without a block after which the chain counts as stalled.",
)
@with_session()
@click.pass_context
def status(context: click.Context, session: Session, stalled_after: float) -> None:
    """Ask every process that is known how it is: of a home, a local network, or behind --node.

    Phases of a node: stopped, starting, failed, syncing-state, syncing-blocks, following, stalled.
    threshold_margin: how many more parties may fail before requests stop. validator_margin: the same
    for blocks.

    Exit code 0: all well, nodes follow; 1: something is not; 4: nothing answers.
    """
    rows, nodes = asyncio.run(_collect(session, stalled_after))
    good = [row for row in rows if row["state"] == "ok"]
    document = {"ok": len(good) == len(rows), "processes": rows, "nodes": nodes}
    session.out.result(document, lambda: _text(rows, nodes))
    if not good and all(row["state"] in {"unreachable", "stopped"} for row in rows):
        context.exit(int(ExitCode.UNREACHABLE))
    if len(good) < len(rows):
        context.exit(int(ExitCode.FAILURE))


async def _collect(
    session: Session, stalled_after: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return a row a process, and a report a node."""
    from cli.status import node as node_status  # noqa: PLC0415

    network = session.network
    subjects, work, rows = _subjects(session, stalled_after)
    work += [
        _service(name, str(getattr(network, name)))
        for name in ("storage", "coprocessor")
        if getattr(network, name)
    ]
    nodes = list(await asyncio.gather(*(node_status.report(subject) for subject in subjects)))
    found = [_node_row(node) for node in nodes]
    for more in await asyncio.gather(*work):
        found += more
    return found + rows, nodes


def _subjects(
    session: Session, stalled_after: float
) -> tuple[list[Any], list[Any], list[dict[str, Any]]]:
    """Return the nodes to ask, what else to ask, and what the supervisor has said already."""
    from cli.home.files import OperatorFiles  # noqa: PLC0415
    from cli.status.node import Subject  # noqa: PLC0415

    network = session.network
    if network.home is not None:
        from cli.localnet import plan as localnet_plan  # noqa: PLC0415

        states, rows = _supervised(network.home, "the local network")
        subjects, work = [], []
        for operator in localnet_plan.load(network.home).operators:
            files = OperatorFiles.of(network.home / operator.name)
            number = str(operator.index)
            own = {name: state for name, state in states.items() if name[-1:] == number}
            own = {n: s for n, s in own.items() if n.rstrip("0123456789") in {"node", "engine"}}
            subjects.append(Subject(operator.name, operator.rpc_url, files, own, stalled_after))
            work.append(_core(f"core{number}", files.home))
        return subjects, work, rows + _supervised_only(states)
    if session.operator is not None:
        files = OperatorFiles.of(session.operator)
        states, _ = _supervised(files.home, "this home")
        subject = Subject("node", files.rpc_url(), files, states, stalled_after)
        work = []
        if files.core is not None and "core" in states:
            work.append(_core("core", files.home))
        return [subject], work, _supervised_only(states)
    return [Subject("node", network.node, stalled_after_s=stalled_after)], [], []


def _node_row(node: dict[str, Any]) -> dict[str, Any]:
    phase = str(node["phase"])
    state = "ok" if phase == "following" else phase
    if "chain_id" not in node:
        return _row(str(node["name"]), state, detail=str(node.get("detail", "")))
    detail = f"{node['chain_id']}, {node.get('peers', '?')} peers, {node['url']}"
    return _row(str(node["name"]), state, int(node["height"]), detail)


async def _core(name: str, home: Path) -> list[dict[str, Any]]:
    from cli.status.node import core_status  # noqa: PLC0415

    found = await core_status(home)
    if found is None:
        return [_row(name, "unreachable", detail=str(home / "core"))]
    connected = sum(peer.connected for peer in found.peers)
    detail = (
        f"party {found.party}, epoch {found.epoch_id}, {len(found.key_ids)} keys, "
        f"{connected}/{len(found.peers)} peers, {found.answered}/{found.accepted} answered"
    )
    if found.developer_mode:
        detail += ", DEVELOPER MODE: not for real secrets"
    return [_row(name, "ok", found.trusted_height, detail)]


async def _service(name: str, url: str) -> list[dict[str, Any]]:
    import aiohttp  # noqa: PLC0415 - slow import

    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(f"{url}/healthz") as response,
        ):
            good = response.ok
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        return [_row(name, "unreachable", detail=type(error).__name__)]
    return [_row(name, "ok" if good else "failed", detail=url)]


def _supervised(home: Path, what: str) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """Return what the supervisor says of each process; a row that says so when none answers."""
    from cli.supervision import client as supervisor_client  # noqa: PLC0415

    try:
        states = supervisor_client.ask(home, "status")
    except supervisor_client.NotRunningError:
        return {}, [_row("supervisor", "unreachable", detail=f"{what} does not run")]
    return {str(state["name"]): state for state in states}, []


def _supervised_only(states: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows of those that are known by their supervisor alone."""
    rows = []
    for name, state in states.items():
        if name.startswith(("connector", "relay", "explorer")):
            good = state["state"] == "ready"
            detail = f"pid {state['pid']}, {state['restarts']} restarts"
            rows.append(_row(name, "ok" if good else state["state"], detail=detail))
    return rows


def _row(name: str, state: str, height: int | str = "", detail: str = "") -> dict[str, Any]:
    return {"process": name, "state": state, "height": height, "detail": detail}


def _text(rows: list[dict[str, Any]], nodes: list[dict[str, Any]]) -> object:
    """Draw the processes, and of the nodes what an operator looks for first."""
    from rich.console import Group  # noqa: PLC0415 - slow import

    columns = ("process", "state", "height", "detail")
    processes: Any = table("", columns, [[row.get(name, "") for name in columns] for row in rows])
    names = [
        name for name in _SHOWN if any(node.get(name) not in {None, ""} for node in _flat(nodes))
    ]
    if not names:
        return processes
    details: Any = table(
        "",
        ("", *(str(node["name"]) for node in nodes)),
        [[name, *(node.get(name, "") for node in _flat(nodes))] for name in names],
    )
    return Group(processes, details)


def _flat(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return reports whose lists are text."""
    return [
        {
            name: ", ".join(map(str, value)) or "none" if isinstance(value, list) else value
            for name, value in node.items()
        }
        for node in nodes
    ]
