"""States of a key: what leads where, what each forbids, and what destruction asks for."""

from __future__ import annotations

import pytest

from asc import state as asc_state
from ledger.config import state as config
from tests.asc.world import (
    ADMIN,
    GENERATOR,
    REQUESTER,
    World,
    failure,
    fulfil_public,
    party_account,
    party_key,
    ready_world,
)
from tests.support.generated import generated
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason

SUSPEND = config_pb2.KEY_ACTION_SUSPEND
RESUME = config_pb2.KEY_ACTION_RESUME
REVOKE = config_pb2.KEY_ACTION_REVOKE
DESTROY = config_pb2.KEY_ACTION_DESTROY
ACTIVE = asc_pb2.KEY_STATUS_ACTIVE
SUSPENDED = asc_pb2.KEY_STATUS_SUSPENDED
REVOKED = asc_pb2.KEY_STATUS_REVOKED
DESTROYED = asc_pb2.KEY_STATUS_DESTROYED

# The whole table: state and action to the state after it; what is not here is refused.
ALLOWED = {
    (ACTIVE, SUSPEND): SUSPENDED,
    (SUSPENDED, RESUME): ACTIVE,
    (ACTIVE, REVOKE): REVOKED,
    (SUSPENDED, REVOKE): REVOKED,
    (ACTIVE, DESTROY): DESTROYED,
    (SUSPENDED, DESTROY): DESTROYED,
    (REVOKED, DESTROY): DESTROYED,
}
# Ways into each state.
WAYS = {ACTIVE: (), SUSPENDED: (SUSPEND,), REVOKED: (REVOKE,), DESTROYED: (DESTROY,)}
REFUSED = {
    SUSPENDED: Reason.KEY_SUSPENDED,
    REVOKED: Reason.KEY_REVOKED,
    DESTROYED: Reason.KEY_DESTROYED,
}


def proposal(world: World, action: int, key_id: bytes = b"") -> config_pb2.ProposeChange:
    """The action at the next height."""
    change = config_pb2.KeyChange(key_id=key_id or world.key_id, action=action)  # type: ignore[arg-type]
    return config_pb2.ProposeChange(
        change=config_pb2.Change(key=change), activation_height=world.height + 1
    )


def act(world: World, *actions: int) -> None:
    """Put actions in force, each in its own block."""
    for action in actions:
        world.send(ADMIN, proposal(world, action))
        world.end_block()


@pytest.mark.parametrize("state", list(WAYS))
@pytest.mark.parametrize("action", [SUSPEND, RESUME, REVOKE, DESTROY])
def test_every_action_in_every_state(state: int, action: int) -> None:
    """The table above, and nothing else."""
    world = ready_world()
    act(world, *WAYS[state])  # type: ignore[index]
    assert world.material().status == state
    if (state, action) not in ALLOWED:
        assert world.refuse(ADMIN, proposal(world, action)) is Reason.KEY_STATE_INVALID
        return
    act(world, action)
    record = world.material()
    assert record.status == ALLOWED[state, action]  # type: ignore[index]
    assert record.status_height == world.height


@pytest.mark.parametrize("state", [SUSPENDED, REVOKED, DESTROYED])
def test_only_an_active_key_is_used(state: int) -> None:
    """Each state has its own reason, for both decryptions and for reference strings."""
    world = ready_world()
    public = world.register_public("a")
    user = world.register_for(REQUESTER.address, "b")
    del user
    act(world, *WAYS[state])  # type: ignore[index]
    expected = REFUSED[state]  # type: ignore[index]
    assert world.refuse(REQUESTER, world.public_request(public)) is expected
    assert world.refuse(REQUESTER, world.user_request(public)) is expected
    crs = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=64, dealer=True)
    assert world.refuse(GENERATOR, crs) is expected


def test_a_resumed_key_is_used_again() -> None:
    """As if nothing had been."""
    world = ready_world()
    public = world.register_public("a")
    act(world, SUSPEND, RESUME)
    request_id = world.open_public(public)
    entry = world.entry(request_id)
    for party in (1, 2):
        world.send(party_account(party), fulfil_public(entry, party, 7))
    assert world.status(request_id).status == asc_pb2.STATUS_FULFILLED


def test_open_requests_expire_with_a_refund() -> None:
    """The chain does not end them: the parties do not answer them any more."""
    world = ready_world()
    request_id = world.open_public(world.register_public("a"))
    before = world.balance(REQUESTER.address)
    act(world, SUSPEND)
    world.end_block(world.entry(request_id).deadline_height + 1 - world.height)
    assert world.status(request_id).status == asc_pb2.STATUS_EXPIRED
    assert world.balance(REQUESTER.address) == before + world.entry(request_id).price


def test_destruction_is_asked_for_and_answered() -> None:
    """One request that the record names; one fixed statement; n - t of them fulfil it."""
    world = ready_world()
    act(world, DESTROY)
    request_id = world.material().destruction_id
    entry = world.entry(request_id)
    assert (entry.kind, entry.key_id, entry.price) == (
        asc_pb2.REQUEST_KIND_KEY_DESTRUCTION,
        world.key_id,
        0,
    )
    other = generated(entry, 1, party_key(1), "other words")
    assert world.refuse(party_account(1), other) is Reason.BAD_RESULT
    for party in (1, 2, 3):
        assert world.status(request_id).status == asc_pb2.STATUS_PENDING
        world.send(party_account(party), generated(entry, party, party_key(party)))
    assert world.status(request_id).status == asc_pb2.STATUS_FULFILLED
    assert world.material().status == DESTROYED


def test_a_destroyed_key_does_not_move() -> None:
    """The only key: there is nothing to refresh then."""
    world = ready_world()
    act(world, DESTROY)
    assert world.refuse(GENERATOR, asc_pb2.RequestRefresh()) is Reason.NOTHING_TO_REFRESH


@pytest.mark.parametrize("state", [SUSPENDED, REVOKED])
def test_suspended_and_revoked_keys_move(state: int) -> None:
    """Nothing is lost by a refresh."""
    world = ready_world()
    act(world, *WAYS[state])  # type: ignore[index]
    world.answer_all(world.refresh())
    world.end_block()
    record = world.material()
    assert (record.epoch_id, record.born_epoch_id, record.status) == (2, 1, state)


@pytest.mark.parametrize("well", [True, False])
def test_destruction_during_a_refresh_waits_for_its_end(well: bool) -> None:
    """Destroyed at once for everybody; the parties erase when no share of it is on its way."""
    world = ready_world()
    change = world.refresh()
    act(world, DESTROY)
    assert world.material().status == DESTROYED
    assert (world.material().destruction_id, asc_state.last_sequence(world.state)) == (b"", 2)
    if well:
        world.answer_all(change)
    else:
        entry = world.entry(change)
        for party in (1, 2):
            code = asc_pb2.FAILURE_CODE_PROTOCOL
            world.send(party_account(party), failure(entry.request_id, party, code))
    world.end_block()
    assert config.pending_epoch(world.state) is None
    record = world.material()
    entry = world.entry(record.destruction_id)
    now = 2 if well else 1
    assert (entry.epoch_id, record.epoch_id, record.status) == (now, now, DESTROYED)
    assert asc_state.waiting_destructions(world.state) == []
    world.answer_all(record.destruction_id)
    assert world.status(record.destruction_id).status == asc_pb2.STATUS_FULFILLED


def test_a_pending_key_has_no_other_state() -> None:
    """Its generation can be aborted; then there is no key."""
    world = World()
    asked = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    (key_id,) = world.send(GENERATOR, asked).ids
    for action in (SUSPEND, RESUME, REVOKE, DESTROY):
        message = proposal(world, action, key_id)
        assert world.refuse(ADMIN, message) is Reason.KEY_STATE_INVALID
    world.send(GENERATOR, asc_pb2.AbortGeneration(request_id=key_id))
    assert world.refuse(ADMIN, proposal(world, DESTROY, key_id)) is Reason.UNKNOWN_KEY


def test_wrong_changes_are_refused() -> None:
    """No action, an unknown one, a key that never was; and nobody but an administrator."""
    world = ready_world()
    assert world.refuse(ADMIN, proposal(world, 0)) is Reason.CHANGE_INVALID
    assert world.refuse(ADMIN, proposal(world, 9)) is Reason.CHANGE_INVALID
    assert world.refuse(ADMIN, proposal(world, SUSPEND, bytes(20))) is Reason.UNKNOWN_KEY
    assert world.refuse(GENERATOR, proposal(world, SUSPEND)) is Reason.MISSING_ROLE


def test_a_proposal_that_comes_too_late_is_dropped() -> None:
    """Two for one height: what the first makes impossible, the second does not do."""
    world = ready_world()
    world.send(ADMIN, proposal(world, REVOKE))
    world.send(ADMIN, proposal(world, SUSPEND))
    world.end_block()
    assert world.material().status == REVOKED
    record = config.record(world.state, config.last_record(world.state))
    assert record is not None
    assert record.reason == int(Reason.KEY_STATE_INVALID)
