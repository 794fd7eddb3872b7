"""The audit log: one immutable record for each decided request, in the order of the decisions."""

from __future__ import annotations

from asc import state as asc_state
from ledger.state import State
from wire.pb.tkms.asc.v1 import asc_pb2


def record(state: State, entry: asc_pb2.LogEntry, status: asc_pb2.RequestStatus) -> None:
    """Append what was decided. Who is paid is decided with it: how many more agree changes shares only."""
    fulfilled = status.status == asc_pb2.STATUS_FULFILLED
    asc_state.append_audit(
        state,
        asc_pb2.AuditRecord(
            sequence=asc_state.last_audit_sequence(state) + 1,
            request_id=entry.request_id,
            request_sequence=entry.sequence,
            kind=entry.kind,
            status=status.status,
            failure=status.failure,
            requester=entry.requester,
            user=entry.user,
            relayer=entry.relayer,
            application=entry.application,
            key_id=entry.key_id,
            handles=[ciphertext.handle for ciphertext in entry.ciphertexts],
            allowances=entry.allowances,
            request_height=entry.height,
            decided_height=status.decided_height,
            epoch_id=entry.epoch_id,
            next_epoch_id=entry.next_epoch_id,
            result_digest=status.agreed_digest,
            agreed=status.agreed,
            price=entry.price,
            paid=entry.price if fulfilled else 0,
            relayer_units=entry.relayer_units if fulfilled else 0,
            refunded=0 if fulfilled else entry.price,
        ),
    )
