"""Divergences: where two sources part, what kind of attack it is, and who is to blame."""

from __future__ import annotations

import json
from typing import Any

import pytest

import light
from light import AttackKind
from tests.support.linked_chain import LinkedChain, lead

FOUR = {"a": 10, "b": 11, "c": 12, "d": 13}


def chain_of(powers: dict[str, int] | None = None) -> LinkedChain:
    """A chain of one set."""
    return LinkedChain("attack-1", lambda _height: powers or FOUR)


def trace_of(chain: LinkedChain, start: int = 5, target: int = 30) -> Any:
    """What a client verified from a primary."""
    return lead(light.skip(chain.policy, chain.verified(start), target), chain)[0]


def diverge(lie: LinkedChain, truth: LinkedChain, height: int = 30) -> light.Divergence:
    """Where a witness on the true chain contradicts a primary on the other."""
    divergence, _ = lead(light.compare(truth.policy, trace_of(lie), height), truth)
    assert isinstance(divergence, light.Divergence)
    return divergence


def names(truth: LinkedChain, attack: light.Attack) -> list[str]:
    """Names of the accused, in order."""
    found = {
        entry["address"]: name for name in FOUR for entry in truth.maker.validators(**{name: 1})
    }
    return [found[validator.address.hex().upper()] for validator in attack.byzantine]


@pytest.mark.parametrize(
    "field",
    ["app_hash", "consensus_hash", "last_results_hash", "next_validators_hash"],
)
def test_lunatic(field: str) -> None:
    """An impossible header: every signer that was a validator at the common height is to blame."""
    truth = chain_of()
    lie = truth.fork(20, **{field: "AA" * 32})
    lie.signers = lambda _height: "abcd" if field != "app_hash" else "bcd"
    attack = light.accuse(diverge(lie, truth))
    assert (attack.kind, attack.common_height, attack.total_power) == (AttackKind.LUNATIC, 5, 46)
    assert names(truth, attack) == (
        ["d", "c", "b"] if field == "app_hash" else ["d", "c", "b", "a"]
    )
    assert attack.conflicting.header.hash == lie.hash(30)
    assert attack.trusted.header.hash == truth.hash(30)


def test_lunatic_under_an_invented_set() -> None:
    """Whoever was no validator at the common height cannot be punished, whoever was is named."""
    truth = chain_of()
    lie = truth.fork(20)
    lie.powers = lambda _height: {"d": 13, "c": 12, "w": 1}
    attack = light.accuse(diverge(lie, truth))
    assert (attack.kind, names(truth, attack)) == (AttackKind.LUNATIC, ["d", "c"])
    assert [validator.power for validator in attack.byzantine] == [13, 12]


def test_equivocation() -> None:
    """A possible header of the same round: whoever signed both is to blame."""
    truth = chain_of()
    truth.signers = lambda _height: "abd"
    lie = truth.fork(20, data_hash="AA" * 32)
    lie.signers = lambda _height: "bcd"
    attack = light.accuse(diverge(lie, truth))
    assert (attack.kind, attack.common_height) == (AttackKind.EQUIVOCATION, 30)
    assert names(truth, attack) == ["d", "b"]


def test_amnesia() -> None:
    """A possible header of another round blames nobody."""
    truth = chain_of()
    lie = truth.fork(20, data_hash="AA" * 32)
    lie.round = 1
    attack = light.accuse(diverge(lie, truth))
    assert (attack.kind, attack.common_height, attack.byzantine) == (AttackKind.AMNESIA, 30, ())
    assert json.loads(attack.evidence)["value"]["ByzantineValidators"] is None


def test_a_header_above_the_end_of_the_chain() -> None:
    """Greater height, no younger than the newest block: it was invented, whatever it says."""
    truth = chain_of()
    lie = truth.fork(20, time=truth.signed(22)["header"]["time"], app_hash="AA" * 32)
    trace = trace_of(lie)
    divergence, _ = lead(light.compare(truth.policy, trace, 25), truth)
    assert (divergence.trusted.height, divergence.conflicting.height) == (25, 30)
    attack = light.accuse(divergence)
    assert (attack.kind, attack.common_height) == (AttackKind.LUNATIC, 5)
    # A witness whose newest block is older has only not heard of it.
    assert lead(light.compare(truth.policy, trace, 21), truth)[0] is None


def test_agreement_and_unproved_contradiction() -> None:
    """The same headers are no divergence; headers that do not verify contradict nothing."""
    truth = chain_of()
    trace = trace_of(truth)
    assert lead(light.compare(truth.policy, trace, 30), truth)[0] is None
    liar = truth.fork(20, app_hash="AA" * 32)
    liar.signers = lambda _height: "a"
    with pytest.raises(light.Unverified):
        lead(light.compare(truth.policy, trace, 30), liar)
    stranger = truth.fork(3, app_hash="AA" * 32)
    with pytest.raises(light.Unverified, match="from the start"):
        lead(light.compare(truth.policy, trace, 30), stranger)


def test_the_point_of_divergence_is_found_between() -> None:
    """Of several verified headers the first disputed one is accused, from the last common one."""
    sets = {1: {"a": 1, "b": 1}, 10: {"b": 1, "c": 1}, 20: {"c": 1, "d": 1}, 26: {"d": 1, "e": 1}}
    truth = LinkedChain("attack-1", lambda height: sets[max(s for s in sets if s <= height)])
    lie = truth.fork(18, app_hash="AA" * 32)
    trace = trace_of(lie, start=1)
    assert len(trace) > 3
    divergence, _ = lead(light.compare(truth.policy, trace, 30), truth)
    agreed = [step for step in trace if step.height < 18]
    assert divergence.common.header.hash == agreed[-1].header.hash
    assert divergence.conflicting == next(step for step in trace if step.height >= 18)
    backwards, _ = lead(
        light.compare(truth.policy, divergence.trace, divergence.conflicting.height), lie
    )
    assert backwards.conflicting.header.hash == truth.hash(backwards.conflicting.height)
    assert backwards.trusted.header.hash == lie.hash(backwards.trusted.height)


def test_evidence_is_what_the_engine_reads() -> None:
    """Names and forms of the engine's JSON; that it accepts them is tested against the engine itself."""
    truth = chain_of()
    lie = truth.fork(20, app_hash="AA" * 32)
    attack = light.accuse(diverge(lie, truth))
    document = json.loads(attack.evidence)
    assert document["type"] == "tendermint/LightClientAttackEvidence"
    value = document["value"]
    assert set(value) == {
        "ConflictingBlock",
        "CommonHeight",
        "ByzantineValidators",
        "TotalVotingPower",
        "Timestamp",
    }
    assert value["ConflictingBlock"]["signed_header"] == lie.signed(30)
    block_set = value["ConflictingBlock"]["validator_set"]
    assert block_set["validators"] == truth.validators(30)
    assert block_set["proposer"] in truth.validators(30)
    assert (value["CommonHeight"], value["TotalVotingPower"]) == ("5", "46")
    assert value["Timestamp"] == truth.signed(5)["header"]["time"]
    assert value["ByzantineValidators"] == truth.validators(5)
