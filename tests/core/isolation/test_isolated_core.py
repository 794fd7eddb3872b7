"""A core that gets its vault's key by attestation, and a connector that has to show its certificate."""

import asyncio
import dataclasses
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from connector.core import CoreClient, Pinned
from connector.errors import CoreUnavailableError
from core.certificates import generate
from core.errors import SettingsError, VaultError
from core.isolation.errors import ReleaseError
from core.isolation.vault import open_for
from core.main import Core
from core.settings import IsolationSettings, Settings
from core.tls import Identity
from core.vault import open_vault
from tests.support.core_network import Network, signing_secret
from tests.support.isolated import ReleaseHome, make_release, make_root, serving
from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc

WAIT_S = 10.0


def identity_of(settings: Settings) -> Identity:
    """A core's own key and certificate."""
    return Identity(settings.peer_key.read_bytes(), settings.peer_certificate.read_bytes())


def isolate(folder: Path) -> tuple[Settings, ReleaseHome, Pinned]:
    """Settings of an isolated core, its release service, and its connector's identity."""
    network = Network(folder, 1)
    plain = network.settings[1]
    root = make_root(folder / "root")
    release = make_release(folder / "release", root, {"core1": plain.peer_certificate.read_bytes()})
    key, certificate = generate("connector")
    (folder / "connector.pem").write_bytes(certificate)
    settings = dataclasses.replace(
        plain,
        developer_mode=False,
        vault=plain.home / "sealed",
        connector_certificate=folder / "connector.pem",
        isolation=IsolationSettings(release.address, release.certificate, "core1", root),
    )
    return settings, release, Pinned(plain.peer_certificate.read_bytes(), key, certificate)


async def test_the_vault_opens_where_the_image_runs_and_nowhere_else(tmp_path: Path) -> None:
    """A second start gets the same key; another image, certificate or service does not."""
    settings, release, _ = isolate(tmp_path)
    identity = identity_of(settings)

    async def opened(changed: Settings, shown: Identity) -> bytes:
        vault = await asyncio.to_thread(open_for, changed, shown)
        if not vault.has("signing"):
            vault.put("signing", signing_secret(1))
        return vault.get("signing")

    async with serving(release):
        assert await opened(settings, identity) == signing_secret(1)
        assert await opened(settings, identity) == signing_secret(1)
        (tmp_path / "root" / "image").write_bytes(b"another image")
        with pytest.raises(ReleaseError, match=r"PERMISSION_DENIED: measurement"):
            await opened(settings, identity)
        (tmp_path / "root" / "image").write_bytes(b"image of the core")
        with pytest.raises(ReleaseError, match="UNAVAILABLE"):
            await opened(settings, Identity(*generate("thief")))
        wrong = dataclasses.replace(
            settings.isolation, release_certificate=tmp_path / "connector.pem"
        )
        with pytest.raises(ReleaseError, match="UNAVAILABLE"):
            await opened(dataclasses.replace(settings, isolation=wrong), identity)
    with pytest.raises(ReleaseError, match="UNAVAILABLE"):
        await opened(settings, identity)
    # The folder alone, with whatever else lies on the disk, opens by no other way.
    with pytest.raises(VaultError, match="made as released"):
        open_vault(settings.vault, "clear", None)
    assert signing_secret(1) not in b"".join(
        path.read_bytes() for path in settings.vault.rglob("*") if path.is_file()
    )


async def test_only_the_pinned_connector_gets_through(tmp_path: Path) -> None:
    """Over the socket and over TCP; without or with another certificate there is no connection."""
    settings, release, pinned = isolate(tmp_path)
    async with serving(release):
        vault = await asyncio.to_thread(open_for, settings, identity_of(settings))
        vault.put("signing", signing_secret(1))
        for listen in ("", "127.0.0.1:0"):
            changed = dataclasses.replace(settings, service_listen=listen)
            core = await asyncio.to_thread(Core, changed)
            with capture_logs() as logs:
                await core.start()
            try:
                address = f"unix:{settings.service_socket}"
                if listen:
                    address = f"127.0.0.1:{core.service_port}"
                await require_mutual(address, pinned)
            finally:
                await core.stop()
            assert any("DEVELOPMENT ATTESTATION" in entry["event"] for entry in logs)


async def require_mutual(address: str, pinned: Pinned) -> None:
    """The right pair gets an answer, everybody else none."""
    good = CoreClient(address, pinned)
    status = await good.status()
    await good.close()
    # A development root is developer mode for everybody who asks.
    assert (status.party, status.developer_mode) == (1, True)
    other_key, other_certificate = generate("connector")
    impostors = [
        dataclasses.replace(pinned, key=other_key, certificate=other_certificate),
        dataclasses.replace(pinned, core=other_certificate),
    ]
    for impostor in impostors:
        client = CoreClient(address, impostor)
        with pytest.raises(CoreUnavailableError):
            await client.status()
        await client.close()
    async with grpc.aio.insecure_channel(address) as channel:
        stub = core_pb2_grpc.CoreServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Status(core_pb2.StatusRequest(), timeout=WAIT_S)


def test_a_network_address_without_a_certificate_is_refused(tmp_path: Path) -> None:
    """Also where settings are made in code and not by the loader."""
    network = Network(tmp_path, 1)
    changed = dataclasses.replace(network.settings[1], service_listen="127.0.0.1:0")
    with pytest.raises(SettingsError, match="needs the connector's certificate"):
        Core(changed)
