"""Reliable broadcast: everybody takes the same, an honest sender's message is taken, whatever others do."""

import random
from collections import Counter
from itertools import product

import pytest
import tkms_kernel as kernel

from mpc.broadcast import Outcome, broadcast, rounds
from mpc.exchange import Setting, Steps
from mpc.opening import open_robustly
from tests.mpc.network import LIARS, Envelope, Liar, Network, in_rounds, moody, silent_in, silent_to
from wire.ids import PartyId

SETTINGS = ((4, 1), (7, 2), (13, 4))


def message_of(party: int) -> bytes:
    """What a party broadcasts."""
    return bytes([party]) * 40


def all_send(setting: Setting) -> Steps[Outcome]:
    """Everybody broadcasts."""
    return broadcast(setting, message_of(setting.party))


def check(network: Network[Outcome]) -> Outcome:
    """The common outcome; honest messages are taken, honest parties not blamed."""
    outcomes = network.values()
    assert all(outcome == outcomes[0] for outcome in outcomes)
    outcome = outcomes[0]
    assert outcome is not None
    for party in network.honest:
        assert outcome[party] == message_of(party)
        assert network.outcomes[party].blamed <= set(network.liars)
        network.replay(party)
    assert len({network.outcomes[party].round for party in network.honest}) == 1
    return outcome


@pytest.mark.parametrize(("parties", "threshold"), [(1, 0), *SETTINGS])
def test_without_faults_nobody_waits_for_time(parties: int, threshold: int) -> None:
    """All messages are taken, without a timeout and with three messages to wait for."""
    network = Network(parties, threshold, all_send).run()
    assert check(network) == {p: message_of(p) for p in range(1, parties + 1)}
    assert network.timeouts == 0
    if parties == 1:
        return
    setting = Setting(parties, threshold, PartyId(1))
    assert network.outcomes[PartyId(1)].round == rounds(setting)
    assert {envelope.round for _, envelope in network.transcript} == {0, 1, 2, 3}
    head = (32 + 32 + 2) * parties
    assert set(network.sent_bytes.values()) == {(parties - 1) * (40 + head)}


@pytest.mark.parametrize("name", LIARS)
@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a3_a5_every_liar(name: str, parties: int, threshold: int) -> None:
    """The first t parties are corrupt, kings of the agreement among them."""
    for seed in range(6 if parties < 13 else 2):
        liars = {PartyId(p): LIARS[name] for p in range(1, threshold + 1)}
        check(Network(parties, threshold, all_send, seed, liars).run())


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
@pytest.mark.parametrize("number", range(6))
def test_a3_silence_in_one_round(parties: int, threshold: int, number: int) -> None:
    """Each round in turn, also to some only."""
    for victims in (range(1, 14), (threshold + 1,), range(threshold + 1, 2 * threshold + 1)):
        liar = in_rounds(silent_to(*victims), number)
        liars = {PartyId(p): liar for p in range(1, threshold + 1)}
        check(Network(parties, threshold, all_send, number, liars).run())


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS)
def test_a_silent_sender_costs_one_timeout(parties: int, threshold: int) -> None:
    """It has no outcome, the others are taken, nobody waits for it twice."""
    liars = {PartyId(p): LIARS["silent"] for p in range(1, threshold + 1)}
    network = Network(parties, threshold, all_send, 3, liars).run()
    outcome = check(network)
    assert [p for p, message in outcome.items() if message is None] == list(liars)
    assert network.timeouts == parties - threshold
    assert max(envelope.round for _, envelope in network.transcript) == 4


def equivocator(split: tuple[bool, ...]) -> Liar:
    """Sends one message to some and another to the rest, and is honest otherwise."""

    def liar(_: random.Random, envelope: Envelope) -> bytes:
        if envelope.round == 0 and split[envelope.recipient - 1]:
            return b"other"
        return envelope.payload

    return liar


def test_a5_equivocation_exhaustively() -> None:
    """(4, 1), (7, 2): every way to split the receivers; who lacks the message is pushed it."""
    seen = Counter()
    for split in product((False, True), repeat=4):
        network = Network(4, 1, all_send, 1, {PartyId(2): equivocator(split)}).run()
        outcome = check(network)
        seen[outcome[PartyId(2)]] += 1
        assert outcome[PartyId(2)] in {None, b"other", message_of(2)}
    assert len(seen) == 3
    for split in product((False, True), repeat=7):
        if split[:2] != (False, False):
            continue
        liars = {PartyId(p): equivocator(split) for p in (1, 2)}
        check(Network(7, 2, all_send, 1, liars).run())


def test_a5_an_empty_message_is_pushed_as_well() -> None:
    """A sender that leaves out one party: that one is pushed the message, if it has no bytes too."""

    def empty_messages(setting: Setting) -> Steps[Outcome]:
        return broadcast(setting, b"")

    liar = in_rounds(silent_to(4), 0)
    for seed in range(5):
        network = Network(4, 1, empty_messages, seed, {PartyId(2): liar}).run()
        assert network.values() == [dict.fromkeys(range(1, 5), b"")] * 3


class Script:
    """A corrupt sender whose every choice to every recipient is a symbol of a script."""

    def __init__(self, choices: tuple[int, ...]) -> None:
        """One choice a (round, recipient), used over and over."""
        self.choices = choices

    def __call__(self, _: random.Random, envelope: Envelope) -> bytes | None:
        """Honest, silent, or an echo, vote or value for something else."""
        index = envelope.round * 3 + envelope.recipient
        choice = self.choices[index % len(self.choices)]
        payload = envelope.payload
        if choice == 0:
            return payload
        if choice == 1:
            return None
        if envelope.round < 3:
            return bytes(32) + payload[32:] if choice == 2 else payload[::-1]
        half = len(payload) // 2
        flipped = bytes((byte ^ 1) % 2 for byte in payload[:half])
        return flipped + (bytes(half) if choice == 2 else payload[half:])


def test_a5_scripts_of_one_liar() -> None:
    """(4, 1): liars that choose for each round and recipient among honesty, silence and lies."""
    rng = random.Random(5)
    for seed in range(150):
        script = Script(tuple(rng.randrange(4) for _ in range(31)))
        check(Network(4, 1, all_send, seed, {PartyId(1 + seed % 4): script}).run())


@pytest.mark.parametrize(("parties", "threshold"), SETTINGS[1:])
def test_a5_scripts_of_several_liars(parties: int, threshold: int) -> None:
    """The same with t liars, each with a script."""
    rng = random.Random(parties)
    for seed in range(25 if parties == 7 else 4):
        corrupt = rng.sample(range(1, parties + 1), threshold)
        liars: dict[PartyId, Liar] = {
            PartyId(p): Script(tuple(rng.randrange(4) for _ in range(53))) for p in corrupt
        }
        check(Network(parties, threshold, all_send, seed, liars).run())


def three_runs(setting: Setting) -> Steps[list[Outcome]]:
    """Broadcasts after each other, with asynchronous openings between them."""
    columns = kernel.shamir_share(64, bytes(16), setting.parties, setting.threshold, bytes(32))
    outcomes = []
    for _ in range(3):
        outcomes.append((yield from broadcast(setting, message_of(setting.party))))
        yield from open_robustly(setting, 64, columns[setting.party - 1])
    return outcomes


@pytest.mark.parametrize(("parties", "threshold", "runs"), [(4, 1, 60), (7, 2, 12), (10, 3, 3)])
def test_a5_early_ends_leave_nobody_behind(parties: int, threshold: int, runs: int) -> None:
    """Whatever liars do in one broadcast, nobody honest is late in the next."""
    rng = random.Random(parties)
    for seed in range(runs):
        corrupt = rng.sample(range(1, parties + 1), threshold)
        liars: dict[PartyId, Liar] = {}
        for party in corrupt:
            weights = rng.choice([(1, 1, 1, 1), (5, 1, 1, 1), (1, 5, 0, 0), (10, 1, 0, 1)])
            liars[PartyId(party)] = Script(tuple(rng.choices(range(4), weights, k=61)))
        network = Network(parties, threshold, three_runs, seed, liars).run()
        outcomes = network.values()
        assert all(outcome == outcomes[0] for outcome in outcomes)
        for outcome in outcomes[0] or []:
            assert all(outcome[p] == message_of(p) for p in network.honest)


class Tipping:
    """The attack on votes that count alone: one party is tipped with the last vote, one is not.

    The message goes to two of three, a missing echo to one of them and a missing vote to another.
    """

    def __call__(self, _: random.Random, envelope: Envelope) -> bytes | None:
        """(4, 1), corrupt sender 1."""
        allowed = {0: {2, 3}, 1: {2}, 2: {3}, 3: {2}}.get(envelope.round, set())
        return envelope.payload if envelope.recipient in allowed else None


def votes_with_growing_thresholds(seen_by: list[set[int]]) -> list[bool]:
    """Outcome at 2, 3 and 4 of the rule with votes alone under `Tipping`; n = 4, t = 1."""
    voted = [2]
    if len({2, 1} & seen_by[1]) >= 2:
        voted.append(3)
    if len({2, 1} & seen_by[2]) >= 2:
        voted.append(4)
    last = [({1} & seen) | set(voted) for seen in seen_by]
    return [len(last[0] | {1}) >= 3, len(last[1] - {1}) >= 3, len(last[2]) >= 3]


def test_votes_alone_do_not_agree_but_the_agreement_does() -> None:
    """The attack splits the rule with votes alone, and not this broadcast."""
    assert votes_with_growing_thresholds([{2}, {1, 2}, {2}]) == [True, False, False]
    outcome = check(Network(4, 1, all_send, 0, {PartyId(1): Tipping()}).run())
    assert PartyId(1) in outcome


def test_some_send_and_some_are_excluded() -> None:
    """Only senders have an outcome; who is excluded is neither sent to nor heard."""
    excluded = frozenset({PartyId(3)})
    senders = frozenset({PartyId(1), PartyId(3), PartyId(5)})

    def some(setting: Setting) -> Steps[Outcome]:
        if setting.party in excluded:
            return broadcast(setting, None, senders=frozenset())
        own = message_of(setting.party) if setting.party in senders - excluded else None
        return broadcast(setting, own, senders=senders, excluded=excluded)

    network = Network(7, 2, some, 1, {PartyId(3): moody, PartyId(6): moody}).run()
    for outcome in network.values():
        assert outcome == {1: message_of(1), 5: message_of(5)}
    setting = Setting(7, 2, PartyId(1))
    assert rounds(setting, excluded) == rounds(setting) - 3


def test_an_unacceptable_message_is_none_and_blamed() -> None:
    """A rule that all share: the sender has no outcome and is named."""

    def picky(setting: Setting) -> Steps[Outcome]:
        size = 41 if setting.party == 2 else 40
        return broadcast(setting, bytes(size), acceptable=lambda _, message: len(message) == 40)

    network = Network(4, 1, picky, 1, {PartyId(2): silent_in()}).run()
    assert all(outcome is not None and outcome[PartyId(2)] is None for outcome in network.values())
    assert all(network.outcomes[p].blamed == {2} for p in network.honest)
