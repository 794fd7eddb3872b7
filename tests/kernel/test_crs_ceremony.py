"""The kernel's ceremony against its twin, and every check on a contribution (A15 of docs/attacks.md)."""

import random
from dataclasses import replace

import pytest
import tkms_kernel as kernel

from tests.support.crs_twin import (
    HEADER_BYTES,
    ORDER,
    PRIME,
    Contribution,
    G,
    beginning,
    knowledge,
    multiplied,
    outside,
    plus,
    secrets,
    state_digest,
    times,
)
from tests.support.kernel_world import BOOL, METADATA, UINT4, toy_world

NAME = b"ceremony of a test"
DIMENSION = 4
SEED = b"s" * 32


def begun() -> kernel.CrsCeremony:
    """A toy ceremony after one contribution."""
    state = kernel.CrsCeremony.begin_toy(DIMENSION, NAME)
    return state.accept(1, state.contribute(1, b"f" * 32))


def good(state: kernel.CrsCeremony, number: int = 2) -> Contribution:
    """An honest contribution, taken apart."""
    return Contribution.parse(state.contribute(number, SEED), DIMENSION)


def refusal(state: kernel.CrsCeremony, number: int, data: bytes) -> str:
    """Text of the error; the state stays as it was."""
    before = state.digest()
    with pytest.raises(kernel.KernelError) as error:
        state.accept(number, data)
    assert state.digest() == before
    assert state.accepted == [1]
    return str(error.value)


def test_two_contributions_are_those_of_the_twin() -> None:
    """Byte for byte: secrets, points, proof, digest of the state."""
    state = kernel.CrsCeremony.begin_toy(DIMENSION, NAME)
    g, h = beginning(DIMENSION)
    accepted: list[int] = []
    for number in (1, 3):
        data = state.contribute(number, SEED)
        assert len(data) == state.contribution_bytes
        header = data[:HEADER_BYTES]
        digest = state_digest(NAME, header[10:19], accepted, g, h)
        assert state.digest() == digest
        drawn = secrets(digest, number, SEED)
        challenge, response = knowledge(digest, number, g[0], drawn)
        g, h = multiplied(g, h, drawn[0])
        assert data == Contribution(header, challenge, response, g, h).encode()
        state = state.accept(number, data)
        accepted.append(number)
        assert state.accepted == accepted
    assert repr(state) == "CrsCeremony(accepted=[1, 3])"


def test_a_skipped_or_past_round() -> None:
    """A contribution counts in its sender's round only, and rounds only grow."""
    state = begun()
    data = good(state, 3).encode()
    assert "another round" in refusal(state, 2, data)
    inflated = data[: HEADER_BYTES - 2] + (9).to_bytes(2, "little") + data[HEADER_BYTES:]
    assert "another round" in refusal(state, 3, inflated)
    assert "does not prove" in refusal(state, 9, inflated)
    assert state.accept(3, data).accepted == [1, 3]
    assert "the round is over" in refusal(state, 1, good(state, 1).encode())


def test_old_points_again() -> None:
    """Neither the contribution of another, nor the points of before with any proof."""
    start = kernel.CrsCeremony.begin_toy(DIMENSION, NAME)
    first = start.contribute(1, SEED)
    state = start.accept(1, first)
    stolen = first[: HEADER_BYTES - 2] + (2).to_bytes(2, "little") + first[HEADER_BYTES:]
    assert "those of before" in refusal(state, 2, stolen)
    # The same contribution that was made for the beginning does not fit what came after it.
    late = start.contribute(2, b"o" * 32)
    assert "does not prove" in refusal(state, 2, late)


def test_a_factor_of_zero() -> None:
    """All points at infinity have no encoding."""
    state = begun()
    contribution = good(state)
    nothing = replace(contribution, g=(None,) * (2 * DIMENSION - 1), h=(None,) * DIMENSION)
    assert "at infinity" in refusal(state, 2, nothing.encode())
    assert "at infinity" in refusal(state, 2, contribution.with_h(3, None).encode())


def test_a_factor_that_nobody_knows() -> None:
    """Right powers and a proof that does not hold: also one made for another factor."""
    state = begun()
    contribution = good(state)
    for bad in (
        replace(contribution, response=(contribution.response + 1) % ORDER),
        replace(contribution, challenge=0, response=0),
        contribution.with_g(0, plus(contribution.g[0], G)),
    ):
        assert "does not prove" in refusal(state, 2, bad.encode())
    unreduced = replace(contribution, response=contribution.response + ORDER)
    assert "a factor is not reduced" in refusal(state, 2, unreduced.encode())


@pytest.mark.parametrize("place", [0, 1, 2 * DIMENSION - 2])
def test_a_point_outside_the_subgroup(place: int) -> None:
    """On the curve, also with a right part, and outside the curve."""
    state = begun()
    contribution = good(state)
    stray = outside(random.Random(place))
    for point in (stray, plus(contribution.g[place], stray)):
        bad = contribution.with_g(place, point)
        assert "not in the subgroup G1" in refusal(state, 2, bad.encode())
    point = contribution.g[place]
    assert point is not None
    bad = contribution.with_g(place, (point[0], (point[1][0] ^ 1, 0)))
    assert "not on the curve of G1" in refusal(state, 2, bad.encode())
    (x, y) = point
    unreduced = contribution.with_g(place, ((x[0] + PRIME, 0), y))
    assert "a coordinate is not reduced" in refusal(state, 2, unreduced.encode())


def test_a_point_of_the_second_group_outside_the_curve() -> None:
    """The subgroup of G2 is tried in the kernel's own tests."""
    state = begun()
    contribution = good(state)
    point = contribution.h[1]
    assert point is not None
    bad = contribution.with_h(1, (point[0], (point[1][0], point[1][1] ^ 1)))
    assert "not on the curve of G2" in refusal(state, 2, bad.encode())


def test_points_that_are_no_powers() -> None:
    """One point wrong, two exchanged, all of one group times something, the puncture bridged wrongly."""
    state = begun()
    contribution = good(state)
    g, h = contribution.g, contribution.h
    exchanged = contribution.with_g(2, g[3]).with_g(3, g[2])
    shifted = replace(contribution, h=tuple(times(point, 5) for point in h))
    behind = replace(
        contribution, g=(*g[:DIMENSION], *(times(point, 7) for point in g[DIMENSION:]))
    )
    for bad in (exchanged, shifted, behind, contribution.with_h(2, h[3])):
        assert "not the powers" in refusal(state, 2, bad.encode())


def test_another_size() -> None:
    """Changed parameter set, bits or number of points; short vectors; a filled puncture."""
    state = begun()
    data = good(state).encode()
    for place in (10, 11, 15):
        changed = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
        assert "another parameter set or size" in refusal(state, 2, changed)
    other = kernel.CrsCeremony.begin_toy(DIMENSION + 1, NAME).contribute(2, SEED)
    assert "another parameter set or size" in refusal(state, 2, other)
    contribution = good(state)
    short = replace(contribution, g=contribution.g[:-1])
    filled = replace(contribution, g=(*contribution.g[:DIMENSION], G, *contribution.g[DIMENSION:]))
    for bad in (short, filled, replace(contribution, h=contribution.h[:-1])):
        assert "wrong length" in refusal(state, 2, bad.encode())
    assert "wrong length" in refusal(state, 2, data + b"\x00")
    assert "truncated" in refusal(state, 2, data[:50])
    assert "unknown format" in refusal(state, 2, b"T" + data[1:])


def test_a_contribution_to_another_ceremony() -> None:
    """The proof is bound to the name."""
    other = kernel.CrsCeremony.begin_toy(DIMENSION, b"another")
    other = other.accept(1, other.contribute(1, b"f" * 32))
    assert "does not prove" in refusal(begun(), 2, other.contribute(2, SEED))


def test_what_cannot_be_finished() -> None:
    """Without a contributor everybody knows the trapdoor; a toy makes no string."""
    with pytest.raises(kernel.VerificationFailed, match="nobody contributed"):
        kernel.CrsCeremony.begin("test", 4, NAME).finish()
    with pytest.raises(kernel.InvalidInput, match="toy"):
        begun().finish()
    for size in (1, 65):
        with pytest.raises(kernel.InvalidInput):
            kernel.CrsCeremony.begin_toy(size, NAME)
    for bits in (0, 2049):
        with pytest.raises(kernel.InvalidInput):
            kernel.CrsCeremony.begin("test", bits, NAME)
    with pytest.raises(kernel.InvalidInput):
        begun().contribute(2, SEED[1:])


def test_proofs_hold_under_the_string_of_a_ceremony() -> None:
    """The string of a ceremony is one like any other: load, prove, verify, refuse."""
    state = kernel.CrsCeremony.begin("test", 8, NAME)
    state = state.accept(2, state.contribute(2, SEED))
    crs = state.finish()
    assert crs.max_bits == 8
    loaded = kernel.Crs.load(crs.to_bytes())
    public = toy_world().public
    proven = public.encrypt_list([(BOOL, 1), (UINT4, 11)], loaded, METADATA)
    assert kernel.verify_list(proven, public, loaded, METADATA) == [BOOL, UINT4]
    with pytest.raises(kernel.VerificationFailed):
        kernel.verify_list(proven, public, loaded, b"other")
    with pytest.raises(kernel.KernelError):
        kernel.verify_list(proven, public, toy_world().crs, METADATA)
    assert state.finish().to_bytes() == crs.to_bytes()


@pytest.mark.slow
def test_full_size() -> None:
    """2048 bits of production: 15,871 points of G1 and 7,936 of G2."""
    state = kernel.CrsCeremony.begin("production", 2048, NAME)
    assert (state.dimension, state.contribution_bytes) == (7936, 3_555_317)
    state = state.accept(1, state.contribute(1, SEED))
    assert kernel.Crs.load(state.finish().to_bytes()).max_bits == 2048
