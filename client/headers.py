"""Verified headers: from a root of trust to any height, in both directions.

What is trusted at the start is one hash: of the first validator set, or of one header. Everything else
is evidence from a node that is not trusted. Upwards the light client skips, and halves the way where a
set changed a lot; downwards it follows the hashes. With witnesses every step upwards is confirmed by a
node of another operator before anything is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

from client.errors import ConflictingHeaders, HeightUnavailable, VerificationFailed
from client.header_store import HeaderStore, describe
from client.light_source import LightSource, signed_by
from client.rpc import ChainRpc
from client.witnesses import Witnesses
from light import (
    LightBlock,
    LightError,
    PinnedHeader,
    Policy,
    TrustedHeader,
    TrustRoot,
    VerifiedBlock,
    back,
    skip,
    verify_root,
)

DEFAULT_TRUSTING_PERIOD_S: Final = 14 * 24 * 3600
DEFAULT_DRIFT_S: Final = 30
# Verified headers kept in memory; each is some kilobytes.
_KEPT_HEADERS: Final = 64
# Downwards every header is needed, so they are fetched side by side.
_DESCENT_WINDOW: Final = 16
FIRST_HEIGHT: Final = 1


def default_policy(chain_id: str) -> Policy:
    """Two weeks of trust, half a minute between clocks."""
    return Policy(chain_id, DEFAULT_TRUSTING_PERIOD_S, DEFAULT_DRIFT_S)


class HeaderChain:
    """Headers of one chain, verified from one root of trust."""

    def __init__(
        self,
        rpc: ChainRpc,
        policy: Policy,
        root: TrustRoot,
        *,
        witnesses: Sequence[ChainRpc] = (),
        store: HeaderStore | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Start without any header; the first one is fetched, or read from the store, on first use."""
        self.policy = policy
        self.root = root
        self._now_ns = now_ns
        self._store = store
        self._primary = LightSource(rpc, now_ns)
        self._witnesses = Witnesses(policy, root, witnesses, store, now_ns)
        self._headers: dict[int, VerifiedBlock] = {}
        self._loaded = store is None
        self._attack: ConflictingHeaders | None = None

    @property
    def trusted(self) -> str:
        """What everything here was verified from, in words."""
        return describe(self.root)

    async def header(self, height: int) -> TrustedHeader:
        """Verified header of `height`.

        Raises:
            HeightUnavailable: the node does not have it (yet, or any more).
            VerificationFailed: the evidence does not hold; the node lies or is on another chain.
            ConflictingHeaders: a witness proves another header; from then on nothing is verified.
            WitnessesSilent: no witness confirms it.
            StoreUnusable: the file of the newest header is damaged.
        """
        return (await self._verified(height)).header

    async def block(self, height: int) -> LightBlock:
        """The evidence of a header that this client verified itself, to convince others with."""
        return (await self._verified(height)).block

    async def way(self, start: int, target: int) -> list[VerifiedBlock]:
        """What convinces somebody who trusts header `start` of header `target`, in ascending order.

        These are the headers by which this client itself skips, so whoever follows the same rules needs
        no more and no fewer. From `target` or above it is `target` alone.

        Raises:
            as `header` does.
        """
        if target <= start:
            return [await self._verified(target)]
        begin = await self._verified(start)
        try:
            trace = await self._ascend(begin, target)
        except LightError as error:
            raise VerificationFailed(f"header {target}: {error}") from error
        for verified in trace:
            self._keep(verified)
        return list(trace[1:])

    async def _verified(self, height: int) -> VerifiedBlock:
        if self._attack is not None:
            raise self._attack
        self._load()
        known = self._headers.get(height)
        if known is not None:
            return known
        try:
            trace = await self._way(height)
        except ConflictingHeaders as error:
            self._attack = error
            raise
        except LightError as error:
            raise VerificationFailed(f"header {height}: {error}") from error
        for verified in trace:
            self._keep(verified)
        return trace[-1]

    async def _way(self, height: int) -> tuple[VerifiedBlock, ...]:
        """Verified blocks that lead from something trusted to `height`."""
        start = self._below(height)
        if start is not None:
            return await self._ascend(start, height)
        if isinstance(self.root, PinnedHeader):
            return await self._from_pinned_header(self.root, height)
        return await self._from_pinned_validators(height)

    async def _from_pinned_header(
        self, root: PinnedHeader, height: int
    ) -> tuple[VerifiedBlock, ...]:
        above = self._above(height)
        if above is not None and height < root.height:
            return (await self._descend(above, height),)
        anchor = self._headers.get(root.height) or await self._at_root(root.height)
        if anchor.height == height:
            return (anchor,)
        if height < anchor.height:
            return (await self._descend(anchor, height),)
        if above is not None and not self._is_fresh(anchor):
            return (await self._descend(above, height),)
        return await self._ascend(anchor, height)

    async def _from_pinned_validators(self, height: int) -> tuple[VerifiedBlock, ...]:
        block = await self._primary.block(height)
        if height == FIRST_HEIGHT or signed_by(block) == self.root.hash:
            trace = (self._check_root(block, height),)
            await self._witnesses.confirm(self._primary, trace)
            return trace
        # The set has changed since: begin where the pinned one signed.
        above = self._above(height)
        try:
            first = await self._verified(FIRST_HEIGHT)
        except HeightUnavailable:
            if above is None:
                raise
            return (await self._descend(above, height),)
        if above is not None and not self._is_fresh(first):
            return (await self._descend(above, height),)
        return await self._ascend(first, height)

    async def _at_root(self, height: int) -> VerifiedBlock:
        verified = self._check_root(await self._primary.block(height), height)
        # Named by hash: there is nothing that a witness could add.
        self._keep(verified)
        return verified

    def _check_root(self, block: LightBlock, height: int) -> VerifiedBlock:
        header = verify_root(self.policy, self.root, block, self._now_ns())
        if header.height != height:
            raise VerificationFailed(f"asked for header {height}, got {header.height}")
        return VerifiedBlock(header, block)

    async def _ascend(self, start: VerifiedBlock, height: int) -> tuple[VerifiedBlock, ...]:
        """Skip up, and ask the witnesses before anything of it is kept."""
        trace = await self._primary.lead(skip(self.policy, start, height))
        await self._witnesses.confirm(self._primary, trace)
        return trace

    async def _descend(self, above: VerifiedBlock, height: int) -> VerifiedBlock:
        """Follow the hashes down; needs no witness, a hash has one header only."""
        walk = back(self.policy, above, height)
        wanted = next(walk)
        try:
            while True:
                window = range(wanted, max(height, wanted - _DESCENT_WINDOW + 1) - 1, -1)
                for supplied in await asyncio.gather(*map(self._primary.supplied, window)):
                    wanted = walk.send(supplied)
        except StopIteration as done:
            reached: VerifiedBlock = done.value
            return reached

    def _load(self) -> None:
        """Continue from the newest header of earlier runs."""
        if self._loaded or self._store is None:
            return
        stored = self._store.load(self.policy, self.root, self._now_ns())
        self._loaded = True
        if stored is not None:
            self._keep(stored)

    def _below(self, height: int) -> VerifiedBlock | None:
        """Nearest verified header below `height` that is still inside the trusting period."""
        below = [
            verified
            for verified in self._headers.values()
            if verified.height < height and self._is_fresh(verified)
        ]
        return max(below, key=lambda verified: verified.height, default=None)

    def _is_fresh(self, verified: VerifiedBlock) -> bool:
        """Whether a header may still serve as a start upwards."""
        oldest = self._now_ns() - self.policy.trusting_period_s * 10**9
        return verified.header.time_ns > oldest

    def _above(self, height: int) -> VerifiedBlock | None:
        """Nearest verified header above `height`; its age does not matter."""
        above = [verified for verified in self._headers.values() if verified.height > height]
        return min(above, key=lambda verified: verified.height, default=None)

    def _keep(self, verified: VerifiedBlock) -> None:
        self._headers[verified.height] = verified
        self._primary.learn(verified)
        newest = max(self._headers)
        while len(self._headers) > _KEPT_HEADERS:
            del self._headers[min(self._headers)]
        if self._store is not None and verified.height == newest:
            self._store.save(self.policy, self.root, verified)
