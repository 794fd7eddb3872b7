"""Headers from the connector's client to a core's: enough for every history of the validators, never more."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from client.chain import Chain
from client.errors import VerificationFailed
from client.headers import HeaderChain
from connector.errors import CoreRefusedError
from connector.way import Way, light_block
from core.errors import Refused
from core.journal import Journal
from core.trust import Trust
from light import PinnedValidators
from tests.support.light_twin import SECOND, validators_hash
from tests.support.linked_chain import LinkedChain
from tests.support.linked_rpc import LinkedRpc
from wire.pb.tkms.core.v1 import core_pb2

TOP = 60
Powers = Mapping[str, int]
sets = st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 9), min_size=1, max_size=5)


def chain_of(first: Powers, changes: Mapping[int, Powers]) -> LinkedChain:
    """A chain whose set is replaced at the given heights, until just now."""

    def powers(height: int) -> Powers:
        past = [start for start in changes if start <= height]
        return changes[max(past)] if past else first

    return LinkedChain("way-1", powers, time.time_ns() - 100 * SECOND)


class CoreSide:
    """A core's own light client behind the two calls that a submitter makes."""

    def __init__(self, chain: LinkedChain, folder: str) -> None:
        """Trust nothing but the first set."""
        pinned = validators_hash(chain.validators(1))
        journal = Journal(Path(folder) / "journal.db", chain.policy.chain_id, 1)
        self.trust = Trust(chain.policy, pinned, journal, time.time_ns)
        self.offered: list[list[int]] = []

    async def status(self) -> core_pb2.StatusReply:
        """Only the trusted height matters here."""
        return core_pb2.StatusReply(trusted_height=self.trust.height)

    async def submit(self, request: core_pb2.SubmitRequest) -> int:
        """Verify the headers, as a core does before it looks at anything else."""
        self.offered.append([block.height for block in request.headers])
        try:
            self.trust.advance(request.headers)
        except Refused as error:
            raise CoreRefusedError(str(error), missing_trust=True) from error
        return 1


async def submit(chain: LinkedChain, core: CoreSide, heights: list[int]) -> None:
    """Let a submitter bring proofs of these heights to the core."""
    rpc = LinkedRpc(chain)
    headers = HeaderChain(rpc, chain.policy, PinnedValidators(validators_hash(chain.validators(1))))
    way = Way(Chain(rpc, headers), core)  # type: ignore[arg-type]
    for height in heights:
        request = core_pb2.SubmitRequest()
        await way.offer(height - 1, request.headers, lambda r=request: core.submit(r))
        assert core.trust.height >= height


@settings(max_examples=40, deadline=None)
@given(
    sets,
    st.dictionaries(st.integers(2, TOP), sets, max_size=6),
    st.lists(st.integers(2, TOP), min_size=1, max_size=4),
)
def test_any_history_reaches_the_core(
    first: Powers, changes: Mapping[int, Powers], heights: list[int]
) -> None:
    """Whatever the changes, a core that follows its own rules ends with the header of the proof."""
    chain = chain_of(first, changes)
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(submit(chain, CoreSide(chain, folder), heights))


def test_the_short_way_comes_first(tmp_path: Path) -> None:
    """An unchanged set costs one header a submission; a replaced one the way by halves."""
    chain = chain_of({"a": 1}, {30: {"b": 1}})
    core = CoreSide(chain, str(tmp_path))
    asyncio.run(submit(chain, core, [10, 20, 50, 55, 40]))
    # Header 29 announces the new set: halving ends there, and from there everything is one step.
    assert core.offered == [[1, 10], [20], [50], [27, 29, 31, 35, 50], [55], [40]]


async def test_the_way_is_verified_here_first(tmp_path: Path) -> None:
    """A node whose headers do not verify brings nothing to the core."""
    chain = chain_of({"a": 1}, {})
    lie = chain.fork(20, app_hash="AA" * 32)
    lie.powers = lambda _height: {"w": 1}
    rpc = LinkedRpc(lie)
    headers = HeaderChain(rpc, chain.policy, PinnedValidators(validators_hash(chain.validators(1))))
    assert [block.height for block in await headers.way(3, 10)] == [10]
    with pytest.raises(VerificationFailed):
        await headers.way(3, 40)
    message = light_block((await headers.way(15, 19))[0])
    assert (message.height, message.next_validators) == (19, b"")
