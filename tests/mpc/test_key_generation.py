"""Key generation without a dealer: a key that tfhe takes, whatever t parties do, and never two ways.

That containers are word for word those of tfhe is tested in `kernel/src/generation/tests.rs`.
"""

from __future__ import annotations

import functools
import itertools

import pytest
import tkms_kernel as kernel

from mpc.key_generation import Chunk, GeneratedKey, Names, plan
from mpc.preprocessing import BatchKind
from mpc.rounding import OrdinaryCiphertext, blocks_of, decrypt_publicly
from tests.mpc.generation_world import World
from tests.mpc.network import LIARS, Network
from tests.mpc.rounding_world import materials
from tests.support.kernel_world import (
    COMPRESSED,
    EXPANDED,
    METADATA,
    UINT8,
    UINT64,
    opened,
)
from tests.support.lockstep import lockstep
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2))


@functools.cache
def made(parties: int, threshold: int) -> tuple[World, list[GeneratedKey]]:
    """A key of the toy parameters that parties made."""
    world = World(parties, threshold, "test")
    return world, world.run()


def decrypted(keys: list[GeneratedKey], threshold: int, items: list[OrdinaryCiphertext]) -> object:
    """Values that the parties open of ordinary ciphertexts."""
    parties = len(keys)
    ready = materials(parties, threshold, blocks_of([item.fhe_type for item in items]))
    values = lockstep(
        parties,
        threshold,
        lambda setting: decrypt_publicly(
            setting, keys[setting.party - 1].share, items, ready[setting.party - 1]
        ),
    )
    assert len(set(values)) == 1
    return values[0]


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_everybody_has_the_same_key(parties: int, threshold: int) -> None:
    """Public parts are equal, shares belong to their parties."""
    _, keys = made(parties, threshold)
    assert len({(key.public_key, key.server_key, key.check) for key in keys}) == 1
    for number, key in enumerate(keys, start=1):
        share = kernel.KeyShare.from_bytes(key.share.to_bytes())
        assert (share.parameters, share.parties) == ("test", parties)
        assert (share.threshold, share.party) == (threshold, number)
    assert len({key.share.to_bytes() for key in keys}) == parties


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_the_key_encrypts_evaluates_and_decrypts(parties: int, threshold: int) -> None:
    """A proven list, computing, all formats, the threshold decryption of each."""
    world, keys = made(parties, threshold)
    public = kernel.CompactPublicKey.load(keys[0].public_key)
    server = kernel.ServerKey.load(keys[0].server_key)
    crs = kernel.Crs.generate("test", 256)
    values = [(UINT64, 2**63 + 5), (UINT64, 2**63 + 37), (UINT8, 19)]
    proven = public.encrypt_list(values, crs, METADATA)
    (_, left), (_, right), (_, small) = server.expand(proven, public, crs, METADATA)
    _, total = server.binary("add", UINT64, left, right)
    _, product = server.binary("mul", UINT8, small, small)
    assert decrypted(
        keys,
        threshold,
        [
            OrdinaryCiphertext(total, UINT64),
            OrdinaryCiphertext(product, UINT8),
            OrdinaryCiphertext(keys[0].check, UINT8),
        ],
    ) == (42, 19 * 19 % 256, kernel.GENERATION_CHECK_VALUE)
    if parties > 4:
        return
    # Squashing takes long, and (7, 2) would show nothing that ordinary values do not.
    for form in (COMPRESSED, EXPANDED):
        squashed = server.squash(total, UINT64, form == COMPRESSED)
        pairs = zip(keys, world.keys, strict=True)
        shares = [
            (number, key.share.partial_decrypt(squashed, UINT64, form, prss, METADATA))
            for number, (key, prss) in enumerate(pairs, start=1)
        ]
        for three in itertools.combinations(shares, 3):
            assert opened(list(three), UINT64) == 42


def test_the_form_is_that_of_a_dealt_key() -> None:
    """Lengths are those of a key whose owner publishes it: nothing is missing, nothing is added."""
    _, keys = made(4, 1)
    client = kernel.ClientKey.generate("test")
    assert len(keys[0].public_key) == len(client.compact_public_key())
    assert len(keys[0].server_key) == len(client.server_key())
    assert len(keys[0].check) == len(client.encrypt(UINT8, 1))
    assert len(keys[0].share.to_bytes()) == len(client.deal(4, 1)[0].to_bytes())


@pytest.mark.parametrize("name", list(LIARS))
def test_lies_change_nothing(name: str) -> None:
    """A20: wrong factors of products, wrong bodies, silence: the same words, liars at most are blamed."""
    world, _ = made(4, 1)
    products = next(c for c in world.first.plan.chunks if c.products)
    small = next(c for c in world.first.plan.chunks if c.part == "check")
    for chunk in (products, small):
        expected = world.open(chunk)
        for corrupt in (1, 4):
            liars = {PartyId(corrupt): LIARS[name]}
            network = Network(4, 1, world.opening(chunk), 7, liars).run()
            assert network.values() == [expected] * 3
            assert network.timeouts == 0
            for party in network.honest:
                assert network.outcomes[party].blamed <= set(liars)
            network.replay(network.honest[0])


def test_seven_parties_with_two_liars() -> None:
    """A20 at (7, 2)."""
    world, _ = made(7, 2)
    chunk = next(c for c in world.first.plan.chunks if c.products)
    expected = world.open(chunk)
    for names in itertools.combinations(LIARS, 2):
        liars = {PartyId(n): LIARS[name] for n, name in zip((2, 5), names, strict=True)}
        network = Network(7, 2, world.opening(chunk), 11, liars).run()
        assert network.values() == [expected] * 5


@pytest.mark.slow
def test_thirteen_parties_with_four_liars() -> None:
    """A20 at (13, 4), with the parts that every set has."""
    world = World(13, 4, "test")
    world.begin()
    chosen = {chunk.part: chunk for chunk in reversed(world.first.plan.chunks)}
    liars = {PartyId(n): LIARS[name] for n, name in zip((1, 4, 9, 13), LIARS, strict=False)}
    for part in ("check", "bootstrap"):
        expected = world.open(chosen[part])
        network = Network(13, 4, world.opening(chosen[part]), 13, liars).run()
        assert network.values() == [expected] * 9
        assert all(network.outcomes[p].blamed <= set(liars) for p in network.honest)


def test_a_wrong_triple_or_bit_cannot_enter() -> None:
    """A20: a batch whose maker lies is made again without it; the record is that of honest parties."""
    world = World(4, 1, "test")
    numbers = [world.first.plan.secrets, world.first.plan.chunks[-1].batches.start]
    triples = [c.triples for c in world.first.plan.chunks if c.triples is not None]
    for number in [*numbers, triples[0]]:
        network = Network(4, 1, world.making(number), 5, {PartyId(2): LIARS["noise"]}).run()
        records = network.values()
        assert len({record.digest(b"") for record in records if record is not None}) == 1


def test_it_goes_on_where_it_stopped() -> None:
    """A party that starts again takes the records, opens the rest, and has the same key."""
    _world, keys = made(4, 1)
    again = World(4, 1, "test")
    seed = again.begin()
    chunks = again.first.plan.chunks
    bodies = {}
    for chunk in chunks[:3]:
        bodies[chunk.number] = again.open(chunk)
    resumed = World(4, 1, "test")
    assert resumed.begin() == seed
    for chunk in chunks[:3]:
        for generation in resumed.generations:
            generation.accept(chunk, bodies[chunk.number])
    missing = resumed.first.missing()
    assert [c.number for c in missing] == [c.number for c in chunks[3:]]
    with pytest.raises(kernel.InvalidInput):
        resumed.first.finish()
    for chunk in missing:
        opened_bodies = resumed.open(chunk)
        for generation in resumed.generations:
            generation.accept(chunk, opened_bodies)
    assert resumed.first.finish().server_key == keys[0].server_key


def test_names_belong_to_the_batches() -> None:
    """No run of one generation has the name of another, of another set, epoch or preprocessing."""
    sets = [
        Names(epoch, bytes([number]) * 32, parameters)
        for epoch in (1, 2)
        for number in (1, 2)
        for parameters in ("test", "production-64")
    ]
    names = [
        name
        for one in sets
        for name in (one.seed(), one.batch(0), one.batch(1), one.chunk(0), one.chunk(1))
    ]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("parameters", kernel.parameter_sets())
def test_plans_are_whole(parameters: str) -> None:
    """Every batch is a secret one, or the noise of one chunk, or the triples of some."""
    made_plan = plan(parameters)
    noise = [number for chunk in made_plan.chunks for number in chunk.batches]
    triples = {chunk.triples for chunk in made_plan.chunks} - {None}
    secrets = range(made_plan.secrets)
    assert sorted([*secrets, *noise, *triples]) == list(range(len(made_plan.batches)))
    for number, batch in enumerate(made_plan.batches):
        expected = BatchKind.TRIPLES if number in triples else BatchKind.BITS
        assert batch.kind is expected
        assert batch.opened_bytes <= 2 * 2**20


def _calls(world: World, chunk: Chunk) -> None:
    """Calls that must fail on a chunk with products."""
    inner = kernel.KeyGeneration("test", world.keys[0])
    session = world.keys[0].session(b"x")
    record = world.record(chunk.batches.start)
    with pytest.raises(kernel.InvalidInput):
        inner.factors(chunk.number, session)  # before the keys are there
    with pytest.raises(kernel.InvalidInput):
        inner.set_seed(bytes(15))
    with pytest.raises(kernel.InvalidInput):
        inner.set_keys([(session, record.opened[0])])
    for bodies in (b"", bytes(chunk.size - 8), bytes(chunk.size + 8)):
        with pytest.raises(kernel.InvalidInput):
            inner.accept(chunk.number, bodies)
    with pytest.raises(kernel.InvalidInput):
        inner.accept(10**6, b"")
    assert not inner.accepted(10**6)


def test_bad_input_is_refused() -> None:
    """Wrong lengths, unknown chunks, wrong order: typed errors."""
    world = World(4, 1, "test")
    world.begin()
    chunk = next(c for c in world.first.plan.chunks if c.products)
    _calls(world, chunk)
    inner = world.first._kernel
    session, other = world.keys[0].session(b"x"), world.record(0)
    bits = [(session, world.record(number).opened[0]) for number in chunk.batches]
    triples = (session, world.record(chunk.triples or 0).opened[0])
    factors = bytes(2 * chunk.products * chunk.bits // 8)
    assert inner.bodies(chunk.number, bits, triples, factors)
    for call in (
        lambda: inner.bodies(chunk.number, bits),
        lambda: inner.bodies(chunk.number, bits, triples),
        lambda: inner.bodies(chunk.number, [], triples, factors),
        lambda: inner.bodies(chunk.number, bits, triples, factors[:-8]),
        lambda: inner.bodies(chunk.number, bits, triples, factors[:-1]),
        lambda: inner.bodies(chunk.number, bits, (session, other.opened[0]), factors),
        lambda: inner.bodies(chunk.number, [(session, other.opened[0])], triples, factors),
        lambda: inner.bodies(10**6, bits, triples, factors),
        lambda: inner.factors(0, session),
        lambda: kernel.KeyGeneration("unknown", world.keys[0]),
        lambda: kernel.generation_plan("unknown"),
    ):
        with pytest.raises(kernel.InvalidInput):
            call()
    assert repr(inner) == "KeyGeneration()"
