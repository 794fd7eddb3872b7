"""Resharing in the kernel against its twin, and what it refuses."""

import functools

import pytest
import tkms_kernel as kernel

from tests.support.resharing_twin import (
    HEADER_BYTES,
    NARROW,
    WIDE,
    Vectors,
    mask_share,
    recovered,
    syndromes,
    vectors_of,
)
from tests.support.ring_twin import Prss, Ring

INFO = b"resharing of a test"
NEW_SEED = b"n" * 32
SAMPLE = 3
"""Elements that the twin computes."""


@functools.cache
def dealt(parties: int, threshold: int, parameters: str = "test") -> list[kernel.KeyShare]:
    """Shares of a toy key."""
    return kernel.ClientKey.generate(parameters, b"k" * 32).deal(parties, threshold)


@functools.cache
def new_keys(parties: int = 4, threshold: int = 1) -> list[kernel.PrssKeys]:
    """Keys of the new set."""
    return kernel.PrssKeys.deal(parties, threshold, NEW_SEED)


def wide_length() -> int:
    """128-bit elements of a toy key share."""
    length = kernel.resharing_length("test")
    info = dict(kernel.parameter_info("test"))
    assert length == (info["squashed_dimension"] + info["compressed_squashed_dimension"]) * 64 + (
        info["big_dimension"] * 32
    )
    return (length - info["big_dimension"] * 32) // 64


def content(share: kernel.KeyShare) -> bytes:
    """Vectors of a key share."""
    return share.to_bytes()[HEADER_BYTES:]


def masked(share: kernel.KeyShare, parties: int = 4, threshold: int = 1) -> bytes:
    """Masked share of an old party, all new parties being honest."""
    shares = [
        (keys.party, kernel.resharing_mask_share(keys, INFO, "test", share.party))
        for keys in new_keys(parties, threshold)
    ]
    result, wrong = kernel.resharing_masked(share, parties, threshold, shares)
    assert wrong == []
    return result


def sampled(data: bytes) -> Vectors:
    """The first few elements of both vectors."""
    return {k: vector[:SAMPLE] for k, vector in vectors_of(data, wide_length()).items()}


def test_mask_shares_and_sums_are_those_of_the_twin() -> None:
    """A mask is the opened sharing, and the sum is share plus mask."""
    prss = Prss(4, 1, NEW_SEED, INFO)
    lengths = {WIDE: SAMPLE, NARROW: SAMPLE}
    shares = {party: mask_share(prss, party, 2, lengths) for party in (1, 2)}
    for party, expected in shares.items():
        data = kernel.resharing_mask_share(new_keys()[party - 1], INFO, "test", 2)
        assert sampled(data) == expected
    own = sampled(content(dealt(4, 1)[1]))
    for k, vector in sampled(masked(dealt(4, 1)[1])).items():
        ring = Ring(k)
        masks = recovered(k, {party: shares[party][k] for party in shares})
        assert vector == [ring.add(a, b) for a, b in zip(own[k], masks, strict=True)]


def test_a_new_share_is_that_of_the_twin() -> None:
    """Syndromes of honest shares open to zero; the share is the twin's combination."""
    views, opened = [], []
    sums = [(share.party, masked(share)) for share in dealt(4, 1)]
    for keys in new_keys():
        view = kernel.Resharing(keys, INFO, "test", 4, 1, sums)
        views.append(view)
        opened.append(view.syndromes(b"coin"))
    vectors = []
    for bits, place in ((WIDE, 0), (NARROW, 1)):
        shares = [(keys.party, pair[place]) for keys, pair in zip(new_keys(), opened, strict=True)]
        vectors.append(kernel.decode_shares(bits, 4, 1, shares, 0)[0])
    assert [set(vector) for vector in vectors] == [{0}, {0}]
    share, wrong = views[2].finish(*vectors)
    assert wrong == []
    prss = Prss(4, 1, NEW_SEED, INFO)
    lengths = {WIDE: SAMPLE, NARROW: SAMPLE}
    for k in (WIDE, NARROW):
        ring = Ring(k)
        columns = {
            party: [
                ring.sub(a, b)
                for a, b in zip(
                    sampled(data)[k], mask_share(prss, 3, party, lengths)[k], strict=True
                )
            ]
            for party, data in sums[:2]
        }
        assert sampled(content(share))[k] == recovered(k, columns)


def test_syndromes_are_those_of_the_twin() -> None:
    """Shares of the syndromes of all combinations, for a set that lacks a party."""
    keys = new_keys()[0]
    sums = [(share.party, masked(share)) for share in dealt(4, 1) if share.party != 2]
    wide, narrow = kernel.Resharing(keys, INFO, "test", 4, 1, sums).syndromes(b"coin")
    for k, given in ((WIDE, wide), (NARROW, narrow)):
        ring = Ring(k)
        columns = {}
        for party, data in sums:
            masks = kernel.resharing_mask_share(keys, INFO, "test", party)
            pairs = zip(
                vectors_of(data, wide_length())[k],
                vectors_of(masks, wide_length())[k],
                strict=True,
            )
            columns[party] = [ring.sub(a, b) for a, b in pairs]
        assert given == ring.to_bytes(syndromes(k, 1, columns, b"coin"))


def opened_syndromes(seed: bytes, errors: dict[int, int]) -> tuple[bytes, bytes]:
    """What becomes public when these bytes of the masked shares are changed."""
    old = kernel.ClientKey.generate("test", seed).deal(7, 2)
    sums = []
    for share in old:
        data = bytearray(masked(share))
        if share.party in errors:
            data[errors[share.party]] ^= 128
        sums.append((share.party, bytes(data)))
    views = [kernel.Resharing(keys, INFO, "test", 7, 2, sums) for keys in new_keys()]
    pairs = [view.syndromes(b"coin") for view in views]
    wide, narrow = (
        kernel.decode_shares(bits, 4, 1, [(i, pair[place]) for i, pair in enumerate(pairs, 1)], 0)[
            0
        ]
        for place, bits in ((0, WIDE), (1, NARROW))
    )
    _, wrong = views[0].finish(wide, narrow)
    assert wrong == sorted(errors)
    return wide, narrow


def test_what_is_opened_depends_on_the_errors_alone() -> None:
    """Two keys with shares of their own, the top bits of the same bytes wrong: the same syndromes."""
    top, last = 15, wide_length() * 64 + 7
    for errors in ({2: top}, {3: last}, {1: top, 6: last}, {}):
        assert opened_syndromes(b"a" * 32, errors) == opened_syndromes(b"b" * 32, errors)


def test_wrong_mask_shares_are_corrected() -> None:
    """Up to t2 wrong ones, in either vector; more are refused, and so are too few."""
    share = dealt(4, 1)[0]
    masks = [
        (keys.party, kernel.resharing_mask_share(keys, INFO, "test", 1)) for keys in new_keys(7, 2)
    ]
    right = masked(share, 7, 2)
    broken = dict(masks)
    broken[3] = bytes([broken[3][0] ^ 1]) + broken[3][1:]
    broken[6] = broken[6][:-1] + bytes([broken[6][-1] ^ 128])
    assert kernel.resharing_masked(share, 7, 2, list(broken.items())) == (right, [3, 6])
    assert kernel.resharing_masked(share, 7, 2, masks[2:]) == (right, [])
    with pytest.raises(kernel.InvalidInput):
        kernel.resharing_masked(share, 7, 2, masks[3:])
    broken[1] = bytes(len(right))
    broken[2] = bytes(len(right))
    broken[4] = bytes(len(right))
    with pytest.raises(kernel.TooManyErrors):
        kernel.resharing_masked(share, 7, 2, list(broken.items()))


def test_malformed_input_is_refused() -> None:
    """Lengths, parties and repetitions."""
    keys, data = new_keys()[0], masked(dealt(4, 1)[0])
    good = [(party, data) for party in (1, 2, 3)]
    for masked_shares in (
        [(1, data[:-1]), *good[1:]],
        [*good[:2], (2, data)],
        [*good[:2], (0, data)],
        [*good[:2], (5, data)],
    ):
        with pytest.raises(kernel.InvalidInput):
            kernel.Resharing(keys, INFO, "test", 4, 1, masked_shares).syndromes(b"")
    with pytest.raises(kernel.TooManyErrors):
        kernel.Resharing(keys, INFO, "test", 4, 1, good[:2])
    with pytest.raises(kernel.InvalidInput):
        kernel.Resharing(keys, INFO, "test", 6, 2, good)
    view = kernel.Resharing(keys, INFO, "test", 4, 1, good)
    wide, narrow = (bytes(len(vector)) for vector in view.syndromes(b""))
    assert view.finish(wide, narrow)[1] == []
    for pair in ((wide[:-64], narrow), (wide, narrow + narrow), (b"", b"")):
        with pytest.raises(kernel.InvalidInput):
            view.finish(*pair)
    with pytest.raises(kernel.InvalidInput):
        kernel.resharing_mask_share(keys, INFO, "test", 16)
    assert repr(view) == "Resharing()"
