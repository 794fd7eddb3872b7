"""Hosts of several cores in one process, and a network between them that tests can disturb."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from core.circles import Address
from core.host import Host
from core.records import Records
from core.roster import UnknownEpochError
from core.sent import SentMessages
from core.threads import Threads, with_background
from core.vault import Vault
from mpc.exchange import Setting
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

EPOCH = 1

Filter = Callable[[PartyId, PartyId, peer_pb2.Envelope], bool]
"""Sender, recipient, message: whether it is delivered."""


@dataclass(slots=True)
class HostNetwork:
    """Delivers in order; `passes` decides what gets lost."""

    parties: int
    threshold: int
    passes: Filter = lambda *_: True
    hosts: dict[PartyId, Host] = field(default_factory=dict)
    # Takes what is no round message.
    records: dict[PartyId, Records] = field(default_factory=dict)
    log: list[tuple[PartyId, PartyId, peer_pb2.Envelope]] = field(default_factory=list)
    threads: Threads = field(default_factory=lambda: with_background(ThreadPoolExecutor(1)))

    def start(self, party: int, vault: Vault | None = None) -> Host:
        """A new process of a party: everything in memory is lost."""
        number = PartyId(party)
        clock = asyncio.get_running_loop().time
        end = End(self, number)
        self.hosts[number] = Host(end, self.threads, SentMessages(clock, vault), clock)
        return self.hosts[number]

    def start_all(self) -> list[Host]:
        """A new process of every party."""
        return [self.start(number) for number in range(1, self.parties + 1)]

    def stop(self, party: int) -> None:
        """A process that is dead."""
        del self.hosts[PartyId(party)]

    async def close(self) -> None:
        """End all."""
        for host in self.hosts.values():
            await host.close()
        self.threads.online.shutdown()
        self.threads.close()

    def deliver(self, sender: PartyId, recipient: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Put a message through."""
        self.log.append((sender, recipient, envelope))
        copy = peer_pb2.Envelope.FromString(envelope.SerializeToString())
        if self.passes(sender, recipient, copy):
            asyncio.get_running_loop().call_soon(self._arrive, sender, recipient, copy)

    def _arrive(self, sender: PartyId, recipient: PartyId, envelope: peer_pb2.Envelope) -> None:
        if recipient not in self.hosts:
            return
        if envelope.HasField("round_message"):
            self.hosts[recipient].receive(sender, envelope)
        elif recipient in self.records:
            self.records[recipient].receive(sender, envelope)


@dataclass(frozen=True, slots=True)
class End:
    """One party's end."""

    network: HostNetwork
    party: PartyId

    def setting(self, epoch_id: int) -> Setting:
        """Everybody is in every epoch up to the tenth."""
        if not 1 <= epoch_id <= 10:
            raise UnknownEpochError(f"epoch {epoch_id} is not proven yet")
        return Setting(self.network.parties, self.network.threshold, self.party)

    def connected(self, epoch_id: int) -> bool:
        """Whether nobody is down."""
        return epoch_id > 0 and len(self.network.hosts) == self.network.parties

    def send_to(
        self,
        recipient: Address,
        envelope: peer_pb2.Envelope,
        *,
        background: bool = False,  # noqa: ARG002 - one queue for all
    ) -> None:
        """Deliver."""
        assert threading.current_thread() is threading.main_thread()
        self.network.deliver(self.party, recipient.party, envelope)
