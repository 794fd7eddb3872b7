"""Slow, readable twin of the kernel's verifiable sharing: powers instead of Horner, lists instead of vectors."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from tests.support.ring_twin import Element, Ring


def deal(
    ring: Ring, secrets: Sequence[Element], parties: int, threshold: int, seed: bytes
) -> list[tuple[list[Element], list[Element]]]:
    """Rows and columns of each party; coefficient a of row i is the sum over b of F_ab point(i)^b."""
    width = threshold + 1
    header = b"tkms/bivariate/v1" + ring.k.to_bytes(2, "little") + bytes([parties, threshold])
    size = (width * width - 1) * ring.d * ring.k // 8
    stream = hashlib.shake_256(header + seed + ring.to_bytes(secrets)).digest(size * len(secrets))
    slices: list[tuple[list[Element], list[Element]]] = [([], []) for _ in range(parties)]
    for number, secret in enumerate(secrets):
        rest = ring.from_bytes(stream[number * size : (number + 1) * size])
        grid = [secret, *rest]
        for party, (row, column) in enumerate(slices, start=1):
            for a in range(width):
                across = [grid[a * width + b] for b in range(width)]
                down = [grid[b * width + a] for b in range(width)]
                row.append(ring.evaluate(across, ring.point(party)))
                column.append(ring.evaluate(down, ring.point(party)))
    return slices


def polynomials_at(
    ring: Ring, coefficients: Sequence[Element], length: int, party: int
) -> list[Element]:
    """Values of a batch of polynomials."""
    starts = range(0, len(coefficients), length)
    return [ring.evaluate(coefficients[s : s + length], ring.point(party)) for s in starts]


def extract(
    ring: Ring, vectors: Mapping[int, Sequence[Element]], outputs: int
) -> list[list[Element]]:
    """Sum over the dealers of point(dealer)^a times the vector."""
    count = len(next(iter(vectors.values())))
    results = []
    for a in range(outputs):
        total = [ring.element()] * count
        for dealer, vector in vectors.items():
            power = ring.power(ring.point(dealer), a)
            total = [ring.add(t, ring.mul(power, v)) for t, v in zip(total, vector, strict=True)]
        results.append(total)
    return results
