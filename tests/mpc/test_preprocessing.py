"""Batches of bits, triples and rounding material: right values with any t faults, one record for all."""

import random

import pytest
import tkms_kernel as kernel

from mpc.errors import UsageError
from mpc.opening import element_bytes
from mpc.preprocessing import (
    Batch,
    BatchKind,
    Record,
    bit_shares,
    joined,
    record_from_bytes,
    rounding_material,
    triple_shares,
)
from tests.mpc.network import LIARS, Envelope, Liar
from tests.mpc.rounding_world import (
    NAME,
    SETTINGS,
    made,
    mask_keys,
    opened_scalars,
    pool_record,
)
from wire.ids import PartyId

BATCHES = (
    Batch(BatchKind.BITS, 64, 8),
    Batch(BatchKind.BITS, 128, 8),
    Batch(BatchKind.TRIPLES, 64, 8),
    Batch(BatchKind.TRIPLES, 128, 4),
    Batch(BatchKind.ROUNDING, 64, 4),
)


def check(parties: int, threshold: int, record: Record) -> None:
    """Shares from the record are bits, triples, products."""
    batch, everyone = record.batch, mask_keys(parties, threshold)
    k = batch.bits

    def opened(shares: list[kernel.Shares]) -> list[int]:
        return opened_scalars(k, threshold, shares)

    if batch.kind is BatchKind.BITS:
        bits = opened([bit_shares(keys, NAME, record) for keys in everyone])
        assert len(bits) == batch.count
        assert set(bits) <= {0, 1}
        return
    if batch.kind is BatchKind.TRIPLES:
        columns = [triple_shares(keys, NAME, record) for keys in everyone]
    else:
        materials = [rounding_material(keys, NAME, record) for keys in everyone]
        bits = opened([material.bits for material in materials])
        assert set(bits) == {0, 1}
        pairs = opened([material.pairs for material in materials])
        expected = [
            bits[64 * block + 2 * j] * bits[64 * block + 2 * j + 1]
            for block in range(batch.count)
            for j in range(kernel.ROUNDING_PAIRS)
        ]
        assert pairs == expected
        columns = [material.triples for material in materials]
    x, y, z = (opened(list(column)) for column in zip(*columns, strict=True))
    assert z == [a * b % 2**k for a, b in zip(x, y, strict=True)]
    assert len(set(x) | set(y)) == len(x) + len(y)


@pytest.mark.parametrize("batch", BATCHES, ids=lambda b: f"{b.kind.name.lower()} {b.bits}")
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_batches_are_made(parties: int, threshold: int, batch: Batch) -> None:
    """Without faults: one attempt, nobody blamed, everybody the same record, replayable."""
    network, record = made(parties, threshold, batch)
    assert record.attempt == 0
    assert record.corrupt == frozenset()
    assert all(not network.outcomes[party].blamed for party in network.honest)
    check(parties, threshold, record)
    network.replay(PartyId(1))


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS[:2])
def test_a3_any_t_faults(parties: int, threshold: int, name: str) -> None:
    """Liars and silent ones cost attempts or are left out; the values are right and nobody honest is named."""
    liars = {PartyId(p): LIARS[name] for p in range(2, threshold + 2)}
    for batch in (BATCHES[0], BATCHES[2], BATCHES[4]):
        network, record = made(parties, threshold, batch, liars, seed=7)
        assert record.corrupt <= set(liars)
        assert record.attempt <= threshold
        check(parties, threshold, record)
        for party in network.honest:
            assert network.outcomes[party].blamed <= set(liars)


def adding(error: bytes, bits: int) -> Liar:
    """Adds a vector of elements to the share that is broadcast, and is honest otherwise."""

    def liar(_: random.Random, envelope: Envelope) -> bytes:
        share = envelope.payload[: len(error)]
        if envelope.round or len(share) < len(error):
            return envelope.payload
        return kernel.ring_add(bits, share, error) + envelope.payload[len(error) :]

    return liar


def low_weight_word(parties: int, threshold: int, bits: int) -> list[bytes]:
    """Sharing of degree 2t of a value that is not zero, zero at 2t parties: weight n - 2t.

    The polynomial is the product of (Z - point of j) for the last 2t parties j.
    """
    zeros = range(parties - 2 * threshold + 1, parties + 1)

    def element(words: list[int]) -> bytes:
        return b"".join(word.to_bytes(bits // 8, "little") for word in words)

    def point(party: int) -> bytes:
        return element([(party >> j) & 1 for j in range(4)])

    word = []
    for party in range(1, parties + 1):
        value = element([1, 0, 0, 0])
        for zero in zeros:
            value = kernel.ring_mul(bits, value, kernel.ring_sub(bits, point(party), point(zero)))
        word.append(value)
    return word


@pytest.mark.parametrize(("parties", "threshold"), [(7, 2), (13, 4)])
def test_a2_a_codeword_of_low_weight_gives_no_wrong_value(parties: int, threshold: int) -> None:
    """T liars send their part of a codeword whose weight is t + 1: noticed, found, left out.

    A decoder that corrects within half the distance would have taken another value for the truth: with
    every liar at the codeword and one honest party off it, the honest one looks like the liar.
    """
    bits, batch = 64, BATCHES[0]
    word = low_weight_word(parties, threshold, bits)
    assert sum(any(entry) for entry in word) == parties - 2 * threshold == threshold + 1
    padding = bytes(batch.count * bits // 8 - element_bytes(bits))
    liars = {
        PartyId(party): adding(word[party - 1] + padding, bits) for party in range(1, threshold + 1)
    }
    network, record = made(parties, threshold, batch, liars)
    assert record.attempt == 1
    assert record.corrupt == set(liars)
    check(parties, threshold, record)
    assert all(network.outcomes[party].blamed == set(liars) for party in network.honest)
    # The same shares, corrected: a wrong value, and an honest party named.
    columns = []
    for party, keys in enumerate(mask_keys(parties, threshold), start=1):
        session = keys.session(NAME + b"\0\0\0\x08attempt\0")
        share = kernel.masked_bits(session, bits, 0, batch.count)
        columns.append((party, share))
    right, _ = kernel.decode_shares(bits, parties, 2 * threshold, columns, 0)
    wrong = [
        (party, kernel.ring_add(bits, share, word[party - 1] + padding))
        if party <= threshold
        else (party, share)
        for party, share in columns
    ]
    radius = (parties - 2 * threshold - 1) // 2
    values, named = kernel.decode_shares(bits, parties, 2 * threshold, wrong, radius)
    assert values != right
    assert named == [threshold + 1]


@pytest.mark.parametrize("section", ["bits", "triples", "products"])
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS[:2])
def test_liars_are_found_in_every_section(parties: int, threshold: int, section: str) -> None:
    """A wrong element anywhere: the next attempt succeeds, and exactly the liars are named."""
    batch = BATCHES[4]
    sizes = {values.value: count * 8 for values, count in batch.sections}
    first_stage = sizes["bits"] + sizes["triples"]
    place = {"bits": 32, "triples": sizes["bits"] + 64, "products": 96}[section]
    stage = sizes["products"] if section == "products" else first_stage
    sent: set[int] = set()

    def liar(_: random.Random, envelope: Envelope) -> bytes:
        if len(envelope.payload) < stage or (section == "products" and envelope.round == 0):
            return envelope.payload
        if envelope.round in sent or not sent:
            sent.add(envelope.round)
            data = bytearray(envelope.payload)
            # The vector is at the end of a broadcast message, whatever precedes it.
            data[len(data) - stage + place] ^= 4
            return bytes(data)
        return envelope.payload

    liars: dict[PartyId, Liar] = {PartyId(parties): liar}
    network, record = made(parties, threshold, batch, liars)
    assert record.attempt == 1
    assert record.corrupt == set(liars)
    check(parties, threshold, record)
    assert all(network.outcomes[party].blamed == set(liars) for party in network.honest)


@pytest.mark.parametrize(("parties", "threshold"), [(5, 1), (9, 2), (13, 3)])
@pytest.mark.parametrize("name", ["none", "noise", "silent", "moody"])
def test_the_asynchronous_profile(parties: int, threshold: int, name: str) -> None:
    """N >= 4t + 1: one message a stage, no timers, any t faults."""
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)} if name != "none" else {}
    for batch in (BATCHES[0], BATCHES[4]):
        network, record = made(parties, threshold, batch, liars, correcting=True)
        check(parties, threshold, record)
        assert network.timeouts == 0
        rounds = 2 if batch.kind is BatchKind.ROUNDING else 1
        assert {network.outcomes[party].round for party in network.honest} == {rounds}


def test_the_asynchronous_profile_needs_enough_parties() -> None:
    """With 3t + 1 parties correcting is refused."""
    with pytest.raises(UsageError, match="4t"):
        made(4, 1, BATCHES[0], correcting=True)


def test_records_travel() -> None:
    """Encoding and decoding; other batches, lengths and bytes are refused or have another digest."""
    record = pool_record(4, 1, 8)
    data = record.to_bytes()
    again = record_from_bytes(record.batch, data)
    assert again == record
    assert again.digest(NAME) == record.digest(NAME) != record.digest(NAME + b"\0")
    for batch, bad in (
        (record.batch, data[:-1]),
        (record.batch, data + b"\0"),
        (record.batch, b"x" + data[1:]),
        (record.batch, b""),
        (Batch(BatchKind.ROUNDING, 64, 4), data),
        (Batch(BatchKind.BITS, 64, 8), data),
    ):
        with pytest.raises(UsageError):
            record_from_bytes(batch, bad)
    for kind, bits, count in ((1, 96, 4), (1, 64, 0), (1, 64, 6), (3, 128, 4), (2, 64, 2**23)):
        with pytest.raises(UsageError):
            Batch(BatchKind(kind), bits, count)


def test_parts_of_a_batch_fit_together() -> None:
    """Material cut, derived in parts and joined equals the whole."""
    record, keys = pool_record(4, 1, 8), mask_keys(4, 1)[2]
    whole = rounding_material(keys, NAME, record)
    parts = [whole.part(0, 3), rounding_material(keys, NAME, record, 3, 4), whole.part(7, 1)]
    again = joined(parts)
    assert again.blocks == whole.blocks == 8
    for left, right in zip(
        (again.bits, again.pairs, *again.triples),
        (whole.bits, whole.pairs, *whole.triples),
        strict=True,
    ):
        assert left.to_bytes() == right.to_bytes()


def test_names_and_attempts_separate_batches() -> None:
    """Another name gives other values; no two opened words of two batches are equal."""
    first = made(4, 1, BATCHES[0])[1]
    second = made(4, 1, BATCHES[0], {PartyId(1): adding(b"\1" * 64, 64)})[1]
    assert (first.attempt, second.attempt) == (0, 1)
    words = {data[i : i + 8] for r in (first, second) for data in r.opened for i in range(0, 64, 8)}
    assert len(words) == 16
