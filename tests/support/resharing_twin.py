"""Slow readable twin of the kernel's resharing: one element at a time, over any vectors."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

from tests.support.ring_twin import Element, Prss, Ring

COMBINATIONS = 20
HEADER_BYTES = 20
WIDE, NARROW = 128, 64

Vectors = dict[int, list[Element]]
"""Elements by the size of their words."""


def vectors_of(data: bytes, wide: int) -> Vectors:
    """The vectors of `wide` 128-bit elements and the rest of 64-bit ones."""
    split = wide * 64
    return {
        WIDE: Ring(WIDE).from_bytes(data[:split]),
        NARROW: Ring(NARROW).from_bytes(data[split:]),
    }


def bytes_of(vectors: Vectors) -> bytes:
    """The encoding that `vectors_of` reads."""
    return Ring(WIDE).to_bytes(vectors[WIDE]) + Ring(NARROW).to_bytes(vectors[NARROW])


def mask_share(prss: Prss, party: int, receiver: int, lengths: Mapping[int, int]) -> Vectors:
    """Share of a new party of the mask of an old one."""
    info = b"tkms/resharing/mask/v1" + bytes([receiver]) + prss.info
    bound = Prss(prss.parties, prss.threshold, prss.seed, info)
    return {
        k: [bound.next_share(Ring(k), party, index) for index in range(length)]
        for k, length in lengths.items()
    }


def coefficients(k: int, coin: bytes) -> Iterator[list[int]]:
    """Numbers of points, one a combination, for one element after the other."""
    source = hashlib.shake_256(b"tkms/resharing/coin/v1" + k.to_bytes(2, "little") + coin)
    stream = source.digest(1 << 16)
    half = COMBINATIONS // 2
    for start in range(0, len(stream), half):
        yield [nibble for byte in stream[start : start + half] for nibble in (byte & 15, byte >> 4)]


def syndromes(
    k: int, threshold: int, shares: Mapping[int, Sequence[Element]], coin: bytes
) -> list[Element]:
    """Syndromes of the combinations of the vectors of the old parties."""
    ring, parties = Ring(k), sorted(shares)
    base, rest = parties[: threshold + 1], parties[threshold + 1 :]
    combined = {party: [ring.element()] * COMBINATIONS for party in parties}
    for party in parties:
        for element, row in zip(shares[party], coefficients(k, coin), strict=False):
            combined[party] = [
                ring.add(total, ring.mul(ring.point(number), element))
                for total, number in zip(combined[party], row, strict=True)
            ]
    return [
        ring.sub(
            combined[party][index],
            ring.combine(ring.lagrange(base, party), [combined[other][index] for other in base]),
        )
        for index in range(COMBINATIONS)
        for party in rest
    ]


def recovered(k: int, shares: Mapping[int, Sequence[Element]]) -> list[Element]:
    """New share from good shares of shares: the combination for the secret, element by element."""
    ring, parties = Ring(k), sorted(shares)
    weights = ring.lagrange(parties, 0)
    columns = zip(*(shares[party] for party in parties), strict=True)
    return [ring.combine(weights, column) for column in columns]
