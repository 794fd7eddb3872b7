"""Kind `acl`: permission lists kept on this chain by the application's owner and delegates.

A permission may precede the registration of the ciphertext it is about: host systems grant
access when a handle is computed, which can be before its bytes are prepared for decryption.
"""

from __future__ import annotations

from isc import state as isc_state
from isc.authority import require_speaker
from isc.parse import parse_account, parse_handle
from ledger.context import Context
from ledger.state import State
from wire.events import event
from wire.ids import Address, HandleId
from wire.pb.tkms.isc.v1 import isc_pb2


def public_allowance(
    state: State, application: str, handle: HandleId, requester: Address
) -> isc_pb2.Allowance | None:
    """Allowed where the handle is public, or the requester holds a grant of it."""
    key = isc_state.public_permission_key(application, handle)
    public = isc_state.allowance(state, key, isc_pb2.BASIS_PUBLIC)
    if public is not None:
        return public
    return user_allowance(state, application, handle, requester)


def user_allowance(
    state: State, application: str, handle: HandleId, user: Address
) -> isc_pb2.Allowance | None:
    """Allowed where the user holds a grant; a public handle gives nobody a private answer."""
    key = isc_state.grant_key(application, handle, user)
    return isc_state.allowance(state, key, isc_pb2.BASIS_GRANT)


def grant_access(state: State, message: isc_pb2.GrantAccess, context: Context) -> None:
    """Let an account decrypt a handle; held already: no-op."""
    _change_grant(state, message, context, given=True)


def revoke_access(state: State, message: isc_pb2.RevokeAccess, context: Context) -> None:
    """Take a grant back; requests that were accepted before are not affected."""
    _change_grant(state, message, context, given=False)


def set_public(state: State, message: isc_pb2.SetPublic, context: Context) -> None:
    """Say whether anybody may ask for the public decryption of a handle."""
    require_speaker(state, message.application, context.sender)
    handle = parse_handle(message.handle)
    permission = _permission(context) if message.allowed else None
    key = isc_state.public_permission_key(message.application, handle)
    if isc_state.change_permission(state, key, permission):
        state.emit(
            event(
                "public_changed",
                application=message.application,
                handle=handle.value,
                allowed=int(message.allowed),
            )
        )


def _change_grant(
    state: State,
    message: isc_pb2.GrantAccess | isc_pb2.RevokeAccess,
    context: Context,
    *,
    given: bool,
) -> None:
    require_speaker(state, message.application, context.sender)
    handle = parse_handle(message.handle)
    account = parse_account(message.account)
    key = isc_state.grant_key(message.application, handle, account)
    if isc_state.change_permission(state, key, _permission(context) if given else None):
        state.emit(
            event(
                "access_granted" if given else "access_revoked",
                application=message.application,
                handle=handle.value,
                account=account.checksum,
            )
        )


def _permission(context: Context) -> isc_pb2.Permission:
    return isc_pb2.Permission(since_height=context.height, given_by=context.sender.value)
