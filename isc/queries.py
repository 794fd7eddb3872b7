"""Read-only views of isc."""

from __future__ import annotations

from isc import state as isc_state
from ledger.state import State
from wire.ids import HandleId
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection


def application(state: State, data: bytes) -> bytes:
    """`/isc/application`: id in UTF-8 to ApplicationView."""
    application_id = _text(data)
    record = isc_state.application(state, application_id)
    if record is None:
        raise Rejection(Reason.NOT_FOUND, f"application {application_id}")
    delegates = isc_state.holders(state, isc_state.delegate_prefix(application_id))
    view = state_pb2.ApplicationView(
        application=record, delegates=[account.value for account in delegates]
    )
    return view.SerializeToString(deterministic=True)


def handle(state: State, data: bytes) -> bytes:
    """`/isc/handle`: application, zero byte, 32-byte handle to HandleView."""
    name, separator, raw = data.partition(b"\0")
    if not separator or len(raw) != HandleId.LENGTH:
        raise Rejection(Reason.UNKNOWN_QUERY, "application, zero byte, 32-byte handle")
    application_id, handle_id = _text(name), HandleId(raw)
    registered = isc_state.ciphertext(state, application_id, handle_id)
    if registered is None:
        raise Rejection(Reason.NOT_FOUND, f"handle {handle_id}")
    granted = isc_state.holders(state, isc_state.grant_prefix(application_id, handle_id))
    view = state_pb2.HandleView(
        ciphertext=registered,
        public=isc_state.has_permission(
            state, isc_state.public_permission_key(application_id, handle_id)
        ),
        granted=[account.value for account in granted],
    )
    return view.SerializeToString(deterministic=True)


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Rejection(Reason.UNKNOWN_QUERY, "the application's id is not UTF-8") from None
