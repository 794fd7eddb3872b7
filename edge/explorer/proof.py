"""Verified requests for pages: the explorer's own light client, asked once and remembered.

A page waits for a fraction of a second and otherwise says that the check is running; what visitors ask for
is bounded in number, in time and in memory, so that no number of them burdens the node.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from client.chain import Chain
from client.errors import ClientError, NodeError, RejectedByChain, VerificationFailed
from client.rpc import ChainRpc
from edge.explorer.facts import NotYetProvable, ProvenFacts, is_unknown, prove_request
from edge.explorer.guard import Buckets
from wire.ids import RequestId

_LOG = structlog.get_logger(__name__)

PATIENCE_S: Final = 0.4
_CHECK_S: Final = 20.0
_WORKERS: Final = 2
_WAITING: Final = 64
_KEPT: Final = 256
# Checks of all visitors together, each about ten questions to the node: on the long run a second, and at once.
_RATE: Final = 4.0
_BURST: Final = 40


class ProofState(enum.StrEnum):
    """What is known about a request's proof."""

    # Every fact holds under a header that the light client verified.
    PROVEN = "proven"
    # Being checked; ask again in a second.
    CHECKING = "checking"
    # Something that the node says does not hold: believe nothing of it.
    CONTRADICTED = "contradicted"
    # The node knows no such request.
    UNKNOWN = "unknown"
    # The node does not answer, or has no header for it.
    UNAVAILABLE = "unavailable"
    # Too many others are being checked.
    BUSY = "busy"


# Seconds for which an outcome is shown before it is checked again; what is final is never checked again.
_FRESH_S: Final = {
    ProofState.PROVEN: 3.0,
    ProofState.CHECKING: 0.5,
    ProofState.CONTRADICTED: 60.0,
    ProofState.UNKNOWN: 5.0,
    ProofState.UNAVAILABLE: 5.0,
}


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome for one request; `facts` are there when it is proven."""

    request_id: RequestId
    state: ProofState
    detail: str = ""
    facts: ProvenFacts | None = None
    # What the light client started from, in words.
    trusted: str = ""

    @property
    def words(self) -> str:
        """One sentence for people."""
        if self.facts is None:
            return _WORDS[self.state]
        return (
            f"Verified against the app hash of height {self.facts.height} in the signed header"
            f" of height {self.facts.header.height}."
        )


_WORDS: Final = {
    ProofState.PROVEN: "Verified.",
    ProofState.CHECKING: "The proof is being checked.",
    ProofState.CONTRADICTED: "The node's evidence does not hold: believe nothing of this request.",
    ProofState.UNKNOWN: "The node knows no such request.",
    ProofState.UNAVAILABLE: "The proof cannot be checked now: the node does not serve it.",
    ProofState.BUSY: "The proof is not checked yet: too many others wait.",
}


@dataclass(frozen=True, slots=True)
class Trust:
    """What the explorer's light client starts from, and whom it asks."""

    node: str
    # Folder of the newest verified header, and of the pin where no hash is given.
    folder: Path
    # Hash of the first validator set; without it the node's first answer is pinned, which the log says.
    validators_hash: bytes = b""
    # Empty: whatever chain the node is on.
    chain_id: str = ""
    # Nodes of other operators that confirm every header.
    witnesses: tuple[str, ...] = ()


class Verifier:
    """Verifies requests in the background and remembers the outcomes."""

    def __init__(
        self,
        connect: Callable[[], Awaitable[Chain]],
        *,
        waiting: int = _WAITING,
        kept: int = _KEPT,
        others: Sequence[ChainRpc] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is connected before the first request; a node that is away is tried again.

        `others` are connections that end with this.
        """
        self._others = tuple(others)
        self._connect = connect
        self._chain: Chain | None = None
        self._connecting = asyncio.Lock()
        self._workers = asyncio.Semaphore(_WORKERS)
        self._waiting = waiting
        self._kept = kept
        self._now = now
        self._pace = Buckets(_RATE, _BURST, now=now)
        self._outcomes: OrderedDict[RequestId, tuple[float, Verification]] = OrderedDict()
        self._running: dict[RequestId, asyncio.Task[None]] = {}

    async def verify(self, request: RequestId, patience_s: float = PATIENCE_S) -> Verification:
        """What is known about a request's proof after at most `patience_s`."""
        known = self._outcomes.get(request)
        if known is not None:
            self._outcomes.move_to_end(request)
            at, outcome = known
            if self._is_fresh(at, outcome):
                return outcome
        task = self._running.get(request) or self._start(request)
        if task is None:
            return known[1] if known else Verification(request, ProofState.BUSY)
        await asyncio.wait([task], timeout=patience_s)
        found = self._outcomes.get(request)
        return found[1] if found else Verification(request, ProofState.CHECKING)

    async def close(self) -> None:
        """Stop what runs, and close the connections."""
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        if self._chain is not None:
            await self._chain.rpc.close()
            self._chain = None
        for rpc in self._others:
            await rpc.close()

    def _is_fresh(self, at: float, outcome: Verification) -> bool:
        if outcome.facts is not None and outcome.facts.final:
            return True
        return self._now() - at < _FRESH_S[outcome.state]

    def _start(self, request: RequestId) -> asyncio.Task[None] | None:
        if len(self._running) >= self._waiting or self._pace.take("checks"):
            return None
        task = asyncio.create_task(self._check(request))
        self._running[request] = task
        task.add_done_callback(lambda _done: self._running.pop(request, None))
        return task

    async def _check(self, request: RequestId) -> None:
        async with self._workers:
            outcome = await self._outcome(request)
        self._outcomes[request] = (self._now(), outcome)
        self._outcomes.move_to_end(request)
        while len(self._outcomes) > self._kept:
            self._outcomes.popitem(last=False)

    async def _outcome(self, request: RequestId) -> Verification:
        try:
            async with asyncio.timeout(_CHECK_S):
                chain = await self._connected()
                facts = await prove_request(chain, request)
        except NotYetProvable as passing:
            return Verification(request, ProofState.CHECKING, str(passing))
        except TimeoutError:
            return Verification(request, ProofState.UNAVAILABLE, "the node takes too long")
        except ClientError as error:
            _LOG.warning("request not proven", request_id=request.hex, error=str(error))
            return Verification(request, *_verdict(error))
        return Verification(request, ProofState.PROVEN, facts=facts, trusted=chain.headers.trusted)

    async def _connected(self) -> Chain:
        async with self._connecting:
            if self._chain is None:
                self._chain = await self._connect()
            return self._chain


def verifier_from(trust: Trust) -> Verifier:
    """Verifier with connections of its own; nothing is connected yet."""
    witnesses = [ChainRpc(url) for url in trust.witnesses]

    async def connect() -> Chain:
        rpc = ChainRpc(trust.node)
        try:
            return await Chain.connect(
                rpc,
                validators_hash=trust.validators_hash or None,
                pin=trust.folder / "validators.json",
                chain_id=trust.chain_id,
                witnesses=witnesses,
                store=trust.folder,
            )
        except BaseException:
            await rpc.close()
            raise

    return Verifier(connect, others=witnesses)


def _verdict(error: ClientError) -> tuple[ProofState, str]:
    """State and words for visitors; a node's own words may name its paths, so they get none of them."""
    if isinstance(error, VerificationFailed):
        return ProofState.CONTRADICTED, str(error)
    if isinstance(error, RejectedByChain):
        if is_unknown(error):
            return ProofState.UNKNOWN, ""
        return ProofState.UNAVAILABLE, "the node does not answer for this height"
    if isinstance(error, NodeError):
        return ProofState.UNAVAILABLE, "the node does not have the header"
    return ProofState.UNAVAILABLE, "the node does not answer"
