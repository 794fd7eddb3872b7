"""Key-release services and isolated cores on loopback, with a development root."""

import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from core.certificates import fingerprint, generate
from core.isolation import development
from core.isolation.release_server import ReleaseServer
from core.isolation.release_settings import load
from core.vault import make_private_folder, write_private
from tests.support.ports import free_port

IMAGE = b"image of the core"


@dataclass(frozen=True)
class ReleaseHome:
    """Home of a key-release service that trusts one development root."""

    home: Path
    address: str

    @property
    def certificate(self) -> Path:
        """What its clients pin."""
        return self.home / "release-certificate.pem"


def make_root(folder: Path, image: bytes = IMAGE) -> Path:
    """A development root whose device measures `image`."""
    make_private_folder(folder)
    development.create(folder, dt.datetime.now(dt.UTC))
    (folder / "image").write_bytes(image)
    return folder


def make_release(home: Path, root: Path, clients: dict[str, bytes]) -> ReleaseHome:
    """A service's home: vault name to the client certificate that may ask for it."""
    make_private_folder(home)
    key, certificate = generate("release")
    write_private(home / "release-key.pem", key)
    (home / "release-certificate.pem").write_bytes(certificate)
    write_private(home / "master.key", bytes(range(32)))
    address = f"127.0.0.1:{free_port()}"
    lines = [f'listen = "{address}"']
    pinned = fingerprint(development.load(root).der).hex()
    measurement = development.registers_of(IMAGE)[0].hex()
    for name, client in clients.items():
        (home / f"{name}.pem").write_bytes(client)
        lines += [
            f"[vaults.{name}]",
            f'client_certificate = "{name}.pem"',
            f'roots = ["{pinned}"]',
            f'measurements = {{ 0 = ["{measurement}"] }}',
        ]
    (home / "release.toml").write_text("\n".join(lines))
    return ReleaseHome(home, address)


@asynccontextmanager
async def serving(release: ReleaseHome) -> AsyncIterator[ReleaseServer]:
    """A running service."""
    server = ReleaseServer(load(release.home))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
