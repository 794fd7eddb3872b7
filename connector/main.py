"""Process `tkms connector`: one a core, no secret but the account that sends its answers."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import structlog

from client.chain import Chain
from client.errors import ClientError
from client.headers import HeaderChain, default_policy
from client.logs import configure_logs
from client.storage import StorageClient
from connector.core import CoreClient
from connector.cursor_file import FILE_NAME, CursorFile
from connector.database import Database
from connector.errors import ConnectorError
from connector.follow import Evidence, Follower, Submitter, SubmitterParts
from connector.fulfil import Collector, Spool, Uploader
from connector.herald import Herald
from connector.metrics import ConnectorMeter, MeteredRpc
from connector.outbox import Outbox, Sender
from connector.progress import ProgressRelay
from connector.settings import (
    ConnectorSettings,
    account,
    core_endpoint,
    load,
    storage_token,
    trusted_hash,
)
from connector.ticker import Ticker
from connector.watch import ConnectorHealth, Watch
from light import PinnedValidators
from telemetry.errors import TelemetryError
from telemetry.listener import Listener

_RETRY_S = 0.3

_LOG = structlog.get_logger(__name__)


def run(home: Path) -> None:
    """Carry until SIGTERM.

    Raises:
        SettingsError: `home`/connector.toml is not usable.
    """
    configure_logs()
    settings = load(home)
    asyncio.run(_until_signal(settings, home))


async def _until_signal(settings: ConnectorSettings, home: Path) -> None:
    work = asyncio.create_task(carry(settings, home))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Once: a second cancellation would cut off the orderly end that the first one began.
        loop.add_signal_handler(number, lambda: work.cancelling() or work.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def carry(settings: ConnectorSettings, home: Path) -> None:
    """Run all parts until cancelled."""
    signer = account(settings, home)
    policy = default_policy(settings.chain_id)
    database = Database(home / settings.database)
    core = CoreClient(*core_endpoint(settings, home))
    spool = Spool((home / settings.database).with_suffix(".spool"))
    token = storage_token(settings, home)
    meter = ConnectorMeter()
    async with (
        MeteredRpc(settings.rpc_url, meter) as rpc,
        StorageClient(settings.storage_url.split(), token) as storage,
    ):
        chain = Chain(rpc, HeaderChain(rpc, policy, PinnedValidators(trusted_hash(settings))))
        listener = _listen(settings, meter)
        try:
            await _wait_for_chain(chain, settings)
            evidence = Evidence(chain, settings.party)
            parts = SubmitterParts(chain, storage, core, database, evidence, meter)
            outbox = Outbox(chain, database, Sender(signer, settings.party), meter)
            progress = ProgressRelay(chain, signer)
            ticker = Ticker(rpc, settings.poll_seconds, meter)
            entries, uploads = asyncio.Event(), asyncio.Event()
            _LOG.info("ready", service="connector", party=settings.party, **database.counts())
            async with asyncio.TaskGroup() as group:
                group.create_task(ticker.run())
                group.create_task(Follower(chain, database, evidence, meter).run(ticker, entries))
                group.create_task(Herald(chain, core, database).run(ticker))
                group.create_task(Submitter(parts).run(entries, settings.poll_seconds))
                collector = Collector(core, database, spool, meter, progress.put)
                group.create_task(collector.run(uploads))
                group.create_task(progress.run(ticker))
                group.create_task(Uploader(storage, database, spool).run(uploads))
                group.create_task(outbox.run(ticker, settings.poll_seconds))
                group.create_task(Watch(chain, core, database, signer.address, meter).run())
                group.create_task(CursorFile(core, home / FILE_NAME).run())
        finally:
            if listener is not None:
                listener.stop()
            await core.close()
            database.close()


def _listen(settings: ConnectorSettings, meter: ConnectorMeter) -> Listener | None:
    """Serve numbers and health from now on; None where the settings name no address."""
    if not settings.metrics_listen:
        return None
    health = ConnectorHealth(meter, settings.commit_age_limit_seconds)
    try:
        listener = Listener(settings.metrics_listen, meter.instruments, health)
    except TelemetryError as error:
        raise ConnectorError(str(error)) from error
    listener.start()
    return listener


async def _wait_for_chain(chain: Chain, settings: ConnectorSettings) -> None:
    """Wait for the node and make sure that it is on our chain."""
    said = False
    while True:
        try:
            status = await chain.rpc.status()
        except ClientError as error:
            if not said:
                _LOG.warning("waiting for the node", error=str(error))
                said = True
            await asyncio.sleep(_RETRY_S)
            continue
        if status.chain_id != settings.chain_id:
            raise SystemExit(f"the node is on chain {status.chain_id}, not {settings.chain_id}")
        return
