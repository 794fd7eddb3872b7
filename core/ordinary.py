"""Decryption of ordinary 64-bit ciphertexts with material of the pool: the default path.

Which blocks of the pool a request uses is in its log entry, so a request and its ciphertexts have one
slice for ever; the journal holds both before anything runs. A run that is replayed after a restart
sends what it sent before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar, cast

import tkms_kernel as kernel

from core.authorize import Permission
from core.engine import MALFORMED, Engine, PartialDecryption
from core.epoch_keys import EpochKeys
from core.errors import RunAborted, WorkFailed
from core.failures import failure_code
from core.host import Accuse, Host, StepsFactory
from core.pool import BATCH_BLOCKS, Pool, Slice
from core.slices import SliceError, Slices
from mpc.exchange import Exchange, Payloads, Setting, Steps
from mpc.names import run_name
from mpc.preprocessing import (
    Batch,
    BatchKind,
    Material,
    joined,
    preprocess,
    record_from_bytes,
    rounding_material,
)
from mpc.public_decryption import Item
from mpc.rounding import OrdinaryCiphertext, decrypt_for_user, decrypt_publicly
from mpc.session import Blame
from wire.digests import sha3_256
from wire.fhe import FheType, Format, pool_blocks
from wire.ids import KeyId, PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2

Value = TypeVar("Value")

POOL_BATCH: Final = Batch(BatchKind.ROUNDING, 64, BATCH_BLOCKS)
PACKING_FACTOR: Final = kernel.ORDINARY_PACKING_FACTOR
_GRANULE = 4
"""Slices of a record start and end at multiples of this many blocks."""


@dataclass(frozen=True, slots=True)
class Ordinary:
    """One ordinary ciphertext of a request: its place there, and its bytes."""

    index: int
    fhe_type: int
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """Plaintexts by place in the request."""

    values: dict[int, int] = field(repr=False)
    # Whether every party of the epoch has by now shown a right share of the key.
    proven: bool


async def batch_steps(keys: EpochKeys, epoch_id: int, name: bytes) -> StepsFactory[bytes]:
    """The protocol that makes a batch of the pool."""
    own = await keys.get(epoch_id)

    def steps(setting: Setting) -> Steps[bytes]:
        record = yield from preprocess(setting, own, name, POOL_BATCH)
        return record.to_bytes()

    return steps


class OrdinaryDecryption:
    """Rounds ciphertexts together with the peers."""

    __slots__ = ("_engine", "_host", "_keys", "_pool", "_shown")

    def __init__(self, host: Host, engine: Engine, keys: EpochKeys, pool: Pool) -> None:
        """Bind to the parts of one core."""
        self._host = host
        self._engine = engine
        self._keys = keys
        self._pool = pool
        self._shown: dict[KeyId, set[PartyId]] = {}

    def prepare(self, epoch_id: int) -> None:
        """There is a key of this epoch: fill the pool, and take part when peers begin."""
        self._keys.expect(epoch_id)
        self._pool.begin(epoch_id)

    def accepted(self, permission: Permission) -> None:
        """A request that the journal holds begins, again or for the first time.

        Raises
        ------
        WorkFailed
            Its slice of the pool is another request's.
        """
        entry = permission.entry
        blocks = slice_blocks(entry.ciphertexts)
        if blocks and permission.epoch.threshold:
            epoch_id = permission.record.epoch_id
            self.prepare(epoch_id)
            try:
                self._pool.reserve(epoch_id, permission.request_id, entry.first_block, blocks)
            except SliceError as error:
                raise WorkFailed(asc_pb2.FAILURE_CODE_INTERNAL, str(error)) from error

    def restore(self, epoch_id: int, entries: Sequence[tuple[RequestId, bytes, bool]]) -> None:
        """At a start: slices of all requests that the journal ever accepted in an epoch."""
        slices = Slices()
        for request_id, encoded, is_open in entries:
            entry = asc_pb2.LogEntry.FromString(encoded)
            slices.reserve(entry.first_block, slice_blocks(entry.ciphertexts), request_id)
            if not is_open:
                slices.close(request_id)
        self._pool.restore(epoch_id, slices)

    async def ended(self, permission: Permission) -> None:
        """A request has its answer, or gets none."""
        await self._pool.closed(permission.record.epoch_id, permission.request_id)

    async def values(
        self, permission: Permission, ciphertexts: Sequence[Ordinary], accuse: Accuse
    ) -> Opened:
        """Plaintexts of ciphertexts of a request.

        Raises
        ------
        WorkFailed
            Unknown key, malformed ciphertext, or too many faults.
        """
        key = await self._engine.key(permission)
        inputs = [OrdinaryCiphertext(each.data, each.fhe_type) for each in ciphertexts]
        material = await self._prepare(permission, ciphertexts)

        right: set[PartyId] = set()

        def steps(setting: Setting) -> Steps[tuple[int, ...]]:
            return _noting(decrypt_publicly(setting, key.share, inputs, material), right)

        values = await self._run(permission, steps, accuse)
        found = {each.index: value for each, value in zip(ciphertexts, values, strict=True)}
        shown = self._shown.setdefault(permission.key_id, set())
        shown |= right | {permission.party}
        return Opened(found, len(shown) == len(permission.epoch.parties))

    async def shares(
        self, permission: Permission, ciphertexts: Sequence[Ordinary], accuse: Accuse
    ) -> dict[int, PartialDecryption]:
        """Our shares for the user by place in the request; raises as `values`."""
        key = await self._engine.key(permission)
        inputs = [OrdinaryCiphertext(each.data, each.fhe_type) for each in ciphertexts]
        material = await self._prepare(permission, ciphertexts)

        def steps(setting: Setting) -> Steps[tuple[bytes, ...]]:
            return decrypt_for_user(setting, key.share, inputs, material)

        shares = await self._run(permission, steps, accuse)
        return {
            each.index: PartialDecryption(
                Item(sha3_256(each.data), each.fhe_type, FheType(each.fhe_type).blocks),
                share,
                PACKING_FACTOR,
            )
            for each, share in zip(ciphertexts, shares, strict=True)
        }

    async def _prepare(self, permission: Permission, ciphertexts: Sequence[Ordinary]) -> Material:
        """Check the ciphertexts, and get the material of the request's slice."""
        entry = permission.entry
        blocks = slice_blocks(entry.ciphertexts)
        if blocks != sum(FheType(each.fhe_type).blocks for each in ciphertexts):
            raise WorkFailed(MALFORMED, "a ciphertext of a form that nobody decrypts")
        await self._engine.run(lambda: _check(ciphertexts))
        epoch_id = permission.record.epoch_id
        keys = await self._keys.get(epoch_id)
        slices = await self._pool.take(epoch_id, entry.first_block, blocks)
        return await self._engine.run(lambda: self._material(keys, slices))

    @staticmethod
    def _material(keys: kernel.PrssKeys, slices: Sequence[Slice]) -> Material:
        """Shares of all blocks of a slice, in a thread."""
        parts = []
        for each in slices:
            begin = each.first - each.first % _GRANULE
            count = -(-(each.first + each.count - begin) // _GRANULE) * _GRANULE
            record = record_from_bytes(POOL_BATCH, each.record)
            whole = rounding_material(keys, each.name, record, begin, count)
            parts.append(whole.part(each.first - begin, each.count))
        return joined(parts)

    async def _run(
        self, permission: Permission, steps: StepsFactory[Value], accuse: Accuse
    ) -> Value:
        """One run a request."""
        epoch_id = permission.record.epoch_id
        name = run_name("decryption", epoch_id, permission.request_id.value)
        try:
            return await self._host.run(name, epoch_id, steps, accuse=accuse)
        except RunAborted as error:
            raise WorkFailed(failure_code(error.reason), error.detail) from error


def slice_blocks(ciphertexts: Sequence[isc_pb2.Ciphertext]) -> int:
    """Blocks of the pool that the chain gave to these ciphertexts."""
    return sum(pool_blocks(each.fhe_type, each.format) for each in ciphertexts)


def split(
    permission: Permission, blobs: dict[bytes, bytes]
) -> tuple[list[Ordinary], list[isc_pb2.Ciphertext]]:
    """Ciphertexts of a request to be rounded, and the others. Alone (t = 0) nothing is rounded."""
    ordinary, others = [], []
    for index, ciphertext in enumerate(permission.entry.ciphertexts):
        if permission.epoch.threshold and ciphertext.format == Format.SMALL_EXPANDED:
            ordinary.append(Ordinary(index, ciphertext.fhe_type, blobs[ciphertext.digest]))
        else:
            others.append(ciphertext)
    return ordinary, others


def _check(ciphertexts: Sequence[Ordinary]) -> None:
    """Refuse malformed bytes before anybody waits for them."""
    try:
        for each in ciphertexts:
            kernel.ordinary_info(each.data, each.fhe_type)
    except kernel.KernelError as error:
        raise WorkFailed(MALFORMED, str(error)) from error


def merged(known: Mapping[int, Value], rest: Sequence[Value]) -> list[Value]:
    """Known things at their places, the rest in order between them."""
    others = iter(rest)
    count = len(known) + len(rest)
    return [known[index] if index in known else next(others) for index in range(count)]


def _noting(steps: Steps[Value], right: set[PartyId]) -> Steps[Value]:
    """Run a protocol, and note whose shares of the last opening were right."""
    received: Payloads = {}
    step = next(steps)
    while True:
        if isinstance(step, Blame):
            right.discard(step.party)
        received = yield step
        if isinstance(step, Exchange):
            right.clear()
            right.update(received)
        try:
            step = steps.send(received)
        except StopIteration as end:
            return cast("Value", end.value)
