"""Coin tossing for keys: nobody biases one, and members with different keys notice."""

import random
from collections import defaultdict

import pytest
import tkms_kernel as kernel

from mpc.agree_random import COMMITMENT_BYTES, OPENING_BYTES, agree_on_keys
from mpc.exchange import Setting, Steps
from mpc.opening import detect
from mpc.prss_check import all_sets
from tests.mpc.network import LIARS, Envelope, Liar, Network, in_rounds, noise, one_bit, silent
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2), (13, 4))
COMMIT, OPEN, CONFIRM = range(3)


def tossing(setting: Setting) -> Steps[kernel.PrssKeys]:
    """Everybody with a seed of its own."""
    return agree_on_keys(setting, b"run", bytes([setting.party]) * 32)


def keys_by_set(network: Network[kernel.PrssKeys]) -> dict[tuple[int, ...], set[bytes]]:
    """Keys of honest members that ended with some."""
    found = defaultdict(set)
    for party in network.honest:
        keys = network.outcomes[party].value
        if keys is None:
            continue
        setting = Setting(network.parties, network.threshold, party)
        own = [members for members in all_sets(setting) if party in members]
        body = keys.to_bytes()[10:]
        for place, members in enumerate(own):
            found[members].add(body[16 * place : 16 * place + 16])
    return found


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_members_agree(parties: int, threshold: int) -> None:
    """One key a set, all different; shares fit together; three rounds."""
    network = Network(parties, threshold, tossing).run()
    by_set = keys_by_set(network)
    assert all(len(keys) == 1 for keys in by_set.values())
    assert len(set().union(*by_set.values())) == len(by_set)
    shares = {
        PartyId(keys.party): keys.session(b"x").next(64, 0, 2) for keys in network.values() if keys
    }
    assert detect(Setting(parties, threshold, PartyId(1)), 64, shares, threshold) is not None
    assert network.outcomes[PartyId(1)].round == 3
    assert network.timeouts == 0


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS[:2])
@pytest.mark.parametrize("number", range(3))
def test_a16_whatever_is_sent_wrongly_ends_without_keys(
    parties: int, threshold: int, name: str, number: int
) -> None:
    """Each liar in each round: nobody ends with a key that another honest member does not have."""
    liars = {PartyId(p): in_rounds(LIARS[name], number) for p in range(1, threshold + 1)}
    network = Network(parties, threshold, tossing, 1, liars).run()
    assert all(len(keys) <= 1 for keys in keys_by_set(network).values())
    for party in network.honest:
        outcome = network.outcomes[party]
        assert outcome.done != (outcome.aborted is not None)
        assert outcome.blamed <= set(liars)
    if name in {"silent", "noise", "short", "empty"}:
        assert not any(network.outcomes[party].done for party in network.honest)


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a16_different_openings_to_different_members(parties: int, threshold: int) -> None:
    """An opening that does not fit the commitment names its sender."""
    liars = {PartyId(2): in_rounds(one_bit, OPEN)}
    network = Network(parties, threshold, tossing, 2, liars).run()
    for party in network.honest:
        assert network.outcomes[party].aborted is not None
        assert network.outcomes[party].blamed == {2}


class Split:
    """Commits and opens to one victim with another contribution than to the rest: both fit."""

    def __init__(self, victim: int) -> None:
        """Prepare what the honest code would send with another seed."""
        self.victim = victim
        other = Network(4, 1, lambda s: agree_on_keys(s, b"run", bytes([s.party + 50]) * 32)).run()
        self.sent = {
            (e.round, e.recipient): e.payload for _, e in other.transcript if e.sender == 2
        }

    def __call__(self, _: random.Random, envelope: Envelope) -> bytes:
        """Other bytes for the victim in the first two rounds."""
        if envelope.recipient == self.victim and envelope.round in {COMMIT, OPEN}:
            return self.sent[envelope.round, envelope.recipient]
        return envelope.payload


def test_a16_the_confirmation_notices_a_consistent_split() -> None:
    """Commitment and opening fit, but not the others': the victim and its companions get no keys."""
    for victim in (1, 3, 4):
        network = Network(4, 1, tossing, 3, {PartyId(2): Split(victim)}).run()
        assert not any(network.outcomes[party].done for party in network.honest)
        details = {str(network.outcomes[party].aborted) for party in network.honest}
        assert all("another key" in detail for detail in details)


def test_a16_a_copied_commitment_cannot_be_opened() -> None:
    """A party that repeats what another one sent is found out: the commitment binds the party."""
    clean = Network(4, 1, tossing, 4).run()
    copied = {
        (e.round, e.recipient): e.payload for _, e in clean.transcript if e.sender == PartyId(1)
    }

    def copier(_: random.Random, envelope: Envelope) -> bytes:
        original = copied.get((envelope.round, envelope.recipient))
        return original if original and envelope.round in {COMMIT, OPEN} else envelope.payload

    network = Network(4, 1, tossing, 4, {PartyId(2): copier}).run()
    for party in (PartyId(3), PartyId(4)):
        outcome = network.outcomes[party]
        assert outcome.aborted is not None
        assert outcome.blamed == {2}


def test_a16_contributions_are_hidden_until_all_are_fixed() -> None:
    """A commitment does not repeat: other runs, sets and parties give others; nothing of it is the value."""
    seen = set()
    for name in (b"run", b"other"):
        network = Network(
            4, 1, lambda s, n=name: agree_on_keys(s, n, b"s" * 32), duplicates=0
        ).run()
        commitments, openings = set(), set()
        for _, envelope in network.transcript:
            size = {COMMIT: COMMITMENT_BYTES, OPEN: OPENING_BYTES}.get(envelope.round)
            if size is None:
                continue
            parts = {
                envelope.payload[start : start + size]
                for start in range(0, len(envelope.payload), size)
            }
            (commitments if envelope.round == COMMIT else openings).update(parts)
        assert len(commitments) == 4 * 3
        assert not any(opening[:32] in commitments for opening in openings)
        assert not commitments & seen
        seen |= commitments


def test_silence_and_noise_of_one_party_end_the_run_for_all() -> None:
    """What it costs to have no robustness."""
    liars: tuple[Liar, ...] = (silent, noise)
    for liar in liars:
        network = Network(4, 1, tossing, 1, {PartyId(4): liar}).run()
        assert all(network.outcomes[party].aborted is not None for party in network.honest)
