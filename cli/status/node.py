"""How one node is: the phase it is in, and what that phase consists of.

stopped           nobody runs it here
starting          its processes run, RPC does not answer or has no block yet
failed            a process of it does not stay up
syncing-state     fetching a snapshot
syncing-blocks    replaying what the others have
following         takes part; the latest block is fresh
stalled           takes part, but the latest block is old: the chain does not grow
unreachable       somewhere else, and it does not answer
"""

import asyncio
import datetime as dt
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import CliError
from cli.home.files import OperatorFiles, read_toml

if TYPE_CHECKING:
    from client.rpc import ChainRpc

TIMEOUT_S = 10.0
_TROUBLED = ("failed", "back-off")
_SIGNED = 2


@dataclass(frozen=True, slots=True)
class Subject:
    """A node to look at: where RPC is, its home if it is on this machine, its supervisor's words."""

    name: str
    url: str
    files: OperatorFiles | None = None
    # Process name (node, engine, ...) -> what the supervisor says; empty when none runs.
    states: dict[str, dict[str, Any]] = field(default_factory=dict)
    stalled_after_s: float = 30.0


async def report(subject: Subject) -> dict[str, Any]:
    """Ask everything that answers, and say what is known."""
    from client.errors import ClientError  # noqa: PLC0415 - slow import
    from client.rpc import ChainRpc  # noqa: PLC0415

    found: dict[str, Any] = {"name": subject.name, "url": subject.url}
    try:
        async with ChainRpc(subject.url, timeout_s=TIMEOUT_S) as rpc:
            found |= _engine(await rpc.call("status"))
            found["peers"] = int((await rpc.document("net_info"))["n_peers"])
            found["phase"] = _phase_of_answer(subject, found)
            found |= await _guarded(_application(rpc, subject))
            found |= await _guarded(_votes(rpc, found["height"]))
    except (ClientError, KeyError, ValueError) as error:
        found["phase"] = _phase_of_silence(subject)
        found["detail"] = str(error)
    found["last_error"] = _last_error(subject)
    if subject.files is not None:
        found["snapshots"] = snapshots(subject.files)
    return found


def snapshots(files: OperatorFiles) -> list[int]:
    """Return the heights of local snapshots, oldest first."""
    folder = files.app / "snapshots"
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal())


def _engine(status: dict[str, Any]) -> dict[str, Any]:
    node, sync = status["node_info"], status["sync_info"]
    height = int(sync["latest_block_height"])
    moment = seconds(sync["latest_block_time"])
    validator = status["validator_info"]
    return {
        "chain_id": node["network"],
        "moniker": node["moniker"],
        "node_id": node["id"],
        "height": height,
        "earliest_height": int(sync["earliest_block_height"]),
        "block_age_s": round(time.time() - moment, 1) if height else None,
        "catching_up": bool(sync["catching_up"]),
        "app_version": int(node["protocol_version"]["app"]),
        "validator": validator["address"],
        "power": int(validator["voting_power"]),
    }


def seconds(text: str) -> float:
    """Return an RFC 3339 time with up to nine digits after the point."""
    head, _, fraction = text.rstrip("Z").partition(".")
    moment = dt.datetime.fromisoformat(head).replace(tzinfo=dt.UTC)
    return moment.timestamp() + float(f"0.{fraction or 0}")


def _phase_of_answer(subject: Subject, found: dict[str, Any]) -> str:
    if any(state.get("state") in _TROUBLED for state in subject.states.values()):
        return "failed"
    if found["catching_up"]:
        return "syncing-state" if not found["height"] and _fetches(subject) else "syncing-blocks"
    if not found["height"]:
        return "starting"
    return "stalled" if found["block_age_s"] > subject.stalled_after_s else "following"


def _fetches(subject: Subject) -> bool:
    """Whether the node was told to begin with a snapshot."""
    if subject.files is None:
        return False
    return bool(read_toml(subject.files.engine_config).get("statesync", {}).get("enable"))


def _phase_of_silence(subject: Subject) -> str:
    if any(state.get("state") in _TROUBLED for state in subject.states.values()):
        return "failed"
    if any(state.get("pid") for state in subject.states.values()):
        return "starting"
    return "unreachable" if subject.files is None else "stopped"


def _last_error(subject: Subject) -> str:
    for state in subject.states.values():
        if state.get("last_error"):
            return f"{state['name']}: {state['last_error']}"
    return ""


async def _application(rpc: "ChainRpc", subject: Subject) -> dict[str, Any]:
    """Return epoch and threshold margin: how many more parties may fail before requests stop."""
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415 - slow import

    answer = await rpc.abci_query("/config")
    if answer.code != 0:
        return {}
    epoch = state_pb2.ConfigView.FromString(answer.value).epoch
    parties = len(epoch.parties)
    needed = max(epoch.thresholds.user_decryption, epoch.thresholds.public_decryption)
    online = await _online(subject)
    return {
        "epoch": epoch.id,
        "parties": parties,
        "parties_needed": needed,
        # Only a core knows who answers it; None where there is none to ask.
        "parties_online": online,
        "threshold_margin": (parties if online is None else online) - needed,
    }


async def _online(subject: Subject) -> int | None:
    if subject.files is None or subject.files.core is None:
        return None
    reply = await core_status(subject.files.home)
    return None if reply is None else 1 + sum(peer.connected for peer in reply.peers)


async def core_status(home: Path) -> Any:
    """Return the account that a home's core gives of itself; None when it does not answer.

    It is asked as its connector asks it: it knows nobody else.
    """
    import grpc  # noqa: PLC0415 - slow import

    from client.settings import SettingsError  # noqa: PLC0415
    from connector.core import open_channel  # noqa: PLC0415
    from connector.settings import core_endpoint, load  # noqa: PLC0415
    from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc  # noqa: PLC0415

    folder = home / "connector"
    try:
        async with open_channel(*core_endpoint(load(folder), folder)) as channel:
            stub = core_pb2_grpc.CoreServiceStub(channel)  # type: ignore[no-untyped-call] # generated
            return await stub.Status(core_pb2.StatusRequest(), timeout=TIMEOUT_S)
    except (grpc.aio.AioRpcError, SettingsError, ValueError):
        return None


async def _votes(rpc: "ChainRpc", height: int) -> dict[str, Any]:
    """Return who signed the latest block, and how many validators more the chain can lose."""
    if height < 1:
        return {}
    commit = (await rpc.document("commit", height=str(height)))["signed_header"]["commit"]
    signed = {
        entry["validator_address"]
        for entry in commit["signatures"]
        if entry["block_id_flag"] == _SIGNED
    }
    listed = (await rpc.document("validators", height=str(height), per_page="100"))["validators"]
    powers = {entry["address"]: int(entry["voting_power"]) for entry in listed}
    return {
        "validators": len(powers),
        "validators_signed": len(signed),
        "validator_margin": spare(powers, signed),
    }


def spare(powers: dict[str, int], alive: set[str]) -> int:
    """Return how many of the living may fail, the strongest first, until two thirds are lacking."""
    total = sum(powers.values())
    left = sum(powers.get(address, 0) for address in alive)
    count = 0
    for power in sorted((powers.get(address, 0) for address in alive), reverse=True):
        left -= power
        if 3 * left <= 2 * total:
            break
        count += 1
    return count


async def _guarded(work: Any) -> dict[str, Any]:
    """Return what was found; a node that is starting answers some questions later."""
    from client.errors import ClientError  # noqa: PLC0415 - slow import

    try:
        async with asyncio.timeout(TIMEOUT_S):
            return dict(await work)
    except (ClientError, CliError, TimeoutError, KeyError, ValueError):
        return {}
