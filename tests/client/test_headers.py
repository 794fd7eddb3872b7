"""Header verification: anchors, skips, changed validator sets, lies."""

import json
import time
from typing import Any

import pytest

from client.errors import HeightUnavailable, VerificationFailed
from client.headers import HeaderChain, default_policy
from client.rpc import ChainRpc
from light import PinnedValidators
from tests.support.light_twin import SECOND, Maker, validators_hash

CHAIN = "headers-1"


class MadeRpc(ChainRpc):
    """A node whose validator set changes wholly at given heights."""

    def __init__(self, changes: tuple[int, ...] = (), top: int = 100) -> None:
        """Sets are named by how many changes came before."""
        super().__init__("http://made")
        self.maker = Maker(CHAIN, start_ns=time.time_ns() - 100_000 * SECOND)
        self.top = top
        self.fetched: list[int] = []
        self._changes = changes

    def set_at(self, height: int) -> list[dict[str, Any]]:
        """Validators of a height: one member in four is replaced at each change."""
        past = sum(change <= height for change in self._changes)
        return self.maker.validators(**{f"v{number}": 10 for number in range(past, past + 4)})

    async def commit(self, height: int) -> bytes:
        """Signed header."""
        if height > self.top:
            raise HeightUnavailable(str(height))
        self.fetched.append(height)
        block = self.maker.block(height, self.set_at(height), self.set_at(height + 1))
        return json.dumps(block).encode()

    async def validators(self, height: int) -> bytes:
        """Validator list."""
        return json.dumps(self.set_at(height)).encode()


def chain(rpc: MadeRpc, pinned: bytes | None = None) -> HeaderChain:
    """A light client that pins the first set."""
    return HeaderChain(
        rpc,
        default_policy(CHAIN),
        PinnedValidators(pinned or validators_hash(rpc.set_at(1))),
    )


async def test_unchanged_set_needs_one_header() -> None:
    """Where the pinned set still signs, any height is verified at once, and only once."""
    rpc = MadeRpc()
    headers = chain(rpc)
    assert (await headers.header(90)).height == 90
    assert (await headers.header(90)).height == 90
    assert rpc.fetched == [90]


async def test_changed_sets_are_bridged_by_halving() -> None:
    """Four replacements leave nobody of the first set; headers in between carry the trust."""
    rpc = MadeRpc(changes=(20, 40, 60, 80))
    headers = chain(rpc)
    verified = await headers.header(100)
    assert verified.validators_hash == validators_hash(rpc.set_at(100))
    assert rpc.fetched[0] == 100
    assert len(rpc.fetched) < 12


async def test_another_pinned_set_is_refused() -> None:
    """A chain whose first set is not the pinned one is not believed at any height."""
    rpc = MadeRpc()
    other = validators_hash(rpc.maker.validators(x=10, y=10))
    with pytest.raises(VerificationFailed):
        await chain(rpc, other).header(50)


async def test_unsigned_change_is_refused() -> None:
    """A set that appears without announcement, signed only by itself, is not believed."""
    rpc = MadeRpc()
    headers = chain(rpc)
    await headers.header(10)
    rpc.set_at = lambda _height: rpc.maker.validators(x=10, y=10)  # type: ignore[method-assign]
    with pytest.raises(VerificationFailed):
        await headers.header(50)


async def test_evidence_is_what_was_verified() -> None:
    """`block` gives the bytes of a verified header, for others to verify."""
    rpc = MadeRpc()
    headers = chain(rpc)
    block = await headers.block(7)
    assert json.loads(block.signed_header)["header"]["height"] == "7"
    with pytest.raises(HeightUnavailable):
        await headers.block(101)
