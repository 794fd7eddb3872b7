"""Public decryption on the simulated network, up to and beyond the threshold."""

import random
from hashlib import sha256

import pytest
import tkms_kernel as kernel

from mpc.session import MaskedShare, MaskedShares
from tests.simulation.opening import (
    DELTA_LOG,
    STRATEGIES,
    Simulation,
    noise,
    other_digest,
    problem,
)
from wire.ids import PartyId

PLAINTEXTS = [(0, 1, 1), (5, 16, 2**64 - 2), (2, 2, 77), (8, 64, 3**160)]
SEEDS = range(40)


def simulate(seed: int, parties: int, threshold: int, faults: int) -> Simulation:
    """A run with `faults` corrupt parties, their strategies drawn from the seed."""
    rng = random.Random(seed)
    given = problem(rng, parties, threshold, PLAINTEXTS)
    chosen = rng.sample(sorted(given.shares), faults)
    corrupt = {party: rng.choice(STRATEGIES) for party in chosen}
    simulation = Simulation(given, corrupt, rng)
    simulation.run()
    return simulation


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (7, 2)])
def test_all_honest_parties_output_the_same_right_value(
    parties: int, threshold: int, seed: int
) -> None:
    """With at most t faults: one right result each, and exactly the liars are named, once."""
    faults = seed % (threshold + 1)
    simulation = simulate(seed, parties, threshold, faults)
    assert len(simulation.outcomes) == parties - faults
    for party, outcome in simulation.outcomes.items():
        assert outcome.values == [simulation.problem.values]
        assert outcome.aborted == []
        assert sorted(outcome.blamed) == sorted(simulation.tampered[party])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (7, 2)])
def test_too_many_independent_liars_never_make_a_wrong_value(
    parties: int, threshold: int, seed: int
) -> None:
    """With t + 1 liars that do not collude no honest party outputs anything wrong."""
    simulation = simulate(seed, parties, threshold, threshold + 1)
    for outcome in simulation.outcomes.values():
        assert outcome.values in ([], [simulation.problem.values])


def test_colluding_beyond_the_threshold_can_move_the_result() -> None:
    """The documented limit: t + 1 rushing parties lie on one common wrong polynomial."""
    rng = random.Random(1)
    given = problem(rng, 4, 1, [(2, 2, 5)])
    # Adding a * (alpha - alpha_1) keeps party 1's share and degree 1, and moves the secret.
    factor = (3 << DELTA_LOG).to_bytes(16, "little") + bytes(48)
    weights = kernel.lagrange_at_zero(128, [1, 3])
    # Polynomial that is 0 at alpha_1 and `factor` at 0, evaluated at parties 3 and 4.
    at_three = kernel.ring_mul(128, factor, kernel.ring_inverse(128, weights[64:]))
    weights_four = kernel.lagrange_at_zero(128, [1, 4])
    at_four = kernel.ring_mul(128, factor, kernel.ring_inverse(128, weights_four[64:]))
    moves = {3: at_three, 4: at_four}

    def colluding(party: int) -> object:
        def strategy(_rng: object, _recipient: PartyId, message: MaskedShares) -> MaskedShares:
            share = message.shares[0]
            moved = kernel.ring_add(128, share.elements, moves[party])
            return MaskedShares((MaskedShare(share.ciphertext_digest, moved),))

        return strategy

    corrupt = {PartyId(3): colluding(3), PartyId(4): colluding(4)}
    simulation = Simulation(given, corrupt, random.Random(2))
    # Party 1 hears 3 and 4 before 2, as rushing parties bring about.
    outcomes = simulation.run()
    moved = [value for outcome in outcomes.values() for value in outcome.values]
    assert (8,) in moved


def test_transcripts_are_deterministic() -> None:
    """A seed gives one transcript, another seed another."""
    first, again, other = (simulate(seed, 7, 2, 2).transcript for seed in (3, 3, 4))
    assert first == again
    assert sha256(repr(first).encode()).digest() != sha256(repr(other).encode()).digest()


def test_different_ciphertexts_are_said_to_be_different() -> None:
    """A party with other bytes is named for that, and the others finish."""
    rng = random.Random(5)
    given = problem(rng, 4, 1, PLAINTEXTS)
    outcomes = Simulation(given, {PartyId(2): other_digest}, rng).run()
    for outcome in outcomes.values():
        assert (outcome.values, outcome.blamed) == ([given.values], [2])


def test_undecodable_ends_in_an_abort() -> None:
    """Two of four with noise: everybody answered, nothing fits, and that is said."""
    rng = random.Random(6)
    given = problem(rng, 4, 1, PLAINTEXTS)
    outcomes = Simulation(given, {PartyId(1): noise, PartyId(2): noise}, rng).run()
    for outcome in outcomes.values():
        assert (outcome.values, outcome.aborted) == ([], ["too-many-errors"])
