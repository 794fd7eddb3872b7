"""Permission lists on this chain."""

from __future__ import annotations

from typing import Any

import pytest

from isc.kinds import KINDS, acl
from tests.asc.world import APPLICATION, DELEGATE, OTHER_APPLICATION, OWNER, STRANGER, USER, World
from wire.ids import HandleId
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason

HANDLE = HandleId(b"h" * 32)


def grant(**changes: Any) -> isc_pb2.GrantAccess:
    """Grant of the handle to the user, with changes."""
    values = {
        "application": APPLICATION,
        "handle": HANDLE.value,
        "account": USER.address.value,
    } | changes
    return isc_pb2.GrantAccess(**values)


def revoke() -> isc_pb2.RevokeAccess:
    """The opposite."""
    return isc_pb2.RevokeAccess(
        application=APPLICATION, handle=HANDLE.value, account=USER.address.value
    )


def public(*, allowed: bool) -> isc_pb2.SetPublic:
    """Switch of public decryption."""
    return isc_pb2.SetPublic(application=APPLICATION, handle=HANDLE.value, allowed=allowed)


def allowed(world: World, application: str = APPLICATION) -> tuple[bool, bool]:
    """Whether the user may ask for (public, user) decryption."""
    kind = KINDS[isc_pb2.KIND_ACL]
    arguments = (world.state, application, HANDLE, USER.address)
    public, user = kind.public_allowance(*arguments), kind.user_allowance(*arguments)
    return public is not None, user is not None


def test_every_kind_of_the_schema_is_in_the_table() -> None:
    """Adding a kind to the schema without deciding what it allows fails here."""
    assert set(KINDS) == set(isc_pb2.Kind.values()) - {isc_pb2.KIND_UNSPECIFIED}


def test_nothing_is_allowed_by_default() -> None:
    """Not even to the owner."""
    world = World()
    assert allowed(world) == (False, False)
    assert not acl.user_allowance(world.state, APPLICATION, HANDLE, OWNER.address)


def test_grant_allows_both_and_revoke_ends_it() -> None:
    """Each change emits once, repeated ones do nothing."""
    world = World()
    assert world.send(DELEGATE, grant()).count("access_granted") == 1
    assert allowed(world) == (True, True)
    assert world.send(OWNER, grant()).events == ()
    assert world.send(OWNER, revoke()).count("access_revoked") == 1
    assert allowed(world) == (False, False)
    assert world.send(OWNER, revoke()).events == ()


def test_grant_is_of_one_account_handle_and_application() -> None:
    """Neighbours are not affected."""
    world = World()
    world.send(OWNER, grant())
    assert allowed(world, OTHER_APPLICATION) == (False, False)
    assert not acl.user_allowance(world.state, APPLICATION, HANDLE, STRANGER.address)
    assert not acl.user_allowance(world.state, APPLICATION, HandleId(bytes(32)), USER.address)


def test_public_allows_public_decryption_only() -> None:
    """Public handles give no user a claim to a private answer."""
    world = World()
    assert world.send(OWNER, public(allowed=True)).count("public_changed") == 1
    assert allowed(world) == (True, False)
    assert world.send(OWNER, public(allowed=True)).events == ()
    assert world.send(OWNER, public(allowed=False)).count("public_changed") == 1
    assert allowed(world) == (False, False)


@pytest.mark.parametrize("message", [grant(), revoke(), public(allowed=True)])
def test_only_owner_and_delegates_change_permissions(message: Any) -> None:
    """A stranger is refused."""
    assert World().refuse(STRANGER, message) is Reason.NOT_OWNER


def test_malformed_ids_are_refused() -> None:
    """A handle has 32 bytes and an account 20."""
    world = World()
    assert world.refuse(OWNER, grant(handle=b"h")) is Reason.CIPHERTEXT_INVALID
    assert world.refuse(OWNER, grant(account=b"a" * 21)) is Reason.BAD_ADDRESS
