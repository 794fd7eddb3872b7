"""Key generation without a dealer: the parties make the keys together, and nobody ever holds them.

Source: eprint 2025/699 (NIST draft of the same system), distributed key generation with noise from
random bits.

1. Before: batches of random bits and triples (`plan`), one run of preprocessing each. What was opened
   in it is its record. Shares are functions of PRSS keys and records, so nothing secret is stored.
2. The parties open a random seed; tfhe's generator makes the public masks of it.
3. The first batches are the bits of the secret keys. Each chunk of rows turns its batches into noise
   and triples, and costs one round, or two if it needs products: the factors, less a triple's, are
   opened, then the bodies. Both openings are of degree t, so up to t wrong shares are corrected.
4. Opened bodies are public. They are the record of their chunk: a party that missed them takes them
   from others, and who starts again goes on behind the last record.
5. The keys come out in the form that their owner would publish. Shares that decryption does not need
   (the small key, the compact key) end with the generation.

A batch serves one generation, and the seed belongs to the batches: the same noise under two seeds
would show the secret keys. Names are therefore made of what the batches were made for, and not of the
request that uses them (`Names`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import tkms_kernel as kernel

from mpc.exchange import ProtocolAbort, Setting, Steps
from mpc.names import run_name
from mpc.opening import open_robustly
from mpc.preprocessing import Batch, BatchKind, Record, record_session
from mpc.session import AbortReason

SEED_BYTES = 16

_SEED_BITS = 64


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of one part of the keys that are opened at once."""

    number: int
    part: str
    bits: int
    words: int
    products: int
    batches: range
    """Its batches of bits, by number."""
    triples: int | None
    """Its batch of triples, which other chunks use too."""

    @property
    def size(self) -> int:
        """Bytes of its record."""
        return self.words * self.bits // 8


@dataclass(frozen=True, slots=True)
class Plan:
    """What a parameter set needs; the first `secrets` batches give the secret keys."""

    secrets: int
    batches: tuple[Batch, ...]
    chunks: tuple[Chunk, ...]


@cache
def plan(parameters: str) -> Plan:
    """Plan of a parameter set."""
    secrets, batches, chunks = kernel.generation_plan(parameters)
    kinds = (BatchKind.BITS, BatchKind.TRIPLES)
    return Plan(
        secrets,
        tuple(Batch(kinds[triples], bits, count) for triples, bits, count in batches),
        tuple(
            Chunk(number, part, bits, words, products, range(first, last), triples)
            for number, (part, bits, words, products, first, last, triples) in enumerate(chunks)
        ),
    )


@dataclass(frozen=True, slots=True)
class Names:
    """Names of the runs of one generation."""

    epoch_id: int
    preprocessing_id: bytes
    parameters: str

    def batch(self, number: int) -> bytes:
        """Of the run that makes a batch."""
        return self._name("key-batch", number.to_bytes(4, "big"))

    def seed(self) -> bytes:
        """Of the run that opens the seed of the masks."""
        return self._name("key-seed")

    def chunk(self, number: int) -> bytes:
        """Of the run that opens a chunk."""
        return self._name("key-chunk", number.to_bytes(4, "big"))

    def _name(self, kind: str, *parts: bytes) -> bytes:
        """All of what the batches were made for."""
        set_name = self.parameters.encode("ascii")
        return run_name(kind, self.epoch_id, self.preprocessing_id, set_name, *parts)


@dataclass(frozen=True, slots=True)
class GeneratedKey:
    """What a party has in the end. All but the share is public and equal at all parties."""

    public_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    check: bytes = field(repr=False)
    """A ciphertext (8 bits, format 1) of `kernel.GENERATION_CHECK_VALUE` under the new key."""
    share: kernel.KeyShare = field(repr=False)


class KeyGeneration:
    """One party's side. Records come from runs of `mpc.preprocessing` named `names.batch(number)`."""

    __slots__ = ("_kernel", "_keys", "names", "plan")

    def __init__(self, keys: kernel.PrssKeys, names: Names) -> None:
        """Begin with the keys of the epoch in which the batches were made."""
        self.names = names
        self.plan = plan(names.parameters)
        self._keys = keys
        self._kernel = kernel.KeyGeneration(names.parameters, keys)

    def open_seed(self, setting: Setting) -> Steps[bytes]:
        """Seed of the masks; one round, asynchronous. Public, and kept as a record."""
        session = self._keys.session(self.names.seed())
        opened = yield from open_robustly(setting, _SEED_BITS, session.next(_SEED_BITS, 0, 1))
        return opened[:SEED_BYTES]

    def begin(self, seed: bytes, secrets: Sequence[Record]) -> None:
        """Take the opened seed and the records of the secret batches."""
        self._kernel.set_seed(seed)
        self._kernel.set_keys(
            [self._plain(number, record) for number, record in enumerate(secrets)]
        )

    def open_chunk(
        self, setting: Setting, chunk: Chunk, bits: Sequence[Record], triples: Record | None = None
    ) -> Steps[bytes]:
        """Bodies of a chunk, as words; asynchronous.

        `bits` and `triples` are the records of its batches. What comes back is public and the record
        of the chunk, to be given to `accept` here and on every later start.
        """
        noise = [self._plain(*pair) for pair in zip(chunk.batches, bits, strict=True)]
        if chunk.triples is None or triples is None:
            own = self._kernel.bodies(chunk.number, noise)
        else:
            known = self._plain(chunk.triples, triples)
            differences = self._kernel.factors(chunk.number, known[0])
            count = 2 * chunk.products
            factors = yield from _open_words(setting, chunk.bits, differences, count)
            own = self._kernel.bodies(chunk.number, noise, known, factors)
        return (yield from _open_words(setting, chunk.bits, own, chunk.words))

    def accept(self, chunk: Chunk, bodies: bytes) -> None:
        """Take the record of a chunk."""
        self._kernel.accept(chunk.number, bodies)

    def missing(self) -> list[Chunk]:
        """Chunks that are not accepted yet."""
        return [c for c in self.plan.chunks if not self._kernel.accepted(c.number)]

    def finish(self) -> GeneratedKey:
        """The key, when all chunks are accepted."""
        return GeneratedKey(
            self._kernel.compact_public_key(),
            self._kernel.server_key(),
            self._kernel.check_ciphertext(),
            self._kernel.key_share(),
        )

    def _plain(self, number: int, record: Record) -> tuple[kernel.PrssSession, bytes]:
        """Record of a batch as the kernel takes it."""
        session = record_session(self._keys, self.names.batch(number), record)
        return session, record.opened[0]


def _open_words(setting: Setting, bits: int, own: bytes, count: int) -> Steps[bytes]:
    """Open packed scalars of degree t."""
    opened = yield from open_robustly(setting, bits, own)
    try:
        return kernel.ring_unpack4(bits, opened, count)
    except kernel.VerificationFailed as error:
        # Rightly opened padding is zero: more than t parties lie together.
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, str(error)) from error
