"""A node's RPC over a linked chain: enough for header chains and their witnesses."""

from __future__ import annotations

import json

from client.errors import HeightUnavailable, NodeError, Unreachable
from client.rpc import ChainRpc, NodeStatus
from tests.support.linked_chain import LinkedChain, encoded


class LinkedRpc(ChainRpc):
    """Serves heights up to `top`; keeps what it was asked and what was reported to it."""

    def __init__(self, chain: LinkedChain, top: int = 100, name: str = "node") -> None:
        """The name is the address."""
        super().__init__(f"http://{name}")
        self.chain = chain
        self.top = top
        self.earliest = 1
        self.down = False
        self.fetched: list[int] = []
        self.lists = 0
        self.reported: list[bytes] = []

    async def status(self) -> NodeStatus:
        """Newest and earliest height."""
        self._answer(self.top)
        return NodeStatus(self.chain.policy.chain_id, self.top, self.earliest, catching_up=False)

    async def commit(self, height: int) -> bytes:
        """Signed header."""
        self._answer(height)
        self.fetched.append(height)
        return encoded(self.chain.signed(height))

    async def validators(self, height: int) -> bytes:
        """Validator list; the next block's is known already."""
        self._answer(height - 1)
        self.lists += 1
        return encoded(self.chain.validators(height))

    async def broadcast_evidence(self, evidence: bytes) -> bytes:
        """Accept evidence only against headers that this node does not have."""
        self.reported.append(evidence)
        signed = json.loads(evidence)["value"]["ConflictingBlock"]["signed_header"]
        if signed == self.chain.signed(int(signed["header"]["height"])):
            raise NodeError("trusted header hash matches the evidence's conflicting header hash")
        return b"hash"

    def _answer(self, height: int) -> None:
        if self.down:
            raise Unreachable(self.url)
        if not self.earliest - 1 <= height <= self.top:
            raise HeightUnavailable(str(height))
