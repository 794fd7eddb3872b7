"""The parts of a relay, put together in one visible order."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from client.chain import Chain
from client.headers import HeaderChain, default_policy
from client.storage import StorageClient
from connector.relay.broadcast import Broadcaster
from connector.relay.calls import Door
from connector.relay.database import Database
from connector.relay.follow import Follower, FollowerParts
from connector.relay.health import Doctor
from connector.relay.hub import Hub
from connector.relay.intake import Intake, IntakeParts, Limits
from connector.relay.metrics import RelayMeter
from connector.relay.node import BoundedRpc, NodeRpc
from connector.relay.payers import Payers
from connector.relay.pricing import Pricing
from connector.relay.results import Results
from connector.relay.service import GatewayService, ServiceParts
from connector.relay.settings import RelaySettings, payers, trusted_hash
from connector.relay.tokens import Quotas, Tokens
from connector.relay.watch import Watch
from connector.relay.writer import Writer
from light import PinnedValidators

_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Base:
    """What holds files and connections."""

    meter: RelayMeter
    door: Door
    payers: Payers
    database: Database
    writer: Writer
    rpc: NodeRpc
    # What callers ask goes through this one.
    asked: BoundedRpc
    chain: Chain
    storage: StorageClient | None

    @classmethod
    def open(cls, settings: RelaySettings, folder: Path) -> Self:
        """Open everything.

        Raises:
            SettingsError: a file is missing, wrong or in use.
        """
        meter = RelayMeter()
        accounts = Payers(payers(settings, folder), settings.balance_alarm_units)
        tokens = Tokens(folder / settings.token_file if settings.token_file else None)
        policy = default_policy(settings.chain_id)
        root = PinnedValidators(trusted_hash(settings))
        database = Database(folder / settings.database)
        asked = BoundedRpc(settings.rpc_url)
        return cls(
            meter,
            Door(tokens, meter),
            accounts,
            database,
            Writer(database),
            NodeRpc(settings.rpc_url),
            asked,
            Chain(asked, HeaderChain(asked, policy, root)),
            StorageClient(settings.storage_url.split()) if settings.storage_url else None,
        )

    async def close(self) -> None:
        """Write what waits, and close everything."""
        await self.writer.close()
        self.database.close()
        await self.rpc.close()
        await self.asked.close()
        if self.storage is not None:
            await self.storage.close()


@dataclass(frozen=True, slots=True)
class Relay:
    """What works."""

    hub: Hub
    service: GatewayService
    follower: Follower
    broadcaster: Broadcaster
    watch: Watch
    doctor: Doctor

    @classmethod
    def build(cls, base: Base, settings: RelaySettings) -> Self:
        """Put the parts together; goes on with what is on disk."""
        database, meter = base.database, base.meter
        hub, pricing = Hub(), Pricing()
        hub.publish(database.place("height") or 0, ())
        midnight = time.time() // _DAY_S * _DAY_S
        quotas = Quotas(database.units_since(midnight), database.undecided())
        broadcaster = Broadcaster(base.rpc, base.writer, hub, meter)
        broadcaster.resume(database.open_submissions())
        follower = FollowerParts(
            base.chain,
            base.rpc,
            base.writer,
            broadcaster,
            hub,
            pricing,
            base.payers,
            quotas,
            meter,
        )
        intake = IntakeParts(
            settings.chain_id,
            pricing,
            base.payers,
            quotas,
            base.writer,
            broadcaster,
            hub,
            meter,
            Limits(settings.ttl_blocks, settings.max_in_flight),
        )
        service = ServiceParts(
            base.chain,
            base.asked,
            database,
            hub,
            Intake(intake),
            broadcaster.taken,
            Results(base.chain, base.storage, meter),
            pricing,
            base.payers,
            quotas,
            settings.verdict_seconds,
        )
        return cls(
            hub,
            GatewayService(service, base.door),
            Follower(follower, settings.poll_seconds, settings.keep_blocks),
            broadcaster,
            Watch(database, base.payers, broadcaster, meter),
            Doctor(meter, base.writer, base.door, settings.commit_age_limit_seconds),
        )

    async def work(self, health: Any) -> None:
        """Do everything that no call asks for, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.follower.run())
            group.create_task(self.broadcaster.run())
            group.create_task(self.watch.run())
            group.create_task(self.doctor.run(health))
