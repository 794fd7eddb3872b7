"""A key that nobody ever had, on real processes: make, encrypt, add, decrypt, refresh, kill, decrypt again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import tkms_kernel as kernel

from cli.localnet import life
from core import keystore, settings, vault
from core.keystore import PartyKey
from tests.localnet.harness import Network, until
from tests.support.reconstruct import combine
from wire.ids import KeyId

pytestmark = pytest.mark.localnet

MASK = b"test"
SUM = 1234


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators."""
    return start_network()


@pytest.fixture(scope="module")
def made(network: Network) -> dict[str, str]:
    """The key, and the handle of a sum that everybody may see."""
    key = network.tkms("keygen", "--crs-bits", "64")
    assert key["dealer"] is False
    assert set(key["digests"]) == {"public-key", "server-key", "check"}
    values = ("--type", "euint16", "--value", "1200", "--type", "euint16", "--value", "34")
    handles = [entry["handle"] for entry in network.tkms("encrypt", *values)["handles"]]
    handle = str(network.tkms("compute", "add", *handles)["handle"])
    network.tkms("prepare", handle)
    network.tkms("public", handle)
    return {"key_id": key["key_id"], "sum": handle, **key["digests"]}


def decrypted(network: Network, handle: str) -> int:
    """The value by a public decryption that all four take part in."""
    document = network.tkms("decrypt", handle)
    assert document["liars"] == []
    return int(document["values"][0]["value"])


def share(home: Path, key_id: str, epoch_id: int) -> PartyKey:
    """The share in a core's folder, by who has the operator's key file."""
    opened = vault.from_settings(settings.load(home))
    return keystore.load(opened, KeyId.parse(key_id), epoch_id)


def epochs_in(home: Path) -> set[str]:
    """Epochs of which shares lie in a core's vault."""
    return {path.name.partition(".")[0] for path in (home / "vault" / "keys").glob("*/*")}


def test_the_sum_is_decrypted(network: Network, made: dict[str, str]) -> None:
    """Before any refresh."""
    assert decrypted(network, made["sum"]) == SUM


def test_a_refresh_makes_stolen_folders_worthless(
    network: Network, made: dict[str, str], tmp_path: Path
) -> None:
    """The value is the same; an old folder and a new one open nothing, two of one epoch do."""
    homes = {n: network.home / f"node{n}" / "core" for n in (1, 2, 3, 4)}
    stolen = {n: tmp_path / f"stolen{n}" for n in (1, 2)}
    for number, folder in stolen.items():
        ignored = shutil.ignore_patterns("*.sock")
        shutil.copytree(homes[number], folder, ignore=ignored)
    refreshed = network.tkms("refresh")
    assert (refreshed["previous_epoch_id"], refreshed["epoch_id"]) == (1, 2)
    assert decrypted(network, made["sum"]) == SUM
    for home in homes.values():
        until(lambda h=home: epochs_in(h) == {"2"}, f"only the new epoch in {home}")  # type: ignore[misc]  # defaults bind the loop's values
    old = {n: share(folder, made["key_id"], 1) for n, folder in stolen.items()}
    new = {n: share(homes[n], made["key_id"], 2) for n in (1, 2)}
    data = _squashed(network, made)

    def found(one: PartyKey, two: PartyKey) -> int | None:
        # Masks are of one epoch everywhere, so that only the shares differ in age.
        partial = {
            number: held.share.partial_decrypt(data, 3, 3, new[number].mask_keys, MASK)
            for number, held in ((1, one), (2, two))
        }
        try:
            return combine(4, 1, 3, partial, 0)[0]
        except kernel.KernelError:
            return None

    assert found(new[1], new[2]) == SUM
    assert found(old[1], old[2]) == SUM
    assert found(old[1], new[2]) != SUM
    assert found(new[1], old[2]) != SUM


def _squashed(network: Network, digests: dict[str, str]) -> bytes:
    """A squashed ciphertext of the value under the key."""

    def body(kind: str) -> bytes:
        (path,) = (network.home / "storage" / "blobs").rglob(digests[kind])
        return path.read_bytes()

    crs = kernel.Crs.generate("test", 64)
    compact = kernel.CompactPublicKey.load(body("public-key"))
    server = kernel.ServerKey.load(body("server-key"))
    proven = compact.encrypt_list([(3, SUM)], crs, b"who")
    ((_, data),) = server.expand(proven, compact, crs, b"who")
    return server.squash(data, 3, compressed=False)


def test_a_core_dies_during_a_refresh(network: Network, made: dict[str, str]) -> None:
    """The supervisor starts it again, the change is made, and all four decrypt."""
    life.ask(network.home, "kill", ["core3"])
    refreshed = network.tkms("refresh")
    assert refreshed["epoch_id"] == 3
    assert decrypted(network, made["sum"]) == SUM
    homes = [network.home / f"node{n}" / "core" for n in (1, 2, 3, 4)]
    until(lambda: all(epochs_in(home) == {"3"} for home in homes), "only epoch 3 anywhere")
