"""Streams between cores: gRPC over mutual TLS.

Rules
1. Only holders of a certificate of a proven epoch can connect at all.
2. On EVERY message the sender's index must be the party that holds the connection's certificate
   in the message's epoch. A violation ends the stream.
3. A message is acknowledged after it was handed over; without that it is sent again.
"""

from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import structlog

from core.certificates import fingerprint, to_der
from core.errors import PeerError
from core.links import CHANNEL_OPTIONS, Identity, Link
from core.roster import Roster, UnknownEpochError
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2, peer_pb2_grpc

Receiver = Callable[[PartyId, peer_pb2.Envelope], Awaitable[None]]

_GRACE_S = 0.5

log = structlog.get_logger("core.peers")


class Peers(peer_pb2_grpc.PeerServiceServicer):
    """Our server for incoming streams and one outgoing link to each peer."""

    def __init__(self, identity: Identity, listen: str, receiver: Receiver) -> None:
        """Prepare; nobody is a peer until an epoch was learned."""
        self._identity = identity
        self._own = to_der(identity.certificate)
        self._listen = listen
        self._receiver = receiver
        self._links: dict[tuple[str, bytes], Link] = {}
        self._server: grpc.aio.Server | None = None
        self.roster = Roster()
        self.refused = 0

    async def start(self) -> int:
        """Serve; returns the port."""
        server = grpc.aio.server(options=CHANNEL_OPTIONS)
        peer_pb2_grpc.add_PeerServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        credentials = grpc.dynamic_ssl_server_credentials(
            self._configuration(), self._configuration, require_client_authentication=True
        )
        port = server.add_secure_port(self._listen, credentials)
        await server.start()
        self._server = server
        return port

    async def stop(self) -> None:
        """Close all streams."""
        for link in self._links.values():
            await link.stop()
        if self._server:
            await self._server.stop(_GRACE_S)

    def learn(self, epoch: config_pb2.Epoch) -> None:
        """Connect to the parties of a proven epoch, and let them connect."""
        self.roster.learn(epoch)
        for party in epoch.parties:
            key = (party.peer_address, party.tls_certificate)
            if party.tls_certificate != self._own and key not in self._links:
                self._links[key] = Link(self._identity, party)
                self._links[key].start()

    def send(self, recipient: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Queue a message to one party of the envelope's epoch; a full queue drops it."""
        link = self._link(envelope.epoch_id, recipient)
        if not link.send(envelope):
            log.warning("peer queue is full", peer=recipient, dropped=link.dropped)

    def broadcast(self, envelope: peer_pb2.Envelope) -> None:
        """Queue a message to every other party of its epoch."""
        for recipient in self.roster.parties(envelope.epoch_id):
            if recipient != envelope.sender:
                self.send(recipient, envelope)

    def connections(self) -> dict[PartyId, bool]:
        """Whether our stream to each other party of the latest epoch is open."""
        epoch_id = self.roster.latest()
        if not epoch_id:
            return {}
        found = {}
        for index, party in sorted(self.roster.parties(epoch_id).items()):
            link = self._links.get((party.peer_address, party.tls_certificate))
            if link is not None:
                found[index] = link.connected
        return found

    def _link(self, epoch_id: int, peer: PartyId) -> Link:
        """The link to another party of a learned epoch."""
        party = self.roster.parties(epoch_id)[peer]
        return self._links[(party.peer_address, party.tls_certificate)]

    def _configuration(self) -> grpc.ServerCertificateConfiguration:
        """TLS configuration of the next handshake: everybody of the epochs known by then."""
        roots = self.roster.root_certificates() or self._identity.certificate
        pair = (self._identity.key, self._identity.certificate)
        return grpc.ssl_server_certificate_configuration([pair], root_certificates=roots)

    async def Deliver(  # noqa: N802 - the name in the schema
        self,
        request_iterator: AsyncIterator[peer_pb2.Envelope],
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> AsyncIterator[peer_pb2.Ack]:
        """Take a peer's messages."""
        certificates = list(context.auth_context().get("x509_pem_cert", []))
        if not certificates:
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, "no certificate")
        connection = fingerprint(to_der(bytes(certificates[0])))
        received = 0
        async for envelope in request_iterator:
            try:
                sender = self.roster.require_sender(envelope.epoch_id, envelope.sender, connection)
            except UnknownEpochError as error:
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
            except PeerError as error:
                self.refused += 1
                log.warning("peer message refused", claimed=envelope.sender, reason=str(error))
                await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
            if not received:
                self._link(envelope.epoch_id, sender).retry()
            await self._receiver(sender, envelope)
            received += 1
            yield peer_pb2.Ack(received=received)
