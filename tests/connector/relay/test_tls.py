"""TLS on network addresses, client certificates, and messages that are larger than any should be."""

from __future__ import annotations

import datetime as dt
import ipaddress
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from client.settings import SettingsError
from connector.relay.main import relay
from connector.relay.service import MAX_RECEIVE_BYTES
from connector.relay.settings import load
from tests.connector.relay.world import World, world
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc


def pair(folder: Path, name: str) -> tuple[bytes, bytes]:
    """Key and self-signed certificate of a name on loopback, also as files."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=30))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    (folder / f"{name}.key").write_bytes(secret)
    (folder / f"{name}.key").chmod(0o600)
    (folder / f"{name}.pem").write_bytes(public)
    return secret, public


def settings_of(here: World, **changes: object) -> Path:
    """Settings of a relay with the server's pair."""
    return here.write_settings(
        tls_certificate="server.pem", tls_key="server.key", verdict_seconds=0.5, **changes
    )


async def info(address: str, credentials: grpc.ChannelCredentials | None) -> Any:
    """One call."""
    channel = (
        grpc.aio.insecure_channel(address)
        if credentials is None
        else grpc.aio.secure_channel(address, credentials)
    )
    async with channel:
        stub = gateway_pb2_grpc.GatewayServiceStub(channel)
        return await stub.GetChainInfo(pb.GetChainInfoRequest(), timeout=30)


async def test_network_addresses_speak_tls_and_know_their_clients(tmp_path: Path) -> None:
    """No plain text; with authorities nobody comes in without a certificate of theirs."""
    async with world(tmp_path) as here:
        home = tmp_path / "relay"
        home.mkdir()
        _, server = pair(home, "server")
        key, client = pair(home, "client")
        strange_key, stranger = pair(home, "stranger")
        path = settings_of(here)
        async with relay(load(path), home) as running:
            (address,) = running.served.addresses
            credentials = grpc.ssl_channel_credentials(server)
            assert (await info(address, credentials)).chain_id == here.chain.chain_id
            for wrong in (None, grpc.ssl_channel_credentials(stranger)):
                with pytest.raises(grpc.aio.AioRpcError):
                    await info(address, wrong)
        path = settings_of(here, tls_client_authorities="client.pem")
        async with relay(load(path), home) as running:
            (address,) = running.served.addresses
            known = grpc.ssl_channel_credentials(server, key, client)
            assert (await info(address, known)).chain_id == here.chain.chain_id
            for wrong in (
                grpc.ssl_channel_credentials(server),
                grpc.ssl_channel_credentials(server, strange_key, stranger),
            ):
                with pytest.raises(grpc.aio.AioRpcError):
                    await info(address, wrong)


async def test_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    """The start is refused, as for every secret."""
    async with world(tmp_path) as here:
        home = tmp_path / "relay"
        home.mkdir()
        pair(home, "server")
        (home / "server.key").chmod(0o644)
        with pytest.raises(SettingsError, match="600"):
            async with relay(load(settings_of(here)), home):
                pytest.fail("it started")


async def test_oversized_messages_do_not_get_in(tmp_path: Path) -> None:
    """RESOURCE_EXHAUSTED before anything is parsed; the connection goes on."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            large = here.submission("a")
            large.public_decryption.application = "x" * MAX_RECEIVE_BYTES
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await desk.stub.Submit(large)
            assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (await desk.stub.Submit(here.submission("a"))).submission.taken_by_node
