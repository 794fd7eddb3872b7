"""Applications, their delegates and the ciphertexts they vouch for."""

from __future__ import annotations

import re
from typing import Final

from isc import state as isc_state
from isc.authority import require_application, require_owner, require_speaker
from isc.kinds import KINDS
from isc.parse import parse_account, parse_handle
from ledger.config import state as config
from ledger.context import Context
from ledger.state import State
from wire.events import event
from wire.fhe import FheType, Format
from wire.ids import Address, Digest32, KeyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection

# No slash and no zero byte: ids are parts of storage keys and of query data.
_APPLICATION_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_MAX_DOMAIN_TEXT_BYTES: Final = 64
_TYPES: Final = frozenset(int(member) for member in FheType)
_FORMATS: Final = frozenset(int(member) for member in Format)


def register_application(
    state: State, message: isc_pb2.RegisterApplication, context: Context
) -> None:
    """Register an application that the sender, a registrar, will own; where one registrar decides alone."""
    if not config.has_role(state, config_pb2.ROLE_REGISTRAR, context.sender):
        raise Rejection(Reason.MISSING_ROLE, "ROLE_REGISTRAR")
    quorum = config.role(state, config_pb2.ROLE_REGISTRAR).quorum
    if quorum > 1:
        raise Rejection(Reason.QUORUM_REQUIRED, f"{quorum} registrars")
    record = isc_pb2.Application(
        id=message.id, kind=message.kind, owner=context.sender.value, domain=message.domain
    )
    _add_application(state, record)


def set_delegate(state: State, message: isc_pb2.SetDelegate, context: Context) -> None:
    """Let another account speak for the application, or stop it; only the owner may."""
    require_owner(state, message.application, context.sender)
    account = parse_account(message.account)
    permission = (
        isc_pb2.Permission(since_height=context.height, given_by=context.sender.value)
        if message.allowed
        else None
    )
    key = isc_state.delegate_key(message.application, account)
    if isc_state.change_permission(state, key, permission):
        state.emit(
            event(
                "delegate_changed",
                application=message.application,
                account=account.checksum,
                allowed=int(message.allowed),
            )
        )


def register_ciphertexts(
    state: State, message: isc_pb2.RegisterCiphertexts, context: Context
) -> None:
    """Register ciphertexts by handle; the same again is a no-op, other bytes are refused."""
    require_speaker(state, message.application, context.sender)
    if not message.ciphertexts:
        raise Rejection(Reason.CIPHERTEXT_INVALID, "the message names no ciphertext")
    largest = config.parameters(state).max_ciphertext_bytes
    for ciphertext in message.ciphertexts:
        _register(state, message.application, ciphertext, largest)


def load_genesis(state: State, genesis: state_pb2.Genesis) -> None:
    """Write the applications and delegates of the genesis document."""
    for record in genesis.applications:
        _add_application(state, record)
    for delegate in genesis.delegates:
        owner = require_application(state, delegate.application).owner
        key = isc_state.delegate_key(delegate.application, parse_account(delegate.account))
        isc_state.change_permission(state, key, isc_pb2.Permission(given_by=owner))


def check_application(state: State, record: isc_pb2.Application) -> None:
    """Whether the record may become a new application, or the settings of the one that it names."""
    _check_application(record)
    # Parties sign (domain, handles, result): two applications under one domain could pass off one's
    # results as the other's, because handles are only unique inside an application.
    other = isc_state.domain_owner(state, record.domain)
    if other not in (None, record.id):
        raise Rejection(Reason.DOMAIN_TAKEN, f"application {other} uses this domain")


def put_application(state: State, record: isc_pb2.Application) -> None:
    """Write a checked record. Requests keep the domain that they were made under."""
    known = isc_state.application(state, record.id) is not None
    isc_state.set_application(state, record)
    state.emit(
        event(
            "application_changed" if known else "application_registered",
            application=record.id,
            kind=isc_pb2.Kind.Name(record.kind),
            owner=record.owner,
        )
    )


def _add_application(state: State, record: isc_pb2.Application) -> None:
    check_application(state, record)
    if isc_state.application(state, record.id) is not None:
        raise Rejection(Reason.APPLICATION_EXISTS, record.id)
    put_application(state, record)


def _check_application(record: isc_pb2.Application) -> None:
    if _APPLICATION_ID.fullmatch(record.id) is None:
        raise Rejection(Reason.APPLICATION_INVALID, "an id has 1 to 64 of a-z 0-9 . _ -")
    if record.kind not in KINDS:
        raise Rejection(Reason.APPLICATION_INVALID, f"kind {int(record.kind)} is not known")
    domain = record.domain
    for text in (domain.name, domain.version):
        if not 0 < len(text.encode()) <= _MAX_DOMAIN_TEXT_BYTES:
            raise Rejection(Reason.APPLICATION_INVALID, "domain name or version is empty or long")
    if len(domain.verifying_contract) != Address.LENGTH:
        raise Rejection(Reason.APPLICATION_INVALID, "the verifying contract has 20 bytes")
    if len(record.owner) != Address.LENGTH:
        raise Rejection(Reason.APPLICATION_INVALID, "the owner has 20 bytes")


def _register(state: State, application: str, ciphertext: isc_pb2.Ciphertext, largest: int) -> None:
    handle = parse_handle(ciphertext.handle)
    _check_ciphertext(ciphertext, largest)
    registered = isc_state.ciphertext(state, application, handle)
    if registered is not None:
        if registered != ciphertext:
            raise Rejection(Reason.HANDLE_TAKEN, str(handle))
        return
    isc_state.set_ciphertext(state, application, ciphertext)
    state.emit(
        event(
            "ciphertext_registered",
            application=application,
            handle=handle.value,
            key_id=ciphertext.key_id,
            digest=ciphertext.digest,
        )
    )


def _check_ciphertext(ciphertext: isc_pb2.Ciphertext, largest: int) -> None:
    if len(ciphertext.digest) != Digest32.LENGTH:
        raise Rejection(Reason.CIPHERTEXT_INVALID, "a digest has 32 bytes")
    if len(ciphertext.key_id) != KeyId.LENGTH:
        raise Rejection(Reason.CIPHERTEXT_INVALID, "a key id has 20 bytes")
    if ciphertext.fhe_type not in _TYPES:
        raise Rejection(Reason.CIPHERTEXT_INVALID, f"type {ciphertext.fhe_type} is not known")
    if ciphertext.format not in _FORMATS:
        raise Rejection(Reason.CIPHERTEXT_INVALID, f"format {ciphertext.format} is not known")
    if not 0 < ciphertext.size <= largest:
        raise Rejection(Reason.CIPHERTEXT_INVALID, f"the size is not in 1..{largest}")
