"""Set-up of the keys of pseudorandom sharing: every set's members agree, whatever t parties do."""

import random
from itertools import combinations

import pytest
import tkms_kernel as kernel

from mpc.exchange import Setting, Steps
from mpc.machine import Machine
from mpc.opening import detect
from mpc.prss_check import all_sets
from mpc.prss_setup import PrssSetup, secrets_per_party, set_up_prss
from mpc.session import Done
from tests.mpc.network import LIARS, Network, in_rounds, noise, silent
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2), (13, 4))


def setting_up(setting: Setting) -> Steps[PrssSetup]:
    """Everybody takes part, with a seed of its own."""
    return set_up_prss(setting, bytes([setting.party]) * 32)


def check(network: Network[PrssSetup]) -> list[PrssSetup]:
    """Honest members of a set hold the same key: shares of the same values fit together."""
    setups = [setup for setup in network.values() if setup is not None]
    corrupt = setups[0].corrupt
    assert corrupt <= set(network.liars)
    assert all(setup.corrupt == corrupt for setup in setups)
    sessions = {setup.keys.party: setup.keys.session(b"test") for setup in setups}
    setting = Setting(network.parties, network.threshold, PartyId(1))
    shares = {PartyId(p): session.next(64, 0, 5) for p, session in sessions.items()}
    assert detect(setting, 64, shares, network.threshold) is not None
    zeros = {PartyId(p): session.zero(64, 0, 5) for p, session in sessions.items()}
    assert detect(setting, 64, zeros, 2 * network.threshold) == bytes(5 * 32)
    return setups


def test_as_many_secrets_as_the_sets_need() -> None:
    """ceil(C(n, t) / (n - t)) a party."""
    counts = [secrets_per_party(Setting(n, t, PartyId(1))) for n, t in SETTINGS]
    assert counts == [2, 5, 80]


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS[:2])
def test_every_liar(parties: int, threshold: int, name: str) -> None:
    """Every honest party ends with keys that fit."""
    liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)}
    check(Network(parties, threshold, setting_up, 1, liars).run())


@pytest.mark.parametrize("name", ["silent", "noise", "moody"])
def test_thirteen_parties(name: str) -> None:
    """The largest set of parties, with four liars."""
    liars = {PartyId(p): LIARS[name] for p in (2, 5, 7, 13)}
    check(Network(13, 4, setting_up, 1, liars).run())


def keys_of(setup: PrssSetup) -> dict[tuple[int, ...], bytes]:
    """The exported keys by set."""
    setting = Setting(setup.keys.parties, setup.keys.threshold, PartyId(setup.keys.party))
    body = setup.keys.to_bytes()[10:]
    own = [members for members in all_sets(setting) if setting.party in members]
    return {m: body[16 * i : 16 * i + 16] for i, m in enumerate(own)}


def test_members_hold_the_same_key_and_all_sets_differ() -> None:
    """Key by key; other seeds of one honest party change every key."""
    network = Network(4, 1, setting_up, 1).run()
    held = [keys_of(setup) for setup in check(network)]
    for left, right in combinations(held, 2):
        for members in left.keys() & right.keys():
            assert left[members] == right[members]
    assert len({key for keys in held for key in keys.values()}) == 4

    def other(setting: Setting) -> Steps[PrssSetup]:
        return set_up_prss(setting, bytes([setting.party % 4 or 99]) * 32)

    (first, *_) = check(Network(4, 1, other, 1).run())
    assert not set(keys_of(first).values()) & set(held[0].values())


def test_wrong_shares_of_keys_are_corrected() -> None:
    """Liars in the last step only, where keys are opened to their owners."""
    clean = Network(7, 2, setting_up, 1).run()
    last = max(envelope.round for _, envelope in clean.transcript)
    liars = {PartyId(p): in_rounds(noise, last) for p in (3, 6)}
    network = Network(7, 2, setting_up, 1, liars).run()
    check(network)
    for party in network.honest:
        setup = network.outcomes[party].value
        right = clean.outcomes[party].value
        assert setup is not None
        assert right is not None
        assert setup.keys.to_bytes() == right.keys.to_bytes()


def test_a_set_up_can_be_replayed() -> None:
    """The same messages and seed give the same keys: what a restart needs."""
    network = Network(4, 1, setting_up, 9, {PartyId(2): LIARS["moody"]}).run()
    for party in network.honest:
        assert network.replay(party).finished


def test_kernel_keys_round_trip() -> None:
    """Keys made one by one are those that were dealt."""
    rng = random.Random(1)
    keys = [rng.randbytes(16) for _ in range(3)]
    made = kernel.PrssKeys.from_keys(4, 1, 2, keys)
    assert made.to_bytes() == kernel.PrssKeys.from_bytes(made.to_bytes()).to_bytes()
    assert (made.parties, made.threshold, made.party) == (4, 1, 2)


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_who_was_away_ends_with_keys_from_what_was_sent_meanwhile(
    parties: int, threshold: int
) -> None:
    """T parties are down during the whole run; each comes back, is sent everything, and has keys that fit."""
    away = range(parties - threshold + 1, parties + 1)
    network = Network(parties, threshold, setting_up, 1, dict.fromkeys(map(PartyId, away), silent))
    setups = check(network.run())
    assert setups[0].corrupt == set(away)
    for party in map(PartyId, away):
        setting = Setting(parties, threshold, party)
        machine = Machine(setting, setting_up(setting))
        outputs = list(machine.start())
        for sender in network.honest:
            for message in network.machines[sender].sent(party):
                outputs += machine.feed(sender, message)
        while not machine.finished:
            # The others that are down send nothing: their time is over.
            outputs += machine.expire(machine.round)
        (done,) = [output for output in outputs if isinstance(output, Done)]
        assert done.value.corrupt == set(away)
        held = [*setups, done.value]
        shares = {PartyId(one.keys.party): one.keys.session(b"back").next(64, 0, 3) for one in held}
        assert detect(setting, 64, shares, threshold) is not None
