"""Opening of sharings by the kernel: against the subset oracle, and under attack."""

import itertools
import random

import pytest
import tkms_kernel
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import ring_twin as twin

RINGS = {k: twin.Ring(k) for k in (64, 128)}
WIDE = RINGS[128]

Share = tuple[int, bytes]


def elements(k: int) -> st.SearchStrategy[twin.Element]:
    """Ring elements, with words at the borders more often than chance gives."""
    word = st.one_of(
        st.integers(0, 2**k - 1), st.sampled_from([0, 1, 2, 2 ** (k - 1), 2**k - 1, 2 ** (k // 2)])
    )
    return st.tuples(word, word, word, word)


def wide(*coefficients: int) -> bytes:
    """Bytes of one element of GR(2^128, 4) with signed coefficients."""
    return WIDE.to_bytes([WIDE.element(*coefficients)])


def dealt(k: int, parties: int, degree: int, count: int, seed: int = 0) -> list[list[twin.Element]]:
    """Vectors of all parties for random ring secrets of any degree, by the twin's polynomials."""
    ring, source = RINGS[k], random.Random(seed)
    draw = [
        [tuple(source.getrandbits(k) for _ in range(4)) for _ in range(degree + 1)]
        for _ in range(count)
    ]
    return [[ring.evaluate(f, ring.point(i)) for f in draw] for i in range(1, parties + 1)]


def encode(k: int, vectors: list[list[twin.Element]]) -> list[Share]:
    """Shares as the kernel takes them, party 1 first."""
    return [(i + 1, RINGS[k].to_bytes(vector)) for i, vector in enumerate(vectors)]


def tamper(share: Share, mask: int) -> Share:
    """The share with the bits of `mask` flipped in the number that its bytes spell."""
    party, data = share
    value = int.from_bytes(data, "little") ^ mask
    return party, value.to_bytes(len(data), "little")


PUBLISHED = [
    (1, wide(8, 0, 1, 0)),
    (2, wide(5, 3, 0, 1)),
    (3, wide(8, 3, 1, 1)),
    (4, wide(4, -1, 3, 0)),
]


def test_published_sharing_opens_to_five() -> None:
    """All shares, and any two of them, give 5."""
    assert tkms_kernel.decode_shares(128, 4, 1, PUBLISHED, 1) == (wide(5), [])
    for pair in itertools.combinations(PUBLISHED, 2):
        assert tkms_kernel.decode_shares(128, 4, 1, list(pair), 0) == (wide(5), [])


@pytest.mark.parametrize(("victim", "bit"), [(3, 3 * 128 + 127), (2, 0)])
def test_published_liars_are_found(victim: int, bit: int) -> None:
    """A liar visible only in the last lifting step, and one visible in the first."""
    shares = list(PUBLISHED)
    shares[victim - 1] = tamper(shares[victim - 1], 1 << bit)
    assert tkms_kernel.decode_shares(128, 4, 1, shares, 1) == (wide(5), [victim])


def test_two_liars_of_four_are_reported_not_corrected() -> None:
    """Beyond the radius the decoder fails; here no other sharing is within distance 1."""
    shares = [PUBLISHED[0], tamper(PUBLISHED[1], 1), tamper(PUBLISHED[2], 1 << 127), PUBLISHED[3]]
    assert twin.subset_decode(WIDE, 1, {i: WIDE.from_bytes(b) for i, b in shares}, 1) is None
    with pytest.raises(tkms_kernel.TooManyErrors):
        tkms_kernel.decode_shares(128, 4, 1, shares, 1)


@pytest.mark.parametrize("k", [64, 128])
@pytest.mark.parametrize("bit", range(128))
def test_one_flipped_bit_is_corrected(k: int, bit: int) -> None:
    """Each bit of each coefficient, by each single liar of four and a rotating pair of seven."""
    bit %= k
    four, seven = encode(k, dealt(k, 4, 1, 1)), encode(k, dealt(k, 7, 2, 1))
    clean_four = tkms_kernel.decode_shares(k, 4, 1, four, 1)
    clean_seven = tkms_kernel.decode_shares(k, 7, 2, seven, 2)
    pairs = list(itertools.combinations(range(7), 2))
    for coefficient, liar in itertools.product(range(4), range(4)):
        offset = 1 << (coefficient * k + bit)
        shares = list(four)
        shares[liar] = tamper(shares[liar], offset)
        assert tkms_kernel.decode_shares(k, 4, 1, shares, 1) == (clean_four[0], [liar + 1])
        first, second = pairs[(bit + 5 * coefficient + liar) % len(pairs)]
        shares = list(seven)
        shares[first] = tamper(shares[first], offset)
        shares[second] = tamper(shares[second], 1 << ((bit + 31 * liar) % (4 * k)))
        expected = (clean_seven[0], [first + 1, second + 1])
        assert tkms_kernel.decode_shares(k, 7, 2, shares, 2) == expected


@pytest.mark.parametrize(("parties", "degree", "errors"), [(4, 1, 1), (7, 2, 2), (5, 2, 1)])
def test_each_corrupt_subset_equals_the_oracle(parties: int, degree: int, errors: int) -> None:
    """Every set of at most `errors` liars, each lying in its own value of the batch."""
    source = random.Random(parties)
    clean = dealt(128, parties, degree, 3)
    for size in range(errors + 1):
        for liars in itertools.combinations(range(parties), size):
            vectors = [list(vector) for vector in clean]
            for number, liar in enumerate(liars):
                offset = 1 << source.randrange(128)
                wrong = WIDE.add(vectors[liar][number], WIDE.element(offset, 0, offset))
                vectors[liar][number] = wrong
            batch = {i + 1: vector for i, vector in enumerate(vectors)}
            oracle = twin.subset_decode(WIDE, degree, batch, errors)
            assert oracle is not None
            values, bad = tkms_kernel.decode_shares(
                128, parties, degree, encode(128, vectors), errors
            )
            assert (WIDE.from_bytes(values), bad) == oracle
            assert bad == [liar + 1 for liar in liars]


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_arbitrary_words_equal_the_oracle(data: st.DataObject) -> None:
    """Any damage within or beyond the radius: the same value, liars or refusal as the oracle."""
    k = data.draw(st.sampled_from([64, 128]))
    parties, degree = data.draw(st.sampled_from([(4, 1), (5, 1), (7, 2), (7, 4)]))
    present = data.draw(st.sets(st.integers(1, parties), min_size=degree + 1))
    errors = data.draw(st.integers(0, (len(present) - degree - 1) // 2))
    vectors = dealt(k, parties, degree, 2)
    for liar in data.draw(st.sets(st.integers(1, parties), max_size=errors + 1)):
        place = data.draw(st.integers(0, 1))
        vectors[liar - 1][place] = data.draw(elements(k))
    batch = {party: vectors[party - 1] for party in present}
    shares = [(party, RINGS[k].to_bytes(vector)) for party, vector in batch.items()]
    oracle = twin.subset_decode(RINGS[k], degree, batch, errors)
    if oracle is None:
        with pytest.raises(tkms_kernel.TooManyErrors):
            tkms_kernel.decode_shares(k, parties, degree, shares, errors)
    else:
        values, bad = tkms_kernel.decode_shares(k, parties, degree, shares, errors)
        assert (RINGS[k].from_bytes(values), bad) == oracle


def test_liars_of_a_batch_are_counted_together() -> None:
    """One liar a value, but two liars in the batch: more than the radius of (4,1)."""
    vectors = dealt(128, 4, 1, 2)
    vectors[0][0] = WIDE.element(1)
    vectors[1][1] = WIDE.element(1)
    with pytest.raises(tkms_kernel.TooManyErrors):
        tkms_kernel.decode_shares(128, 4, 1, encode(128, vectors), 1)


@pytest.mark.parametrize(("parties", "threshold"), [(7, 2), (13, 4)])
def test_degree_2t_is_detect_only(parties: int, threshold: int) -> None:
    """Liars within t turn a word towards another codeword: correcting would accept a wrong value."""
    degree = 2 * threshold
    honest = dealt(128, parties, degree, 1)
    # A polynomial that vanishes at `degree` points has weight n - 2t = t + 1 elsewhere: t liars
    # play it at their places, and only one honest share disagrees with the shifted word.
    low = [WIDE.element(1)]
    for zero in range(1, degree + 1):
        shifted = [WIDE.element(), *low]
        scaled = [WIDE.mul(WIDE.point(zero), coefficient) for coefficient in low]
        low = [WIDE.sub(a, b) for a, b in zip(shifted, [*scaled, WIDE.element()], strict=True)]
    vectors = [list(vector) for vector in honest]
    for party in range(parties - threshold + 1, parties + 1):
        delta = WIDE.evaluate(low, WIDE.point(party))
        vectors[party - 1][0] = WIDE.add(vectors[party - 1][0], delta)
    shares, truth = encode(128, vectors), encode(128, honest)
    with pytest.raises(tkms_kernel.TooManyErrors):
        tkms_kernel.decode_shares(128, parties, degree, shares, 0)
    correct = tkms_kernel.decode_shares(128, parties, degree, truth, 0)[0]
    wrong, blamed = tkms_kernel.decode_shares(128, parties, degree, shares, threshold // 2)
    assert wrong != correct
    assert blamed == [parties - threshold]


def test_decoding_refuses_malformed_shares() -> None:
    """Too few, repeated, foreign or uneven shares."""
    one, two, three, four = PUBLISHED
    for parties, degree, shares, errors in (
        (4, 1, [one, two, three], 1),
        (4, 1, [one], 0),
        (4, 1, [], 0),
        (4, 1, [one, one, two], 0),
        (4, 1, [one, two, (5, four[1])], 0),
        (4, 1, [one, two, (0, four[1])], 0),
        (4, 1, [one, two, (3, b"")], 0),
        (4, 1, [one, two, (3, bytes(63))], 0),
        (4, 4, PUBLISHED, 0),
        (16, 1, PUBLISHED, 0),
        (4, 1, PUBLISHED, 2**63),
    ):
        with pytest.raises(tkms_kernel.InvalidInput):
            tkms_kernel.decode_shares(128, parties, degree, shares, errors)
    assert tkms_kernel.decode_shares(128, 4, 1, [(1, b""), (2, b"")], 0) == (b"", [])


# Online opening -------------------------------------------------------------------------------


@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (7, 2)])
def test_online_opening_schedules(parties: int, threshold: int) -> None:
    """Each arrival order of liars among the senders: never wrong, done when t + D + 1 agree."""
    vectors = dealt(128, parties, threshold, 2)
    truth = tkms_kernel.decode_shares(128, parties, threshold, encode(128, vectors), 0)[0]
    for size in range(threshold + 1):
        for liars in itertools.combinations(range(1, parties + 1), size):
            shares = [
                tamper(share, 1 << (100 + 130 * share[0])) if share[0] in liars else share
                for share in encode(128, vectors)
            ]
            opened_at = [
                received
                for received in range(parties + 1)
                if _online_matches(shares[:received], (parties, threshold), truth, liars)
            ]
            # The first instant at which enough honest shares are in for the liars among them.
            first = min(
                received
                for received in range(2 * threshold + 1, parties + 1)
                if received - 2 * threshold - 1 >= sum(liar <= received for liar in liars)
            )
            assert opened_at == list(range(first, parties + 1))


def _online_matches(
    shares: list[Share], shape: tuple[int, int], truth: bytes, liars: tuple[int, ...]
) -> bool:
    """Whether the batch opens; an opening must be right and blame exactly the liars received."""
    outcome = tkms_kernel.online_open(128, *shape, shape[1], shares, [])
    if outcome is None:
        return False
    assert outcome == (truth, [party for party, _ in shares if party in liars])
    return True


def test_known_liars_are_ignored_and_count_as_received() -> None:
    """With one proven liar of four, two further shares suffice, as in the twin's rule."""
    shares = list(PUBLISHED)
    shares[0] = tamper(shares[0], 7)
    assert tkms_kernel.online_open(128, 4, 1, 1, shares[:2], [1]) is None
    assert tkms_kernel.online_open(128, 4, 1, 1, shares[:3], [1]) == (wide(5), [])
    assert tkms_kernel.online_open(128, 4, 1, 1, shares[1:3], [1]) == (wide(5), [])
    assert tkms_kernel.online_open(128, 4, 1, 1, [], []) is None
    assert twin.online_errors(1, 1, 2, 1) == 0
    assert twin.online_errors(1, 1, 1, 1) is None


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_online_opening_equals_the_rule(data: st.DataObject) -> None:
    """Random schedules of (7,2) with known and unknown liars against the rule and the oracle."""
    vectors = dealt(64, 7, 2, 1)
    liars = data.draw(st.sets(st.integers(1, 7), max_size=2))
    known = sorted(data.draw(st.sets(st.sampled_from(sorted(liars)))) if liars else [])
    arrived = data.draw(st.sets(st.integers(1, 7)))
    ring = RINGS[64]
    for liar in liars:
        vectors[liar - 1][0] = data.draw(elements(64))
    believed = {party: vectors[party - 1] for party in arrived if party not in known}
    shares = [(party, ring.to_bytes(vectors[party - 1])) for party in arrived]
    errors = twin.online_errors(2, 2, len(believed), len(known))
    oracle = None if errors is None else twin.subset_decode(ring, 2, believed, errors)
    outcome = tkms_kernel.online_open(64, 7, 2, 2, shares, known)
    if oracle is None:
        assert outcome is None
    else:
        assert outcome is not None
        assert (ring.from_bytes(outcome[0]), outcome[1]) == oracle


def test_online_opening_ends_when_nobody_is_left_to_wait_for() -> None:
    """Two liars of four are beyond the threshold: an error once all shares are in."""
    shares = [PUBLISHED[0], tamper(PUBLISHED[1], 1), tamper(PUBLISHED[2], 1 << 127), PUBLISHED[3]]
    assert tkms_kernel.online_open(128, 4, 1, 1, shares[:3], []) is None
    with pytest.raises(tkms_kernel.TooManyErrors):
        tkms_kernel.online_open(128, 4, 1, 1, shares, [])


def test_online_opening_refuses_unsound_parameters() -> None:
    """Degree 2t of n = 3t + 1, more known liars than t, foreign and repeated liars."""
    for parties, threshold, degree, known in (
        (4, 1, 2, []),
        (16, 1, 1, []),
        (4, 2**62, 1, []),
        (4, 1, 1, [1, 2]),
        (7, 2, 2, [1, 1]),
        (4, 1, 1, [5]),
        (4, 1, 1, [0]),
    ):
        with pytest.raises(tkms_kernel.InvalidInput):
            tkms_kernel.online_open(128, parties, threshold, degree, PUBLISHED, known)
