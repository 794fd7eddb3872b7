"""Keys that the parties make together, and their shares anew: on whole local networks, through the chain.

Every time runs from the request sent until the chain has decided and the record is current.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Final

from bench.network import Network, network
from bench.report import Row, row
from cli import keygen
from cli.localnet import life
from cli.network import resolve
from cli.output import Terminal
from cli.session import Sending, Session
from client.chain import Chain
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

_CRS_BITS: Final = 2048
_REFRESHES: Final = 5
_TIMEOUT_S: Final = 3600.0
# Each is killed once: the supervisor lets one that died before wait longer.
_RESTARTED: Final = ("core2", "core3", "core4")
_KILLED: Final = "core1"


def measure() -> list[Row]:
    """Rows of generation, reference string, refresh and restart, named as in bench/README.md."""
    with network(4, "test") as running:
        _, rows = asyncio.run(_generate(running, "test", "engine.keygen_test"))
    with network(4, "production-64") as running:
        name = "engine.keygen_production64"
        key_id, made = asyncio.run(_generate(running, "production-64", name))
        return rows + made + asyncio.run(_afterwards(running, key_id))


def _session(running: Network) -> Session:
    network_of = resolve(running.plan.home, None, None, None)
    return Session(Terminal(as_json=True), network_of, Sending())


async def _generate(running: Network, parameters: str, name: str) -> tuple[bytes, list[Row]]:
    """Preprocessing and key; the most memory that a core ever had. Returns the key's id too."""
    session = _session(running)
    async with session.chain() as chain:
        started = time.monotonic()
        made = await keygen.make_preprocessing(session, chain, parameters, _TIMEOUT_S)
        preprocessed = time.monotonic() - started
        preprocessing = str(made["preprocessing_id"])
        made = await keygen.generate(session, chain, parameters, 0, _TIMEOUT_S, preprocessing)
        return bytes.fromhex(str(made["key_id"])), [
            row(f"{name}_s", "s", [time.monotonic() - started]),
            row(f"{name}_preprocessing_s", "s", [preprocessed]),
            row(f"{name}_mb", "MiB", _peaks(running)),
        ]


async def _afterwards(running: Network, key_id: bytes) -> list[Row]:
    """Reference string, refreshes, and a core that is killed and comes back."""
    session = _session(running)
    async with session.chain() as chain:
        crs = asc_pb2.RequestCrsGeneration(key_id=key_id, max_bits=_CRS_BITS)
        rows = [row("engine.crs_s", "s", [await _request(session, chain, crs)])]
        samples = [
            await _request(session, chain, asc_pb2.RequestRefresh()) for _ in range(_REFRESHES)
        ]
        rows.append(row("engine.refresh_s", "s", samples))
        rows.append(
            row("engine.restart_s", "s", [await _restart(running, name) for name in _RESTARTED])
        )
        life.ask(running.plan.home, "kill", [_KILLED])
        sample = await _request(session, chain, asc_pb2.RequestRefresh())
        rows.append(row("engine.refresh_while_a_core_restarts_s", "s", [sample]))
    return rows


async def _restart(running: Network, name: str) -> float:
    """Seconds from kill -9 of a core until another process in its place is ready."""

    def victim() -> dict[str, Any]:
        states = life.ask(running.plan.home, "status")
        return next(state for state in states if state["name"] == name)

    old, started = victim()["pid"], time.monotonic()
    life.ask(running.plan.home, "kill", [name])
    while True:
        # The supervisor takes a moment to notice: the old process may still be called ready.
        state = victim()
        if state["state"] == "ready" and state["pid"] != old:
            return time.monotonic() - started
        await asyncio.sleep(0.02)


def _peaks(running: Network) -> list[float]:
    """Peak resident memory of each core in MiB."""
    found = []
    for state in life.ask(running.plan.home, "status"):
        if str(state["name"]).startswith("core"):
            lines = Path(f"/proc/{state['pid']}/status").read_text().splitlines()
            found += [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")]
    return found


async def _request(session: Session, chain: Chain, request: Any) -> float:
    """Seconds of one request, all four parties answering."""
    names = {
        asc_pb2.RequestCrsGeneration: "request_crs_generation",
        asc_pb2.RequestRefresh: "request_refresh",
    }
    name = names[type(request)]
    started = time.monotonic()
    message = tx_pb2.Message(**{name: request})
    await keygen.request_and_wait(session, chain, message, _TIMEOUT_S, name)
    return time.monotonic() - started
