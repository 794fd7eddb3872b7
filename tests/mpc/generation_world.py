"""A whole key generation in one process, for tests and measurements."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import tkms_kernel as kernel

from mpc.exchange import Setting, Steps
from mpc.key_generation import Chunk, GeneratedKey, KeyGeneration, Names
from mpc.preprocessing import Record, preprocess
from tests.support.lockstep import Meter, lockstep

EPOCH = 1


@dataclass(slots=True)
class World:
    """Parties that make a key together; honest unless a test says otherwise."""

    parties: int
    threshold: int
    parameters: str
    keys: tuple[kernel.PrssKeys, ...] = ()
    generations: list[KeyGeneration] = field(default_factory=list)
    before: Meter = field(default_factory=Meter)
    meter: Meter = field(default_factory=Meter)
    records: dict[int, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Deal the keys for pseudorandom values."""
        self.keys = tuple(kernel.PrssKeys.deal(self.parties, self.threshold, b"g" * 32))
        names = Names(EPOCH, b"\x07" * 32, self.parameters)
        self.generations = [KeyGeneration(keys, names) for keys in self.keys]

    @property
    def first(self) -> KeyGeneration:
        """The first party's side."""
        return self.generations[0]

    def record(self, number: int) -> Record:
        """Record of a batch, made when first asked for."""
        if number not in self.records:
            made = lockstep(self.parties, self.threshold, self.making(number), self.before)
            assert len({record.digest(b"") for record in made}) == 1
            self.records[number] = made[0]
        return self.records[number]

    def making(self, number: int) -> Callable[[Setting], Steps[Record]]:
        """Protocol of a batch."""
        name, batch = self.first.names.batch(number), self.first.plan.batches[number]
        return lambda setting: preprocess(setting, self.keys[setting.party - 1], name, batch)

    def opening(self, chunk: Chunk) -> Callable[[Setting], Steps[bytes]]:
        """Protocol of a chunk."""
        bits = [self.record(number) for number in chunk.batches]
        triples = None if chunk.triples is None else self.record(chunk.triples)
        return lambda setting: self.generations[setting.party - 1].open_chunk(
            setting, chunk, bits, triples
        )

    def begin(self) -> bytes:
        """Seed and secret keys at all parties."""
        seeds = lockstep(
            self.parties,
            self.threshold,
            lambda setting: self.generations[setting.party - 1].open_seed(setting),
            self.meter,
        )
        assert len(set(seeds)) == 1
        secrets = [self.record(number) for number in range(self.first.plan.secrets)]
        for generation in self.generations:
            generation.begin(seeds[0], secrets)
        return seeds[0]

    def open(self, chunk: Chunk) -> bytes:
        """One chunk at all parties."""
        opened = lockstep(self.parties, self.threshold, self.opening(chunk), self.meter)
        assert len(set(opened)) == 1
        return opened[0]

    def run(self) -> list[GeneratedKey]:
        """Everything; records that are not needed any more are forgotten."""
        self.begin()
        for chunk in self.first.plan.chunks:
            bodies = self.open(chunk)
            for generation in self.generations:
                generation.accept(chunk, bodies)
            for number in chunk.batches:
                del self.records[number]
        return [generation.finish() for generation in self.generations]
