"""Peers as one of several cores of a party has them: what it sends says which runs are its own."""

import contextlib

from core.circles import Address
from core.peers import Peers
from core.roster import UnknownEpochError
from core.siblings import Siblings, run_of
from core.tls import Identity
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2


class SharedPeers(Peers):
    """All cores of the party listen on one port; the system gives a connection to one of them."""

    def __init__(self, identity: Identity, listen: str, siblings: Siblings) -> None:
        """`siblings` sorts what comes."""
        super().__init__(identity, listen, siblings.receive, shared=True)
        self._siblings = siblings
        siblings.on_heard = self._heard_by_sibling
        siblings.on_epoch = super().learn

    def send_to(
        self, recipient: Address, envelope: peer_pb2.Envelope, *, background: bool = False
    ) -> None:
        """Queue a message to one party; its run is here, unless we only answer what anybody can."""
        if envelope.WhichOneof("payload") != "record_part":
            self._siblings.own(run_of(envelope))
        super().send_to(recipient, envelope, background=background)

    def broadcast(self, envelope: peer_pb2.Envelope) -> None:
        """Queue a message to every other party of its epoch; its run is here."""
        self._siblings.own(run_of(envelope))
        super().broadcast(envelope)

    def learn(self, epoch: config_pb2.Epoch) -> None:
        """Connect to the parties of a proven epoch, and let them connect to any of us."""
        super().learn(epoch)
        self._siblings.learned(epoch)

    def heard(self, epoch_id: int, sender: PartyId) -> None:
        """A peer that speaks to one of us can be spoken to by all."""
        super().heard(epoch_id, sender)
        self._siblings.heard(epoch_id, sender)

    def _heard_by_sibling(self, epoch_id: int, sender: PartyId) -> None:
        with contextlib.suppress(UnknownEpochError):
            super().heard(epoch_id, sender)

    async def start(self) -> int:
        """Meet the siblings first."""
        await self._siblings.start()
        return await super().start()

    async def stop(self) -> None:
        """Close all streams."""
        await super().stop()
        await self._siblings.stop()
