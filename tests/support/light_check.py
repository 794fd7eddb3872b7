"""Verdicts of the kernel on headers, each compared with the slow twin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tkms_kernel as kernel

from tests.support import light_twin as twin

VECTORS = Path(__file__).parents[1] / "vectors" / "light"
HOUR = 3600
DRIFT = 10
Json = dict[str, Any]


def load(name: str) -> tuple[str, list[Json]]:
    """Chain id and blocks of a recorded chain; block i has height i + 1."""
    chain = json.loads((VECTORS / f"{name}.json").read_text())
    return chain["chain_id"], chain["blocks"]


def encoded(value: object) -> bytes:
    """JSON bytes."""
    return json.dumps(value).encode()


def just_after(signed: Json) -> int:
    """A clock one second after the block."""
    return twin.time_ns(signed["header"]["time"]) + twin.SECOND


def verify(
    rules: twin.Rules, trusted: Json, known: list[Json], signed: Json, validators: list[Json]
) -> kernel.HeaderFacts | None:
    """Verdict of the kernel (facts or None); the twin must agree."""
    try:
        facts = kernel.light_verify(
            rules.chain_id,
            encoded(trusted),
            encoded(known),
            encoded(signed),
            encoded(validators),
            rules.trusting_period_s,
            rules.drift_s,
            rules.now_ns,
        )
    except kernel.VerificationFailed:
        facts = None
    reason = twin.verify(rules, trusted, known, signed, validators)
    assert (facts is None) == (reason is not None), reason
    return facts


def genesis(
    chain_id: str, pinned: bytes, signed: Json, validators: list[Json], now_ns: int
) -> kernel.HeaderFacts | None:
    """Verdict of the kernel on a first block; the twin must agree."""
    try:
        facts = kernel.light_genesis(
            chain_id, pinned, encoded(signed), encoded(validators), now_ns, DRIFT
        )
    except kernel.VerificationFailed:
        facts = None
    reason = twin.genesis(chain_id, pinned, signed, validators, now_ns, DRIFT)
    assert (facts is None) == (reason is not None), reason
    return facts
