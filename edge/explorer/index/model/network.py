"""Parties, validators, configuration, consensus."""

from __future__ import annotations

from dataclasses import dataclass

from edge.explorer.index.model.page import Documents


@dataclass(frozen=True, slots=True)
class Party:
    """An operator of the current epoch and how it answered."""

    number: int
    name: str
    account: str
    # Of the key that signs results.
    signer: str
    peer_address: str
    storage_label: str
    certificate_fingerprint: str
    # Requests that were open to it, what it answered, and what of it was in the agreed result.
    asked: int
    answered: int
    agreed: int
    failures: int
    median_lag_ms: float | None
    accused: int
    evidence: int
    last_answer_height: int | None
    # The newest requests of the epoch, oldest first, one character a request: 1 in the agreed result, 2 another
    # answer or a failure, 0 silent, - still open to it.
    participation: str


@dataclass(frozen=True, slots=True)
class Validator:
    """A validator and the last blocks, oldest first: signed, absent, or not a validator then."""

    address: str
    public_key: str
    name: str
    power: int
    since_height: int
    proposed: int
    signed_share: float
    # One character a block: 1 signed, 0 absent, - not a validator.
    uptime: str
    uptime_until: int


@dataclass(frozen=True, slots=True)
class Config:
    """The configuration in force."""

    height: int
    epoch: Documents
    prices: Documents
    parameters: Documents
    roles: tuple[Documents, ...]
    consensus: Documents
    proposals: tuple[Documents, ...]


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """What became of a proposed change."""

    sequence: int
    proposal_id: int
    kind: str
    title: str
    proposer: str
    approvers: tuple[str, ...]
    filed_height: int
    decided_height: int
    closed_height: int
    outcome: str
    reason: str
    digest: str
    change: Documents


@dataclass(frozen=True, slots=True)
class ConsensusRound:
    """Votes of a round: one character a validator, x voted, _ not yet; and the share of power."""

    round: int
    prevotes: str
    prevote_share: float
    precommits: str
    precommit_share: float


@dataclass(frozen=True, slots=True)
class Consensus:
    """Where the engine of the node is with the next block; tells most when the chain stands."""

    height: int
    round: int
    step: str
    proposer: str
    started_ms: int
    proposal: str
    rounds: tuple[ConsensusRound, ...]
