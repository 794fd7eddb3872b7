"""The ceremony among parties (A15 of docs/attacks.md): bad contributions are skipped by all alike."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Mapping

import pytest
import tkms_kernel as kernel

from mpc.crs_ceremony import Ceremony, generate_reference_string
from mpc.exchange import ProtocolAbort, Setting, Steps
from tests.mpc.network import LIARS, Envelope, Liar, Network
from tests.support.crs_twin import Contribution
from wire.ids import PartyId

NAME = b"ceremony of a test"
DIMENSION = 3


def toy() -> kernel.CrsCeremony:
    """The beginning."""
    return kernel.CrsCeremony.begin_toy(DIMENSION, NAME)


def seed_of(party: int) -> bytes:
    """Secret of a party."""
    return bytes([party]) * 32


def ceremony(
    parties: int, threshold: int, liars: Mapping[int, Liar] | None = None, seed: int = 0
) -> Network[Ceremony]:
    """Run it."""

    def protocol(setting: Setting) -> Steps[Ceremony]:
        return generate_reference_string(setting, toy(), seed_of(setting.party))

    given = {PartyId(party): liar for party, liar in (liars or {}).items()}
    return Network(parties, threshold, protocol, seed, given).run()


def expected(contributors: list[int]) -> kernel.CrsCeremony:
    """The state when these contribute one after the other."""
    state = toy()
    for party in contributors:
        state = state.accept(party, state.contribute(party, seed_of(party)))
    return state


def agreed(network: Network[Ceremony]) -> Ceremony:
    """What all honest parties came to."""
    first, *rest = network.values()
    assert first is not None
    assert {value.digest for value in rest if value} == {first.digest}
    assert {value.contributors for value in rest if value} == {first.contributors}
    assert first.digest == first.state.digest()
    return first


def large(change: Callable[[Contribution], Contribution]) -> Liar:
    """A liar whose contribution is changed, towards everybody alike."""
    size = toy().contribution_bytes

    def lie(_: random.Random, envelope: Envelope) -> bytes:
        if len(envelope.payload) != size:
            return envelope.payload
        return change(Contribution.parse(envelope.payload, DIMENSION)).encode()

    return lie


@pytest.mark.parametrize(("parties", "threshold"), [(4, 1), (7, 2)])
def test_everybody_contributes(parties: int, threshold: int) -> None:
    """One after the other, the same as without a network; a replay sends the same."""
    network = ceremony(parties, threshold)
    everybody = list(range(1, parties + 1))
    assert agreed(network).contributors == tuple(everybody)
    assert agreed(network).digest == expected(everybody).digest()
    assert all(not network.outcomes[party].blamed for party in network.honest)
    network.replay(PartyId(2))


@pytest.mark.parametrize("liar", [1, 2, 4])
def test_a_bad_contribution_is_skipped_and_the_next_goes_on_with_what_was(liar: int) -> None:
    """Whichever check it fails; all honest parties blame its sender."""
    network = ceremony(4, 1, {liar: large(lambda c: c.with_h(1, c.h[0]))})
    others = [party for party in range(1, 5) if party != liar]
    assert agreed(network).contributors == tuple(others)
    assert agreed(network).digest == expected(others).digest()
    assert all(network.outcomes[party].blamed == {liar} for party in network.honest)


@pytest.mark.parametrize("liar", LIARS)
def test_any_t_parties_hinder_nothing(liar: str) -> None:
    """The honest ones all contribute, whatever the others do."""
    cases = [(4, 1, {1}), (4, 1, {3})] + [(7, 2, {2, 7})] * (liar == "moody")
    for seed, (parties, threshold, bad) in enumerate(cases):
        result = agreed(ceremony(parties, threshold, dict.fromkeys(bad, LIARS[liar]), seed))
        assert set(result.contributors) >= set(range(1, parties + 1)) - bad


def test_different_contributions_to_different_parties() -> None:
    """Two good contributions of one party: all take the same one or none."""

    def two_faced(rng: random.Random, envelope: Envelope) -> bytes:
        if len(envelope.payload) != toy().contribution_bytes or envelope.recipient <= 2:
            return envelope.payload
        return toy().contribute(1, b"another seed of thirty-two bytes")

    for seed in range(3):
        assert agreed(ceremony(4, 1, {1: two_faced}, seed)).contributors[-3:] == (2, 3, 4)


def test_nobody_contributes() -> None:
    """No string rather than one whose trapdoor everybody knows: all rounds pass in silence."""
    steps = generate_reference_string(Setting(4, 1, PartyId(2)), toy(), seed_of(2))
    next(steps)
    with pytest.raises(ProtocolAbort, match="nobody contributed"):
        deque((steps.send({}) for _ in itertools.count()), maxlen=0)
