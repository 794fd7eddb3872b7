"""A node as a source of light blocks: what it serves is believed by nobody yet."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeVar

from client.errors import VerificationFailed
from client.rpc import ChainRpc
from light import LightBlock, Supplied, VerifiedBlock, Walk

_Result = TypeVar("_Result")
# Sets change rarely; two around a change would do.
_KEPT_SETS: Final = 8


class LightSource:
    """Fetches light blocks from one node and leads walks of the light client through them."""

    def __init__(self, rpc: ChainRpc, now_ns: Callable[[], int] = time.time_ns) -> None:
        """Nothing is fetched yet."""
        self.rpc = rpc
        self._now_ns = now_ns
        self._sets: OrderedDict[bytes, bytes] = OrderedDict()

    @property
    def url(self) -> str:
        """Address by which errors and evidence name the node."""
        return self.rpc.url

    async def block(self, height: int) -> LightBlock:
        """Signed header and validators of a height; the validators after it where the set changes.

        Raises:
            HeightUnavailable: the node does not have it (yet, or any more).
            VerificationFailed: it is not even a header.
        """
        signed_header = await self.rpc.commit(height)
        own, following = _named_sets(signed_header)
        validators = self._sets.get(own) or await self.rpc.validators(height)
        if own == following:
            return LightBlock(signed_header, validators)
        after = self._sets.get(following) or await self.rpc.validators(height + 1)
        return LightBlock(signed_header, validators, after)

    async def supplied(self, height: int) -> Supplied:
        """A block with the time of its arrival."""
        return Supplied(await self.block(height), self._now_ns())

    async def lead(self, walk: Walk[_Result]) -> _Result:
        """Feed a walk until it ends; a height is fetched once.

        Raises:
            LightError: as the walk does.
        """
        blocks: dict[int, LightBlock] = {}
        try:
            wanted = next(walk)
            while True:
                if wanted not in blocks:
                    blocks[wanted] = await self.block(wanted)
                wanted = walk.send(Supplied(blocks[wanted], self._now_ns()))
        except StopIteration as done:
            result: _Result = done.value
            return result

    def learn(self, verified: VerifiedBlock) -> None:
        """Fetch no validator list again that a verified header names.

        Only what was verified may come in here: an unverified list would spoil later headers.
        """
        header = verified.header
        for digest, validators in (
            (header.validators_hash, verified.block.validators),
            (header.next_validators_hash, header.next_validators),
        ):
            if validators:
                self._sets[digest] = validators
                self._sets.move_to_end(digest)
        while len(self._sets) > _KEPT_SETS:
            self._sets.popitem(last=False)


def _named_sets(signed_header: bytes) -> tuple[bytes, bytes]:
    """Hashes of the validator sets that a header names; unverified."""
    header = _header(signed_header)
    try:
        own, following = (
            bytes.fromhex(header[name]) for name in ("validators_hash", "next_validators_hash")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationFailed("the node's header is malformed") from error
    return own, following


def _header(signed_header: bytes) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(signed_header)["header"]
    except (ValueError, KeyError, TypeError) as error:
        raise VerificationFailed("the node's header is malformed") from error
    return header


def signed_by(block: LightBlock) -> bytes:
    """Hash of the validator set that a block's header names; unverified."""
    return _named_sets(block.signed_header)[0]
