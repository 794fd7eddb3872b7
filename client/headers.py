"""Verified headers: from a pinned validator set to any height, by skipping verification.

What is trusted at the start is one hash: the validator set of the first block. Everything else is
evidence from a node that is not trusted. Where the set changed a lot between two heights, the way
is halved until each step is covered by a third of the set trusted before.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog
import tkms_kernel

from client.errors import HeightUnavailable, VerificationFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from client.rpc import ChainRpc

_LOG = structlog.get_logger(__name__)

DEFAULT_TRUSTING_PERIOD_S: Final = 14 * 24 * 3600
DEFAULT_DRIFT_S: Final = 30
# Verified headers kept in memory; each is some kilobytes.
_KEPT_HEADERS: Final = 64
FIRST_HEIGHT: Final = 1


@dataclass(frozen=True, slots=True)
class VerifiedHeader:
    """A header that enough of a trusted validator set signed."""

    height: int
    time_ns: int
    hash: bytes
    app_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    # JSON as the node gave it: what the next verification starts from.
    signed_header: bytes
    validators: bytes


@dataclass(frozen=True, slots=True)
class TrustOptions:
    """How long a header is trusted and how far clocks may differ, in seconds."""

    trusting_period_s: int = DEFAULT_TRUSTING_PERIOD_S
    drift_s: int = DEFAULT_DRIFT_S


class HeaderChain:
    """Headers of one chain, verified from the pinned hash of its first validator set."""

    def __init__(
        self,
        rpc: ChainRpc,
        chain_id: str,
        validators_hash: bytes,
        options: TrustOptions | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """Start without any header; the first one is fetched on first use."""
        self.chain_id = chain_id
        self.validators_hash = validators_hash
        self._rpc = rpc
        self._options = options or TrustOptions()
        self._now_ns = now_ns
        self._headers: dict[int, VerifiedHeader] = {}

    async def header(self, height: int) -> VerifiedHeader:
        """Verified header of `height`.

        Raises:
            HeightUnavailable: the node does not have it (yet).
            VerificationFailed: the evidence does not hold; the node lies or is on another chain.
        """
        known = self._headers.get(height)
        if known is not None:
            return known
        signed_header, validators = await self._evidence(height)
        start = self._start(height)
        if start is None:
            verified = self._verify_pinned(signed_header, validators)
        else:
            verified = await self._verify_from(start, height, signed_header, validators)
        return self._keep(verified, height)

    async def _verify_from(
        self, start: VerifiedHeader, height: int, signed_header: bytes, validators: bytes
    ) -> VerifiedHeader:
        """One skipping step, halved where too little of the trusted set signed."""
        try:
            return await self._step(start, signed_header, validators)
        except VerificationFailed:
            if height - start.height <= 1:
                raise
        middle = await self._middle(start, (start.height + height) // 2)
        return await self._verify_from(middle, height, signed_header, validators)

    async def _middle(self, start: VerifiedHeader, height: int) -> VerifiedHeader:
        signed_header, validators = await self._evidence(height)
        verified = await self._verify_from(start, height, signed_header, validators)
        return self._keep(verified, height)

    async def _step(
        self, start: VerifiedHeader, signed_header: bytes, validators: bytes
    ) -> VerifiedHeader:
        trusted_next = start.validators
        if start.next_validators_hash != start.validators_hash:
            trusted_next = await self._rpc.validators(start.height + 1)
        try:
            result = tkms_kernel.light_verify(
                self.chain_id,
                start.signed_header,
                trusted_next,
                signed_header,
                validators,
                self._options.trusting_period_s,
                self._options.drift_s,
                self._now_ns(),
            )
        except tkms_kernel.KernelError as error:
            raise VerificationFailed(f"header does not verify: {error}") from error
        return _verified(result, signed_header, validators)

    def _verify_pinned(self, signed_header: bytes, validators: bytes) -> VerifiedHeader:
        """Header signed by the pinned set itself: the anchor."""
        try:
            result = tkms_kernel.light_genesis(
                self.chain_id,
                self.validators_hash,
                signed_header,
                validators,
                self._now_ns(),
                self._options.drift_s,
            )
        except tkms_kernel.KernelError as error:
            raise VerificationFailed(
                f"header does not verify under the pinned validators: {error}"
            ) from error
        return _verified(result, signed_header, validators)

    async def _evidence(self, height: int) -> tuple[bytes, bytes]:
        return await self._rpc.commit(height), await self._rpc.validators(height)

    def _start(self, height: int) -> VerifiedHeader | None:
        """Nearest verified header below `height` that is still inside the trusting period."""
        oldest = self._now_ns() - self._options.trusting_period_s * 10**9
        below = [
            header
            for header in self._headers.values()
            if header.height < height and header.time_ns > oldest
        ]
        return max(below, key=lambda header: header.height, default=None)

    def _keep(self, verified: VerifiedHeader, height: int) -> VerifiedHeader:
        if verified.height != height:
            raise VerificationFailed(f"asked for header {height}, got {verified.height}")
        self._headers[height] = verified
        while len(self._headers) > _KEPT_HEADERS:
            del self._headers[min(self._headers)]
        return verified


async def pinned_validators_hash(rpc: ChainRpc, chain_id: str, path: Path) -> bytes:
    """Hash of the first validator set: from the pin file, or taken from the node once and then pinned.

    Trust on first use: whoever answers the very first call decides what is believed afterwards.
    That is said in the log; operators set the hash themselves.

    Raises:
        VerificationFailed: the pin file belongs to another chain.
    """
    if path.exists():
        pin = json.loads(path.read_text())
        if pin["chain_id"] != chain_id:
            raise VerificationFailed(f"{path} pins chain {pin['chain_id']}, not {chain_id}")
        return bytes.fromhex(pin["validators_hash"])
    validators = await _first_validators(rpc)
    digest = bytes(tkms_kernel.validators_hash(validators))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".new")
    temporary.write_text(
        json.dumps({"chain_id": chain_id, "validators_hash": digest.hex()}, indent=1) + "\n"
    )
    os.replace(temporary, path)
    _LOG.warning(
        "validators pinned on first use",
        chain_id=chain_id,
        validators_hash=digest.hex(),
        file=str(path),
        node=rpc.url,
    )
    return digest


async def _first_validators(rpc: ChainRpc) -> bytes:
    try:
        return await rpc.validators(FIRST_HEIGHT)
    except HeightUnavailable:
        return await rpc.validators((await rpc.status()).earliest_height)


def _verified(result: dict[str, Any], signed_header: bytes, validators: bytes) -> VerifiedHeader:
    return VerifiedHeader(
        height=result["height"],
        time_ns=result["time_ns"],
        hash=result["hash"],
        app_hash=result["app_hash"],
        validators_hash=result["validators_hash"],
        next_validators_hash=result["next_validators_hash"],
        signed_header=signed_header,
        validators=validators,
    )
