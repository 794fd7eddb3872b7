"""The check of pseudorandom values: liars are convicted, nobody else is, and all agree."""

import functools
import random

import pytest

from mpc.errors import UsageError
from mpc.exchange import Setting, Steps
from mpc.opening import detect
from mpc.prss_check import Verdict, all_sets, check_contributions, convicted, own_sets
from tests.mpc.network import LIARS, Envelope, Liar, Network
from tests.support.ring_twin import Prss, Ring
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2), (13, 4))
RING = Ring(64)
COUNTER = 5


def twin(parties: int, threshold: int) -> Prss:
    """Keys of a run."""
    return Prss(parties, threshold, b"k" * 32, b"disputed")


@functools.cache
def contribution(parties: int, threshold: int, members: tuple[int, ...]) -> bytes:
    """What a set contributes to the disputed value."""
    return RING.to_bytes([twin(parties, threshold).next_value(RING, members, COUNTER)])


@functools.cache
def weight(parties: int, threshold: int, members: tuple[int, ...], party: int) -> tuple[int, ...]:
    """Public weight of a set at a party."""
    return twin(parties, threshold).weight(RING, members, party)


def expected(parties: int, threshold: int, party: int, truth: tuple[bytes, ...]) -> bytes:
    """Share that a party should have sent, from the contributions of all sets."""
    total = RING.element()
    for members, data in zip(all_sets(Setting(parties, threshold, PartyId(1))), truth, strict=True):
        if party in members:
            (value,) = RING.from_bytes(data)
            total = RING.add(total, RING.mul(weight(parties, threshold, members, party), value))
    return RING.to_bytes([total])


def checking(setting: Setting) -> Steps[Verdict]:
    """Everybody reveals."""
    own = [contribution(setting.parties, setting.threshold, m) for m in own_sets(setting)]
    return check_contributions(setting, own)


def truth_of(parties: int, threshold: int) -> tuple[bytes, ...]:
    """The true contributions."""
    sets = all_sets(Setting(parties, threshold, PartyId(1)))
    return tuple(contribution(parties, threshold, members) for members in sets)


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a18_the_truth_comes_out(parties: int, threshold: int, name: str) -> None:
    """Any t liars: all honest parties hold the true contributions, and convict liars only."""
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)}
    network = Network(parties, threshold, checking, 1, liars).run()
    verdicts = network.values()
    assert all(verdict == verdicts[0] for verdict in verdicts)
    verdict = verdicts[0]
    assert verdict is not None
    assert verdict.contributions == truth_of(parties, threshold)
    assert verdict.corrupt <= set(liars)
    if name in {"silent", "noise", "one bit", "short"}:
        assert verdict.corrupt


def same_lie(data: bytes) -> Liar:
    """Liars that agree on another contribution of the first set, which they all belong to."""

    def liar(_: random.Random, envelope: Envelope) -> bytes:
        return data + envelope.payload[len(data) :] if envelope.round == 0 else envelope.payload

    return liar


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a18_t_liars_of_one_set_with_one_story(parties: int, threshold: int) -> None:
    """They are members of the same set and say the same: still fewer than the honest members."""
    liars = {PartyId(p): same_lie(b"\x55" * 32) for p in range(1, threshold + 1)}
    network = Network(parties, threshold, checking, 1, liars).run()
    for verdict in network.values():
        assert verdict is not None
        assert verdict.contributions == truth_of(parties, threshold)
        assert verdict.corrupt == set(liars)


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a_wrong_share_is_convicted_by_the_truth(parties: int, threshold: int) -> None:
    """Shares of the twin fit the recomputed ones; a changed one convicts its sender alone."""
    truth = truth_of(parties, threshold)
    setting = Setting(parties, threshold, PartyId(1))
    share_of = functools.partial(expected, parties, threshold)
    shares = {
        PartyId(p): RING.to_bytes([twin(parties, threshold).next_share(RING, p, COUNTER)])
        for p in (range(1, parties + 1) if parties < 13 else (1, 2, 3, 4, 5, 6))
    }
    assert detect(setting, 64, shares, threshold) is not None
    verdict = Verdict(truth, frozenset({PartyId(parties)}))
    assert convicted(verdict, shares, share_of) == {parties}
    shares[PartyId(2)] = bytes([shares[PartyId(2)][0] ^ 1]) + shares[PartyId(2)][1:]
    assert detect(setting, 64, shares, threshold) is None
    assert convicted(verdict, shares, share_of) == {2, parties}


def test_contributions_of_wrong_number_or_length_are_our_mistake() -> None:
    """One a set, all alike."""
    setting = Setting(4, 1, PartyId(1))
    for own in ([b"x"] * 2, [b"x", b"xx", b"x"], []):
        with pytest.raises(UsageError):
            next(check_contributions(setting, own))
