"""Reason codes are part of the protocol: unique, in range, worded."""

from __future__ import annotations

import json
from pathlib import Path

from wire.reasons import Reason, Rejection

VECTOR = Path(__file__).parent.parent / "vectors" / "wire" / "reasons.json"


def test_codes_never_change() -> None:
    """Numbers are never reused and never renamed: new ones are appended to the vector."""
    assert {member.name: int(member) for member in Reason} == json.loads(VECTOR.read_text())


def test_every_reason_is_worded() -> None:
    """One sentence and a hint each, no code twice."""
    codes = [int(member) for member in Reason]
    assert len(set(codes)) == len(codes)
    assert len(Reason.__members__) == len(codes), "two names share a code"
    for member in Reason:
        assert member.sentence.endswith(".")
        assert member.hint[-1] in ".?"
        assert 1000 <= int(member) < 7000


def test_rejection_says_reason_and_detail() -> None:
    """Text for logs."""
    assert str(Rejection(Reason.REPLAYED)) == "REPLAYED"
    assert str(Rejection(Reason.TOO_LARGE, "9 bytes")) == "TOO_LARGE: 9 bytes"
