"""One core of several that does not make keys and material itself: it uses what the first one makes.

Keys of epochs and records of the pool lie in the common home. A follower asks the first core by a line
between siblings (`Line`) and looks until it is there; asking again costs nothing, so a first core that
starts over is asked again.
"""

import asyncio
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import tkms_kernel as kernel

from core.epoch_keys import EpochKeys
from core.host import Host
from core.pool import MakeBatch, Pool, batch_name
from core.records import Records
from core.vault import Vault
from wire.ids import RequestId

_LOOK_S = 0.02
_ASK_S = 0.5
_FORM = struct.Struct(">BQQQ")

Tell = Callable[[bytes], None]


class Wish(IntEnum):
    """What a follower tells the first core."""

    KEYS = 1
    BATCH = 2
    RESERVED = 3
    CLOSED = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is told."""

    wish: Wish
    epoch_id: int
    # Number of a batch, or the first block of a slice and their count.
    first: int = 0
    count: int = 0
    request_id: bytes = b""

    def encode(self) -> bytes:
        """As siblings pass it on."""
        return _FORM.pack(self.wish, self.epoch_id, self.first, self.count) + self.request_id

    @classmethod
    def decode(cls, data: bytes) -> "Line":
        """Inverse of `encode`.

        Raises
        ------
        ValueError
            Not one.
        """
        try:
            wish, epoch_id, first, count = _FORM.unpack(data[: _FORM.size])
        except struct.error as error:
            raise ValueError("not a line of a follower") from error
        return cls(Wish(wish), epoch_id, first, count, data[_FORM.size :])


class FollowingKeys(EpochKeys):
    """Keys of epochs, made by the first core."""

    def __init__(self, host: Host, vault: Vault, tell: Tell) -> None:
        """`tell` reaches the first core."""
        super().__init__(host, vault)
        self._tell = tell

    def expect(self, epoch_id: int) -> None:
        """Nothing: peers begin with the first core."""

    async def _make(self, epoch_id: int) -> kernel.PrssKeys:
        """From the vault, as soon as they are there."""
        while (found := await asyncio.to_thread(self._load, epoch_id)) is None:
            self._tell(Line(Wish.KEYS, epoch_id).encode())
            await asyncio.sleep(_ASK_S)
        self._keys[epoch_id] = found
        return found


class FollowingPool(Pool):
    """The pool, filled and emptied by the first core."""

    def __init__(
        self, host: Host, records: Records, make: MakeBatch, blocks: int, tell: Tell
    ) -> None:
        """`tell` reaches the first core."""
        super().__init__(host, records, make, blocks)
        self._tell = tell

    def begin(self, epoch_id: int) -> None:
        """Nothing: the first core fills."""

    def reserve(self, epoch_id: int, request_id: RequestId, first: int, count: int) -> None:
        """As everywhere; the first core learns what is used."""
        super().reserve(epoch_id, request_id, first, count)
        self._tell(Line(Wish.RESERVED, epoch_id, first, count, request_id.value).encode())

    async def closed(self, epoch_id: int, request_id: RequestId) -> None:
        """A request needs its slice no more: the first core deletes what nobody needs."""
        self.release(epoch_id, request_id)
        self._tell(Line(Wish.CLOSED, epoch_id, request_id=request_id.value).encode())

    async def _record(self, epoch_id: int, number: int) -> bytes:
        """One record, as soon as it is there."""
        name = batch_name(epoch_id, number)
        looked = 0.0
        while (record := await self._records.get(name, epoch_id)) is None:
            if looked % _ASK_S < _LOOK_S:
                self._tell(Line(Wish.BATCH, epoch_id, number).encode())
            looked += _LOOK_S
            await asyncio.sleep(_LOOK_S)
        return record
