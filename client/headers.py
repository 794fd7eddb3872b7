"""Verified headers: from a pinned validator set to any height, by skipping verification.

What is trusted at the start is one hash: the validator set of the first block. Everything else is
evidence from a node that is not trusted. Where the set changed a lot between two heights, the way
is halved until each step is covered by a third of the set trusted before.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog
import tkms_kernel

from client.errors import HeightUnavailable, VerificationFailed
from client.rpc import ChainRpc
from light import (
    LightBlock,
    LightError,
    NotEnoughTrust,
    Policy,
    TrustedHeader,
    verify_genesis,
    verify_next,
)

_LOG = structlog.get_logger(__name__)

DEFAULT_TRUSTING_PERIOD_S: Final = 14 * 24 * 3600
DEFAULT_DRIFT_S: Final = 30
# Verified headers kept in memory; each is some kilobytes.
_KEPT_HEADERS: Final = 64
FIRST_HEIGHT: Final = 1


def default_policy(chain_id: str) -> Policy:
    """Two weeks of trust, half a minute between clocks."""
    return Policy(chain_id, DEFAULT_TRUSTING_PERIOD_S, DEFAULT_DRIFT_S)


class HeaderChain:
    """Headers of one chain, verified from the pinned hash of its first validator set."""

    def __init__(
        self,
        rpc: ChainRpc,
        policy: Policy,
        validators_hash: bytes,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Start without any header; the first one is fetched on first use."""
        self.policy = policy
        self.validators_hash = validators_hash
        self._rpc = rpc
        self._now_ns = now_ns
        self._headers: dict[int, tuple[TrustedHeader, LightBlock]] = {}

    async def header(self, height: int) -> TrustedHeader:
        """Verified header of `height`.

        Raises:
            HeightUnavailable: the node does not have it (yet).
            VerificationFailed: the evidence does not hold; the node lies or is on another chain.
        """
        known = self._headers.get(height)
        if known is not None:
            return known[0]
        block = await self._fetch(height)
        start = self._start(height)
        if start is not None:
            return await self._reach(start, block, height)
        if height == FIRST_HEIGHT or _signed_by(block) == self.validators_hash:
            return self._keep(self._verify_pinned(block), block, height)
        # The set has changed since: begin where the pinned one signed.
        return await self._reach(await self.header(FIRST_HEIGHT), block, height)

    async def block(self, height: int) -> LightBlock:
        """The evidence of a header that this client verified itself, to convince others with."""
        await self.header(height)
        return self._headers[height][1]

    async def _reach(self, start: TrustedHeader, block: LightBlock, height: int) -> TrustedHeader:
        """One skipping step, halved where too little of the trusted set signed."""
        try:
            verified = verify_next(self.policy, start, block, self._now_ns())
        except NotEnoughTrust as error:
            if height - start.height <= 1:
                raise VerificationFailed(f"header {height}: {error}") from error
        except LightError as error:
            raise VerificationFailed(f"header {height}: {error}") from error
        else:
            return self._keep(verified, block, height)
        middle = (start.height + height) // 2
        nearer = await self._reach(start, await self._fetch(middle), middle)
        return await self._reach(nearer, block, height)

    def _verify_pinned(self, block: LightBlock) -> TrustedHeader:
        """Header signed by the pinned set itself: the anchor."""
        try:
            return verify_genesis(self.policy, self.validators_hash, block, self._now_ns())
        except LightError as error:
            raise VerificationFailed(f"header under the pinned validators: {error}") from error

    async def _fetch(self, height: int) -> LightBlock:
        signed_header = await self._rpc.commit(height)
        validators = await self._rpc.validators(height)
        header = json.loads(signed_header)["header"]
        following = b""
        if header["next_validators_hash"] != header["validators_hash"]:
            following = await self._rpc.validators(height + 1)
        return LightBlock(signed_header, validators, following)

    def _start(self, height: int) -> TrustedHeader | None:
        """Nearest verified header below `height` that is still inside the trusting period."""
        oldest = self._now_ns() - self.policy.trusting_period_s * 10**9
        below = [
            header
            for header, _ in self._headers.values()
            if header.height < height and header.time_ns > oldest
        ]
        return max(below, key=lambda header: header.height, default=None)

    def _keep(self, verified: TrustedHeader, block: LightBlock, height: int) -> TrustedHeader:
        if verified.height != height:
            raise VerificationFailed(f"asked for header {height}, got {verified.height}")
        self._headers[height] = (verified, block)
        while len(self._headers) > _KEPT_HEADERS:
            del self._headers[min(self._headers)]
        return verified


def _signed_by(block: LightBlock) -> bytes:
    """Hash of the validator set that a header names; unverified."""
    try:
        return bytes.fromhex(json.loads(block.signed_header)["header"]["validators_hash"])
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationFailed("the node's header is malformed") from error


async def pinned_validators_hash(rpc: ChainRpc, chain_id: str, path: Path) -> bytes:
    """Hash of the first validator set: from the pin file, or taken from the node once and then pinned.

    Trust on first use: whoever answers the very first call decides what is believed afterwards.
    That is said in the log; operators set the hash themselves.

    Raises:
        VerificationFailed: the pin file belongs to another chain.
    """
    pinned = _read_pin(path, chain_id)
    if pinned is not None:
        return pinned
    validators = await _first_validators(rpc)
    digest = bytes(tkms_kernel.validators_hash(validators))
    _write_pin(path, chain_id, digest)
    _LOG.warning(
        "validators pinned on first use",
        chain_id=chain_id,
        validators_hash=digest.hex(),
        file=str(path),
        node=rpc.url,
    )
    return digest


def _read_pin(path: Path, chain_id: str) -> bytes | None:
    if not path.exists():
        return None
    pin = json.loads(path.read_text())
    if pin["chain_id"] != chain_id:
        raise VerificationFailed(f"{path} pins chain {pin['chain_id']}, not {chain_id}")
    return bytes.fromhex(pin["validators_hash"])


def _write_pin(path: Path, chain_id: str, digest: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(
        json.dumps({"chain_id": chain_id, "validators_hash": digest.hex()}, indent=1) + "\n"
    )
    temporary.replace(path)


async def _first_validators(rpc: ChainRpc) -> bytes:
    try:
        return await rpc.validators(FIRST_HEIGHT)
    except HeightUnavailable:
        return await rpc.validators((await rpc.status()).earliest_height)
