"""What stolen disks are worth: one of four says nothing, two say everything."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.localnet import life
from tests.localnet.adversary import RECOVERED
from tests.localnet.harness import ROOT, Network, until

pytestmark = pytest.mark.localnet

# What the script and the nonsense are made of.
FORM = "expanded"

# Words of the `test` key that opens squashed ciphertexts.
KEY_BITS = 256


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Iterator[Network]:
    """Four honest operators; ended before the next module starts its own."""
    started = start_network()
    yield started
    life.end(started.home)
    life.remove(started.home)


@pytest.fixture(scope="module")
def secret(network: Network, prepared: list[tuple[str, int]]) -> tuple[str, int]:
    """A value that one user has read and that was never published."""
    handle, value = prepared[4]
    private = network.tkms("reencrypt", handle, "--from", "alice")
    assert private["values"][0]["value"] == value
    return handle, value


def attack(network: Network, handle: str, *disks: str, code: int) -> dict[str, Any]:
    """Run the adversary's script; the exit code must be `code`."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.localnet.adversary"),
            *("--home", str(network.home), "--handle", handle, *disks),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, (done.stdout, done.stderr)
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def test_a_dealer_keeps_all_shares_only_until_all_have_shown_theirs(
    network: Network, prepared: list[tuple[str, int]], secret: tuple[str, int]
) -> None:
    """Party 1 dealt the key and can deal it again; the first unanimous opening ends that."""
    handle, value = secret
    (choice,) = attack(network, handle, "--operators", "1", code=RECOVERED)["choices"]
    assert (choice["key_shares_of"], choice["value"]) == ([1, 2, 3, 4], value)
    archive = network.home / "node1" / "core" / "vault" / "deals"
    before = {path: path.stat().st_size for path in archive.iterdir()}
    found = network.tkms("decrypt", prepared[0][0])
    assert found["values"][0]["value"] == prepared[0][1]
    until(
        lambda: any(path.stat().st_size < 100 <= size for path, size in before.items()),
        "the dealer erases its copy",
    )
    (choice,) = attack(network, handle, "--operators", "1", code=0)["choices"]
    assert (choice["key_shares_of"], choice["verdict"]) == ([1], "cannot")


def test_one_disk_says_nothing(network: Network, secret: tuple[str, int]) -> None:
    """With any one vault, the chain and the storage, every plaintext stays possible."""
    document = attack(network, secret[0], "--disks", "1", code=0)
    assert (document["verdict"], document["threshold"]) == ("cannot", 1)
    # The user's sealed answers are there to be attacked, and nothing was published.
    assert document["sealed_answers"] >= 3
    assert document["published"] is False
    assert [choice["operators"] for choice in document["choices"]] == [[1], [2], [3], [4]]
    for choice in document["choices"]:
        assert choice["key_shares_of"] == choice["operators"]
        assert (choice["verdict"], choice["value"]) == ("cannot", None)
        assert (choice["candidates"], choice["candidates_consistent"]) == (256, 256)


def test_two_disks_say_everything(network: Network, secret: tuple[str, int]) -> None:
    """The control: the same script with t + 1 vaults has the key and the plaintext."""
    handle, value = secret
    document = attack(network, handle, "--disks", "2", code=RECOVERED)
    assert len(document["choices"]) == 6
    for choice in document["choices"]:
        assert choice["key_shares_of"] == choice["operators"]
        assert (choice["verdict"], choice["value"]) == ("recovered", value)
        assert choice["key_bits_recovered"] == KEY_BITS
