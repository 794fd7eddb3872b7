"""What the flows work with, and how they remember where they were."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TypeVar

from core.authorize import Permission
from core.dealer import Dealer
from core.epoch_keys import EpochKeys
from core.epochs import Epochs
from core.flows.progress import Progress
from core.host import Accuse, Host
from core.journal import Journal
from core.peers import Peers
from core.publish import Storage
from core.records import Records
from core.signer import ResultSigner
from core.vault import Vault
from mpc.session import Blame
from wire.ids import PartyId
from wire.pb.tkms.core.v1 import core_pb2

_ROUND_S = 20.0
_SHORT_ROUND_S = 5.0

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Tools:
    """Parts of one core."""

    journal: Journal
    vault: Vault
    host: Host
    peers: Peers
    epochs: Epochs
    epoch_keys: EpochKeys
    signer: ResultSigner
    progress: Progress
    dealer: Dealer
    records: Records
    # Where arithmetic of flows runs: it must delay nothing.
    background: Executor
    # Told of an epoch in which a key has shares: makes material for decryptions.
    prepare: Callable[[int], None]
    storage: Storage | None = None
    recorded: Callable[[], None] = field(default=lambda: None)

    async def compute(self, work: Callable[[], Value]) -> Value:
        """Run arithmetic of a flow where it delays nothing."""
        return await asyncio.get_running_loop().run_in_executor(self.background, work)

    def round_timeout_s(self, *epoch_ids: int) -> float:
        """How long a synchronous round waits: short where somebody cannot be reached anyway."""
        own = [epoch_id for epoch_id in epoch_ids if self.peers.belongs(epoch_id)]
        return _ROUND_S if all(map(self.host.connected, own)) else _SHORT_ROUND_S

    async def step(self, permission: Permission, name: str) -> bytes | None:
        """What an earlier run of this process, or this one, finished under a name."""
        return await asyncio.to_thread(self.journal.step, permission.request_id, name)

    async def finish_step(self, permission: Permission, name: str, value: bytes) -> None:
        """Remember durably that a part of a request is done, and its public outcome."""
        await asyncio.to_thread(self.journal.save_step, permission.request_id, name, value)

    def accuse(
        self,
        permission: Permission,
        accusable: Callable[[PartyId], PartyId | None] = lambda party: party,
    ) -> Accuse:
        """What a run of this request does about parties that deviate: record it, once a party.

        `accusable` gives a party of the run its number for the chain, if it has one.
        """

        async def record(blame: Blame) -> None:
            party = accusable(blame.party)
            if party is None or party == permission.party:
                return
            result: core_pb2.Result = self.signer.accusation(permission, party)
            new = await asyncio.to_thread(self.journal.accuse, permission.request_id, party, result)
            if new:
                self.recorded()

        return record
