"""Slow, readable twin of the kernel's random bits, triples, products and noise.

Built on `ring_twin`: words come from its AES blocks, roots of X^2 + X = u are found bit by bit, and
values are computed in the clear where all keys are known.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.ring_twin import Element, Prss, Ring


def word(prss: Prss, ring: Ring, kind: bytes, members: tuple[int, ...], number: int) -> int:
    """Word that a set contributes to value `number`: a block of AES holds 128 / k of them."""
    in_block, size = 128 // ring.k, ring.k // 8
    block = prss.stream(kind, ring.k, members, number // in_block).take(0, 16)
    first = number % in_block * size
    return int.from_bytes(block[first : first + size], "little")


def value(prss: Prss, ring: Ring, kind: bytes, number: int) -> int:
    """The shared word itself: the sum over all sets."""
    return sum(word(prss, ring, kind, members, number) for members in prss.sets()) % 2**ring.k


def share(prss: Prss, ring: Ring, kind: bytes, number: int, party: int) -> Element:
    """A party's share of the word."""
    total = ring.element()
    for members in prss.own_sets(party):
        weight = prss.weight(ring, members, party)
        total = ring.add(total, ring.scale(word(prss, ring, kind, members, number), weight))
    return total


def zero_share(prss: Prss, ring: Ring, kind: bytes, number: int, party: int) -> Element:
    """A party's share of the zero that masks a group of four."""
    total, size = ring.element(), ring.d * ring.k // 8
    for members in prss.own_sets(party):
        data = prss.stream(kind, ring.k, members, number).take(0, prss.threshold * size)
        inner = ring.evaluate([ring.element(), *ring.from_bytes(data)], ring.point(party))
        total = ring.add(total, ring.mul(prss.weight(ring, members, party), inner))
    return total


def pack(ring: Ring, values: Sequence[Element]) -> Element:
    """Sum of X^j times value j."""
    total = ring.element()
    for exponent, element in enumerate(values):
        total = ring.add(total, ring.mul(ring.power(ring.element(0, 1), exponent), element))
    return total


def masked_bits(prss: Prss, ring: Ring, party: int, start: int, count: int) -> list[Element]:
    """What a party sends for bits: packed x^2 + x plus a share of zero a group."""
    squares = []
    for number in range(start, start + count):
        x = share(prss, ring, b"BITX", number, party)
        squares.append(ring.add(ring.mul(x, x), x))
    return _masked(prss, ring, b"BITZ", party, start, squares)


def masked_triples(prss: Prss, ring: Ring, party: int, start: int, count: int) -> list[Element]:
    """What a party sends for triples: packed xy + v plus a share of zero a group."""
    masked = []
    for number in range(start, start + count):
        x, y, v = (share(prss, ring, b"TRIX", 3 * number + i, party) for i in range(3))
        masked.append(ring.add(ring.mul(x, y), v))
    return _masked(prss, ring, b"TRIZ", party, start, masked)


def _masked(
    prss: Prss, ring: Ring, kind: bytes, party: int, start: int, values: Sequence[Element]
) -> list[Element]:
    """Packed values plus a share of zero a group."""
    return [
        ring.add(
            pack(ring, values[index : index + 4]),
            zero_share(prss, ring, kind, (start + index) // 4, party),
        )
        for index in range(0, len(values), 4)
    ]


def even_root(ring: Ring, square: int) -> int:
    """The even r with r^2 + r = square mod 2^k, fixed bit by bit."""
    root = 0
    for index in range(1, ring.k):
        if (root * root + root - square) % 2 ** (index + 1):
            root += 2**index
    if (root * root + root - square) % 2**ring.k:
        msg = "there is no root"
        raise ValueError(msg)
    return root


def bit(ring: Ring, x: int) -> int:
    """The bit that the word x stands for: whether it is the odd root of its own equation."""
    return int(x != even_root(ring, (x * x + x) % 2**ring.k))


def tuniform(bits: Sequence[int], bound: int) -> int:
    """Number of TUniform(bound) from bound + 2 bits."""
    *weighted, last = bits
    return sum(b << j for j, b in enumerate(weighted)) + last - 2**bound
