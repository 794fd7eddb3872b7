"""Slow, readable twin of the kernel's ring, written from the formulas with other algorithms.

Elements are tuples of integers in range(2**k), coefficients from low to high. Products use long
division, inverses use the order of the unit group, decoding searches all erasure subsets, and
pseudorandom sharing uses hashlib and the AES of the `cryptography` package. The degree of the
ring is a parameter here, while the kernel fixes it to 4.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

Element: TypeAlias = tuple[int, ...]
"""Coefficients from low to high, each in range(2**k)."""

MODULI = {3: (1, 1, 0, 1), 4: (1, 1, 0, 0, 1), 5: (1, 0, 1, 0, 0, 1)}
"""Monic polynomial of the ring by degree, coefficients from low to high."""

BLOCK_BYTES = 16
DELTA_LOG = 123
MESSAGES = 16


@dataclass(frozen=True, slots=True)
class Ring:
    """GR(2^k, d): integers mod 2^k with a root of the polynomial of degree d."""

    k: int
    d: int = 4

    def element(self, *coefficients: int) -> Element:
        """Element of the signed coefficients; missing ones are 0."""
        padded = coefficients + (0,) * (self.d - len(coefficients))
        return tuple(coefficient % 2**self.k for coefficient in padded)

    def add(self, left: Element, right: Element) -> Element:
        """Sum."""
        return self.element(*(a + b for a, b in zip(left, right, strict=True)))

    def sub(self, left: Element, right: Element) -> Element:
        """Difference."""
        return self.element(*(a - b for a, b in zip(left, right, strict=True)))

    def scale(self, scalar: int, element: Element) -> Element:
        """Coefficient-wise product with an integer."""
        return self.element(*(scalar * a for a in element))

    def mul(self, left: Element, right: Element) -> Element:
        """Product: polynomial product, then long division by the monic modulus."""
        product = [0] * (2 * self.d - 1)
        for (i, a), (j, b) in itertools.product(enumerate(left), enumerate(right)):
            product[i + j] += a * b
        modulus = MODULI[self.d]
        for top in range(len(product) - 1, self.d - 1, -1):
            factor = product[top]
            for index, coefficient in enumerate(modulus):
                product[top - self.d + index] -= factor * coefficient
        return self.element(*product[: self.d])

    def power(self, base: Element, exponent: int) -> Element:
        """Power by squaring and multiplying."""
        result = self.element(1)
        for digit in f"{exponent:b}":
            result = self.mul(result, result)
            if digit == "1":
                result = self.mul(result, base)
        return result

    def is_unit(self, element: Element) -> bool:
        """Whether a coefficient is odd."""
        return any(a % 2 for a in element)

    def inverse(self, element: Element) -> Element:
        """Inverse of a unit: power by the order of the unit group minus one."""
        return _unit_inverse(self, element)

    def point(self, party: int) -> Element:
        """Evaluation point of a party: the bits of its number."""
        return self.element(*((party >> j) & 1 for j in range(self.d)))

    def evaluate(self, polynomial: Sequence[Element], at: Element) -> Element:
        """Value of a polynomial: sum of coefficient j times the j-th power."""
        total = self.element()
        for exponent, coefficient in enumerate(polynomial):
            total = self.add(total, self.mul(coefficient, self.power(at, exponent)))
        return total

    def lagrange(self, parties: Sequence[int], target: int) -> list[Element]:
        """Coefficients that combine the parties' shares into the value at the target's point."""
        return list(_lagrange(self, tuple(parties), target))

    def combine(self, coefficients: Sequence[Element], shares: Sequence[Element]) -> Element:
        """Inner product."""
        total = self.element()
        for coefficient, share in zip(coefficients, shares, strict=True):
            total = self.add(total, self.mul(coefficient, share))
        return total

    def to_bytes(self, elements: Sequence[Element]) -> bytes:
        """Little-endian words."""
        return b"".join(a.to_bytes(self.k // 8, "little") for e in elements for a in e)

    def from_bytes(self, data: bytes) -> list[Element]:
        """Elements of little-endian words."""
        size = self.k // 8
        words = [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]
        return [tuple(words[i : i + self.d]) for i in range(0, len(words), self.d)]


@functools.cache
def _unit_inverse(ring: Ring, element: Element) -> Element:
    """Power by the order of the unit group minus one; remembered, for it is slow."""
    order = (2**ring.d - 1) * 2 ** (ring.d * (ring.k - 1))
    return ring.power(element, order - 1)


@functools.cache
def _lagrange(ring: Ring, parties: tuple[int, ...], target: int) -> tuple[Element, ...]:
    """Product over the other parties of (target - other) / (party - other), for each party."""
    result = []
    for party in parties:
        coefficient = ring.element(1)
        for other in parties:
            if other != party:
                up = ring.sub(ring.point(target), ring.point(other))
                down = ring.sub(ring.point(party), ring.point(other))
                coefficient = ring.mul(coefficient, ring.mul(up, ring.inverse(down)))
        result.append(coefficient)
    return tuple(result)


def signed(ring: Ring, element: Element) -> tuple[int, ...]:
    """Representatives in [-2^(k-1), 2^(k-1))."""
    half = 2 ** (ring.k - 1)
    return tuple((a + half) % 2**ring.k - half for a in element)


def dealer_share(
    ring: Ring, secrets: Sequence[int], parties: int, degree: int, seed: bytes
) -> list[list[Element]]:
    """Shares of scalars, one list a party; randomness as the kernel documents it."""
    size = ring.k // 8
    header = b"tkms/shamir/v1" + ring.k.to_bytes(2, "little") + bytes([parties, degree])
    body = b"".join(secret.to_bytes(size, "little") for secret in secrets)
    length = len(secrets) * degree * ring.d * size
    stream = ring.from_bytes(hashlib.shake_256(header + seed + body).digest(length))
    polynomials = [
        [ring.element(secret), *stream[index * degree : (index + 1) * degree]]
        for index, secret in enumerate(secrets)
    ]
    return [
        [ring.evaluate(polynomial, ring.point(party)) for polynomial in polynomials]
        for party in range(1, parties + 1)
    ]


def is_sharing(ring: Ring, degree: int, shares: Mapping[int, Element]) -> bool:
    """Whether the shares lie on one polynomial of the degree."""
    base, rest = sorted(shares)[: degree + 1], sorted(shares)[degree + 1 :]
    values = [shares[party] for party in base]
    return all(ring.combine(ring.lagrange(base, party), values) == shares[party] for party in rest)


def reconstruct(ring: Ring, degree: int, shares: Mapping[int, Element]) -> Element:
    """Secret from the first degree + 1 shares."""
    base = sorted(shares)[: degree + 1]
    return ring.combine(ring.lagrange(base, 0), [shares[party] for party in base])


def subset_decode(
    ring: Ring, degree: int, batch: Mapping[int, Sequence[Element]], max_errors: int
) -> tuple[list[Element], list[int]] | None:
    """Decoding oracle: the smallest set of parties without which all values are sharings."""
    count = len(next(iter(batch.values())))
    for size in range(max_errors + 1):
        for erased in itertools.combinations(sorted(batch), size):
            words = [
                {party: vector[i] for party, vector in batch.items() if party not in erased}
                for i in range(count)
            ]
            if all(is_sharing(ring, degree, word) for word in words):
                return [reconstruct(ring, degree, word) for word in words], list(erased)
    return None


def online_errors(threshold: int, degree: int, received: int, bots: int) -> int | None:
    """Errors that online correction may try, or None to wait; Noah's Ark, robust opening."""
    if received + bots < degree + threshold + 1:
        return None
    wanted = min(received + bots - (degree + threshold + 1), threshold) - bots
    while wanted > 0 and 2 * wanted > received - degree - 1:
        wanted -= 1
    return max(wanted, 0)


@dataclass(frozen=True, slots=True)
class Prss:
    """Pseudorandom secret sharing of n parties, any n - t of which share a key."""

    parties: int
    threshold: int
    seed: bytes
    info: bytes

    def sets(self) -> list[tuple[int, ...]]:
        """All sets of n - t parties in lexicographic order."""
        parties = range(1, self.parties + 1)
        return list(itertools.combinations(parties, self.parties - self.threshold))

    def dealt_key(self, members: tuple[int, ...]) -> bytes:
        """Key of a set as the dealer draws it."""
        header = b"tkms/prss/deal/v1" + bytes([self.parties, self.threshold, *members])
        return hashlib.shake_256(header + self.seed).digest(BLOCK_BYTES)

    def session_key(self, kind: bytes, k: int, members: tuple[int, ...]) -> bytes:
        """Key of a set for one purpose, word size and session."""
        header = b"tkms/prss/v1" + kind + k.to_bytes(2, "little")
        listed = bytes([self.parties, self.threshold, *members]) + self.dealt_key(members)
        tail = len(self.info).to_bytes(8, "little") + self.info
        return hashlib.shake_256(header + listed + tail).digest(BLOCK_BYTES)

    def stream(self, kind: bytes, k: int, members: tuple[int, ...], counter: int) -> _Blocks:
        """AES blocks of one counter."""
        return _Blocks(self.session_key(kind, k, members), counter)

    def weight(self, ring: Ring, members: tuple[int, ...], party: int) -> Element:
        """f_A at the party's point: 1 at 0, 0 at the points outside A."""
        result = ring.element(1)
        for other in range(1, self.parties + 1):
            if other not in members:
                ratio = ring.mul(ring.point(party), ring.inverse(ring.point(other)))
                result = ring.mul(result, ring.sub(ring.element(1), ratio))
        return result

    def next_value(self, ring: Ring, members: tuple[int, ...], counter: int) -> Element:
        """Uniform contribution psi of one set."""
        data = self.stream(b"PRSS", ring.k, members, counter).take(0, ring.d * ring.k // 8)
        return ring.from_bytes(data)[0]

    def zero_value(self, ring: Ring, members: tuple[int, ...], counter: int, party: int) -> Element:
        """Sum over j = 1..t of chi_j times the j-th power of the party's point."""
        size = ring.d * ring.k // 8
        data = self.stream(b"PRZS", ring.k, members, counter).take(0, self.threshold * size)
        return ring.evaluate([ring.element(), *ring.from_bytes(data)], ring.point(party))

    def mask_value(self, members: tuple[int, ...], value: int, log: int) -> int:
        """Signed contribution of one set to mask `value`: two uniform numbers in [-2^log, 2^log)."""
        total = 0
        for counter in (2 * value, 2 * value + 1):
            data = self.stream(b"MASK", 128, members, counter).take(0, BLOCK_BYTES)
            total += int.from_bytes(data, "little") % 2 ** (log + 1) - 2**log
        return total

    def own_sets(self, party: int) -> list[tuple[int, ...]]:
        """Sets that contain the party."""
        return [members for members in self.sets() if party in members]

    def next_share(self, ring: Ring, party: int, counter: int) -> Element:
        """Share of a uniform value."""
        own = self.own_sets(party)
        weights = [self.weight(ring, members, party) for members in own]
        return ring.combine(weights, [self.next_value(ring, a, counter) for a in own])

    def zero_share(self, ring: Ring, party: int, counter: int) -> Element:
        """Share of zero, of degree at most 2t."""
        own = self.own_sets(party)
        weights = [self.weight(ring, members, party) for members in own]
        return ring.combine(weights, [self.zero_value(ring, a, counter, party) for a in own])

    def mask_share(self, party: int, value: int, log: int) -> Element:
        """Share of a noise mask over GR(2^128, 4)."""
        ring, own = Ring(128), self.own_sets(party)
        weights = [self.weight(ring, members, party) for members in own]
        masks = [ring.element(self.mask_value(members, value, log)) for members in own]
        return ring.combine(weights, masks)


@dataclass(frozen=True, slots=True)
class _Blocks:
    """AES-128 blocks of (counter 8 bytes LE, index 4 bytes LE, 4 zero bytes)."""

    key: bytes
    counter: int

    def take(self, first: int, length: int) -> bytes:
        """Bytes from block index `first` on."""
        # A single block through the raw cipher is what counter mode is made of.
        encryptor = Cipher(algorithms.AES(self.key), modes.ECB()).encryptor()  # noqa: S305
        inputs = (
            self.counter.to_bytes(8, "little") + index.to_bytes(4, "little") + bytes(4)
            for index in range(first, first + math.ceil(length / BLOCK_BYTES))
        )
        return b"".join(encryptor.update(block) for block in inputs)[:length]


def mask_capacity_ok(parties: int, threshold: int, log: int = 110) -> bool:
    """Startup assertion in logarithms, for the kernel's integer version to agree with."""
    sets = math.comb(parties, threshold)
    return math.log2(2 * sets) + 1 + log < DELTA_LOG - 1


def round_phase(phase: int, parties: int, threshold: int) -> int | None:
    """Nibble of a phase mod 2^128, or None outside the noise bound: tries all messages."""
    limit = 2**70 + 2 * math.comb(parties, threshold) * 2**110
    for message in range(MESSAGES):
        distance = (phase - message * 2**DELTA_LOG + 2**127) % 2**128 - 2**127
        if abs(distance) <= limit:
            return message
    return None
