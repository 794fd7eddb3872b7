"""A node that answers anything at all ends in a typed error, never in a bug of ours."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from client.chain import Chain
from client.errors import ClientError, NodeError
from client.headers import HeaderChain
from client.rpc import MAX_VALIDATORS, ChainRpc
from light import PinnedHeader, PinnedValidators, Policy

NAMES = [
    "sync_info", "node_info", "network", "latest_block_height", "earliest_block_height", "response",
    "proofOps", "ops", "data", "code", "height", "value", "signed_header", "header", "commit",
    "validators_hash", "next_validators_hash", "validators", "total", "hash", "tx_result",
]  # fmt: skip
leaves = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("5")
)
documents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8)
    ),
    max_leaves=20,
)


class Babbling(ChainRpc):
    """Answers every method with the same document."""

    def __init__(self, answer: Any) -> None:
        """Nobody is called."""
        super().__init__("http://babbling")
        self.answer = answer

    async def _post(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        return {"result": self.answer}


async def everything(rpc: ChainRpc) -> None:
    """All that the package asks a node, each on its own."""
    policy = Policy("babble-1", 1000, 10)
    roots = (PinnedHeader(5, bytes(32)), PinnedValidators(bytes(32)))
    headers = [HeaderChain(rpc, policy, root, witnesses=[rpc]) for root in roots]
    chain = Chain(rpc, headers[0])
    for question in (
        rpc.status(),
        rpc.abci_query("/store", b"key", prove=True),
        rpc.broadcast_sync(b"raw"),
        rpc.tx(bytes(32)),
        rpc.commit(5),
        rpc.validators(5),
        rpc.broadcast_evidence(b"{}"),
        *(made.header(height) for made in headers for height in (4, 5, 6)),
    ):
        with contextlib.suppress(ClientError):
            await question
    with pytest.raises(ClientError):
        async with asyncio.timeout(20):
            await chain.proven_value(b"key", 7)


@settings(max_examples=150, deadline=None)
@given(documents)
@example({"response": {"height": "7", "proofOps": {"ops": [{"data": "AAAA"}]}}})
@example({"signed_header": {"header": {"validators_hash": "AA", "next_validators_hash": "AA"}}})
@example({"signed_header": {"header": {"validators_hash": "", "next_validators_hash": None}}})
@example({"validators": "text", "total": "NaN"})
@example({"response": {"height": 1e400}})
def test_any_answer_is_a_typed_error(answer: Any) -> None:
    """Whatever the form, only errors of this package come out."""
    asyncio.run(everything(Babbling(answer)))


async def test_an_endless_validator_list_ends() -> None:
    """A node that promises ever more validators is left."""
    rpc = Babbling({"validators": [{}] * 100, "total": str(10**12)})
    with pytest.raises(NodeError, match=f"more than {MAX_VALIDATORS}"):
        await rpc.validators(5)
    with pytest.raises(NodeError, match="without words"):
        await _Errors({}).status()


class _Errors(Babbling):
    async def _post(self, request: Mapping[str, Any]) -> dict[str, Any]:
        del request
        return {"error": "text"}
