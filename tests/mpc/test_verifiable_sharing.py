"""Verifiable sharing: an honest dealer's secret is shared, any sharing that stays fits together."""

import random

import pytest
import tkms_kernel as kernel

from mpc.exchange import Setting, Steps
from mpc.opening import detect
from mpc.verifiable_sharing import Dealt, share_verifiably
from tests.mpc.network import LIARS, Envelope, Liar, Network, in_rounds, noise, silent, silent_to
from tests.support.ring_twin import Ring
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2), (13, 4))
RING = Ring(64)
COUNT = 2
POLYNOMIALS = 32 * COUNT


def secrets_of(party: int) -> bytes:
    """What a party deals."""
    return RING.to_bytes([RING.element(party, 1, 2, 3), RING.element(0, -party)])


def dealing(setting: Setting) -> Steps[Dealt]:
    """Everybody deals."""
    return share_verifiably(setting, 64, secrets_of(setting.party), bytes([setting.party]) * 32)


def check(network: Network[Dealt]) -> frozenset[PartyId]:
    """All agree on who is corrupt, nobody honest is; each sharing that is left fits together."""
    dealt = network.values()
    corrupt = dealt[0].corrupt if dealt[0] else frozenset()
    setting = Setting(network.parties, network.threshold, PartyId(1))
    assert corrupt <= set(network.liars)
    for party, one in zip(network.honest, dealt, strict=True):
        assert one is not None
        assert one.corrupt == corrupt
        assert set(one.shares) == set(network.machines) - corrupt
        assert network.outcomes[party].blamed <= set(network.liars)
        network.replay(party)
    for dealer in set(network.machines) - corrupt:
        shares = {
            p: one.shares[dealer] for p, one in zip(network.honest, dealt, strict=True) if one
        }
        opened = detect(setting, 64, shares, network.threshold)
        assert opened is not None
        if dealer in network.honest:
            assert opened == secrets_of(dealer)
    return corrupt


def longest(network: Network[Dealt]) -> int:
    """Largest round in which anybody sent something."""
    return max(envelope.round for _, envelope in network.transcript)


@pytest.mark.parametrize(("parties", "threshold"), [(1, 0), *SETTINGS])
def test_without_faults_six_messages_to_wait_for(parties: int, threshold: int) -> None:
    """Deal, compare, and a broadcast of nothing."""
    network = Network(parties, threshold, dealing).run()
    assert check(network) == frozenset()
    assert network.timeouts == 0
    assert parties == 1 or longest(network) == 5


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a6_every_liar(parties: int, threshold: int, name: str) -> None:
    """T liars of each kind, as dealers, peers, complainers and broadcasters."""
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)}
    check(Network(parties, threshold, dealing, 1, liars).run())


def wrong_deal(victims: set[int], part: int) -> Liar:
    """Wrong row (0), column (1) or both (2) to some, and honesty otherwise."""

    def liar(rng: random.Random, envelope: Envelope) -> bytes:
        if envelope.round != 0 or envelope.recipient not in victims:
            return envelope.payload
        half = len(envelope.payload) // 2
        row, column = envelope.payload[:half], envelope.payload[half:]
        return (rng.randbytes(half) if part != 1 else row) + (
            rng.randbytes(half) if part != 0 else column
        )

    return liar


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a6_selective_failure_hurts_the_dealer_only(
    parties: int, threshold: int, part: int
) -> None:
    """T victims get wrong slices: they stay, and get their rows back if the dealer stays."""
    for victims in ({parties}, set(range(parties - threshold + 1, parties + 1))):
        liars = {PartyId(p): wrong_deal(victims, part) for p in range(1, threshold + 1)}
        network = Network(parties, threshold, dealing, 2, liars).run()
        assert check(network) == frozenset()
        assert longest(network) > 5


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a6_more_victims_than_t_disqualify(parties: int, threshold: int) -> None:
    """No row fits for t + 1 honest parties: the dealer is out, they are in."""
    victims = set(range(threshold + 1, 2 * threshold + 2))
    liars = {PartyId(1): wrong_deal(victims, 2)}
    assert check(Network(parties, threshold, dealing, 3, liars).run()) == {1}


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a6_a_dealer_that_does_not_answer_is_out(parties: int, threshold: int) -> None:
    """Wrong slices and then silence in the broadcast of the answer."""
    wrong = wrong_deal({parties}, 2)
    nominal = 2 + 4 + 3 * (threshold + 1)

    def liar(rng: random.Random, envelope: Envelope) -> bytes | None:
        return wrong(rng, envelope) if envelope.round < nominal else None

    assert check(Network(parties, threshold, dealing, 3, {PartyId(1): liar}).run()) == {1}


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a6_a_dealer_that_answers_wrongly_is_out(parties: int, threshold: int) -> None:
    """It sides with its lie in what it broadcasts: rows on which too few agree."""
    wrong = wrong_deal({parties}, 2)
    nominal = 4 + 3 * (threshold + 1)
    answer = in_rounds(noise, 2 + 2 * nominal)

    def liar(rng: random.Random, envelope: Envelope) -> bytes | None:
        changed = wrong(rng, envelope)
        return answer(
            random.Random(7), Envelope(envelope.sender, envelope.recipient, envelope.round, changed)
        )

    assert check(Network(parties, threshold, dealing, 3, {PartyId(1): liar}).run()) == {1}


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a6_false_complaints_evict_nobody(parties: int, threshold: int) -> None:
    """T liars send wrong cross points: complaints are answered, all dealers stay or lied themselves."""
    liars = {PartyId(p): in_rounds(noise, 1) for p in range(1, threshold + 1)}
    assert check(Network(parties, threshold, dealing, 4, liars).run()) == frozenset()
    complaint = bytes([parties, parties - 1, 0, 1])

    def complaining(_: random.Random, envelope: Envelope) -> bytes:
        return complaint if envelope.round == 2 else envelope.payload

    network = Network(parties, threshold, dealing, 4, {PartyId(1): complaining}).run()
    assert check(network) == frozenset()
    for nonsense in (b"abc", bytes([1, 2, 0, 0]), bytes([2, 9, 9, 9]), complaint * 2):

        def babbling(_: random.Random, envelope: Envelope, said: bytes = nonsense) -> bytes:
            return said if envelope.round == 2 else envelope.payload

        network = Network(parties, threshold, dealing, 4, {PartyId(1): babbling}).run()
        assert check(network) == {1}


def test_a6_scripts() -> None:
    """(4, 1), (7, 2): liars that change their mind for each round and recipient."""
    rng = random.Random(6)
    for seed in range(40):
        parties, threshold = ((4, 1), (7, 2))[seed % 2]
        corrupt = rng.sample(range(1, parties + 1), threshold)
        liars: dict[PartyId, Liar] = {}
        for party in corrupt:
            first = rng.choice(
                (wrong_deal(set(rng.sample(range(1, parties + 1), 2)), 2), silent, noise)
            )
            later = rng.choice(
                (silent, noise, LIARS["one bit"], silent_to(*rng.sample(range(1, 8), 2)))
            )
            rounds = {number for number in range(40) if rng.random() < 0.3}

            def liar(
                chance: random.Random,
                envelope: Envelope,
                first: Liar = first,
                later: Liar = later,
                rounds: set[int] = rounds,
            ) -> bytes | None:
                if envelope.round == 0:
                    return first(chance, envelope)
                return later(chance, envelope) if envelope.round in rounds else envelope.payload

            liars[PartyId(party)] = liar
        check(Network(parties, threshold, dealing, seed, liars).run())


def test_nothing_about_honest_secrets_is_broadcast_without_faults() -> None:
    """What t parties see of an honest dealer's sharing fits every secret: row, column, cross points.

    The t slices fix the polynomial at t points in each variable; adding d times the product of
    (X - point)(Y - point) over them changes the secret and nothing they saw. Complaints add nothing.
    """
    ring, corrupt = RING, 3
    slices = kernel.bivariate_deal(64, ring.to_bytes([ring.element(5)]), 4, 1, bytes(32))
    point = ring.point(corrupt)
    # (X - p)(Y - p) has the rows of party i: coefficients -p (i - p) and (i - p).
    for delta in (ring.element(1), ring.element(0, 3, 0, 9)):
        moved = []
        for party, (row, column) in enumerate(slices, start=1):
            factor = ring.mul(delta, ring.sub(ring.point(party), point))
            change = [ring.sub(ring.element(), ring.mul(factor, point)), factor]
            moved.append(
                tuple(
                    ring.to_bytes(
                        [ring.add(a, b) for a, b in zip(ring.from_bytes(p), change, strict=True)]
                    )
                    for p in (row, column)
                )
            )
        assert moved[corrupt - 1] == slices[corrupt - 1]
        values = {
            PartyId(p): kernel.polynomials_at(64, row, 2, [0])[0]
            for p, (row, _) in enumerate(moved, start=1)
        }
        opened = detect(Setting(4, 1, PartyId(1)), 64, values, 1)
        shift = ring.mul(delta, ring.mul(point, point))
        assert opened == ring.to_bytes([ring.add(ring.element(5), shift)])
