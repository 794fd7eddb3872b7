"""What only the node can tell, now: balances, the configuration in force, the state of consensus.

Unproven, and said so on the pages. Answers are remembered for a moment and asked for once at a time, so that
visitors, however many, are one reader for the node.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError

from client.errors import ClientError
from client.rpc import ChainRpc
from edge.explorer.guard import Buckets
from edge.explorer.index import model
from edge.explorer.index.decode import Undecodable, time_ms
from wire.documents import document
from wire.pb.tkms.state.v1 import state_pb2

_Answer = TypeVar("_Answer")
_FRESH_S: Final = 1.0
_KEPT: Final = 256
_AT_ONCE: Final = 4
_WAITING: Final = 64
# Questions of all visitors together: on the long run a second, and at once.
_RATE: Final = 20.0
_BURST: Final = 60
_PATIENCE_S: Final = 5.0
_STEPS: Final = {
    1: "new height",
    2: "new round",
    3: "propose",
    4: "prevote",
    5: "prevote wait",
    6: "precommit",
    7: "precommit wait",
    8: "commit",
}
_VOTES: Final = re.compile(r"BA\{\d+:([x_]*)\} \d+/\d+ = ([0-9.]+)")


class NodeAway(Exception):  # noqa: N818 - a state of affairs, it passes
    """The node does not answer now, or too many ask."""


class NodeView:
    """Live questions to one node."""

    def __init__(self, rpc: ChainRpc, now: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked yet."""
        self._rpc = rpc
        self._now = now
        self._limit = asyncio.Semaphore(_AT_ONCE)
        self._pace = Buckets(_RATE, _BURST, now=now)
        self._known: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._running: dict[str, asyncio.Task[Any]] = {}

    async def close(self) -> None:
        """Stop what runs."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def balance(self, address: bytes) -> model.Balance:
        """Balance of an account.

        Raises:
            NodeAway: no answer now.
        """

        async def ask() -> model.Balance:
            answer = await self._query("/account", address)
            view = state_pb2.AccountView.FromString(answer[1]).account
            return model.Balance(answer[0], view.balance, view.escrowed)

        return await self._remembered(f"balance {address.hex()}", ask)

    async def config(self) -> model.Config:
        """The configuration in force.

        Raises:
            NodeAway: no answer now.
        """
        return await self._remembered("config", self._ask_config)

    async def consensus(self) -> model.Consensus:
        """Where the engine is.

        Raises:
            NodeAway: no answer now.
        """
        return await self._remembered("consensus", self._ask_consensus)

    async def _remembered(self, name: str, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        known = self._known.get(name)
        if known is not None and self._now() - known[0] < _FRESH_S:
            answer: _Answer = known[1]
            return answer
        task = self._running.get(name)
        if task is None:
            if len(self._running) >= _WAITING or self._pace.take("node"):
                raise NodeAway("too many questions at once")
            task = asyncio.create_task(self._asked(name, ask))
            self._running[name] = task
            task.add_done_callback(lambda _done: self._running.pop(name, None))
        # Whoever goes away does not take the answer from the others.
        found: _Answer = await asyncio.shield(task)
        return found

    async def _asked(self, name: str, ask: Callable[[], Awaitable[_Answer]]) -> _Answer:
        try:
            async with asyncio.timeout(_PATIENCE_S), self._limit:
                found = await ask()
        except (ClientError, Undecodable, DecodeError, TimeoutError) as error:
            raise NodeAway("the node does not answer now") from error
        self._known[name] = (self._now(), found)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    async def _query(self, path: str, data: bytes = b"") -> tuple[int, bytes]:
        answer = await self._rpc.abci_query(path, data)
        if answer.code:
            raise NodeAway(f"the node does not answer {path}")
        return answer.height, answer.value

    async def _ask_config(self) -> model.Config:
        height, raw = await self._query("/config")
        view = state_pb2.ConfigView.FromString(raw)
        _, roles = await self._query("/config/roles")
        _, listing = await self._query("/config/validators")
        _, proposals = await self._query("/config/proposals", bytes(12))
        return model.Config(
            height=height,
            epoch=document(view.epoch),
            prices=document(view.prices),
            parameters=document(view.parameters),
            roles=tuple(document(role) for role in state_pb2.RoleList.FromString(roles).roles),
            consensus=document(state_pb2.ValidatorList.FromString(listing)),
            proposals=tuple(
                document(proposal)
                for proposal in state_pb2.ProposalList.FromString(proposals).proposals
            ),
        )

    async def _ask_consensus(self) -> model.Consensus:
        found = await self._rpc.document("consensus_state")
        try:
            state = found["round_state"]
            height, number, step = (int(part) for part in state["height/round/step"].split("/"))
            return model.Consensus(
                height=height,
                round=number,
                step=_STEPS.get(step, str(step)),
                proposer=str(state["proposer"]["address"]).lower(),
                started_ms=time_ms(state["start_time"]),
                proposal=str(state["proposal_block_hash"]).lower(),
                rounds=tuple(_round(item) for item in state["height_vote_set"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Undecodable("the consensus state is not of the engine's form") from error


def _round(item: dict[str, Any]) -> model.ConsensusRound:
    prevotes, prevote_share = _votes(item["prevotes_bit_array"])
    precommits, precommit_share = _votes(item["precommits_bit_array"])
    return model.ConsensusRound(
        int(item["round"]), prevotes, prevote_share, precommits, precommit_share
    )


def _votes(text: str) -> tuple[str, float]:
    found = _VOTES.fullmatch(text)
    return (found.group(1), float(found.group(2))) if found else ("", 0.0)
