"""Streams between cores over real mutual TLS: identity, order, resending, bounds."""

import asyncio
import sqlite3
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from core import frames, links
from core.certificates import generate, server_name, to_der
from core.circles import Address
from core.errors import PeerError
from core.frames import REFUSED, UNKNOWN_EPOCH, Frames, Numbers, frame
from core.links import Link
from core.peers import Peers
from core.tls import Identity, client_context
from tests.support.ports import free_port
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

WAIT_S = 20.0


class Party:
    """One end: identity, address, and what it received."""

    def __init__(self, number: int) -> None:
        """Make a certificate and choose a port."""
        self.number = PartyId(number)
        self.identity = Identity(*generate(f"party-{number}"))
        self.address = f"127.0.0.1:{free_port()}"
        # Ids whose first message fails here after it was handed over.
        self.failing: set[bytes] = set()
        self.received: asyncio.Queue[tuple[PartyId, peer_pb2.Envelope]] = asyncio.Queue()
        self.peers = self.new_peers()

    def new_peers(self) -> Peers:
        """Streams as after a start of the process."""

        async def receive(sender: PartyId, envelope: peer_pb2.Envelope) -> None:
            if envelope.request_id in self.failing:
                self.failing.remove(envelope.request_id)
                raise sqlite3.OperationalError("disk I/O error")
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


async def stream(
    target: Party, identity: Identity | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection with any identity, as an attacker makes it."""
    der = to_der(target.identity.certificate)
    context = client_context(identity or target.identity, der)
    if identity is None:
        context = ssl.create_default_context(cadata=target.identity.certificate.decode())
    host, port = target.address.split(":")
    return await asyncio.open_connection(
        host, int(port), ssl=context, server_hostname=server_name(der)
    )


async def deliver(target: Party, identity: Identity | None, *messages: bytes) -> list[int]:
    """Send messages and read until the target has answered; no number when it refuses to talk."""
    numbers = Numbers()
    found: list[int] = []
    try:
        reader, writer = await stream(target, identity)
        writer.write(b"".join(messages))
        async with asyncio.timeout(WAIT_S):
            while not found or found[-1] < len(messages):
                data = await reader.read(1000)
                if not data:
                    break
                found += numbers.add(data)
        writer.transport.abort()
    except (ssl.SSLError, ConnectionError):
        pass
    return found


def framed(*messages: peer_pb2.Envelope) -> list[bytes]:
    """Messages as they are on the wire."""
    return [frame(message.SerializeToString()) for message in messages]


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
        assert await deliver(one, stranger, *framed(envelope(2))) == []
        assert await deliver(one, None, *framed(envelope(2))) == []
        assert await deliver(one, two.identity, *framed(envelope(2))) == [0, 1]
        assert await one.next() == (2, envelope(2))
        assert one.received.empty()


async def test_a_party_cannot_speak_for_another() -> None:
    """The index of every message must be the certificate's party; also after a good message."""
    one, two, three = Party(1), Party(2), Party(3)
    async with serving(one, two, three):
        for claimed in (1, 3, 0, 4):
            messages = framed(envelope(2), envelope(claimed), envelope(2))
            assert await deliver(one, two.identity, *messages) == [0, 1, REFUSED]
            assert await one.next() == (2, envelope(2))
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
        second = framed(envelope(2, epoch=2))
        assert await deliver(one, two.identity, *second) == [0, REFUSED]
        assert await deliver(one, newcomer.identity, *second) == [0, 1]
        assert await deliver(one, newcomer.identity, *framed(envelope(2))) == [0, REFUSED]
        third = framed(envelope(2, epoch=3))
        assert await deliver(one, two.identity, *third) == [0, UNKNOWN_EPOCH]


async def test_a_certificate_issued_by_a_party_is_not_the_party() -> None:
    """The pinned bytes count, not the chain of trust: no party can make a second identity."""
    one, two = Party(1), Party(2)
    issued = _issued_by(two.identity)
    async with serving(one, two):
        assert await deliver(one, issued, *framed(envelope(2))) in ([], [0, REFUSED])
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


async def test_a_message_that_was_not_taken_is_not_acknowledged() -> None:
    """Nor anything behind it: the stream ends."""
    one, two = Party(1), Party(2)
    async with serving(one, two):
        one.failing = {b"b" * 20}
        messages = framed(*(envelope(2, letter * 20) for letter in (b"a", b"b", b"c")))
        assert max(await deliver(one, two.identity, *messages)) <= 1
        assert (await one.next())[1].request_id == b"a" * 20
        assert one.received.empty()
        assert not one.failing


async def test_a_message_that_was_not_taken_is_sent_again() -> None:
    """A peer connects anew and goes on with it; nothing is lost or changes places."""
    one, two = Party(1), Party(2)
    async with serving(one, two):
        two.failing = {b"b" * 20}
        for letter in (b"a", b"b", b"c", b"d"):
            one.peers.send(PartyId(2), envelope(1, letter * 20))
        seen = b""
        while not seen.endswith(b"d"):
            seen += (await two.next())[1].request_id[:1]
        # The first may come twice: its acknowledgement can be lost with the stream.
        assert seen in {b"abcd", b"aabcd"}


async def test_a_full_queue_drops_and_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that is away for long costs bounded memory."""
    monkeypatch.setattr(links, "_MAX_PENDING", 3)
    link = Link(Party(1).identity, Party(2).record)
    assert [link.send(b"message") for _ in range(5)] == [True, True, True, False, False]
    assert link.dropped == 2
    assert "PRIVATE" not in repr(Party(1).identity)


async def test_bytes_that_are_no_message_end_the_stream() -> None:
    """A length beyond the bound is refused before its bytes come, and so is what does not parse."""
    one, two = Party(1), Party(2)
    async with serving(one, two):
        long = struct.pack(">I", frames.MAX_MESSAGE_BYTES + 1)
        assert await deliver(one, two.identity, long) == [0, REFUSED]
        assert await deliver(one, two.identity, frame(b"\xff\xff\xff")) == [0, REFUSED]
        assert await deliver(one, two.identity, frame(b"")) == [0, UNKNOWN_EPOCH]
        assert one.peers.refused == 2
        assert one.received.empty()


async def test_few_streams_a_peer() -> None:
    """A peer that opens many streams loses its oldest ones, nobody else's."""
    one, two, three = Party(1), Party(2), Party(3)
    async with serving(one, two, three):
        mine, kept = await stream(one, three.identity)
        assert await mine.readexactly(8) == bytes(8)
        opened = [await stream(one, two.identity) for _ in range(38)]
        for reader, _ in opened[:4]:
            assert (await asyncio.wait_for(reader.read(), WAIT_S)).strip(bytes(1)) == b""
        three.peers.send(PartyId(1), envelope(3))
        assert await one.next() == (3, envelope(3))
        for writer in (kept, *(writer for _, writer in opened)):
            writer.transport.abort()
        await asyncio.sleep(0)


async def test_background_messages_have_a_stream_of_their_own() -> None:
    """What waits behind a big message of a background run is only more of them."""
    one, two = Party(1), Party(2)
    async with serving(one, two):
        big = envelope(1, bytes(8 * 2**20))
        for _ in range(3):
            one.peers.send_to(Address(1, PartyId(2)), big, background=True)
        one.peers.send(PartyId(2), envelope(1))
        sizes = [len((await two.next())[1].request_id) for _ in range(4)]
        assert sorted(sizes) == [20] + 3 * [8 * 2**20]
        assert sizes.index(20) < 3


class TestFrames:
    """Streams cut anywhere give the same messages."""

    @pytest.mark.parametrize("step", [1, 3, 7, 1000])
    def test_cuts_do_not_matter(self, step: int) -> None:
        """Empty messages too."""
        messages = [b"", b"a", b"bc" * 100, b"", b"d" * 17]
        data = b"".join(frame(message) for message in messages)
        cut = Frames()
        found = []
        for start in range(0, len(data), step):
            cut.add(data[start : start + step])
            while (message := cut.next()) is not None:
                found.append(message)
        assert found == messages

    def test_a_length_beyond_the_bound_is_refused(self) -> None:
        """Before memory is used for it."""
        cut = Frames()
        cut.add(struct.pack(">I", frames.MAX_MESSAGE_BYTES + 1))
        with pytest.raises(PeerError, match="a message of"):
            cut.next()

    @pytest.mark.parametrize("step", [1, 5, 8, 20])
    def test_numbers(self, step: int) -> None:
        """Eight bytes each, wherever they are cut."""
        data = b"".join(frames.number(count) for count in (0, 1, 300, REFUSED))
        cut = Numbers()
        found = []
        for start in range(0, len(data), step):
            found += cut.add(data[start : start + step])
        assert found == [0, 1, 300, REFUSED]

    def test_more_acknowledged_than_sent(self) -> None:
        """A peer that claims it is not believed."""
        link = Link(Party(1).identity, Party(2).record)
        link.send(b"one")
        assert link.next() == frame(b"one")
        assert link.next() == b""
        with pytest.raises(PeerError, match="more than was sent"):
            link.acknowledge(2)
        link.acknowledge(1)
        with pytest.raises(PeerError, match="more than was sent"):
            link.acknowledge(-1)
