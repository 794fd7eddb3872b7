"""How far the parties are with a long request: for people, without effect on it.

A report that comes too early, too late or again changes nothing and is no error, so that it can travel with answers.
"""

from __future__ import annotations

import re
from typing import Final

from asc import state as asc_state
from asc.fulfilments import require_party, require_request
from ledger.context import Context
from ledger.state import State
from wire.events import event
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.reasons import Reason, Rejection

# Heights between two reports of a party that are in the same phase.
INTERVAL_BLOCKS: Final = 5
_PHASE: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_PHASE_CHARACTERS: Final = 32
_DECRYPTIONS: Final = (
    asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
    asc_pb2.REQUEST_KIND_USER_DECRYPTION,
)


def report_progress(state: State, message: asc_pb2.ReportProgress, context: Context) -> None:
    """Keep a party's last report while the request takes answers.

    Raises:
        Rejection: UNKNOWN_REQUEST, NOT_PARTY, KIND_MISMATCH or BAD_PROGRESS.
    """
    entry, status = require_request(state, message.request_id)
    party = require_party(state, entry, message.party, context)
    if entry.kind in _DECRYPTIONS:
        raise Rejection(Reason.KIND_MISMATCH, asc_pb2.RequestKind.Name(entry.kind))
    phase = message.phase
    if len(phase) > _MAX_PHASE_CHARACTERS or _PHASE.fullmatch(phase) is None:
        raise Rejection(Reason.BAD_PROGRESS, "phase")
    if message.done > message.total:
        raise Rejection(Reason.BAD_PROGRESS, f"{message.done} of {message.total}")
    if status.closed_height:
        return
    previous = asc_state.progress(state, entry.request_id, party.index)
    if previous is not None and context.height < _next_height(previous, phase):
        return
    record = asc_pb2.Progress(
        party=party.index,
        phase=phase,
        done=message.done,
        total=message.total,
        height=context.height,
    )
    asc_state.set_progress(state, entry.request_id, record)
    state.emit(
        event(
            "request_progress",
            request_id=entry.request_id,
            party=party.index,
            phase=phase,
            done=message.done,
            total=message.total,
        )
    )


def _next_height(previous: asc_pb2.Progress, phase: str) -> int:
    """Height from which another report counts: a new phase is news with the next block."""
    return previous.height + (INTERVAL_BLOCKS if phase == previous.phase else 1)
