"""Batches of random bits, triples, and what the decryption of ordinary ciphertexts takes.

Nothing secret is made or stored: shares are functions of the keys for pseudorandom values and of
what was opened. A `Record` holds what was opened, is public, and is the same at all honest parties; a
party without it takes it from t + 1 peers that show the same digest. `bit_shares`, `triple_shares`
and `rounding_material` give a party its shares from a record.

A batch of rounding serves `count` blocks. First its bits and triples are opened, then the products of
neighbouring bits (`ROUNDING_PAIRS` a block). An attempt that fails is repeated as a whole, with other
pseudorandom values: bits that were revealed to find a liar are not used.

A name is used for one batch, by all parties with the same `Batch`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import tkms_kernel as kernel

from mpc.errors import UsageError
from mpc.exchange import ProtocolAbort, Setting, Steps
from mpc.masked_opening import IN_GROUP, Opened, Section, Values, open_masked, open_masked_online
from mpc.opening import NOBODY
from mpc.session import AbortReason
from wire.digests import sha3_256
from wire.ids import PartyId

ROUNDING_RING = 64
"""Ordinary ciphertexts live modulo 2^64."""

MAX_COUNT = 2**22
"""Values, or blocks, of one batch: what the kernel does in one call."""

_MAGIC = b"tkms-record\x01"
_HEADER = len(_MAGIC) + 7


class BatchKind(IntEnum):
    """What a batch is for."""

    BITS = 1
    TRIPLES = 2
    ROUNDING = 3


@dataclass(frozen=True, slots=True)
class Batch:
    """What is made: `count` values over GR(2^bits, 4), or material for `count` blocks.

    `count` is a multiple of four.
    """

    kind: BatchKind
    bits: int
    count: int

    def __post_init__(self) -> None:
        """Refuse what the kernel cannot make."""
        if self.bits not in (64, 128) or not 0 < self.count <= MAX_COUNT or self.count % IN_GROUP:
            raise UsageError("a batch has a multiple of four values over one of the two rings")
        if self.kind is BatchKind.ROUNDING and self.bits != ROUNDING_RING:
            raise UsageError("rounding works modulo 2^64")

    @property
    def sections(self) -> tuple[tuple[Values, int], ...]:
        """Vectors that are opened, with their numbers of values, in order."""
        if self.kind is BatchKind.BITS:
            return ((Values.BITS, self.count),)
        if self.kind is BatchKind.TRIPLES:
            return ((Values.TRIPLES, self.count),)
        return (
            (Values.BITS, kernel.ROUNDING_BITS * self.count),
            (Values.TRIPLES, kernel.ROUNDING_TRIPLES * self.count),
            (Values.PRODUCTS, kernel.ROUNDING_PAIRS * self.count),
        )

    @property
    def opened_bytes(self) -> int:
        """Bytes that the openings give, and that each party sends each other one for them."""
        return sum(count for _, count in self.sections) * self.bits // 8


@dataclass(frozen=True, slots=True)
class Record:
    """What was opened for one batch: public, and the same at all honest parties."""

    batch: Batch
    attempt: int
    opened: tuple[bytes, ...] = field(repr=False)
    corrupt: frozenset[PartyId] = field(default=NOBODY, compare=False)
    """Parties that all agree to be corrupt; empty where the record came from a peer or a file."""

    def to_bytes(self) -> bytes:
        """Magic, kind, k, attempt (a byte each), count (u32 big endian), opened words."""
        batch = self.batch
        header = bytes([batch.kind, batch.bits, self.attempt]) + batch.count.to_bytes(4, "big")
        return b"".join((_MAGIC, header, *self.opened))

    def digest(self, name: bytes) -> bytes:
        """What peers compare: bound to the name of the batch."""
        length = len(name).to_bytes(4, "big")
        return sha3_256(b"".join((b"tkms/record/v1", length, name, self.to_bytes())))


def record_from_bytes(batch: Batch, data: bytes) -> Record:
    """Record of an expected batch.

    Raises
    ------
    UsageError
        When the bytes are none. Whether they are the right ones, only the digest says.
    """
    expected = _MAGIC + bytes([batch.kind, batch.bits])
    if len(data) != _HEADER + batch.opened_bytes or not data.startswith(expected):
        raise UsageError("no record of this batch")
    if data[_HEADER - 4 : _HEADER] != batch.count.to_bytes(4, "big"):
        raise UsageError("a record of another count")
    opened, start = [], _HEADER
    for _, count in batch.sections:
        end = start + count * batch.bits // 8
        opened.append(data[start:end])
        start = end
    return Record(batch, data[_HEADER - 5], tuple(opened))


def preprocess(
    setting: Setting,
    keys: kernel.PrssKeys,
    name: bytes,
    batch: Batch,
    *,
    excluded: frozenset[PartyId] = NOBODY,
    correcting: bool = False,
) -> Steps[Record]:
    """Make a batch.

    `correcting` is the asynchronous profile, n >= 4t + 1; else rounds are synchronous. All parties choose
    alike, and all start with the same `excluded`.
    """
    corrupt = excluded
    for attempt in range(1 if correcting else setting.threshold + 1):
        made = _Attempt(setting, keys.session(_attempt_name(name, attempt)), batch, correcting)
        opened = yield from made.run(corrupt)
        corrupt = opened.corrupt
        if opened.sections is not None:
            return Record(batch, attempt, opened.sections, corrupt)
    raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "no attempt succeeded")


@dataclass(slots=True)
class _Attempt:
    """One attempt at one batch."""

    setting: Setting
    session: kernel.PrssSession
    batch: Batch
    correcting: bool

    def run(self, excluded: frozenset[PartyId]) -> Steps[Opened]:
        """All stages, or up to the one that fails."""
        first = [
            self._section(values, count)
            for values, count in self.batch.sections
            if values is not Values.PRODUCTS
        ]
        opened = yield from self._open(first, excluded)
        if opened.sections is None or self.batch.kind is not BatchKind.ROUNDING:
            return opened
        products = yield from self._open([self._products(opened.sections[0])], opened.corrupt)
        if products.sections is None:
            return products
        return Opened(opened.sections + products.sections, products.corrupt)

    def _open(self, sections: Sequence[Section], excluded: frozenset[PartyId]) -> Steps[Opened]:
        """One stage."""
        bits = self.batch.bits
        if self.correcting:
            return (yield from open_masked_online(self.setting, bits, sections))
        return (yield from open_masked(self.setting, bits, self.session, sections, excluded))

    def _section(self, values: Values, count: int) -> Section:
        """Our share of bits or triples."""
        mask = kernel.masked_bits if values is Values.BITS else kernel.masked_triples
        return Section(values, mask(self.session, self.batch.bits, 0, count))

    def _products(self, squares: bytes) -> Section:
        """Our share of the products of neighbouring bits."""
        bits = kernel.finish_bits(self.session, ROUNDING_RING, 0, squares)
        share = kernel.masked_neighbours(self.session, 0, bits)

        def factors(group: int) -> tuple[list[int], bytes]:
            numbers = [
                place
                for pair in range(group * IN_GROUP, (group + 1) * IN_GROUP)
                for place in _neighbours(pair)
            ]
            return numbers, b"".join(squares[8 * place : 8 * place + 8] for place in numbers)

        return Section(Values.PRODUCTS, share, factors)


def _neighbours(pair: int) -> tuple[int, int]:
    """Numbers of the two bits that a prepared product multiplies."""
    block, index = divmod(pair, kernel.ROUNDING_PAIRS)
    low = kernel.ROUNDING_BITS * block + 2 * index
    return low, low + 1


def _attempt_name(name: bytes, attempt: int) -> bytes:
    """Name of the pseudorandom values of one attempt: the batch's, and one more field."""
    part = b"attempt" + bytes([attempt])
    return name + len(part).to_bytes(4, "big") + part


@dataclass(frozen=True, slots=True)
class Material:
    """Our shares of what the rounding of some blocks takes. Each block of it is used once."""

    blocks: int
    bits: kernel.Shares
    pairs: kernel.Shares
    triples: tuple[kernel.Shares, kernel.Shares, kernel.Shares]

    def part(self, first: int, count: int) -> "Material":
        """Material of `count` blocks from block `first` on."""

        def cut(shares: kernel.Shares, each: int) -> kernel.Shares:
            return shares.part(each * first, each * (first + count))

        x, y, z = (cut(column, kernel.ROUNDING_TRIPLES) for column in self.triples)
        return Material(
            count,
            cut(self.bits, kernel.ROUNDING_BITS),
            cut(self.pairs, kernel.ROUNDING_PAIRS),
            (x, y, z),
        )


def joined(parts: Sequence[Material]) -> Material:
    """Material of the blocks of all parts, one after the other."""
    join = kernel.Shares.join
    x, y, z = (join([part.triples[i] for part in parts]) for i in range(3))
    return Material(
        sum(part.blocks for part in parts),
        join([part.bits for part in parts]),
        join([part.pairs for part in parts]),
        (x, y, z),
    )


def record_session(keys: kernel.PrssKeys, name: bytes, record: Record) -> kernel.PrssSession:
    """Pseudorandom values of the attempt that gave the record of a batch."""
    return keys.session(_attempt_name(name, record.attempt))


def bit_shares(keys: kernel.PrssKeys, name: bytes, record: Record) -> kernel.Shares:
    """Our shares of the bits of a batch."""
    session = record_session(keys, name, record)
    return kernel.finish_bits(session, record.batch.bits, 0, record.opened[0])


def triple_shares(
    keys: kernel.PrssKeys, name: bytes, record: Record
) -> tuple[kernel.Shares, kernel.Shares, kernel.Shares]:
    """Our shares of the triples of a batch."""
    session = record_session(keys, name, record)
    return kernel.finish_triples(session, record.batch.bits, 0, record.opened[0])


def rounding_material(
    keys: kernel.PrssKeys, name: bytes, record: Record, first: int = 0, count: int | None = None
) -> Material:
    """Our shares for `count` blocks of a batch from block `first` on; all of them by default."""
    session = record_session(keys, name, record)
    count = record.batch.count - first if count is None else count

    def opened(section: int, each: int) -> tuple[int, bytes]:
        words = record.opened[section]
        return each * first, words[8 * each * first : 8 * each * (first + count)]

    ring = ROUNDING_RING
    return Material(
        count,
        kernel.finish_bits(session, ring, *opened(0, kernel.ROUNDING_BITS)),
        kernel.finish_products(session, ring, *opened(2, kernel.ROUNDING_PAIRS)),
        kernel.finish_triples(session, ring, *opened(1, kernel.ROUNDING_TRIPLES)),
    )
