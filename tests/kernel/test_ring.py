"""The kernel's ring arithmetic, sharing and packing against the slow twin."""

import itertools
import math

import pytest
import tkms_kernel
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import ring_twin as twin

RINGS = {k: twin.Ring(k) for k in (64, 128)}
WIDE = RINGS[128]
SEED = bytes(range(32))
C = (2**128 - 1) // 3


def elements(k: int) -> st.SearchStrategy[twin.Element]:
    """Ring elements, with words at the borders more often than chance gives."""
    word = st.one_of(
        st.integers(0, 2**k - 1), st.sampled_from([0, 1, 2, 2 ** (k - 1), 2**k - 1, 2 ** (k // 2)])
    )
    return st.tuples(word, word, word, word)


rings_and_vectors = st.sampled_from([64, 128]).flatmap(
    lambda k: st.tuples(st.just(k), st.lists(st.tuples(elements(k), elements(k)), max_size=5))
)


def wide(*coefficients: int) -> bytes:
    """Bytes of one element of GR(2^128, 4) with signed coefficients."""
    return WIDE.to_bytes([WIDE.element(*coefficients)])


def unsigned(data: bytes) -> list[tuple[int, ...]]:
    """Elements of GR(2^128, 4) as signed coefficients."""
    return [twin.signed(WIDE, element) for element in WIDE.from_bytes(data)]


# Arithmetic -----------------------------------------------------------------------------------


@given(rings_and_vectors)
def test_arithmetic_equals_the_twin(case: tuple[int, list[tuple[twin.Element, ...]]]) -> None:
    """Sum, difference, product and scaling agree with long division."""
    k, pairs = case
    ring, left, right = RINGS[k], [a for a, _ in case[1]], [b for _, b in pairs]
    a, b = ring.to_bytes(left), ring.to_bytes(right)
    scalars = b"".join(x[0].to_bytes(k // 8, "little") for x in left)
    assert tkms_kernel.ring_add(k, a, b) == ring.to_bytes([ring.add(*p) for p in pairs])
    assert tkms_kernel.ring_sub(k, a, b) == ring.to_bytes([ring.sub(*p) for p in pairs])
    assert tkms_kernel.ring_mul(k, a, b) == ring.to_bytes([ring.mul(*p) for p in pairs])
    assert tkms_kernel.ring_scale(k, scalars, b) == ring.to_bytes(
        [ring.scale(x[0], y) for x, y in pairs]
    )


@settings(max_examples=30)
@given(st.sampled_from([64, 128]).flatmap(lambda k: st.tuples(st.just(k), elements(k))))
def test_inverse_of_units_only(case: tuple[int, twin.Element]) -> None:
    """A unit's inverse equals the twin's power; all-even elements are refused."""
    k, element = case
    ring, data = RINGS[k], RINGS[k].to_bytes([case[1]])
    if ring.is_unit(element):
        assert tkms_kernel.ring_inverse(k, data) == ring.to_bytes([ring.inverse(element)])
    else:
        with pytest.raises(tkms_kernel.InvalidInput, match="not invertible"):
            tkms_kernel.ring_inverse(k, data)


def test_published_ring_vectors() -> None:
    """Products and inverses with the signs that X^4 = -1 - X brings."""
    assert unsigned(tkms_kernel.ring_mul(128, wide(0, 1), wide(0, 0, 0, 1))) == [(-1, -1, 0, 0)]
    nine = wide(1, 0, 0, 1)
    assert unsigned(tkms_kernel.ring_mul(128, nine, nine)) == [(1, 0, -1, 1)]
    assert unsigned(tkms_kernel.ring_inverse(128, wide(0, 1))) == [(-1, 0, 0, -1)]
    assert unsigned(tkms_kernel.ring_inverse(128, wide(1, 1))) == [(0, -1, 1, -1)]


def test_differences_of_points_are_units() -> None:
    """The fifteen points are an exceptional sequence."""
    for left, right in itertools.combinations(range(16), 2):
        difference = WIDE.sub(WIDE.point(left), WIDE.point(right))
        inverse = tkms_kernel.ring_inverse(128, WIDE.to_bytes([difference]))
        assert WIDE.mul(difference, WIDE.from_bytes(inverse)[0]) == WIDE.element(1)


def test_lagrange_vectors() -> None:
    """Published coefficients for {1,2} and {1,2,3}, and the twin's for a larger set."""
    one, two = unsigned(tkms_kernel.lagrange_at_zero(128, [1, 2]))
    assert WIDE.element(*one) == WIDE.element(-C, C, C, C)
    assert WIDE.element(*two) == WIDE.element(1 + C, -C, -C, -C)
    assert unsigned(tkms_kernel.lagrange_at_zero(128, [1, 2, 3]))[2] == (1, 0, 0, 0)
    chosen = [2, 15, 7, 9]
    for k, ring in RINGS.items():
        expected = ring.to_bytes(ring.lagrange(chosen, 0))
        assert tkms_kernel.lagrange_at_zero(k, chosen) == expected


@pytest.mark.parametrize("parties", [[], [0], [16], [1, 1], [2, 3, 2]])
def test_lagrange_refuses_bad_lists(parties: list[int]) -> None:
    """Empty, repeated and impossible parties are refused."""
    with pytest.raises(tkms_kernel.InvalidInput, match=r"party|empty"):
        tkms_kernel.lagrange_at_zero(64, parties)


def test_malformed_vectors_are_refused() -> None:
    """Wrong word sizes, lengths and k raise the typed error, never a panic."""
    for call in (
        lambda: tkms_kernel.ring_add(32, b"", b""),
        lambda: tkms_kernel.ring_add(128, bytes(63), bytes(63)),
        lambda: tkms_kernel.ring_mul(64, bytes(32), bytes(64)),
        lambda: tkms_kernel.ring_scale(64, bytes(8), bytes(64)),
        lambda: tkms_kernel.ring_scale(64, bytes(7), bytes(32)),
        lambda: tkms_kernel.ring_unpack4(128, bytes(64), 5),
        lambda: tkms_kernel.ring_unpack4(128, bytes(64), 0),
        lambda: tkms_kernel.ring_unpack4(128, b"", 2**63),
        lambda: tkms_kernel.shamir_share(64, bytes(8), 4, 1, bytes(31)),
        lambda: tkms_kernel.shamir_share(64, bytes(8), 16, 1, SEED),
        lambda: tkms_kernel.shamir_share(64, bytes(8), 4, 4, SEED),
        lambda: tkms_kernel.shamir_share(64, bytes(8), 4, 0, SEED),
    ):
        with pytest.raises(tkms_kernel.InvalidInput):
            call()
    assert issubclass(tkms_kernel.InvalidInput, tkms_kernel.KernelError)
    assert issubclass(tkms_kernel.KernelError, ValueError)


# Sharing and packing --------------------------------------------------------------------------


@pytest.mark.parametrize("k", [64, 128])
@pytest.mark.parametrize(("parties", "degree"), [(4, 1), (7, 2), (7, 4), (15, 4)])
def test_dealer_shares_equal_the_twin(k: int, parties: int, degree: int) -> None:
    """The documented randomness gives the same shares in both implementations."""
    secrets = [5, 0, 2**k - 1]
    data = b"".join(secret.to_bytes(k // 8, "little") for secret in secrets)
    shares = tkms_kernel.shamir_share(k, data, parties, degree, SEED)
    expected = twin.dealer_share(RINGS[k], secrets, parties, degree, SEED)
    assert shares == [RINGS[k].to_bytes(vector) for vector in expected]


def test_sharing_hides_differences_under_a_reused_seed() -> None:
    """The same seed with other secrets draws other polynomials."""
    first = tkms_kernel.shamir_share(128, (7).to_bytes(16, "little"), 4, 1, SEED)[0]
    second = tkms_kernel.shamir_share(128, (8).to_bytes(16, "little"), 4, 1, SEED)[0]
    assert unsigned(tkms_kernel.ring_sub(128, second, first)) != [(1, 0, 0, 0)]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=9))
def test_packing_commutes_with_opening(secrets: list[int]) -> None:
    """Shares packed by each party open to the scalars, four in one element."""
    data = b"".join(secret.to_bytes(8, "little") for secret in secrets)
    shares = tkms_kernel.shamir_share(64, data, 4, 1, SEED)
    packed = [(i + 1, tkms_kernel.ring_pack4(64, share)) for i, share in enumerate(shares)]
    assert len(packed[0][1]) == 32 * math.ceil(len(secrets) / 4)
    opened, bad = tkms_kernel.decode_shares(64, 4, 1, packed, 1)
    assert (tkms_kernel.ring_unpack4(64, opened, len(secrets)), bad) == (data, [])


def test_padding_of_a_packed_vector_must_be_zero() -> None:
    """A coefficient where no scalar belongs fails the integrity check."""
    with pytest.raises(tkms_kernel.VerificationFailed, match="padding"):
        tkms_kernel.ring_unpack4(128, wide(1, 2, 3, 4), 3)
