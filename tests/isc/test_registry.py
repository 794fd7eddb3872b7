"""Applications, delegates and registered ciphertexts."""

from __future__ import annotations

from typing import Any

import pytest

from isc import state as isc_state
from isc.module import MODULE
from ledger.state import State
from tests.asc.world import (
    ADMIN,
    APPLICATION,
    DELEGATE,
    OTHER_APPLICATION,
    OWNER,
    STRANGER,
    MemoryReader,
    World,
    ciphertext,
    domain,
    genesis,
)
from wire.ids import HandleId
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection

KEY_ID = bytes(20)


def application(**changes: Any) -> isc_pb2.RegisterApplication:
    """Valid registration with changes."""
    values = {"id": "new-app.1", "kind": isc_pb2.KIND_ACL, "domain": domain("new")} | changes
    return isc_pb2.RegisterApplication(**values)


def registration(*records: isc_pb2.Ciphertext) -> isc_pb2.RegisterCiphertexts:
    """Registration in the first application."""
    return isc_pb2.RegisterCiphertexts(application=APPLICATION, ciphertexts=records)


def changed(**changes: Any) -> isc_pb2.Ciphertext:
    """Valid ciphertext with changes."""
    record = ciphertext("a", KEY_ID)
    for name, value in changes.items():
        setattr(record, name, value)
    return record


def test_registrar_owns_what_it_registers() -> None:
    """The record holds exactly what was asked and who asked; one event."""
    world = World()
    receipt = world.send(ADMIN, application())
    assert isc_state.application(world.state, "new-app.1") == isc_pb2.Application(
        id="new-app.1", kind=isc_pb2.KIND_ACL, owner=ADMIN.address.value, domain=domain("new")
    )
    assert receipt.count("application_registered") == 1


def test_only_a_registrar_registers() -> None:
    """Everybody else misses the role."""
    assert World().refuse(OWNER, application()) is Reason.MISSING_ROLE


def test_an_id_is_registered_once() -> None:
    """Also the same registrar cannot replace it."""
    world = World()
    world.send(ADMIN, application())
    assert world.refuse(ADMIN, application(domain=domain("x"))) is Reason.APPLICATION_EXISTS


def test_a_domain_belongs_to_one_application() -> None:
    """Else one application's signed results could pass as the other's."""
    reason = World().refuse(ADMIN, application(domain=domain(APPLICATION)))
    assert reason is Reason.DOMAIN_TAKEN


@pytest.mark.parametrize(
    "changes",
    [
        {"id": ""},
        {"id": "a/b"},
        {"id": "a\0b"},
        {"id": "Upper"},
        {"id": "-a"},
        {"id": "a\n"},
        {"id": "a" * 65},
        {"kind": 0},
        {"kind": 99},
        {"domain": isc_pb2.Domain(name="", version="1", verifying_contract=bytes(20))},
        {"domain": isc_pb2.Domain(name="x", version="", verifying_contract=bytes(20))},
        {"domain": isc_pb2.Domain(name="x" * 65, version="1", verifying_contract=bytes(20))},
        {"domain": isc_pb2.Domain(name="x", version="1", verifying_contract=bytes(19))},
    ],
)
def test_a_malformed_application_is_refused(changes: dict[str, Any]) -> None:
    """Id, kind and each part of the domain are checked."""
    assert World().refuse(ADMIN, application(**changes)) is Reason.APPLICATION_INVALID


def test_only_the_owner_names_delegates() -> None:
    """A delegate cannot name another one, and the owner can stop it."""
    world = World()
    message = isc_pb2.SetDelegate(
        application=APPLICATION, account=STRANGER.address.value, allowed=True
    )
    assert world.refuse(DELEGATE, message) is Reason.NOT_OWNER
    assert world.send(OWNER, message).count("delegate_changed") == 1
    assert world.send(OWNER, message).events == ()
    world.send(STRANGER, registration(changed()))
    message.allowed = False
    assert world.send(OWNER, message).count("delegate_changed") == 1
    assert world.refuse(STRANGER, registration(changed())) is Reason.NOT_OWNER


def test_a_delegate_account_has_20_bytes() -> None:
    """Anything else is no address."""
    message = isc_pb2.SetDelegate(application=APPLICATION, account=bytes(19), allowed=True)
    assert World().refuse(OWNER, message) is Reason.BAD_ADDRESS


def test_delegates_are_of_one_application() -> None:
    """The delegate of one application does not speak for the other."""
    message = isc_pb2.RegisterCiphertexts(application=OTHER_APPLICATION, ciphertexts=[changed()])
    assert World().refuse(DELEGATE, message) is Reason.NOT_OWNER


def test_unknown_application_is_named() -> None:
    """Every message of a missing application has the same reason."""
    world, handle, account = World(), bytes(32), bytes(20)
    for message in (
        isc_pb2.SetDelegate(application="no", account=account, allowed=True),
        isc_pb2.RegisterCiphertexts(application="no", ciphertexts=[changed()]),
        isc_pb2.GrantAccess(application="no", handle=handle, account=account),
        isc_pb2.RevokeAccess(application="no", handle=handle, account=account),
        isc_pb2.SetPublic(application="no", handle=handle, allowed=True),
    ):
        assert world.refuse(OWNER, message) is Reason.UNKNOWN_APPLICATION


def test_same_ciphertext_again_is_a_no_op() -> None:
    """Registered once with one event, also when a message names it twice."""
    world = World()
    receipt = world.send(DELEGATE, registration(changed(), changed()))
    assert receipt.count("ciphertext_registered") == 1
    assert world.send(OWNER, registration(changed())).events == ()
    handle = HandleId(changed().handle)
    assert isc_state.ciphertext(world.state, APPLICATION, handle) == changed()


@pytest.mark.parametrize(
    "changes",
    [{"digest": bytes(32)}, {"fhe_type": 3}, {"format": 3}, {"size": 1}, {"key_id": b"k" * 20}],
)
def test_a_handle_never_names_other_bytes(changes: dict[str, Any]) -> None:
    """Any differing field is refused."""
    world = World()
    world.send(OWNER, registration(changed()))
    assert world.refuse(OWNER, registration(changed(**changes))) is Reason.HANDLE_TAKEN


@pytest.mark.parametrize(
    "changes",
    [
        {"handle": bytes(31)},
        {"digest": bytes(33)},
        {"key_id": b""},
        {"fhe_type": 9},
        {"format": 4},
        {"size": 0},
        {"size": 100_001},
    ],
)
def test_a_malformed_ciphertext_is_refused(changes: dict[str, Any]) -> None:
    """Lengths, type, format and size are checked; the whole batch falls with one."""
    world = World()
    message = registration(ciphertext("good", KEY_ID), changed(**changes))
    assert world.refuse(OWNER, message) is Reason.CIPHERTEXT_INVALID


def test_an_empty_registration_is_refused() -> None:
    """It would do nothing."""
    assert World().refuse(OWNER, registration()) is Reason.CIPHERTEXT_INVALID


def test_genesis_delegate_needs_its_application() -> None:
    """A typing error in the genesis document stops the chain before it starts."""
    document = genesis()
    document.delegates.add(application="typo", account=bytes(20))
    assert MODULE.genesis is not None
    with pytest.raises(Rejection) as caught:
        MODULE.genesis(State(MemoryReader()), document)
    assert caught.value.reason is Reason.UNKNOWN_APPLICATION
