"""Audit log and evidence as anybody may check it: who had what decrypted, why it was allowed, who was paid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from client import keys
from client.chain import Chain
from client.errors import VerificationFailed
from wire.answers import NoEquivocation, verify_equivocation
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2

# Proofs that are asked for at once; all of a round are of one height.
_ROUND: Final = 16


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Records in chain order and where the next page starts, 0 at the end."""

    records: tuple[asc_pb2.AuditRecord, ...]
    next_sequence: int
    last_sequence: int
    # Height of the newest header behind the proofs; 0 where nothing was proven.
    proven_at_height: int = 0


async def audit_page(chain: Chain, query: state_pb2.AuditQuery) -> AuditPage:
    """A page as the node tells it.

    Raises:
        RejectedByChain: the query is not understood.
    """
    raw = await chain.query("/asc/audit", query.SerializeToString(deterministic=True))
    found = state_pb2.AuditList.FromString(raw)
    return AuditPage(tuple(found.records), found.next_sequence, found.last_sequence)


async def proven_audit_page(chain: Chain, query: state_pb2.AuditQuery) -> AuditPage:
    """A page whose every record is in the proven state.

    Without filters the page is also complete: sequences have no gap, and the last one is proven. That a
    filtered page leaves nothing out cannot be proven: its index is no part of the state tree.

    Raises:
        VerificationFailed: a record is not that of the state, does not match the query, or one is left out.
    """
    page = await audit_page(chain, query)
    _require_asked(page, query)
    proven_at = 0
    for start in range(0, len(page.records), _ROUND):
        part = page.records[start : start + _ROUND]
        proven_at = max(proven_at, await _require_proven(chain, part))
    if not (query.requester or query.application):
        end = await chain.proven_value(keys.audit_sequence())
        last = 0 if end.value is None else int.from_bytes(end.value, "big")
        if page.last_sequence > last:
            raise VerificationFailed(f"the log ends at {last}, not at {page.last_sequence}")
        if not page.next_sequence and page.records and page.records[-1].sequence < last:
            # The chain may have moved on since the page was made: then the next page has it.
            page = AuditPage(page.records, page.records[-1].sequence + 1, last)
        proven_at = max(proven_at, end.height)
    return AuditPage(page.records, page.next_sequence, page.last_sequence, proven_at)


def _require_asked(page: AuditPage, query: state_pb2.AuditQuery) -> None:
    sequences = [record.sequence for record in page.records]
    first = max(query.from_sequence, 1)
    if sequences != sorted(set(sequences)) or (sequences and sequences[0] < first):
        raise VerificationFailed("the records are not in chain order")
    if not (query.requester or query.application):
        if sequences != list(range(first, first + len(sequences))):
            raise VerificationFailed("the node left a record out")
        return
    for record in page.records:
        if query.requester not in (b"", record.requester) or query.application not in (
            "",
            record.application,
        ):
            raise VerificationFailed(f"record {record.sequence} was not asked for")


async def _require_proven(chain: Chain, records: Sequence[asc_pb2.AuditRecord]) -> int:
    proven = await chain.proven_values([keys.audit(record.sequence) for record in records])
    for record, item in zip(records, proven, strict=True):
        if item.value != record.SerializeToString(deterministic=True):
            raise VerificationFailed(f"record {record.sequence} is not that of the state")
    return proven[0].height


async def proven_evidence(chain: Chain, record: asc_pb2.EvidenceRecord) -> asc_pb2.EvidenceRecord:
    """The record, once state, epoch and the party's own signatures bear it out.

    Raises:
        VerificationFailed: the state has another record, the key is not the party's, or it did not sign
            two different answers.
    """
    proven, entry, epoch = await chain.proven_values(
        [
            keys.evidence(record.sequence),
            keys.log_entry(record.request_sequence),
            keys.epoch(record.epoch_id),
        ]
    )
    if proven.value != record.SerializeToString(deterministic=True):
        raise VerificationFailed(f"evidence {record.sequence} is not that of the state")
    parties = config_pb2.Epoch.FromString(epoch.value or b"").parties
    known = {party.index: party.verification_key for party in parties}
    if known.get(record.party) != record.verification_key:
        raise VerificationFailed(f"the key is not that of party {record.party}")
    try:
        verify_equivocation(record, asc_pb2.LogEntry.FromString(entry.value or b""))
    except NoEquivocation as error:
        raise VerificationFailed(f"evidence {record.sequence}: {error}") from None
    return record
