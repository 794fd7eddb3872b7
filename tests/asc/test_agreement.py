"""Deciding, as a pure function, against a slow reading of its rule."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from asc.agreement import Agreed, Failed, Undecided, decide, needed, split
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
    assert counts == [9, 9, 5, 9]


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


@REPEATABLE
@given(amount=st.integers(0, 2**64 - 1), shares=st.integers(1, 15))
def test_split_adds_up(amount: int, shares: int) -> None:
    """Nothing is lost, and nobody but the first differs."""
    parts = split(amount, shares)
    assert (sum(parts), len(parts)) == (amount, shares)
    assert set(parts[1:]) <= {amount // shares}
    assert 0 <= parts[0] - amount // shares < shares
