"""Pseudorandom sharing and rounding: equal to the twin, right degree, never reused, bounded."""

import itertools
import math
import random
from collections.abc import Callable

import pytest
import tkms_kernel
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import ring_twin as twin

RINGS = {k: twin.Ring(k) for k in (64, 128)}
WIDE = RINGS[128]
SEED = bytes(range(32))
INFO = b"key epoch request digest"
LOG = 110
DELTA = 2**twin.DELTA_LOG


def sessions(parties: int, threshold: int, info: bytes = INFO) -> list[tkms_kernel.PrssSession]:
    """Sessions of all parties for the test seed."""
    dealt = tkms_kernel.PrssKeys.deal(parties, threshold, SEED)
    return [keys.session(info) for keys in dealt]


def prss(parties: int, threshold: int, info: bytes = INFO) -> twin.Prss:
    """The twin with the same keys."""
    return twin.Prss(parties, threshold, SEED, info)


def opened(k: int, degree: int, shares: list[bytes]) -> bytes:
    """Value of shares of all parties; every share must lie on one polynomial of the degree."""
    numbered = [(i + 1, share) for i, share in enumerate(shares)]
    return tkms_kernel.decode_shares(k, len(shares), degree, numbered, 0)[0]


def test_published_weights() -> None:
    """f_A of A = {1,2,3} at the four points of (4,1)."""
    weights = [prss(4, 1).weight(WIDE, (1, 2, 3), party) for party in range(1, 5)]
    expected = [(0, 0, 1, -1), (2, 0, 0, 1), (1, 0, 1, 0), (0, 0, 0, 0)]
    assert [twin.signed(WIDE, weight) for weight in weights] == expected


@pytest.mark.parametrize("k", [64, 128])
@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (5, 1), (7, 2)])
def test_shares_equal_the_twin(k: int, parties: int, threshold: int) -> None:
    """Uniform, zero and mask shares of every party, at a counter beyond 32 bits."""
    reference, ring, start = prss(parties, threshold), RINGS[k], 2**33 + 5
    for party, session in enumerate(sessions(parties, threshold), start=1):
        counters = [start, start + 1]
        assert session.next(k, start, 2) == ring.to_bytes(
            [reference.next_share(ring, party, counter) for counter in counters]
        )
        assert session.zero(k, start, 2) == ring.to_bytes(
            [reference.zero_share(ring, party, counter) for counter in counters]
        )
        assert session.mask(start, 2, 70, 40) == WIDE.to_bytes(
            [reference.mask_share(party, counter, LOG) for counter in counters]
        )


@pytest.mark.parametrize("k", [64, 128])
@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (7, 2), (13, 4)])
def test_shares_reconstruct_with_the_right_degree(k: int, parties: int, threshold: int) -> None:
    """Degree t for values, at most 2t (and not less) for zero; the sum over the sets comes out."""
    reference, ring, everyone = prss(parties, threshold), RINGS[k], sessions(parties, threshold)
    value = opened(k, threshold, [session.next(k, 3, 1) for session in everyone])
    total = ring.element()
    for members in reference.sets():
        total = ring.add(total, reference.next_value(ring, members, 3))
    assert ring.from_bytes(value) == [total]
    zeros = [session.zero(k, 3, 4) for session in everyone]
    assert opened(k, 2 * threshold, zeros) == bytes(4 * k // 2)
    with pytest.raises(tkms_kernel.TooManyErrors):
        opened(k, 2 * threshold - 1, zeros)
    with pytest.raises(tkms_kernel.TooManyErrors):
        opened(k, threshold - 1, [session.next(k, 3, 1) for session in everyone])


@pytest.mark.parametrize("k", [64, 128])
def test_batches_use_counters_as_single_calls_do(k: int) -> None:
    """A batch equals its values one by one, across the internal batch border, and overlaps."""
    session = sessions(4, 1)[0]
    count, size = 70, k // 2
    calls: list[Callable[[int, int], bytes]] = [
        lambda start, n: session.next(k, start, n),
        lambda start, n: session.zero(k, start, n),
    ]
    for call in calls:
        assert call(9, count) == b"".join(call(9 + i, 1) for i in range(count))
        assert call(9, count)[5 * size :] == call(14, count - 5)
        assert call(9, 0) == b""
    masks = session.mask(9, count, 70, 40)
    assert masks == b"".join(session.mask(9 + i, 1, 70, 40) for i in range(count))


def test_no_two_values_share_randomness() -> None:
    """Values differ over counters, kinds, rings, infos and seeds; masks reuse no half."""
    reference = prss(4, 1)
    session = sessions(4, 1)[0]
    values = [session.next(128, 0, 50)[i : i + 64] for i in range(0, 50 * 64, 64)]
    values += [session.zero(128, 0, 50)[i : i + 64] for i in range(0, 50 * 64, 64)]
    values += [session.mask(0, 50, 70, 40)[i : i + 64] for i in range(0, 50 * 64, 64)]
    values.append(sessions(4, 1, INFO + b"\0")[0].next(128, 0, 1))
    values.append(sessions(4, 1, b"")[0].next(128, 0, 1))
    values.append(tkms_kernel.PrssKeys.deal(4, 1, bytes(32))[0].session(INFO).next(128, 0, 1))
    assert len(set(values)) == len(values)
    low_words = {value[:8] for value in values}
    narrow = session.next(64, 0, 50)
    assert all(narrow[i : i + 8] not in low_words for i in range(0, len(narrow), 32))
    halves = [
        reference.stream(b"MASK", 128, (1, 2, 3), counter).take(0, 16) for counter in range(100)
    ]
    assert len(set(halves)) == 100


def test_set_keys_are_independent() -> None:
    """All keys of all sets differ, and each equals the twin's own derivation."""
    reference = prss(7, 2)
    dealt = tkms_kernel.PrssKeys.deal(7, 2, SEED)
    drawn = {members: reference.dealt_key(members) for members in reference.sets()}
    assert len(set(drawn.values())) == math.comb(7, 2)
    for party, keys in enumerate(dealt, start=1):
        own = b"".join(drawn[members] for members in reference.own_sets(party))
        header = b"TKPR\x01" + bytes([7, 2, party]) + (15).to_bytes(2, "little")
        assert keys.to_bytes() == header + own


@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (7, 2), (13, 4)])
def test_masks_stay_within_the_bound(parties: int, threshold: int) -> None:
    """Opened masks are the scalar sum over the sets, signed, below 2 C(n,t) 2^110."""
    everyone, reference = sessions(parties, threshold), prss(parties, threshold)
    count = 40
    values = opened(128, threshold, [s.mask(0, count, 70, 40) for s in everyone])
    masks = [twin.signed(WIDE, element) for element in WIDE.from_bytes(values)]
    limit = 2 * math.comb(parties, threshold) * 2**LOG
    assert all(mask[1:] == (0, 0, 0) and -limit <= mask[0] < limit for mask in masks)
    expected = sum(reference.mask_value(members, 7, LOG) for members in reference.sets())
    assert masks[7][0] == expected
    assert min(mask[0] for mask in masks) < 0 < max(mask[0] for mask in masks)
    # Masks of this size would be a chance of less than 2^-40 if the top bits were missing.
    assert max(abs(mask[0]) for mask in masks) > 2**LOG


def test_mask_statistics() -> None:
    """Mean and variance of 4096 masks of (4,1): a sum of eight uniform numbers."""
    values = opened(128, 1, [s.mask(0, 4096, 70, 40) for s in sessions(4, 1)])
    masks = [twin.signed(WIDE, element)[0] / 2**LOG for element in WIDE.from_bytes(values)]
    mean = sum(masks) / len(masks)
    variance = sum(mask * mask for mask in masks) / len(masks)
    # Eight uniform numbers on [-1, 1): variance 8/3; both bounds are about five deviations.
    assert abs(mean) < 5 * math.sqrt(8 / 3 / len(masks))
    assert abs(variance - 8 / 3) < 0.3


def test_keys_survive_export_and_show_nothing() -> None:
    """Export and import give the same shares; the text form names no key."""
    for keys in tkms_kernel.PrssKeys.deal(4, 1, SEED):
        again = tkms_kernel.PrssKeys.from_bytes(keys.to_bytes())
        assert again.session(INFO).next(128, 0, 2) == keys.session(INFO).next(128, 0, 2)
        text = f"PrssKeys(parties=4, threshold=1, party={keys.party})"
        assert repr(keys) == str(keys) == repr(again) == text
        assert (keys.parties, keys.threshold) == (4, 1)
        assert repr(keys.session(INFO)) == text.replace("Keys", "Session")


def test_import_validates_everything() -> None:
    """Each field changed, each truncation and repeated keys are refused."""
    good = tkms_kernel.PrssKeys.deal(4, 1, SEED)[0].to_bytes()
    bad = [good[:length] for length in range(len(good))] + [good + b"\0", good + bytes(16)]
    for index in range(10):
        if index != 7:  # another party number is another valid holder
            bad += [
                good[:index] + bytes([v]) + good[index + 1 :]
                for v in range(256)
                if v != good[index]
            ]
    bad += [good[:7] + bytes([party]) + good[8:] for party in (0, 5, 16, 255)]
    bad.append(good[:10] + good[10:26] * 3)
    for data in bad:
        with pytest.raises(tkms_kernel.InvalidInput):
            tkms_kernel.PrssKeys.from_bytes(data)


@settings(max_examples=50)
@given(st.binary(max_size=80))
def test_import_survives_noise(data: bytes) -> None:
    """Arbitrary bytes raise the typed error and nothing else."""
    with pytest.raises(tkms_kernel.InvalidInput):
        tkms_kernel.PrssKeys.from_bytes(data)


def test_parameters_are_checked() -> None:
    """Impossible parties, thresholds, seeds, counters, sizes and bounds."""
    for parties, threshold, seed in (
        (16, 5, SEED),
        (16, 3, SEED),
        (3, 1, SEED),
        (4, 0, SEED),
        (0, 0, SEED),
        (2**40, 1, SEED),
        (4, 2**63, SEED),
        (4, 1, SEED[:31]),
        (4, 1, b""),
    ):
        with pytest.raises(tkms_kernel.InvalidInput):
            tkms_kernel.PrssKeys.deal(parties, threshold, seed)
    session = sessions(4, 1)[0]
    calls: list[Callable[[], bytes]] = [
        lambda: session.next(96, 0, 1),
        lambda: session.next(128, 2**64 - 1, 2),
        lambda: session.zero(64, 2**62, 1),
        lambda: session.next(128, 0, 2**40),
        lambda: session.mask(2**62, 1, 70, 40),
        lambda: session.mask(0, 1, 70, 60),
        lambda: session.mask(0, 1, 2**32 - 1, 2**32 - 1),
    ]
    for call in calls:
        with pytest.raises(tkms_kernel.InvalidInput):
            call()


def test_mask_capacity_table() -> None:
    """The integer rule agrees with the logarithmic one; (16,5) and missing points are refused."""
    for parties, threshold in itertools.product(range(17), range(7)):
        alone = (parties, threshold) == (1, 0)
        supported = parties <= 15 and (alone or (threshold >= 1 and 3 * threshold < parties))
        expected = supported and twin.mask_capacity_ok(parties, threshold)
        assert tkms_kernel.mask_capacity_ok(parties, threshold) == expected
    for parties, threshold in ((4, 1), (5, 1), (7, 2), (9, 2), (10, 3), (13, 3), (13, 4)):
        assert tkms_kernel.mask_capacity_ok(parties, threshold)
    assert not tkms_kernel.mask_capacity_ok(16, 5)
    assert not tkms_kernel.mask_capacity_ok(2**63, 2**62)


# Rounding -------------------------------------------------------------------------------------


def packed(phases: list[int]) -> bytes:
    """Opened elements that hold the phases, four in one."""
    padded = phases + [0] * (-len(phases) % 4)
    return b"".join((phase % 2**128).to_bytes(16, "little") for phase in padded)


@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.integers(-(2**113) - 2**70, 2**113 + 2**70)), max_size=9
    )
)
def test_rounding_gives_the_message(blocks: list[tuple[int, int]]) -> None:
    """Every message under every noise within the bound, both signs."""
    phases = [message * DELTA + noise for message, noise in blocks]
    expected = bytes(message for message, _ in blocks)
    assert tkms_kernel.round_squashed(packed(phases), len(phases), 4, 1) == expected


@pytest.mark.parametrize("parties_threshold", [(4, 1), (7, 2), (13, 4)])
def test_rounding_refuses_noise_beyond_the_bound(parties_threshold: tuple[int, int]) -> None:
    """The first value outside the bound and powers above it, as the twin says."""
    limit = 2**70 + 2 * math.comb(*parties_threshold) * 2**LOG
    noises = [limit, -limit, limit + 1, -limit - 1, 2**114, 2**118, 2**121, 2**122, -(2**122)]
    noises += [random.Random(1).randrange(-(2**122), 2**122) for _ in range(20)]
    for message, noise in itertools.product((0, 7, 15), noises):
        phase = message * DELTA + noise
        expected = twin.round_phase(phase, *parties_threshold)
        if expected is None:
            with pytest.raises(tkms_kernel.OutOfRange, match="block 1"):
                tkms_kernel.round_squashed(packed([0, phase]), 2, *parties_threshold)
        else:
            got = tkms_kernel.round_squashed(packed([0, phase]), 2, *parties_threshold)
            assert got == bytes([0, expected])
    with pytest.raises(tkms_kernel.OutOfRange):
        tkms_kernel.round_squashed(packed([2**114]), 1, 4, 1)


def test_rounding_refuses_a_set_padding_bit() -> None:
    """A phase in the upper half of the torus is no clean message."""
    for message in range(16, 32):
        with pytest.raises(tkms_kernel.OutOfRange):
            tkms_kernel.round_squashed(packed([message * DELTA]), 1, 4, 1)


def test_rounding_refuses_malformed_input() -> None:
    """Block counts that do not fit, nonzero padding, parameters without room."""
    for data, blocks, parties, threshold in (
        (packed([0]), 5, 4, 1),
        (packed([0]), 0, 4, 1),
        (bytes(63), 1, 4, 1),
        (packed([0]), 1, 16, 5),
        (packed([0]), 1, 4, 2),
        (b"", 2**63, 4, 1),
    ):
        with pytest.raises(tkms_kernel.InvalidInput):
            tkms_kernel.round_squashed(data, blocks, parties, threshold)
    with pytest.raises(tkms_kernel.VerificationFailed, match="padding"):
        tkms_kernel.round_squashed(packed([0, 0, 1]), 2, 4, 1)
    assert tkms_kernel.round_squashed(b"", 0, 4, 1) == b""


def test_masked_phases_round_through_the_whole_path() -> None:
    """Share, mask, pack, open with a liar, round: the messages come back."""
    messages = [3, 0, 15, 8, 1, 12]
    phases = [message * DELTA + (-1) ** i * 2**69 for i, message in enumerate(messages)]
    data = b"".join((phase % 2**128).to_bytes(16, "little") for phase in phases)
    shares = tkms_kernel.shamir_share(128, data, 4, 1, SEED)
    sent = []
    for party, (share, session) in enumerate(zip(shares, sessions(4, 1), strict=True), start=1):
        masked = tkms_kernel.ring_add(128, share, session.mask(0, 6, 70, 40))
        sent.append((party, tkms_kernel.ring_pack4(128, masked)))
    sent[2] = (3, bytes(len(sent[2][1])))
    assert tkms_kernel.online_open(128, 4, 1, 1, sent[:3], []) is None
    outcome = tkms_kernel.online_open(128, 4, 1, 1, sent, [])
    assert outcome is not None
    assert outcome[1] == [3]
    assert tkms_kernel.round_squashed(outcome[0], 6, 4, 1) == bytes(messages)
