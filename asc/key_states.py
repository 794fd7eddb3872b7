"""States of a key, changed by decisions of the administrators.

    pending ──generated──▶ active ◀──resume── suspended
                             │ └────suspend────▶ │
                             ├──revoke──▶ revoked ◀──revoke──┤
                             └──────destroy, from each of the three──▶ destroyed

Only an active key is used. Shares of suspended and revoked keys are kept and refreshed: nothing is lost by the way.
Destruction is the one change that erases, and it is final: the key is destroyed at once as far as the chain goes,
and the parties are asked to erase their shares. While a change of epochs is pending they are asked at its end,
so that no party erases what another is still moving.
"""

from __future__ import annotations

from typing import Final

from asc import state as asc_state
from asc.opening import open_own_request
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

_ACTIVE: Final = asc_pb2.KEY_STATUS_ACTIVE
_SUSPENDED: Final = asc_pb2.KEY_STATUS_SUSPENDED
_REVOKED: Final = asc_pb2.KEY_STATUS_REVOKED
_DESTROYED: Final = asc_pb2.KEY_STATUS_DESTROYED

# Action to the states from which it leads, and the state to which.
TRANSITIONS: Final = {
    config_pb2.KEY_ACTION_SUSPEND: ((_ACTIVE,), _SUSPENDED),
    config_pb2.KEY_ACTION_RESUME: ((_SUSPENDED,), _ACTIVE),
    config_pb2.KEY_ACTION_REVOKE: ((_ACTIVE, _SUSPENDED), _REVOKED),
    config_pb2.KEY_ACTION_DESTROY: ((_ACTIVE, _SUSPENDED, _REVOKED), _DESTROYED),
}


def check_change(state: State, change: config_pb2.KeyChange) -> None:
    """A known action that the key's state allows; Rejection(CHANGE_INVALID, UNKNOWN_KEY, KEY_STATE_INVALID)."""
    if change.action not in TRANSITIONS:
        raise Rejection(Reason.CHANGE_INVALID, f"key action {int(change.action)} is not known")
    record = asc_state.material(state, asc_state.key_key(change.key_id))
    if record is None:
        raise Rejection(Reason.UNKNOWN_KEY, change.key_id.hex())
    allowed, _ = TRANSITIONS[change.action]
    if record.status not in allowed:
        raise Rejection(Reason.KEY_STATE_INVALID, asc_pb2.KeyStatus.Name(record.status))


def apply_change(state: State, change: config_pb2.KeyChange, context: Context) -> None:
    """Put the key into its next state."""
    record = _require(state, change.key_id)
    before = record.status
    _, record.status = TRANSITIONS[change.action]
    record.status_height = context.height
    _put(state, record)
    state.emit(
        event(
            "key_status",
            key_id=record.id,
            before=asc_pb2.KeyStatus.Name(before),
            status=asc_pb2.KeyStatus.Name(record.status),
        )
    )
    if record.status != _DESTROYED:
        return
    if config.pending_epoch(state) is None:
        _ask(state, context, record)
    else:
        asc_state.set_waiting_destruction(state, record.id)


def destroy_waiting(state: State, context: Context) -> None:
    """A change of epochs has ended: ask for the destructions that waited for it."""
    for key_id in asc_state.waiting_destructions(state):
        asc_state.clear_waiting_destruction(state, key_id)
        _ask(state, context, _require(state, key_id))


def _ask(state: State, context: Context, record: asc_pb2.MaterialRecord) -> None:
    """Ask the parties to erase their shares of a destroyed key."""
    entry = asc_pb2.LogEntry(
        kind=asc_pb2.REQUEST_KIND_KEY_DESTRUCTION,
        domain=chain_domain(context.chain_id),
        deadline_height=context.height + config.parameters(state).generation_deadline_blocks,
        key_id=record.id,
        parameters=record.parameters,
        allowances=[isc_pb2.Allowance(basis=isc_pb2.BASIS_CHANGE)],
    )
    record.destruction_id = open_own_request(state, context, entry)
    _put(state, record)


def _require(state: State, key_id: bytes) -> asc_pb2.MaterialRecord:
    record = asc_state.material(state, asc_state.key_key(key_id))
    if record is None:
        raise InvariantError(f"key {key_id.hex()} changes but is not there")
    return record


def _put(state: State, record: asc_pb2.MaterialRecord) -> None:
    asc_state.set_material(state, asc_state.key_key(record.id), record)
