"""Streams between cores over real mutual TLS: identity, order, resending, bounds."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest

from core import links
from core.certificates import generate, server_name, to_der
from core.links import CHANNEL_OPTIONS, Identity, Link
from core.peers import Peers
from tests.support.core_network import free_port
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2, peer_pb2_grpc

WAIT_S = 20.0


class Party:
    """One end: identity, address, and what it received."""

    def __init__(self, number: int) -> None:
        """Make a certificate and choose a port."""
        self.number = PartyId(number)
        self.identity = Identity(*generate(f"party-{number}"))
        self.address = f"127.0.0.1:{free_port()}"
        self.received: asyncio.Queue[tuple[PartyId, peer_pb2.Envelope]] = asyncio.Queue()
        self.peers = self.new_peers()

    def new_peers(self) -> Peers:
        """Streams as after a start of the process."""

        async def receive(sender: PartyId, envelope: peer_pb2.Envelope) -> None:
            await self.received.put((sender, envelope))

        self.peers = Peers(self.identity, self.address, receive)
        return self.peers

    @property
    def record(self) -> config_pb2.Party:
        """Entry of the epoch record."""
        return config_pb2.Party(
            index=self.number,
            tls_certificate=to_der(self.identity.certificate),
            peer_address=self.address,
        )

    async def next(self) -> tuple[PartyId, peer_pb2.Envelope]:
        """The next message."""
        return await asyncio.wait_for(self.received.get(), WAIT_S)


def epoch_of(*parties: Party, number: int = 1) -> config_pb2.Epoch:
    """An epoch record."""
    return config_pb2.Epoch(id=number, parties=[party.record for party in parties])


def envelope(sender: int, request: bytes = b"r" * 20, epoch: int = 1) -> peer_pb2.Envelope:
    """A message."""
    return peer_pb2.Envelope(epoch_id=epoch, request_id=request, sender=sender)


@asynccontextmanager
async def serving(*parties: Party) -> AsyncIterator[None]:
    """Parties that know each other."""
    for party in parties:
        await party.peers.start()
        party.peers.learn(epoch_of(*parties))
    try:
        yield
    finally:
        for party in parties:
            await party.peers.stop()


async def deliver(
    target: Party, identity: Identity | None, message: peer_pb2.Envelope
) -> grpc.StatusCode:
    """Send one message with any identity, as an attacker does; the code that came back."""
    der = to_der(target.identity.certificate)
    credentials = grpc.ssl_channel_credentials(
        target.identity.certificate,
        identity.key if identity else None,
        identity.certificate if identity else None,
    )
    options = (
        *CHANNEL_OPTIONS,
        ("grpc.ssl_target_name_override", server_name(der)),
        ("grpc.use_local_subchannel_pool", 1),
    )
    async with grpc.aio.secure_channel(target.address, credentials, options) as channel:

        async def once() -> AsyncIterator[peer_pb2.Envelope]:
            yield message

        call = peer_pb2_grpc.PeerServiceStub(channel).Deliver(once(), timeout=WAIT_S)
        try:
            async for _ in call:
                pass
        except grpc.aio.AioRpcError as error:
            return error.code()
        return await call.code()


async def test_messages_arrive_in_order_with_their_sender() -> None:
    """Both directions, and a broadcast leaves out ourselves."""
    one, two, three = Party(1), Party(2), Party(3)
    async with serving(one, two, three):
        for number in range(50):
            one.peers.send(PartyId(2), envelope(1, number.to_bytes(20, "big")))
        for number in range(50):
            assert await two.next() == (1, envelope(1, number.to_bytes(20, "big")))
        two.peers.broadcast(envelope(2))
        assert await one.next() == (2, envelope(2))
        assert await three.next() == (2, envelope(2))
        assert two.received.empty()
        three.peers.send(PartyId(1), envelope(3))
        assert await one.next() == (3, envelope(3))
        assert set(one.peers.connections()) == {2, 3}
        assert one.peers.connections()[PartyId(2)]


async def test_strangers_cannot_connect() -> None:
    """No certificate, or one that no epoch names: the handshake fails."""
    one, two = Party(1), Party(2)
    async with serving(one, two):
        stranger = Identity(*generate("party-2"))
        assert await deliver(one, stranger, envelope(2)) is grpc.StatusCode.UNAVAILABLE
        assert await deliver(one, None, envelope(2)) is grpc.StatusCode.UNAVAILABLE
        assert await deliver(one, two.identity, envelope(2)) is grpc.StatusCode.OK
        assert await one.next() == (2, envelope(2))
        assert one.received.empty()


async def test_a_party_cannot_speak_for_another() -> None:
    """The index of every message must be the certificate's party; also after a good message."""
    one, two, three = Party(1), Party(2), Party(3)
    async with serving(one, two, three):
        for claimed in (1, 3, 0, 4):
            code = await deliver(one, two.identity, envelope(claimed))
            assert code is grpc.StatusCode.PERMISSION_DENIED
        assert one.peers.refused == 4
        assert one.received.empty()
        two.peers.send(PartyId(1), envelope(2))
        two.peers.send(PartyId(1), envelope(3))
        assert await one.next() == (2, envelope(2))
        while one.peers.refused < 5:  # noqa: ASYNC110 - counts what crosses a socket
            await asyncio.sleep(0.01)
        assert one.received.empty()


async def test_an_index_counts_in_the_messages_epoch() -> None:
    """Party 2 of epoch 1 is not party 2 of epoch 2, and unknown epochs may be tried again."""
    one, two, three = Party(1), Party(2), Party(3)
    async with serving(one, two, three):
        newcomer = Party(2)
        one.peers.learn(epoch_of(one, newcomer, number=2))
        code = await deliver(one, two.identity, envelope(2, epoch=2))
        assert code is grpc.StatusCode.PERMISSION_DENIED
        assert await deliver(one, newcomer.identity, envelope(2, epoch=2)) is grpc.StatusCode.OK
        assert await deliver(one, newcomer.identity, envelope(2)) is (
            grpc.StatusCode.PERMISSION_DENIED
        )
        code = await deliver(one, two.identity, envelope(2, epoch=3))
        assert code is grpc.StatusCode.FAILED_PRECONDITION


async def test_a_certificate_issued_by_a_party_is_not_the_party() -> None:
    """The pinned bytes count, not the chain of trust: no party can make a second identity."""
    one, two = Party(1), Party(2)
    issued = _issued_by(two.identity)
    async with serving(one, two):
        code = await deliver(one, issued, envelope(2))
        assert code in {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAVAILABLE}
        assert one.received.empty()


def _issued_by(issuer: Identity) -> Identity:
    """A certificate that a party's own key signed for another key."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    parent = x509.load_pem_x509_certificate(issuer.certificate)
    parent_key = serialization.load_pem_private_key(issuer.key, None)
    assert isinstance(parent_key, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(parent.subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("party-2")]), critical=True)
        .sign(parent_key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return Identity(private, certificate.public_bytes(serialization.Encoding.PEM))


async def test_unacknowledged_messages_are_sent_again() -> None:
    """What was queued while the peer was down arrives when it is back."""
    one, two = Party(1), Party(2)
    async with serving(one, two):
        one.peers.send(PartyId(2), envelope(1, b"a" * 20))
        assert (await two.next())[1].request_id == b"a" * 20
        await two.peers.stop()
        for letter in (b"b", b"c"):
            one.peers.send(PartyId(2), envelope(1, letter * 20))
        two.new_peers()
        await two.peers.start()
        two.peers.learn(epoch_of(one, two))
        # Waking the link: it hears the peer before its back-off ends.
        two.peers.send(PartyId(1), envelope(2))
        seen = [(await two.next())[1].request_id[:1] for _ in range(2)]
        assert seen[-2:] == [b"b", b"c"]


async def test_a_full_queue_drops_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is away for long costs bounded memory."""
    monkeypatch.setattr(links, "_MAX_PENDING", 3)
    link = Link(Party(1).identity, Party(2).record)
    assert [link.send(envelope(1)) for _ in range(5)] == [True, True, True, False, False]
    assert link.dropped == 2
    assert "PRIVATE" not in repr(Party(1).identity)
