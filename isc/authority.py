"""Who may speak for an application."""

from __future__ import annotations

from isc import state as isc_state
from ledger.state import State
from wire.ids import Address
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection


def require_application(state: State, application: str) -> isc_pb2.Application:
    """The application's record; Rejection(UNKNOWN_APPLICATION) without one."""
    record = isc_state.application(state, application)
    if record is None:
        raise Rejection(Reason.UNKNOWN_APPLICATION, application)
    return record


def require_owner(state: State, application: str, sender: Address) -> None:
    """Rejection(NOT_OWNER) unless the sender owns the application."""
    if require_application(state, application).owner != sender.value:
        raise Rejection(Reason.NOT_OWNER, f"{sender} does not own {application}")


def require_speaker(state: State, application: str, sender: Address) -> None:
    """Rejection(NOT_OWNER) unless the sender is owner or delegate of the application."""
    record = require_application(state, application)
    delegate = isc_state.delegate_key(application, sender)
    if record.owner != sender.value and not isc_state.has_permission(state, delegate):
        raise Rejection(Reason.NOT_OWNER, f"{sender} does not speak for {application}")
