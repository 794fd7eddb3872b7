"""Random bits, triples, products, noise: equal to the twin, of the right degree, unbiased, never reused."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
import tkms_kernel
from tkms_kernel import Shares

from tests.support import preprocessing_twin as twin
from tests.support.ring_twin import Prss, Ring

RINGS = {k: Ring(k) for k in (64, 128)}
SEED = bytes(range(32))
INFO = b"batch"
SMALL = [(4, 1), (7, 2)]


def sessions(parties: int, threshold: int, info: bytes = INFO) -> list[tkms_kernel.PrssSession]:
    """Sessions of all parties for the test seed."""
    dealt = tkms_kernel.PrssKeys.deal(parties, threshold, SEED)
    return [keys.session(info) for keys in dealt]


def opened(k: int, degree: int, shares: Sequence[bytes]) -> bytes:
    """Elements opened from all parties' shares, without any error."""
    numbered = list(enumerate(shares, start=1))
    return tkms_kernel.decode_shares(k, len(shares), degree, numbered, 0)[0]


def words(k: int, data: bytes) -> list[int]:
    """Little-endian words."""
    size = k // 8
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]


def scalars(k: int, threshold: int, shares: Sequence[Shares]) -> list[int]:
    """Opened values of degree t; the higher coefficients must be zero."""
    elements = words(k, opened(k, threshold, [share.to_bytes() for share in shares]))
    assert not any(word for index, word in enumerate(elements) if index % 4)
    return elements[::4]


def made(
    k: int,
    threshold: int,
    everyone: Sequence[tkms_kernel.PrssSession],
    start: int,
    count: int,
    masked: Callable[[tkms_kernel.PrssSession, int, int, int], bytes],
) -> bytes:
    """The words opened from what all parties send."""
    sent = [masked(session, k, start, count) for session in everyone]
    return tkms_kernel.ring_unpack4(k, opened(k, 2 * threshold, sent), count)


def bits(
    k: int, threshold: int, everyone: Sequence[tkms_kernel.PrssSession], start: int, count: int
) -> list[Shares]:
    """Every party's shares of random bits."""
    record = made(k, threshold, everyone, start, count, tkms_kernel.masked_bits)
    return [tkms_kernel.finish_bits(session, k, start, record) for session in everyone]


@pytest.mark.parametrize("k", [64, 128])
@pytest.mark.parametrize(("parties", "threshold"), SMALL)
def test_what_is_sent_equals_the_twin(k: int, parties: int, threshold: int) -> None:
    """Words, masked bits and masked triples of every party, far from counter 0."""
    reference, ring, start = Prss(parties, threshold, SEED, INFO), RINGS[k], 2**34 + 4
    for party, session in enumerate(sessions(parties, threshold), start=1):
        # An odd start lies within a block of AES that holds two words.
        expected = [twin.share(reference, ring, b"SCAL", start + i, party) for i in (1, 2, 3)]
        assert session.scalars(k, start + 1, 3) == ring.to_bytes(expected)
        assert tkms_kernel.masked_bits(session, k, start, 8) == ring.to_bytes(
            twin.masked_bits(reference, ring, party, start, 8)
        )
        assert tkms_kernel.masked_triples(session, k, start, 4) == ring.to_bytes(
            twin.masked_triples(reference, ring, party, start, 4)
        )


@pytest.mark.parametrize("k", [64, 128])
@pytest.mark.parametrize(("parties", "threshold"), [*SMALL, (13, 4)])
def test_bits_are_the_ones_that_the_words_stand_for(k: int, parties: int, threshold: int) -> None:
    """Opened words are x^2 + x, and a bit says whether x is the odd root."""
    reference, ring, everyone = (
        Prss(parties, threshold, SEED, INFO),
        RINGS[k],
        sessions(parties, threshold),
    )
    record = made(k, threshold, everyone, 8, 12, tkms_kernel.masked_bits)
    secret = [twin.value(reference, ring, b"BITX", number) for number in range(8, 20)]
    assert words(k, record) == [(x * x + x) % 2**k for x in secret]
    shares = [tkms_kernel.finish_bits(session, k, 8, record) for session in everyone]
    assert scalars(k, threshold, shares) == [twin.bit(ring, x) for x in secret]


@pytest.mark.parametrize("k", [64, 128])
@pytest.mark.parametrize(("parties", "threshold"), [*SMALL, (13, 4)])
def test_triples_and_products_multiply(k: int, parties: int, threshold: int) -> None:
    """The third of a triple is the product; so is what comes of two shared vectors."""
    everyone = sessions(parties, threshold)
    record = made(k, threshold, everyone, 4, 8, tkms_kernel.masked_triples)
    triples = [tkms_kernel.finish_triples(session, k, 4, record) for session in everyone]
    x, y, z = (scalars(k, threshold, column) for column in zip(*triples, strict=True))
    assert z == [a * b % 2**k for a, b in zip(x, y, strict=True)]
    sent = [
        tkms_kernel.masked_products(session, k, 12, left, right)
        for session, (left, right, _) in zip(everyone, triples, strict=True)
    ]
    record = tkms_kernel.ring_unpack4(k, opened(k, 2 * threshold, sent), 8)
    shares = [tkms_kernel.finish_products(session, k, 12, record) for session in everyone]
    assert scalars(k, threshold, shares) == z
    reference = Prss(parties, threshold, SEED, INFO)
    masks = [twin.value(reference, RINGS[k], b"PROX", number) for number in range(12, 20)]
    expected = [(product + mask) % 2**k for product, mask in zip(z, masks, strict=True)]
    assert words(k, record) == expected


@pytest.mark.parametrize(("parties", "threshold"), SMALL)
def test_what_is_sent_has_degree_2t(parties: int, threshold: int) -> None:
    """The shares lie on no polynomial of a lower degree: the zero sharing is really there."""
    everyone = sessions(parties, threshold)
    for masked in (tkms_kernel.masked_bits, tkms_kernel.masked_triples):
        sent = [masked(session, 64, 0, 4) for session in everyone]
        with pytest.raises(tkms_kernel.TooManyErrors):
            opened(64, 2 * threshold - 1, sent)


def test_a_batch_equals_its_parts_and_no_two_values_share_randomness() -> None:
    """Ranges fit together; kinds, rings, sessions and numbers give different bytes."""
    session = sessions(4, 1)[0]
    for k, masked in itertools.product(
        (64, 128), (tkms_kernel.masked_bits, tkms_kernel.masked_triples)
    ):
        whole = masked(session, k, 4, 404)
        assert whole == masked(session, k, 4, 200) + masked(session, k, 204, 204)
        assert masked(session, k, 4, 0) == b""
    assert session.scalars(64, 3, 401) == session.scalars(64, 3, 200) + session.scalars(
        64, 203, 201
    )
    values = []
    for k, step in ((64, 32), (128, 64)):
        for data in (
            session.scalars(k, 0, 300),
            session.next(k, 0, 100),
            session.zero(k, 0, 100),
            tkms_kernel.masked_bits(session, k, 0, 400),
            tkms_kernel.masked_triples(session, k, 0, 400),
            tkms_kernel.masked_bits(sessions(4, 1, b"other")[0], k, 0, 400),
        ):
            values += [data[i : i + 16] for i in range(0, len(data), step)]
    assert len(set(values)) == len(values)


def test_bits_and_their_sums_are_unbiased() -> None:
    """2^20 bits: number of ones, and of ones followed by ones, within four deviations."""
    count = 2**20
    shares = bits(64, 1, sessions(4, 1), 0, count)
    # Two shares determine a bit; the lambda of parties 1 and 2 has only small denominators.
    ones = opened(64, 1, [share.to_bytes() for share in shares])[::32]
    assert set(ones) <= {0, 1}
    total, pairs = sum(ones), sum(a & b for a, b in itertools.pairwise(ones))
    assert abs(total - count / 2) < 4 * math.sqrt(count / 4)
    # Overlapping pairs: variance 3/16 each, plus twice the covariance 1/16 of neighbours.
    assert abs(pairs - count / 4) < 4 * math.sqrt(count * 5 / 16)


def test_tuniform_is_the_sum_of_its_bits_and_has_half_weight_at_the_ends() -> None:
    """Against the twin on random bits; over all bits, the exact distribution."""
    drawn = [random.Random(5).randrange(2) for _ in range(47 * 6)]
    for k, bound in ((64, 45), (128, 45), (64, 0), (64, 1), (128, 4)):
        used = drawn[: len(drawn) // (bound + 2) * (bound + 2)]
        data = b"".join(b.to_bytes(k // 8, "little") for b in used)
        dealt = tkms_kernel.shamir_share(k, data, 4, 1, SEED)
        shares = [
            tkms_kernel.tuniform_from_bits(Shares.from_bytes(k, column), bound) for column in dealt
        ]
        groups = [used[i : i + bound + 2] for i in range(0, len(used), bound + 2)]
        assert scalars(k, 1, shares) == [twin.tuniform(group, bound) % 2**k for group in groups]
    every = [b for word in itertools.product((0, 1), repeat=5) for b in word]
    data = b"".join(b.to_bytes(8, "little") + bytes(24) for b in every)
    numbers = tkms_kernel.tuniform_from_bits(Shares.from_bytes(64, data), 3).to_bytes()
    weights = Counter((word + 2**63) % 2**64 - 2**63 for word in words(64, numbers)[::4])
    assert weights == Counter({-8: 1, 8: 1} | dict.fromkeys(range(-7, 8), 2))


def test_malformed_ranges_and_openings_are_refused() -> None:
    """Ranges within a group, too large ones, odd words, lengths, the other ring."""
    session = sessions(4, 1)[0]
    shares = tkms_kernel.finish_bits(session, 64, 0, bytes(64))
    wide = Shares.from_bytes(128, bytes(64 * 8))
    calls: list[Callable[[], object]] = [
        lambda: tkms_kernel.masked_bits(session, 64, 1, 4),
        lambda: tkms_kernel.masked_bits(session, 64, 0, 6),
        lambda: tkms_kernel.masked_bits(session, 96, 0, 4),
        lambda: tkms_kernel.masked_bits(session, 64, 2**62, 4),
        lambda: tkms_kernel.masked_bits(session, 64, 0, 2**30),
        lambda: tkms_kernel.masked_triples(session, 64, 2**62, 4),
        lambda: tkms_kernel.masked_triples(session, 64, 2**64 - 4, 4),
        lambda: tkms_kernel.masked_triples(session, 64, 0, 2),
        lambda: tkms_kernel.masked_triples(session, 64, 0, 2**62),
        lambda: tkms_kernel.finish_bits(session, 64, 0, bytes(63)),
        lambda: tkms_kernel.finish_bits(session, 64, 2**62, bytes(8)),
        lambda: tkms_kernel.finish_triples(session, 128, 0, bytes(8)),
        lambda: tkms_kernel.finish_triples(session, 128, 2**64 - 1, bytes(16)),
        lambda: tkms_kernel.finish_products(session, 64, 2**62, bytes(8)),
        lambda: tkms_kernel.masked_products(session, 64, 0, shares, shares.part(0, 4)),
        lambda: tkms_kernel.masked_products(session, 64, 0, shares, wide),
        lambda: tkms_kernel.masked_products(session, 64, 1, shares, shares),
        lambda: tkms_kernel.tuniform_from_bits(shares, 1),
        lambda: tkms_kernel.tuniform_from_bits(shares, 63),
        lambda: tkms_kernel.tuniform_from_bits(shares, 2**32 - 1),
        lambda: shares.part(0, 9),
        lambda: shares.part(5, 4),
        lambda: Shares.from_bytes(64, bytes(31)),
        lambda: Shares.from_bytes(32, b""),
    ]
    for call in calls:
        with pytest.raises(tkms_kernel.InvalidInput):
            call()
    odd = (7).to_bytes(8, "little") + bytes(24)
    with pytest.raises(tkms_kernel.VerificationFailed):
        tkms_kernel.finish_bits(session, 64, 0, odd)
    assert repr(shares) == "Shares(k=64, 8 values)"
    assert len(shares.part(4, 8)) == 4
