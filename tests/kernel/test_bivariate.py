"""Bivariate sharing and extraction against the twin, and their algebra."""

from __future__ import annotations

import itertools

import pytest
import tkms_kernel as kernel
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import bivariate_twin as twin
from tests.support.ring_twin import Ring, reconstruct

RINGS = (64, 128)
SEED = bytes(range(32))


@pytest.mark.parametrize("k", RINGS)
@pytest.mark.parametrize(("parties", "threshold"), [(1, 0), (4, 1), (7, 2), (13, 4)])
def test_dealing_is_that_of_the_twin(k: int, parties: int, threshold: int) -> None:
    """Rows and columns, byte for byte; the rows at 0 are shares of the secrets."""
    ring = Ring(k)
    secrets = [ring.element(3, 1, 4, 1), ring.element(-1, 0, 0, 2 ** (k - 1))]
    got = kernel.bivariate_deal(k, ring.to_bytes(secrets), parties, threshold, SEED)
    want = twin.deal(ring, secrets, parties, threshold, SEED)
    assert got == [(ring.to_bytes(row), ring.to_bytes(column)) for row, column in want]
    width = threshold + 1
    shares = {
        party: ring.from_bytes(kernel.polynomials_at(k, row, width, [0])[0])
        for party, (row, _) in enumerate(got, start=1)
    }
    for place, secret in enumerate(secrets):
        held = {party: vector[place] for party, vector in shares.items()}
        assert reconstruct(ring, threshold, held) == secret


@pytest.mark.parametrize("k", RINGS)
def test_rows_and_columns_cross(k: int) -> None:
    """Row i at j is column j at i, for all pairs."""
    ring = Ring(k)
    slices = kernel.bivariate_deal(k, ring.to_bytes([ring.element(9)] * 3), 7, 2, SEED)
    for i, j in itertools.product(range(7), repeat=2):
        (row,) = kernel.polynomials_at(k, slices[i][0], 3, [j + 1])
        (column,) = kernel.polynomials_at(k, slices[j][1], 3, [i + 1])
        assert row == column


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=32 * 6, max_size=32 * 6), st.sampled_from([1, 2, 3, 6]))
def test_values_are_those_of_the_twin(data: bytes, length: int) -> None:
    """Any coefficients, all points."""
    ring = Ring(64)
    parties = list(range(16))
    got = kernel.polynomials_at(64, data, length, parties)
    for party in parties:
        want = twin.polynomials_at(ring, ring.from_bytes(data), length, party)
        assert got[party] == ring.to_bytes(want)


@pytest.mark.parametrize("k", RINGS)
def test_extraction_is_that_of_the_twin(k: int) -> None:
    """Also with dealers left out."""
    ring = Ring(k)
    vectors = {p: [ring.element(p, 7 * p), ring.element(-p, 0, p)] for p in (1, 3, 4, 6, 13)}
    listed = [(party, ring.to_bytes(vector)) for party, vector in vectors.items()]
    for outputs in (0, 1, 5):
        got = kernel.extract_random(k, listed, outputs)
        assert got == [ring.to_bytes(v) for v in twin.extract(ring, vectors, outputs)]


def test_any_n_minus_t_dealers_determine_the_outputs() -> None:
    """The map from their secrets to the outputs is injective: no other secrets give the same."""
    ring = Ring(64)
    for honest in itertools.combinations(range(1, 5), 3):
        units = []
        for dealer in honest:
            vectors = [(p, ring.to_bytes([ring.element(int(p == dealer))])) for p in range(1, 5)]
            units.append([ring.from_bytes(v)[0] for v in kernel.extract_random(64, vectors, 3)])
        (a, b, c), (d, e, f), (g, h, i) = units
        minors = (
            ring.mul(a, ring.sub(ring.mul(e, i), ring.mul(f, h))),
            ring.mul(b, ring.sub(ring.mul(d, i), ring.mul(f, g))),
            ring.mul(c, ring.sub(ring.mul(d, h), ring.mul(e, g))),
        )
        assert ring.is_unit(ring.add(ring.sub(minors[0], minors[1]), minors[2]))


def test_malformed_input_is_refused() -> None:
    """Wrong word sizes, lengths, seeds, parties and counts."""
    element = bytes(32)
    calls = (
        lambda: kernel.bivariate_deal(32, b"", 4, 1, SEED),
        lambda: kernel.bivariate_deal(64, b"x", 4, 1, SEED),
        lambda: kernel.bivariate_deal(64, element, 4, 1, b"short"),
        lambda: kernel.bivariate_deal(64, element, 4, 4, SEED),
        lambda: kernel.bivariate_deal(64, element, 16, 1, SEED),
        lambda: kernel.bivariate_deal(64, element * 65_537, 4, 1, SEED),
        lambda: kernel.polynomials_at(64, element, 2, [1]),
        lambda: kernel.polynomials_at(64, element, 0, [1]),
        lambda: kernel.polynomials_at(64, element, 1, [16]),
        lambda: kernel.extract_random(64, [], 0),
        lambda: kernel.extract_random(64, [(1, element), (1, element)], 1),
        lambda: kernel.extract_random(64, [(1, element), (2, b"")], 1),
        lambda: kernel.extract_random(64, [(1, element)], 2),
        lambda: kernel.PrssKeys.from_keys(4, 1, 1, [bytes(16), b"x" * 16]),
        lambda: kernel.PrssKeys.from_keys(4, 1, 1, [bytes(16)] * 3),
        lambda: kernel.PrssKeys.from_keys(4, 1, 1, [bytes(15), b"x" * 16, b"y" * 16]),
        lambda: kernel.PrssKeys.from_keys(4, 1, 5, [bytes(16), b"x" * 16, b"y" * 16]),
    )
    for call in calls:
        with pytest.raises(kernel.InvalidInput):
            call()
