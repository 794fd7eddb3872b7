"""All storage keys of isc and their typed accessors.

isc/application/<id>                              Application
isc/domain/<EIP-712 domain separator>             id of the one application that uses the domain
isc/handle/<application>/<handle>                 Ciphertext
isc/acl/<application>/delegate/<account>          Permission
isc/acl/<application>/grant/<handle>/<account>    Permission
isc/acl/<application>/public/<handle>             Permission

Handles (32 bytes) and accounts (20 bytes) are raw bytes of fixed length and application ids hold no
slash, so no key is a prefix of another record's key by accident.
"""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from ledger.state import State
from wire.eip712 import domain_separator
from wire.ids import Address, HandleId
from wire.pb.tkms.isc.v1 import isc_pb2


def application_key(application: str) -> bytes:
    """Key of an application's record."""
    return b"isc/application/" + application.encode()


def domain_key(domain: isc_pb2.Domain) -> bytes:
    """Key of the index entry that keeps EIP-712 domains unique."""
    return b"isc/domain/" + domain_separator(domain)


def handle_key(application: str, handle: HandleId) -> bytes:
    """Key of a registered ciphertext."""
    return b"isc/handle/" + application.encode() + b"/" + handle.value


def delegate_prefix(application: str) -> bytes:
    """Prefix of the delegates of an application."""
    return b"isc/acl/" + application.encode() + b"/delegate/"


def delegate_key(application: str, account: Address) -> bytes:
    """Key of one delegate."""
    return delegate_prefix(application) + account.value


def grant_prefix(application: str, handle: HandleId) -> bytes:
    """Prefix of the grants of a handle."""
    return b"isc/acl/" + application.encode() + b"/grant/" + handle.value + b"/"


def grant_key(application: str, handle: HandleId, account: Address) -> bytes:
    """Key of one grant."""
    return grant_prefix(application, handle) + account.value


def public_permission_key(application: str, handle: HandleId) -> bytes:
    """Key that exists while anybody may have the handle decrypted publicly."""
    return b"isc/acl/" + application.encode() + b"/public/" + handle.value


def application(state: State, application_id: str) -> isc_pb2.Application | None:
    """The application, or None."""
    raw = state.get(application_key(application_id))
    return None if raw is None else isc_pb2.Application.FromString(raw)


def set_application(state: State, record: isc_pb2.Application) -> None:
    """Write an application and claim its domain; a domain that it leaves stays claimed.

    Results under the old domain are out there: nobody else may ever answer under it.
    """
    _put(state, application_key(record.id), record)
    state.set(domain_key(record.domain), record.id.encode())


def domain_owner(state: State, domain: isc_pb2.Domain) -> str | None:
    """Id of the application that uses the domain, or None."""
    raw = state.get(domain_key(domain))
    return None if raw is None else raw.decode()


def ciphertext(state: State, application_id: str, handle: HandleId) -> isc_pb2.Ciphertext | None:
    """What the application registered under the handle, or None."""
    raw = state.get(handle_key(application_id, handle))
    return None if raw is None else isc_pb2.Ciphertext.FromString(raw)


def set_ciphertext(state: State, application_id: str, record: isc_pb2.Ciphertext) -> None:
    """Register a ciphertext under its handle."""
    _put(state, handle_key(application_id, HandleId(record.handle)), record)


def has_permission(state: State, key: bytes) -> bool:
    """Whether a permission is stored under the key."""
    return state.get(key) is not None


def allowance(state: State, key: bytes, basis: isc_pb2.Basis) -> isc_pb2.Allowance | None:
    """What the permission under the key allows, with its height and giver; None without one."""
    raw = state.get(key)
    if raw is None:
        return None
    held = isc_pb2.Permission.FromString(raw)
    return isc_pb2.Allowance(basis=basis, since_height=held.since_height, given_by=held.given_by)


def change_permission(state: State, key: bytes, permission: isc_pb2.Permission | None) -> bool:
    """Give (or with None take) a permission; tell whether anything changed.

    A permission that is held already keeps its first giver and height.
    """
    held = has_permission(state, key)
    if held == (permission is not None):
        return False
    if permission is None:
        state.delete(key)
    else:
        _put(state, key, permission)
    return True


def holders(state: State, prefix: bytes) -> Iterator[Address]:
    """Accounts that hold a permission under a prefix, in order."""
    for key, _ in state.iterate(prefix):
        yield Address(key[len(prefix) :])


def _put(state: State, key: bytes, record: Message) -> None:
    state.set(key, record.SerializeToString(deterministic=True))
