"""Requests, from the first step to the audit log, and evidence of contradictions."""

from __future__ import annotations

from dataclasses import dataclass

from edge.explorer.index.model.page import Documents


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A row of the list of requests; heights and times of what has not happened are None."""

    id: str
    sequence: int
    kind: str
    status: str
    application: str
    key_id: str
    requester: str
    opened_height: int
    opened_ms: int
    decided_height: int | None
    latency_ms: int | None
    price: int
    answers: int
    needed: int
    parties: int


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """What a request names, and why it was allowed to."""

    handle: str
    digest: str
    type: str
    size: int
    key_id: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """Why a claim was accepted; `handle` is empty where the claim is about a role."""

    handle: str
    basis: str
    since_height: int
    given_by: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One party's answer."""

    party: int
    name: str
    account: str
    height: int
    time_ms: int | None
    # After the request was opened.
    lag_ms: int | None
    lag_blocks: int
    # answered, or the reported failure.
    outcome: str
    agreed: bool
    digest: str
    signature: str


@dataclass(frozen=True, slots=True)
class Step:
    """A step in the life of a request."""

    name: str
    height: int
    time_ms: int | None
    detail: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a party says it is."""

    party: int
    phase: str
    done: int
    total: int
    height: int


@dataclass(frozen=True, slots=True)
class Request:
    """A request with everything that the chain says about it."""

    summary: RequestSummary
    user: str
    relayer: str
    epoch_id: int
    threshold: int
    deadline_height: int
    closed_height: int | None
    transaction: str
    ciphertexts: tuple[Ciphertext, ...]
    allowances: tuple[Allowance, ...]
    timeline: tuple[Step, ...]
    answers: tuple[Answer, ...]
    silent: tuple[int, ...]
    progress: tuple[Progress, ...]
    conflicts: tuple[int, ...]
    # Party, and those that accuse it.
    accusations: dict[str, tuple[int, ...]]
    result_digest: str
    # Plaintexts of a public decryption while the chain keeps them, decimal.
    values: tuple[str, ...]
    failure: str
    paid: int
    relayer_units: int
    refunded: int
    audit_sequence: int | None
    evidence: tuple[int, ...]
    document: Documents


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """A record of the audit log."""

    sequence: int
    request_id: str
    kind: str
    status: str
    failure: str
    requester: str
    user: str
    relayer: str
    application: str
    key_id: str
    handles: tuple[str, ...]
    bases: tuple[str, ...]
    request_height: int
    decided_height: int
    epoch_id: int
    result_digest: str
    agreed: tuple[int, ...]
    price: int
    paid: int
    relayer_units: int
    refunded: int


@dataclass(frozen=True, slots=True)
class EvidenceRecord:
    """A party that signed two different answers to one request."""

    sequence: int
    height: int
    request_id: str
    epoch_id: int
    party: int
    first_digest: str
    second_digest: str
    document: Documents
