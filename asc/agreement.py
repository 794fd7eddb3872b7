"""When is a request decided? Pure functions of the pinned thresholds and of counts.

Kind                Equal answers needed              What makes answers equal
generation          thresholds.generation (n - t)     signed digests and sizes
public decryption   thresholds.public_decryption      the EIP-712 digest that the parties sign
user decryption     thresholds.user_decryption        the link: shares differ, the question must not

A request fails early when no digest can reach its count any more, or when t + 1 parties report
failure: at least one of them is honest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wire.pb.tkms.asc.v1 import asc_pb2


@dataclass(frozen=True, slots=True)
class Undecided:
    """More answers are needed."""


@dataclass(frozen=True, slots=True)
class Agreed:
    """Enough parties gave the same answer."""

    digest: bytes
    parties: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Agreement became impossible; the code is the most reported one, if any was reported."""

    code: asc_pb2.FailureCode


Decision = Undecided | Agreed | Failed


def needed(entry: asc_pb2.LogEntry) -> int:
    """Number of equal answers that decide the request."""
    if entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
        return entry.thresholds.public_decryption
    if entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION:
        return entry.thresholds.user_decryption
    return entry.thresholds.generation


def may_decide(entry: asc_pb2.LogEntry, answers: int) -> bool:
    """Whether that many answers can decide at all; spares reading them while they cannot."""
    equal = needed(entry)
    # By agreement, by failure reports, by too few parties left for any answer.
    return answers >= min(equal, entry.threshold + 1, entry.parties - equal + 1)


def decide(entry: asc_pb2.LogEntry, answers: Sequence[asc_pb2.Answer]) -> Decision:
    """Decide from all answers so far, at most one a party, ordered by party."""
    groups: dict[bytes, list[int]] = {}
    codes: list[asc_pb2.FailureCode] = []
    for answer in answers:
        if answer.WhichOneof("outcome") == "failure":
            codes.append(answer.failure)
        else:
            groups.setdefault(answer.canonical_digest, []).append(answer.party)
    # Ties are impossible where it matters: two groups cannot both hold the needed number first.
    digest, parties = max(groups.items(), key=lambda group: len(group[1]), default=(b"", []))
    if groups and len(parties) >= needed(entry):
        return Agreed(digest, tuple(parties))
    silent = entry.parties - len(answers)
    if len(codes) > entry.threshold or len(parties) + silent < needed(entry):
        return Failed(_most_reported(codes))
    return Undecided()


def split(amount: int, shares: int) -> list[int]:
    """Integer split of an amount; the first share takes the remainder."""
    each, remainder = divmod(amount, shares)
    return [each + remainder, *([each] * (shares - 1))]


def _most_reported(codes: Sequence[asc_pb2.FailureCode]) -> asc_pb2.FailureCode:
    if not codes:
        return asc_pb2.FAILURE_CODE_UNSPECIFIED
    # The smallest code wins a tie.
    return max(sorted(codes, key=int), key=codes.count)
