"""Resharing under attack (A17 of docs/attacks.md): same secret, new shares, whoever of t misbehaves."""

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
import tkms_kernel as kernel

from mpc.committee import Committee
from mpc.errors import UsageError
from mpc.exchange import Setting, Steps
from mpc.names import run_name
from mpc.resharing import Plan, Reshared, reshare
from mpc.session import AbortReason
from tests.mpc.network import LIARS, Envelope, Liar, Network, in_rounds, silent, silent_from
from tests.support.kernel_world import COMPRESSED, UINT8, toy_world
from wire.ids import PartyId

PARAMETERS = "test"
HEADER_BYTES = 20
WIDE_BYTES = 768 * 64
"""Bytes of the 128-bit part of a toy share."""

MASKS, SUMS = 0, 1
"""Rounds of a run."""


@functools.cache
def client() -> kernel.ClientKey:
    """The key of all tests."""
    return toy_world().client


@functools.cache
def old_shares(parties: int, threshold: int) -> Sequence[kernel.KeyShare]:
    """Shares of the old set."""
    return client().deal(parties, threshold)


@functools.cache
def new_keys(parties: int, threshold: int) -> Sequence[kernel.PrssKeys]:
    """Keys of the new set."""
    return kernel.PrssKeys.deal(parties, threshold, b"n" * 32)


def committee(members: Sequence[int], threshold: int) -> Committee:
    """Parties of a run by number."""
    return Committee(tuple(PartyId(number) for number in members), threshold)


@dataclass(frozen=True, slots=True)
class Case:
    """Two sets in one run."""

    old: Committee
    new: Committee

    @property
    def plan(self) -> Plan:
        """Plan of the run."""
        return Plan(run_name("resharing", 2, b"key"), PARAMETERS, self.old, self.new)

    @property
    def shares(self) -> dict[PartyId, kernel.KeyShare]:
        """Old shares by number in the run."""
        dealt = old_shares(len(self.old.members), self.old.threshold)
        return dict(zip(self.old.members, dealt, strict=True))

    def run(
        self,
        liars: Mapping[int, Liar] | None = None,
        seed: int = 0,
        shares: Mapping[int, kernel.KeyShare | None] | None = None,
    ) -> Network[Reshared]:
        """Run it; `shares` replaces some of the old shares."""
        held: dict[PartyId, kernel.KeyShare | None] = dict(self.shares)
        held.update({PartyId(party): share for party, share in (shares or {}).items()})
        keys = dict(
            zip(
                self.new.members,
                new_keys(len(self.new.members), self.new.threshold),
                strict=True,
            )
        )

        def protocol(setting: Setting) -> Steps[Reshared]:
            party = setting.party
            return reshare(self.plan, party, held.get(party), keys.get(party))

        everyone = {*self.old.members, *self.new.members}
        return Network(
            len(everyone),
            self.plan.threshold,
            protocol,
            seed,
            {PartyId(party): liar for party, liar in (liars or {}).items()},
        ).run()

    def honest(self, network: Network[Reshared]) -> dict[PartyId, Reshared]:
        """Outcomes of the honest new parties, after what must hold of every run."""
        values = dict(zip(network.honest, network.values(), strict=True))
        outcomes = {p: value for p, value in values.items() if value and p in self.new}
        assert all(values[p] == Reshared() for p in values if p not in self.new)
        assert len({outcome.digest for outcome in outcomes.values()}) == 1
        assert {len(outcome.digest) for outcome in outcomes.values()} == {32}
        shares = [outcome.share for outcome in outcomes.values() if outcome.share is not None]
        assert len(shares) == len(outcomes)
        assert secret(shares) == secret(old_shares(len(self.old.members), self.old.threshold))
        for p, outcome in outcomes.items():
            assert outcome.share is not None
            assert outcome.share.party == self.new.number(p)
        return outcomes


SAME_4 = Case(committee((1, 2, 3, 4), 1), committee((1, 2, 3, 4), 1))
SAME_7 = Case(committee(range(1, 8), 2), committee(range(1, 8), 2))
GROWN = Case(committee((1, 2, 3, 4), 1), committee((7, 2, 5, 4, 3, 6, 1), 2))
SHRUNK = Case(committee(range(1, 8), 2), committee((2, 4, 6, 8), 1))
REPLACED = Case(committee((1, 2, 3, 4), 1), committee((2, 3, 4, 5), 1))
MOVED = Case(committee((1, 3, 5, 7), 1), committee((2, 4, 6, 8), 1))
CASES = {
    "same": SAME_4,
    "same, 7": SAME_7,
    "grown": GROWN,
    "shrunk": SHRUNK,
    "replaced": REPLACED,
    "moved": MOVED,
}


def secret(shares: Sequence[kernel.KeyShare]) -> tuple[bytes, bytes]:
    """The secret key, all shares lying on its sharing."""
    first = shares[0]
    bodies = [(share.party, share.to_bytes()[HEADER_BYTES:]) for share in shares]
    wide = [(party, body[:WIDE_BYTES]) for party, body in bodies]
    narrow = [(party, body[WIDE_BYTES:]) for party, body in bodies]
    return (
        kernel.decode_shares(128, first.parties, first.threshold, wide, 0)[0],
        kernel.decode_shares(64, first.parties, first.threshold, narrow, 0)[0],
    )


def decrypted(shares: Sequence[kernel.KeyShare], value: int, seed: bytes) -> int:
    """Threshold decryption of a fresh ciphertext; a KernelError if the shares do not fit."""
    parties, threshold = shares[0].parties, shares[0].threshold
    keys = kernel.PrssKeys.deal(parties, threshold, seed)
    ciphertext = toy_world().squash(UINT8, value, COMPRESSED)
    partials = [
        (
            share.party,
            share.partial_decrypt(ciphertext, UINT8, COMPRESSED, keys[share.party - 1], b"i"),
        )
        for share in shares
    ]
    opened, _ = kernel.decode_shares(128, parties, threshold, partials, 0)
    return kernel.plaintext_from_blocks(kernel.round_squashed(opened, 2, parties, threshold), UINT8)


def turned(index: int) -> Liar:
    """One bit of a byte turned, towards everybody."""

    def lie(_: random.Random, envelope: Envelope) -> bytes:
        data = bytearray(envelope.payload)
        if data:
            data[index] ^= 128
        return bytes(data)

    return lie


@pytest.mark.parametrize("name", CASES)
def test_honest_run_keeps_the_secret_and_replaces_the_shares(name: str) -> None:
    """The key decrypts as before; nobody is absent or wrong, nobody is blamed."""
    case = CASES[name]
    network = case.run()
    outcomes = case.honest(network)
    assert {(o.absent, o.wrong) for o in outcomes.values()} == {((), ())}
    assert all(not network.outcomes[party].blamed for party in network.honest)
    assert network.timeouts == 0
    shares = [o.share for o in outcomes.values() if o.share is not None]
    assert decrypted(shares, 201, b"a" * 32) == 201
    for party in network.honest:
        network.replay(party)


def test_old_and_new_shares_do_not_mix() -> None:
    """A share of another epoch among the others gives no value, however many are new."""
    new = [o.share for o in SAME_4.honest(SAME_4.run()).values() if o.share is not None]
    old = list(old_shares(4, 1))
    assert all(a.to_bytes() != b.to_bytes() for a, b in zip(old, new, strict=True))
    for mixed in ([old[0], *new[1:]], [*old[:2], *new[2:]], [new[0], *old[1:]]):
        with pytest.raises(kernel.KernelError):
            decrypted(mixed, 5, b"b" * 32)


def test_two_resharings_give_independent_shares() -> None:
    """Another name is another sharing, with another digest."""
    first = SAME_4.honest(SAME_4.run())
    plan = Plan(run_name("resharing", 3, b"key"), PARAMETERS, SAME_4.old, SAME_4.new)
    keys = dict(zip(SAME_4.new.members, new_keys(4, 1), strict=True))
    second = Network(
        4, 1, lambda s: reshare(plan, s.party, SAME_4.shares[s.party], keys[s.party])
    ).run()
    for party, value in zip(second.honest, second.values(), strict=True):
        assert value is not None
        assert value.share is not None
        before = first[party].share
        assert before is not None
        assert value.share.to_bytes() != before.to_bytes()
        assert value.digest != first[party].digest


@pytest.mark.parametrize("liar", LIARS)
@pytest.mark.parametrize("name", CASES)
def test_any_t_of_each_set_change_nothing(name: str, liar: str) -> None:
    """All rounds at once, the worst members of both sets."""
    case = CASES[name]
    for seed in range(2):
        rng = random.Random(f"{name} {liar} {seed}")
        bad = _corrupt(rng, case)
        case.honest(case.run(dict.fromkeys(bad, LIARS[liar]), seed))


def _corrupt(rng: random.Random, case: Case) -> set[int]:
    """As many parties as both thresholds allow."""
    bad: set[int] = set()
    everyone = sorted({*case.old.members, *case.new.members})
    for party in rng.sample(everyone, len(everyone)):
        trial = {*bad, party}
        fits = (
            len(trial & set(case.old.members)) <= case.old.threshold
            and len(trial & set(case.new.members)) <= case.new.threshold
        )
        bad = trial if fits else bad
    return bad


@pytest.mark.parametrize("name", ["same", "replaced", "moved"])
def test_a_crash_in_any_round_changes_nothing(name: str) -> None:
    """One party of each set is silent from a round on, to the end or until it is replayed."""
    case = CASES[name]
    rounds = max(outcome.round for outcome in case.run().outcomes.values())
    for first in range(rounds):
        bad = _corrupt(random.Random(first), case)
        network = case.run(dict.fromkeys(bad, silent_from(first)), first)
        case.honest(network)
        for party in network.honest:
            network.replay(party)


@pytest.mark.parametrize("index", [0, WIDE_BYTES - 1, WIDE_BYTES, -1])
def test_a_wrong_masked_share_names_its_sender(index: int) -> None:
    """A single bit, in the first or last element of either vector."""
    for case, liar in ((SAME_4, 2), (GROWN, 3), (MOVED, 5)):
        network = case.run({liar: in_rounds(turned(index), SUMS)})
        for party, outcome in case.honest(network).items():
            assert (outcome.absent, outcome.wrong) == ((), (liar,))
            assert network.outcomes[party].blamed == {liar}


def test_a_share_of_an_older_epoch_is_found() -> None:
    """A member that missed the last refresh: its share fits nothing, and it gets a good one."""
    stale = client().deal(4, 1)[2]
    outcomes = SAME_4.honest(SAME_4.run(shares={3: stale}))
    assert {o.wrong for o in outcomes.values()} == {(PartyId(3),)}


def test_a_member_without_a_share_is_absent_and_gets_one() -> None:
    """Who lost everything re-enters by the refresh."""
    outcomes = SAME_4.honest(SAME_4.run(shares={4: None}))
    assert {(o.absent, o.wrong) for o in outcomes.values()} == {((PartyId(4),), ())}
    assert len(outcomes) == 4


def test_different_masked_shares_to_different_parties() -> None:
    """All agree on what its sender is worth: absent when it is split in halves."""

    def two_faced(_: random.Random, envelope: Envelope) -> bytes:
        return envelope.payload if envelope.recipient <= 2 else bytes(len(envelope.payload))

    outcomes = MOVED.honest(MOVED.run({1: in_rounds(two_faced, SUMS)}))
    assert {o.absent for o in outcomes.values()} == {()}
    assert {o.wrong for o in outcomes.values()} == {(PartyId(1),)}
    half = {**dict.fromkeys((2, 4), b"a"), **dict.fromkeys((6, 8), b"b")}

    def split(_: random.Random, envelope: Envelope) -> bytes:
        return half.get(envelope.recipient, b"") * len(envelope.payload)

    outcomes = MOVED.honest(MOVED.run({1: in_rounds(split, SUMS)}))
    assert {(o.absent, o.wrong) for o in outcomes.values()} == {((PartyId(1),), ())}


def test_who_lacks_a_masked_share_is_given_it() -> None:
    """Sent to n2 - t2 only: it counts, and the one left out ends with the same."""

    def forgetful(_: random.Random, envelope: Envelope) -> bytes | None:
        return None if envelope.recipient == 6 else envelope.payload

    network = MOVED.run({3: in_rounds(forgetful, SUMS)})
    outcomes = MOVED.honest(network)
    assert {(o.absent, o.wrong) for o in outcomes.values()} == {((), ())}
    assert PartyId(6) in outcomes
    giver = in_rounds(lambda _, e: bytes(len(e.payload)), SUMS + 1 + 7)
    network = SAME_7.run({1: in_rounds(forgetful, SUMS), 2: giver})
    assert {o.absent for o in SAME_7.honest(network).values()} == {()}


@pytest.mark.parametrize("liar", ["noise", "short", "silent"])
def test_wrong_masks_for_one_party_do_not_cost_it_its_place(liar: str) -> None:
    """A6: the victim corrects, is neither absent nor wrong, and alone knows who lied."""

    def lie(rng: random.Random, envelope: Envelope) -> bytes | None:
        return LIARS[liar](rng, envelope) if envelope.recipient == 1 else envelope.payload

    network = SAME_4.run({4: in_rounds(lie, MASKS)})
    outcomes = SAME_4.honest(network)
    assert {(o.absent, o.wrong) for o in outcomes.values()} == {((), ())}
    blamed = {party: network.outcomes[party].blamed for party in network.honest}
    assert blamed == {1: set() if liar == "silent" else {4}, 2: set(), 3: set()}


def test_more_than_t_absent_or_wrong_gives_no_share() -> None:
    """All honest parties end without a value rather than with a wrong one."""
    for liars in (
        {1: in_rounds(silent, SUMS), 2: in_rounds(silent, SUMS)},
        {1: in_rounds(silent, SUMS), 2: in_rounds(turned(0), SUMS)},
        {1: in_rounds(turned(0), SUMS), 2: in_rounds(turned(7), SUMS)},
    ):
        network = SAME_4.run(liars)
        for party in network.honest:
            aborted = network.outcomes[party].aborted
            assert aborted is not None
            assert aborted.reason is AbortReason.TOO_MANY_ERRORS


def test_thirteen_parties() -> None:
    """Four liars of thirteen, one of each kind."""
    case = Case(committee(range(1, 14), 4), committee(range(1, 14), 4))
    liars = {
        2: in_rounds(silent, SUMS),
        5: in_rounds(turned(0), SUMS),
        9: in_rounds(turned(-1), SUMS),
        13: LIARS["noise"],
    }
    outcomes = case.honest(case.run(liars))
    assert {o.absent for o in outcomes.values()} == {(PartyId(2), PartyId(13))}
    assert {o.wrong for o in outcomes.values()} == {(PartyId(5), PartyId(9))}


def test_secrets_of_others_are_refused() -> None:
    """Using them would make us look like a liar."""
    plan, keys = SAME_4.plan, new_keys(4, 1)
    shares = old_shares(4, 1)
    one = PartyId(1)
    for share, prss in (
        (shares[1], keys[0]),
        (shares[0], keys[1]),
        (shares[0], None),
        (old_shares(7, 2)[0], keys[0]),
        (shares[0], new_keys(7, 2)[0]),
    ):
        with pytest.raises(UsageError):
            next(reshare(plan, one, share, prss))
    with pytest.raises(UsageError):
        next(reshare(MOVED.plan, PartyId(2), shares[0], keys[0]))
    with pytest.raises(UsageError):
        committee((1, 1, 2), 1)
