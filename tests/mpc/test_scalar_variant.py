"""Four values under one zero sharing: an attempt to break it, exhaustively over small words.

What t corrupt parties see of a masked opening is the shares of all others. Known to them is everything
but what the one set without any of them contributes: words (scalars of Z/2^k) and the coefficients of
the zero sharing (full ring elements). The claim of docs/protocols/random-bits.md: for each choice of what
they know, what they see is distributed alike for all unknown words that open to the same values.

The twin's ring works for any k, so k = 1 and 2 are enumerated here; that the kernel does the same at 64
and 128 bits is tested in tests/kernel/test_preprocessing.py.
"""

import itertools
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence

import pytest

from tests.support import preprocessing_twin
from tests.support.ring_twin import Element, Prss, Ring

View = tuple[Element, ...]
Value = Callable[[Ring, Sequence[Element]], Element]


def square_and_word(ring: Ring, words: Sequence[Element]) -> Element:
    """x^2 + x, for a bit."""
    (x,) = words
    return ring.add(ring.mul(x, x), x)


def product_and_mask(ring: Ring, words: Sequence[Element]) -> Element:
    """Xy + v, for a triple."""
    x, y, v = words
    return ring.add(ring.mul(x, y), v)


class Attack:
    """t corrupt parties, and all that they know drawn at random."""

    def __init__(
        self, k: int, access: tuple[int, int], corrupt: tuple[int, ...], value: Value, words: int
    ) -> None:
        """`words` pseudorandom words make a value."""
        self.ring = Ring(k)
        self.parties, self.threshold = access
        self.value, self.words = value, words
        self.honest = [p for p in range(1, self.parties + 1) if p not in corrupt]
        self.prss = Prss(*access, b"", b"")
        rng = random.Random(repr((k, access, corrupt)))
        unknown = tuple(self.honest)
        self.weight = {p: self.prss.weight(self.ring, unknown, p) for p in self.honest}
        # The sum over all known sets is itself a sharing, of known words and a known zero.
        self.known: dict[int, list[Element]] = {p: [] for p in self.honest}
        sets = [members for members in self.prss.sets() if members != unknown]
        contributed = [[rng.randrange(2**k) for _ in range(4 * words)] for _ in sets]
        self.constant = [sum(column) for column in zip(*contributed, strict=True)]
        for party in self.honest:
            for place in range(4 * words):
                total = self.ring.element()
                for members, numbers in zip(sets, contributed, strict=True):
                    if party in members:
                        weight = self.prss.weight(self.ring, members, party)
                        total = self.ring.add(total, self.ring.scale(numbers[place], weight))
                self.known[party].append(total)

    def unknown_words(self) -> Iterable[tuple[int, ...]]:
        """All words that the set without corrupt parties may contribute."""
        return itertools.product(range(2**self.ring.k), repeat=4 * self.words)

    def opened(self, unknown: Sequence[int]) -> tuple[int, ...]:
        """The four opened values."""
        ring = self.ring
        secret = [ring.element(a + b) for a, b in zip(self.constant, unknown, strict=True)]
        groups = [secret[i : i + self.words] for i in range(0, len(secret), self.words)]
        return tuple(self.value(ring, group)[0] for group in groups)

    def unmasked(self, unknown: Sequence[int]) -> View:
        """What is seen for a zero sharing whose unknown part is zero."""
        ring, view = self.ring, []
        for party in self.honest:
            shares = [
                ring.add(known, ring.scale(word, self.weight[party]))
                for known, word in zip(self.known[party], unknown, strict=True)
            ]
            values = [
                self.value(ring, shares[i : i + self.words])
                for i in range(0, len(shares), self.words)
            ]
            view.append(preprocessing_twin.pack(ring, values))
        return tuple(view)

    def zeros(self, coefficients: Iterable[int]) -> Counter[View]:
        """What the unknown part of the zero sharing adds, over all of its coefficients."""
        ring, views = self.ring, Counter[View]()
        elements = [ring.element(*c) for c in itertools.product(coefficients, repeat=ring.d)]
        for chi in itertools.product(elements, repeat=self.threshold):
            view = []
            for party in self.honest:
                value = ring.evaluate([ring.element(), *chi], ring.point(party))
                view.append(ring.mul(self.weight[party], value))
            views[tuple(view)] += 1
        return views

    def add(self, left: View, right: View) -> View:
        """Party by party."""
        return tuple(self.ring.add(a, b) for a, b in zip(left, right, strict=True))

    def sub(self, left: View, right: View) -> View:
        """Party by party."""
        return tuple(self.ring.sub(a, b) for a, b in zip(left, right, strict=True))


def distinguishable(attack: Attack, zeros: Counter[View]) -> bool:
    """Whether two choices of unknown words open to the same values and look different."""
    seen: dict[tuple[int, ...], set[frozenset[tuple[View, int]]]] = defaultdict(set)
    for unknown in attack.unknown_words():
        base = attack.unmasked(unknown)
        views = frozenset((attack.add(base, zero), count) for zero, count in zeros.items())
        seen[attack.opened(unknown)].add(views)
    return any(len(distributions) > 1 for distributions in seen.values())


def outside(attack: Attack, zeros: Counter[View]) -> bool:
    """The same question, answered with less work: what zeros add is a group, views are its cosets."""
    assert len(set(zeros.values())) == 1
    first: dict[tuple[int, ...], View] = {}
    for unknown in attack.unknown_words():
        base = attack.unmasked(unknown)
        if attack.sub(base, first.setdefault(attack.opened(unknown), base)) not in zeros:
            return True
    return False


@pytest.mark.parametrize("corrupt", range(1, 5))
def test_bits_of_one_binary_digit(corrupt: int) -> None:
    """(4, 1), k = 1: all 16 words times all 16 zeros, compared as whole distributions."""
    attack = Attack(1, (4, 1), (corrupt,), square_and_word, 1)
    zeros = attack.zeros(range(2))
    assert not distinguishable(attack, zeros)
    assert not outside(attack, zeros)


@pytest.mark.parametrize("corrupt", range(1, 5))
def test_bits_of_two_binary_digits(corrupt: int) -> None:
    """(4, 1), k = 2: 256 words, 256 zeros."""
    attack = Attack(2, (4, 1), (corrupt,), square_and_word, 1)
    assert not outside(attack, attack.zeros(range(4)))


@pytest.mark.parametrize("corrupt", [(1, 2), (3, 6), (5, 7)])
def test_bits_with_two_corrupt_parties(corrupt: tuple[int, int]) -> None:
    """(7, 2), k = 1: 16 words, 256 zeros."""
    attack = Attack(1, (7, 2), corrupt, square_and_word, 1)
    zeros = attack.zeros(range(2))
    assert not distinguishable(attack, zeros)


@pytest.mark.parametrize(("access", "corrupt"), [((4, 1), (1,)), ((4, 1), (4,)), ((7, 2), (2, 5))])
def test_triples(access: tuple[int, int], corrupt: tuple[int, ...]) -> None:
    """K = 1: 4,096 words."""
    attack = Attack(1, access, corrupt, product_and_mask, 3)
    assert not outside(attack, attack.zeros(range(2)))


@pytest.mark.parametrize(("access", "corrupt"), [((4, 1), (2,)), ((4, 1), (3,)), ((7, 2), (1, 4))])
def test_the_test_can_tell(access: tuple[int, int], corrupt: tuple[int, ...]) -> None:
    """Without zero sharing, or with one of scalars only, what is seen shows more than the values."""
    attack = Attack(1, access, corrupt, square_and_word, 1)
    nothing = Counter({tuple(attack.ring.element() for _ in attack.honest): 1})
    assert distinguishable(attack, nothing)
    assert outside(attack, nothing)
    ring = attack.ring
    scalars = Counter[View]()
    for chi in itertools.product(range(2), repeat=attack.threshold):
        coefficients = [ring.element(), *(ring.element(c) for c in chi)]
        view = tuple(
            ring.mul(attack.weight[party], ring.evaluate(coefficients, ring.point(party)))
            for party in attack.honest
        )
        scalars[view] += 1
    assert distinguishable(attack, scalars)


def test_both_bits_are_left_open() -> None:
    """K = 2: each opened word has two roots; both are as likely, and they stand for 0 and for 1."""
    ring = Ring(2)
    roots = defaultdict(list)
    for x in range(4):
        roots[(x * x + x) % 4].append(x)
    assert all(len(pair) == 2 for pair in roots.values())
    for pair in roots.values():
        assert {preprocessing_twin.bit(ring, x) for x in pair} == {0, 1}
