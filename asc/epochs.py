"""Changes of epochs: new shares for the same parties (refresh) or for others (rotation).

    current ──message, change of Config, schedule──▶ pending ──n - t equal answers──▶ current, keys move to it
                                                        └──agreement impossible, deadline──▶ dropped

While one is pending the old epoch serves all requests. Its end takes effect at the end of a block: inside a block
the epoch is one. Ids are given once: one that was dropped is not used again, so nothing of a failed try can be
taken for another. The old epoch's parties make the new shares, the new epoch's parties answer, by their own
thresholds; with one answer each and the same digest of the public transcript.

A key that is being generated would be left behind in the old epoch, so no change begins meanwhile, and no generation
while a change is pending. Preprocessing is of its epoch alone: what is still pending at the change fails.
A chain without keys has nothing to move: its next epoch is current at once.
"""

from __future__ import annotations

from asc import key_states, life
from asc import state as asc_state
from asc.generations import require_generator
from asc.opening import open_own_request, open_request, price_of
from ledger.config import parties
from ledger.config import state as config
from ledger.context import Context
from ledger.errors import InvariantError
from ledger.state import State
from wire.eip712 import chain_domain
from wire.events import event
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection


def check_change(state: State, wanted: config_pb2.Epoch) -> None:
    """A conformant next epoch, and a time at which shares may move.

    Raises:
        Rejection: EPOCH_INVALID, KEY_REUSED, EPOCH_PENDING or GENERATION_OPEN.
    """
    parties.next_epoch(state, wanted)
    _require_calm(state)


def apply_change(state: State, wanted: config_pb2.Epoch, context: Context) -> None:
    """Begin the change that a quorum approved."""
    epoch = parties.next_epoch(state, wanted)
    keys = moving_keys(state)
    config.add_epoch(state, epoch)
    if not keys:
        _make_current(state, context.height, epoch.id, b"")
        config.end_epoch_change(state, context.height)
        return
    _begin_own(state, context, epoch, keys, isc_pb2.BASIS_CHANGE)


def request_refresh(state: State, _message: asc_pb2.RequestRefresh, context: Context) -> bytes:
    """Ask for new shares of all keys; Rejection(EPOCH_PENDING, GENERATION_OPEN, NOTHING_TO_REFRESH)."""
    require_generator(state, context)
    _require_calm(state)
    keys = moving_keys(state)
    if not keys:
        raise Rejection(Reason.NOTHING_TO_REFRESH)
    epoch = parties.same_parties(state)
    config.add_epoch(state, epoch)
    entry = _entry(state, context, epoch, keys, isc_pb2.BASIS_ROLE)
    made = open_request(state, context, entry, price_of(state, "request_refresh"))
    _begin(state, entry)
    return made


def begin_block(state: State, context: Context) -> None:
    """Refresh by the schedule; it waits for what must not be disturbed."""
    due = next_refresh(state)
    if not due or context.height < due or config.pending_epoch(state) is not None:
        return
    keys = moving_keys(state)
    if not keys or _open_key_generation(state):
        return
    epoch = parties.same_parties(state)
    config.add_epoch(state, epoch)
    _begin_own(state, context, epoch, keys, isc_pb2.BASIS_SCHEDULE)


def end_block(state: State, context: Context) -> None:
    """Put a change that was decided in this block in force, or drop it."""
    pending = config.pending_epoch(state)
    if pending is None:
        return
    status = asc_state.status(state, pending.request_id)
    if status is None:
        raise InvariantError(f"epoch {pending.epoch_id} is pending without a request")
    if status.status == asc_pb2.STATUS_PENDING:
        return
    entry = asc_state.require_log_entry(state, status.sequence)
    if status.status == asc_pb2.STATUS_FULFILLED:
        _move_keys(state, entry)
        _make_current(state, context.height, pending.epoch_id, pending.request_id)
    else:
        state.emit(
            event(
                "epoch_dropped",
                epoch_id=pending.epoch_id,
                request_id=pending.request_id,
                status=asc_pb2.Status.Name(status.status),
            )
        )
    config.end_epoch_change(state, context.height)
    key_states.destroy_waiting(state, context)


def next_refresh(state: State) -> int:
    """Height from which the schedule refreshes; 0 is never."""
    interval = config.parameters(state).refresh_interval_blocks
    return config.epoch_since(state) + interval if interval else 0


def moving_keys(state: State) -> list[bytes]:
    """Ids of all keys that have shares to keep, ascending: suspended and revoked ones too."""
    return [
        record.id
        for record in asc_state.materials(state, asc_state.KEY_PREFIX)
        if record.status not in (asc_pb2.KEY_STATUS_PENDING, asc_pb2.KEY_STATUS_DESTROYED)
    ]


def _require_calm(state: State) -> None:
    pending = config.pending_epoch(state)
    if pending is not None:
        raise Rejection(
            Reason.EPOCH_PENDING, f"epoch {pending.epoch_id} by {pending.request_id.hex()}"
        )
    generating = _open_key_generation(state)
    if generating:
        raise Rejection(Reason.GENERATION_OPEN, f"request {generating.hex()}")


def _open_key_generation(state: State) -> bytes:
    """Id of a key generation that is not decided; empty where there is none."""
    for entry in _generating(state):
        if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION:
            return entry.request_id
    return b""


def _generating(state: State) -> list[asc_pb2.LogEntry]:
    entries = []
    for request_id in asc_state.generating(state):
        status = asc_state.status(state, request_id)
        if status is None:
            raise InvariantError(f"generation {request_id.hex()} has no status")
        entries.append(asc_state.require_log_entry(state, status.sequence))
    return entries


def _begin_own(
    state: State,
    context: Context,
    epoch: config_pb2.Epoch,
    keys: list[bytes],
    basis: isc_pb2.Basis,
) -> None:
    entry = _entry(state, context, epoch, keys, basis)
    open_own_request(state, context, entry)
    _begin(state, entry)


def _entry(
    state: State,
    context: Context,
    epoch: config_pb2.Epoch,
    keys: list[bytes],
    basis: isc_pb2.Basis,
) -> asc_pb2.LogEntry:
    return asc_pb2.LogEntry(
        kind=asc_pb2.REQUEST_KIND_EPOCH_CHANGE,
        domain=chain_domain(context.chain_id),
        deadline_height=context.height + config.parameters(state).epoch_change_deadline_blocks,
        next_epoch_id=epoch.id,
        key_ids=keys,
        allowances=[isc_pb2.Allowance(basis=basis)],
    )


def _begin(state: State, entry: asc_pb2.LogEntry) -> None:
    pending = config_pb2.PendingEpoch(
        epoch_id=entry.next_epoch_id, request_id=entry.request_id, since_height=entry.height
    )
    config.set_pending_epoch(state, pending)
    state.emit(
        event(
            "epoch_pending",
            epoch_id=entry.next_epoch_id,
            request_id=entry.request_id,
            previous=entry.epoch_id,
            keys=len(entry.key_ids),
            deadline_height=entry.deadline_height,
        )
    )


def _move_keys(state: State, entry: asc_pb2.LogEntry) -> None:
    for key_id in entry.key_ids:
        record = asc_state.material(state, asc_state.key_key(key_id))
        if record is None:
            raise InvariantError(f"key {key_id.hex()} moved but is not there")
        record.epoch_id = entry.next_epoch_id
        asc_state.set_material(state, asc_state.key_key(key_id), record)


def _make_current(state: State, height: int, epoch_id: int, request_id: bytes) -> None:
    epoch = config.epoch(state, epoch_id)
    if epoch is None:
        raise InvariantError(f"epoch {epoch_id} is to be current but not there")
    previous = config.current_epoch(state).id
    config.set_current_epoch(state, epoch)
    state.emit(event("epoch_active", epoch_id=epoch_id, request_id=request_id, previous=previous))
    for entry in _generating(state):
        status = asc_state.status(state, entry.request_id)
        if status is not None:
            life.end(state, height, entry, status, asc_pb2.FAILURE_CODE_EPOCH_ENDED)
