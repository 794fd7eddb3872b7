"""Streams between cores: frames over mutual TLS, two a pair and direction.

Rules
1. Only holders of a certificate of a proven epoch can connect at all.
2. On EVERY message the sender's index must be the party that holds the connection's certificate
   in the message's epoch. A violation ends the stream.
3. A message is acknowledged after it was handed over; without that it is sent again.
4. Messages of background runs have a stream of their own, so that nothing else waits behind them.
"""

import asyncio

import structlog

from core.certificates import to_der, to_pem
from core.circles import Address
from core.incoming import Incoming, Receiver
from core.links import Link
from core.roster import Roster
from core.seats import MAX_SEATS
from core.tls import Identity, server_context, trust
from mpc.exchange import Setting
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

_MAX_STREAMS = 4 * MAX_SEATS
"""Open streams of one certificate: two a core of that party, and as many that its end lost silently."""

_HANDSHAKE_S = 10.0

log = structlog.get_logger("core.peers")


class Peers:
    """Our server for incoming streams and two outgoing links to each peer."""

    def __init__(
        self, identity: Identity, listen: str, receiver: Receiver, *, shared: bool = False
    ) -> None:
        """Prepare; nobody is a peer until an epoch was learned. `shared`: other processes listen too."""
        self._shared = shared
        self._identity = identity
        self._own = to_der(identity.certificate)
        self._listen = listen
        self._receiver = receiver
        self._context = server_context(identity)
        self._links: dict[tuple[str, bytes, bool], Link] = {}
        self._streams: list[Incoming] = []
        self._server: asyncio.Server | None = None
        self.roster = Roster()
        self.refused = 0

    async def start(self) -> int:
        """Serve; returns the port."""
        host, _, port = self._listen.rpartition(":")
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Incoming(self, self._receiver),
            host.strip("[]"),
            int(port),
            ssl=self._context,
            ssl_handshake_timeout=_HANDSHAKE_S,
            reuse_port=self._shared or None,
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close all streams."""
        for link in self._links.values():
            await link.stop()
        if self._server:
            self._server.close()
        for stream in list(self._streams):
            stream.close()
        if self._server:
            await self._server.wait_closed()

    def learn(self, epoch: config_pb2.Epoch) -> None:
        """Connect to the parties of a proven epoch, and let them connect."""
        self.roster.learn(epoch)
        for party in epoch.parties:
            if party.tls_certificate == self._own:
                continue
            for background in (False, True):
                key = (party.peer_address, party.tls_certificate, background)
                if key not in self._links:
                    trust(self._context, to_pem(party.tls_certificate))
                    self._links[key] = Link(self._identity, party)
                    self._links[key].start()

    def setting(self, epoch_id: int) -> Setting:
        """How protocols of a learned epoch are set up here."""
        return self.roster.setting(epoch_id, self._own)

    def send(self, recipient: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Queue a message to one party of the envelope's epoch; a full queue drops it."""
        self.send_to(Address(envelope.epoch_id, recipient), envelope)

    def send_to(
        self, recipient: Address, envelope: peer_pb2.Envelope, *, background: bool = False
    ) -> None:
        """Queue a message to a party that may be of another epoch than we are in the envelope."""
        message = envelope.SerializeToString()
        self._queue(*recipient, message, background=background)

    def broadcast(self, envelope: peer_pb2.Envelope) -> None:
        """Queue a message to every other party of its epoch."""
        message = envelope.SerializeToString()
        for recipient in self.roster.parties(envelope.epoch_id):
            if recipient != envelope.sender:
                self._queue(envelope.epoch_id, recipient, message)

    def connections(self) -> dict[PartyId, bool]:
        """Whether our streams to each other party of the latest epoch are open."""
        epoch_id = self.roster.latest()
        if not epoch_id:
            return {}
        found = {}
        for index, party in sorted(self.roster.parties(epoch_id).items()):
            ends = [
                self._links.get((party.peer_address, party.tls_certificate, background))
                for background in (False, True)
            ]
            if all(ends):
                found[index] = all(link is not None and link.connected for link in ends)
        return found

    def belongs(self, epoch_id: int) -> bool:
        """Whether we are a party of a learned epoch."""
        parties = self.roster.parties(epoch_id).values()
        return any(party.tls_certificate == self._own for party in parties)

    def connected(self, epoch_id: int) -> bool:
        """Whether our streams to all other parties of an epoch are open."""
        own = self.setting(epoch_id).party
        others = [party for party in self.roster.parties(epoch_id) if party != own]
        return all(
            self._link(epoch_id, party, background=background).connected
            for party in others
            for background in (False, True)
        )

    def opened(self, stream: Incoming) -> None:
        """Keep few streams of one peer: the youngest."""
        same = [other for other in self._streams if other.certificate == stream.certificate]
        for old in same[: max(0, len(same) + 1 - _MAX_STREAMS)]:
            old.close()
        self._streams.append(stream)

    def heard(self, epoch_id: int, sender: PartyId) -> None:
        """A peer that speaks can be spoken to."""
        for background in (False, True):
            self._link(epoch_id, sender, background=background).retry()

    def closed(self, stream: Incoming) -> None:
        """A stream is over."""
        if stream in self._streams:
            self._streams.remove(stream)

    def _queue(
        self, epoch_id: int, recipient: PartyId, message: bytes, *, background: bool = False
    ) -> None:
        link = self._link(epoch_id, recipient, background=background)
        if not link.send(message):
            log.warning("peer queue is full", peer=recipient, dropped=link.dropped)

    def _link(self, epoch_id: int, peer: PartyId, *, background: bool) -> Link:
        """The link to another party of a learned epoch."""
        party = self.roster.parties(epoch_id)[peer]
        return self._links[(party.peer_address, party.tls_certificate, background)]
