"""Deciding, as a pure function, against a slow reading of its rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asc.agreement import Agreed, Decision, Failed, Undecided, decide, may_decide, needed, split
from tests.asc.world import epoch
from wire.pb.tkms.asc.v1 import asc_pb2

REPEATABLE = settings(derandomize=True, database=None, deadline=None)
KINDS = [kind for kind in asc_pb2.RequestKind.values() if kind]


def log_entry(kind: asc_pb2.RequestKind, threshold: int) -> asc_pb2.LogEntry:
    """Entry with conformant thresholds."""
    record = epoch(parties=3 * threshold + 1)
    return asc_pb2.LogEntry(
        kind=kind,
        parties=len(record.parties),
        threshold=threshold,
        thresholds=record.thresholds,
    )


def answer(party: int, what: int) -> asc_pb2.Answer:
    """Failure of code -what when negative, else an answer with digest what."""
    if what < 0:
        return asc_pb2.Answer(party=party, failure=-what)  # type: ignore[arg-type]
    return asc_pb2.Answer(
        party=party, fulfil=asc_pb2.Fulfil(party=party), canonical_digest=bytes([what]) * 32
    )


def test_needed_counts() -> None:
    """T + 1, 2t + 1 and n - t of thirteen parties."""
    counts = [needed(log_entry(kind, 4)) for kind in KINDS]
    assert counts == [9, 9, 5, 9, 9, 9, 9]


@REPEATABLE
@given(
    kind=st.sampled_from(KINDS),
    threshold=st.integers(0, 4),
    outcomes=st.lists(st.integers(-3, 2), max_size=13),
)
def test_decision_follows_its_rule(
    kind: asc_pb2.RequestKind, threshold: int, outcomes: list[int]
) -> None:
    """Answers in order of parties, cut at the first decision as the chain cuts them."""
    entry = log_entry(kind, threshold)
    answers: list[asc_pb2.Answer] = []
    for party, what in enumerate(outcomes[: entry.parties], start=1):
        answers.append(answer(party, what))
        decision = decide(entry, answers)
        said = outcomes[:party]
        counts = [said.count(value) for value in range(3)]
        silent = entry.parties - party
        if max(counts) >= needed(entry):
            winner = counts.index(max(counts))
            agreeing = tuple(i for i, value in enumerate(said, 1) if value == winner)
            assert decision == Agreed(bytes([winner]) * 32, agreeing)
        elif sum(value < 0 for value in said) > threshold or (max(counts) + silent < needed(entry)):
            codes = [-value for value in said if value < 0]
            best = min(codes, key=lambda code: (-codes.count(code), code)) if codes else 0
            assert decision == Failed(best)  # type: ignore[arg-type]
        else:
            assert decision == Undecided()
        if not isinstance(decision, Undecided):
            return
    assert len(answers) < entry.parties, "all parties answered and nothing was decided"


def labellings(parties: int) -> Iterator[tuple[int, ...]]:
    """Every way of `parties` to stay silent (0), to fail (-1) or to fall into groups of equal answers.

    A group is numbered when its first member appears, so that each partition comes once.
    """

    def extend(chosen: tuple[int, ...], groups: int) -> Iterator[tuple[int, ...]]:
        if len(chosen) == parties:
            yield chosen
            return
        for label in range(-1, groups + 2):
            yield from extend((*chosen, label), max(groups, label))

    return extend((), 0)


def can_still_agree(entry: asc_pb2.LogEntry, labels: Sequence[int]) -> bool:
    """Whether the silent parties, all of one mind, could lift some answer over the threshold."""
    answers = {label for label in labels if label > 0} | {len(labels) + 1}
    return any(
        [label or answer for label in labels].count(answer) >= needed(entry) for answer in answers
    )


@pytest.mark.parametrize("threshold", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_combination_of_answers(kind: asc_pb2.RequestKind, threshold: int) -> None:
    """All of n = 4 and n = 7: agreed at once, failed as soon as nothing else is possible, never both."""
    entry = log_entry(kind, threshold)
    seen = set()
    for labels in labellings(entry.parties):
        answers = [answer(party, label) for party, label in enumerate(labels, 1) if label]
        decision = decide(entry, answers)
        groups = {label: labels.count(label) for label in labels if label > 0}
        winners = [label for label, size in groups.items() if size >= needed(entry)]
        if winners:
            assert isinstance(decision, Agreed)
            assert decision.digest[0] in winners
            assert len(decision.parties) == max(groups.values())
        elif not can_still_agree(entry, labels) or labels.count(-1) > threshold:
            assert isinstance(decision, Failed)
        else:
            assert decision == Undecided()
        if not may_decide(entry, len(answers)):
            assert decision == Undecided()
        seen.add(type(decision))
        if 0 not in labels:
            assert decision != Undecided()
    assert seen == {Agreed, Failed, Undecided}


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_is_found_at_the_first_moment(kind: asc_pb2.RequestKind) -> None:
    """N = 4, every combination in every order: nothing is decided while a later answer could change it."""
    entry = log_entry(kind, 1)
    for labels in labellings(entry.parties):
        for order in permutations(range(1, entry.parties + 1)):
            said = [0] * entry.parties
            decision: Decision = Undecided()
            for party in order:
                said[party - 1] = labels[party - 1]
                answers = [answer(index, label) for index, label in enumerate(said, 1) if label]
                decision = decide(entry, answers)
                if decision != Undecided():
                    break
            if isinstance(decision, Agreed):
                assert len(decision.parties) == needed(entry)
            elif isinstance(decision, Failed):
                late = said.count(-1) > entry.threshold
                assert late or not can_still_agree(entry, said)
            else:
                assert 0 in labels


@REPEATABLE
@given(amount=st.integers(0, 2**64 - 1), shares=st.integers(1, 15))
def test_split_adds_up(amount: int, shares: int) -> None:
    """Nothing is lost, and nobody but the first differs."""
    parts = split(amount, shares)
    assert (sum(parts), len(parts)) == (amount, shares)
    assert set(parts[1:]) <= {amount // shares}
    assert 0 <= parts[0] - amount // shares < shares
