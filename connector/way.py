"""Headers that a core needs before it believes a proof."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableSequence, Sequence
from typing import TypeVar

from client.chain import Chain
from client.errors import HeightUnavailable
from client.headers import FIRST_HEIGHT
from connector.core import CoreClient
from connector.errors import CoreRefusedError
from light import VerifiedBlock
from wire.pb.tkms.core.v1 import core_pb2

Reply = TypeVar("Reply")


class Way:
    """From what one core trusts to the header of a proof."""

    def __init__(self, chain: Chain, core: CoreClient) -> None:
        """Headers come from the chain's client, which verifies them as well."""
        self._chain = chain
        self._core = core

    async def offer(
        self,
        height: int,
        headers: MutableSequence[core_pb2.LightBlock],
        send: Callable[[], Awaitable[Reply]],
    ) -> Reply:
        """Send with the own header of a proof as of `height`, then with the whole way to it.

        The shortest message is nearly always enough: it fails only where the validators changed so much
        that too few of those that the core knows still sign. `headers` are the field of what `send` sends.

        Raises:
            CoreRefusedError: the core does not believe it, on either way.
        """
        trusted = (await self._core.status()).trusted_height
        try:
            _replace(headers, await self._short(trusted, height + 1))
            return await send()
        except CoreRefusedError as error:
            if not error.missing_trust:
                raise
        way = await self._chain.headers.way(max(trusted, FIRST_HEIGHT), height + 1)
        if trusted == 0:
            way = [*await self._first(), *way]
        _replace(headers, way)
        return await send()

    async def _short(self, trusted: int, target: int) -> list[VerifiedBlock]:
        """The target; before it, for a core that knows nothing yet, what the pinned validators signed."""
        first = await self._first() if trusted == 0 and target != FIRST_HEIGHT else []
        return [*first, *await self._chain.headers.way(target, target)]

    async def _first(self) -> list[VerifiedBlock]:
        """The first header, unless it is pruned: the pinned set may still sign today."""
        try:
            return await self._chain.headers.way(FIRST_HEIGHT, FIRST_HEIGHT)
        except HeightUnavailable:
            return []


def light_block(verified: VerifiedBlock) -> core_pb2.LightBlock:
    """A header as a core wants to see it."""
    block = verified.block
    return core_pb2.LightBlock(
        height=verified.height,
        signed_header=block.signed_header,
        validators=block.validators,
        next_validators=block.next_validators,
    )


def _replace(headers: MutableSequence[core_pb2.LightBlock], way: Sequence[VerifiedBlock]) -> None:
    del headers[:]
    headers.extend(map(light_block, way))
