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


@click.command(cls=TkmsCommand, example="tkms status\ntkms status -o json --node http://host:26657")
@with_session()
@click.pass_context
def status(context: click.Context, session: Session) -> None:
    """Ask every process that is known how it is.

    Exit code 0: all well; 1: something is not; 4: nothing answers.
    """
    rows = asyncio.run(_collect(session))
    good = [row for row in rows if row["state"] == "ok"]
    document = {"ok": len(good) == len(rows), "processes": rows}
    columns = ("process", "state", "height", "detail")
    session.out.result(
        document,
        lambda: table("", columns, [[row.get(name, "") for name in columns] for row in rows]),
    )
    if not good:
        context.exit(int(ExitCode.UNREACHABLE))
    if len(good) < len(rows):
        context.exit(int(ExitCode.FAILURE))


async def _collect(session: Session) -> list[dict[str, Any]]:
    network = session.network
    work = []
    if network.home is not None:
        from cli import localnet_plan  # noqa: PLC0415

        plan = localnet_plan.load(network.home)
        for operator in plan.operators:
            folder = plan.folder(operator)
            work.append(_node(f"node{operator.index}", operator.rpc_url))
            work.append(_core(f"core{operator.index}", folder / "core" / "core.sock"))
        work.append(asyncio.to_thread(_supervised, network.home))
    else:
        work.append(_node("node", network.node))
    work += [
        _service(name, str(getattr(network, name)))
        for name in ("storage", "coprocessor")
        if getattr(network, name)
    ]
    rows: list[dict[str, Any]] = []
    for found in await asyncio.gather(*work):
        rows += found
    return rows


async def _node(name: str, url: str) -> list[dict[str, Any]]:
    from client.errors import ClientError  # noqa: PLC0415 - slow import
    from client.rpc import ChainRpc  # noqa: PLC0415

    try:
        async with ChainRpc(url, timeout_s=_TIMEOUT_S) as rpc:
            found = await rpc.status()
            peers = int((await rpc.document("net_info"))["n_peers"])
    except ClientError as error:
        return [_row(name, "unreachable", detail=str(error))]
    state = "catching-up" if found.catching_up else "ok"
    return [_row(name, state, found.latest_height, f"{found.chain_id}, {peers} peers, {url}")]


async def _core(name: str, socket: Path) -> list[dict[str, Any]]:
    import grpc  # noqa: PLC0415 - slow import

    from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc  # noqa: PLC0415

    try:
        async with grpc.aio.insecure_channel(f"unix:{socket}") as channel:
            stub = core_pb2_grpc.CoreServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            found = await stub.Status(core_pb2.StatusRequest(), timeout=_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        return [_row(name, "unreachable", detail=error.code().name.lower())]
    connected = sum(peer.connected for peer in found.peers)
    detail = (
        f"party {found.party}, epoch {found.epoch_id}, {len(found.key_ids)} keys, "
        f"{connected}/{len(found.peers)} peers, {found.answered}/{found.accepted} answered"
    )
    if found.developer_mode:
        detail += ", developer mode"
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


def _supervised(home: Path) -> list[dict[str, Any]]:
    """Return connectors (they serve nothing) and whatever the supervisor has to restart."""
    from cli import localnet_life  # noqa: PLC0415

    try:
        states = localnet_life.ask(home, "status")
    except localnet_life.NotRunningError as error:
        return [_row("supervisor", "unreachable", detail=error.sentence)]
    rows = []
    for state in states:
        if str(state["name"]).startswith("connector"):
            good = state["state"] == "ready"
            detail = f"pid {state['pid']}, {state['restarts']} restarts"
            rows.append(_row(state["name"], "ok" if good else state["state"], detail=detail))
    return rows


def _row(name: str, state: str, height: int | str = "", detail: str = "") -> dict[str, Any]:
    return {"process": name, "state": state, "height": height, "detail": detail}
