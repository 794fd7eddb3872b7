"""End of a block: expire what is due, end a change of epochs, drop payloads that were kept long enough.

Requests are indexed by height, so a block pays for what ends in it and for nothing else.
"""

from __future__ import annotations

from asc import epochs, life
from asc import state as asc_state
from asc.results import carries_payload, drop_payload
from ledger.context import Context
from ledger.state import State


def end_block(state: State, context: Context) -> None:
    """Expire, then prune: the deadline height itself still accepts answers."""
    for request_id in asc_state.marked(state, asc_state.deadline_prefix(context.height)):
        life.expire(state, context.height, request_id.value)
    epochs.end_block(state, context)
    for request_id in asc_state.marked(state, asc_state.prune_prefix(context.height)):
        _prune(state, request_id.value)
        asc_state.clear_prune(state, context.height, request_id.value)


def derive(state: State) -> None:
    """Write the derived keys of asc, none of which is there: what the handlers have written."""
    for status in asc_state.statuses(state):
        if not status.closed_height:
            entry = asc_state.require_log_entry(state, status.sequence)
            asc_state.set_deadline(state, entry.deadline_height, status.request_id)
        elif status.prune_height and any(
            carries_payload(answer) for answer in asc_state.answers(state, status.request_id)
        ):
            asc_state.set_prune(state, status.prune_height, status.request_id)
    for sequence in range(1, asc_state.last_audit_sequence(state) + 1):
        asc_state.index_audit(state, asc_state.require_audit_record(state, sequence))


def _prune(state: State, request_id: bytes) -> None:
    for answer in asc_state.answers(state, request_id):
        if carries_payload(answer):
            drop_payload(answer)
            asc_state.set_answer(state, request_id, answer)
