"""The proof of a request as the API tells it: enough for anybody to check it without the explorer."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from edge.explorer.proof import ProofState, Verification
from light import LightBlock, TrustedHeader


@dataclass(frozen=True, slots=True)
class FactAnswer:
    """A statement; where it is a value of the state, the value under its key and the ICS-23 proof."""

    name: str
    statement: str
    key: bytes
    value: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class HeaderAnswer:
    """The verified header whose app hash the proofs lead to, with the bytes that convince others."""

    height: int
    time_ms: int
    hash: bytes
    app_hash: bytes
    # As the node's /commit and /validators give them.
    signed_header: dict[str, Any]
    validators: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class ProofAnswer:
    """What the explorer's own light client says about a request."""

    request_id: bytes
    state: ProofState
    words: str
    detail: str
    # What the light client started from.
    trusted: str
    # Height of the proven state; its app hash is in the next header.
    height: int | None
    final: bool
    signers: tuple[int, ...]
    header: HeaderAnswer | None
    facts: tuple[FactAnswer, ...]


def proof_answer(verification: Verification) -> ProofAnswer:
    """Answer of the API for an outcome."""
    proven = verification.facts
    return ProofAnswer(
        request_id=bytes(verification.request_id),
        state=verification.state,
        words=verification.words,
        detail=verification.detail,
        trusted=verification.trusted,
        height=None if proven is None else proven.height,
        final=proven is not None and proven.final,
        signers=() if proven is None else proven.signers,
        header=None if proven is None else _header(proven.header, proven.light_block),
        facts=()
        if proven is None
        else tuple(
            FactAnswer(fact.name, fact.statement, fact.key, fact.value, fact.proof)
            for fact in proven.facts
        ),
    )


def _header(header: TrustedHeader, block: LightBlock) -> HeaderAnswer:
    return HeaderAnswer(
        height=header.height,
        time_ms=header.time_ns // 1_000_000,
        hash=header.hash,
        app_hash=header.app_hash,
        signed_header=json.loads(block.signed_header),
        validators=tuple(json.loads(block.validators)),
    )
