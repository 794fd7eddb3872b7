"""Process `tkms relay`: the gateway's side of the chain."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from client.errors import ClientError
from client.logs import configure_logs
from client.settings import SettingsError
from connector.relay.assembly import Base, Relay
from connector.relay.follow import Follower
from connector.relay.hub import Hub
from connector.relay.node import NodeRpc
from connector.relay.server import Served, drain, serve
from connector.relay.settings import RelaySettings, load
from telemetry.errors import TelemetryError
from telemetry.listener import Listener

_LOG = structlog.get_logger(__name__)
_RETRY_S: Final = 0.3


def run(config: Path) -> None:
    """Serve until SIGTERM.

    Raises:
        SettingsError: the settings are not usable.
    """
    configure_logs()
    settings = load(config)
    asyncio.run(_until_signal(settings, config.resolve().parent))


async def _until_signal(settings: RelaySettings, folder: Path) -> None:
    serving = asyncio.create_task(_serve(settings, folder))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Once: a second cancellation would cut off the orderly end that the first one began.
        loop.add_signal_handler(number, lambda: serving.cancelling() or serving.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await serving


async def _serve(settings: RelaySettings, folder: Path) -> None:
    async with relay(settings, folder) as running:
        # Ends with an error, or when a signal cancels it; then the relay drains.
        await asyncio.shield(running.work)


@dataclass(frozen=True, slots=True)
class Running:
    """A relay that serves; `work` ends only with an error."""

    served: Served
    hub: Hub
    work: asyncio.Task[None]


@asynccontextmanager
async def relay(settings: RelaySettings, folder: Path) -> AsyncIterator[Running]:
    """Run all parts until the block ends, then drain."""
    base = Base.open(settings, folder)
    try:
        await _check_chain(base.rpc, settings.chain_id)
        built = Relay.build(base, settings)
        await _begin(built.follower)
        listener = _listen(settings, base, built)
        try:
            served = await serve(built.service, settings, folder)
            work = asyncio.create_task(built.work(served.health))
            _LOG.info("ready", service="relay", addresses=" ".join(served.addresses))
            try:
                yield Running(served, built.hub, work)
            finally:
                await drain(served, built.service, settings.drain_seconds)
                work.cancel()
                await asyncio.gather(work, return_exceptions=True)
        finally:
            if listener is not None:
                listener.stop()
    finally:
        await base.close()


def _listen(settings: RelaySettings, base: Base, built: Relay) -> Listener | None:
    """Serve numbers and health from now on; None where the settings name no address."""
    if not settings.metrics_listen:
        return None
    try:
        listener = Listener(settings.metrics_listen, base.meter.instruments, built.doctor.judge)
    except TelemetryError as error:
        raise SettingsError(str(error)) from error
    listener.start()
    return listener


async def _check_chain(rpc: NodeRpc, chain_id: str) -> None:
    """Wait for the node and make sure that it is on our chain."""
    said = False
    while True:
        try:
            status = await rpc.status()
        except ClientError as error:
            if not said:
                _LOG.warning("waiting for the node", error=str(error))
                said = True
            await asyncio.sleep(_RETRY_S)
            continue
        if status.chain_id != chain_id:
            raise SettingsError(f"the node is on chain {status.chain_id}, not {chain_id}")
        return


async def _begin(follower: Follower) -> None:
    """Wait until the node has told what calls need."""
    while True:
        try:
            await follower.begin()
        except ClientError as error:
            _LOG.warning("waiting for the node", error=str(error))
            await asyncio.sleep(_RETRY_S)
            continue
        return
