"""Opening requests: what is accepted becomes one log entry, what is not leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from asc import state as asc_state
from tests.asc.world import (
    APPLICATION,
    CHAIN_ID,
    DEADLINE,
    GENERATION_DEADLINE,
    GENERATOR,
    OTHER_APPLICATION,
    OWNER,
    REQUESTER,
    START_BALANCE,
    STRANGER,
    USER,
    World,
    authorize,
    ciphertext,
    domain,
    epoch,
    prices,
    ready_world,
    user_public_key,
)
from wire.eip712 import chain_domain
from wire.fhe import FheType
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason

KEY_REQUEST = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)


def test_key_generation_is_logged() -> None:
    """The whole entry, the pending status and the deadline."""
    world = World()
    receipt = world.send(GENERATOR, KEY_REQUEST)
    (request_id,) = receipt.ids
    assert world.entry(request_id) == asc_pb2.LogEntry(
        sequence=1,
        request_id=request_id,
        kind=asc_pb2.REQUEST_KIND_KEY_GENERATION,
        chain_id=CHAIN_ID,
        height=1,
        requester=GENERATOR.address.value,
        epoch_id=1,
        parties=4,
        threshold=1,
        thresholds=epoch().thresholds,
        deadline_height=1 + GENERATION_DEADLINE,
        price=1000,
        domain=chain_domain(CHAIN_ID),
        parameters="test",
        dealer=True,
        allowances=[isc_pb2.Allowance(basis=isc_pb2.BASIS_ROLE)],
    )
    assert world.status(request_id) == asc_pb2.RequestStatus(
        request_id=request_id, sequence=1, status=asc_pb2.STATUS_PENDING, opened_height=1
    )
    assert receipt.attributes("request_opened") == {
        "request_id": request_id.hex(),
        "kind": "REQUEST_KIND_KEY_GENERATION",
        "application": "",
        "key_id": "",
        "requester": GENERATOR.address.checksum,
        "sequence": "1",
        "epoch_id": "1",
        "ciphertexts": "0",
        "price": "1000",
        "deadline_height": str(1 + GENERATION_DEADLINE),
    }
    assert world.balance(GENERATOR.address) == START_BALANCE - 1000


def test_public_decryption_is_logged() -> None:
    """The entry is self-contained: application, domain, key, parameters and ciphertexts."""
    world = ready_world()
    records = [world.register_public("a"), world.register_public("b", FheType.EUINT64)]
    request_id = world.open_public(*records)
    assert world.entry(request_id) == asc_pb2.LogEntry(
        sequence=2,
        request_id=request_id,
        kind=asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION,
        chain_id=CHAIN_ID,
        height=1,
        requester=REQUESTER.address.value,
        epoch_id=1,
        parties=4,
        threshold=1,
        thresholds=epoch().thresholds,
        deadline_height=1 + DEADLINE,
        price=100 + 2000,
        application=APPLICATION,
        domain=domain(APPLICATION),
        key_id=world.key_id,
        parameters="test",
        ciphertexts=records,
        allowances=[
            isc_pb2.Allowance(
                basis=isc_pb2.BASIS_PUBLIC, since_height=1, given_by=OWNER.address.value
            )
        ]
        * 2,
    )
    assert world.balance(REQUESTER.address) == START_BALANCE - 2100


def test_user_decryption_is_logged() -> None:
    """User and key are in the entry; the price of its own kind is taken from the sender."""
    world = ready_world()
    request_id = world.open_user(world.register_for(USER.address, "a"))
    entry = world.entry(request_id)
    assert entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION
    assert (entry.user, entry.user_public_key) == (USER.address.value, user_public_key())
    assert entry.price == 200 + 2 * 1000
    assert world.balance(REQUESTER.address) == START_BALANCE - 2200
    assert world.balance(USER.address) == START_BALANCE


def test_crs_generation_is_logged() -> None:
    """The reference string inherits the parameters of its key."""
    world = ready_world()
    message = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=2048, dealer=True)
    (request_id,) = world.send(GENERATOR, message).ids
    entry = world.entry(request_id)
    assert (entry.key_id, entry.parameters, entry.max_bits) == (world.key_id, "test", 2048)
    assert (entry.dealer, entry.domain) == (True, chain_domain(CHAIN_ID))


def test_two_requests_in_one_transaction_get_two_ids() -> None:
    """Equal messages too; the sequence has no gap."""
    world = ready_world()
    message = world.public_request(world.register_public("a"))
    first, second = world.send(REQUESTER, message, message).ids
    assert first != second
    assert (world.entry(first).sequence, world.entry(second).sequence) == (2, 3)
    assert asc_state.last_sequence(world.state) == 3


def test_a_grant_replaces_public_access() -> None:
    """The requester itself may hold the grant."""
    world = ready_world()
    record = world.register_for(REQUESTER.address, "a")
    world.open_public(record)
    assert world.refuse(STRANGER, world.public_request(record)) is Reason.ACCESS_DENIED


def test_max_fee_bounds_all_requests_of_a_transaction() -> None:
    """The second request finds less left than the first."""
    world = ready_world()
    message = world.public_request(world.register_public("a"))
    assert world.refuse(REQUESTER, message, max_fee=1099) is Reason.MAX_FEE_EXCEEDED
    assert world.refuse(REQUESTER, message, message, max_fee=2199) is Reason.MAX_FEE_EXCEEDED
    assert len(world.send(REQUESTER, message, message, max_fee=2200).ids) == 2


def test_empty_account_cannot_ask() -> None:
    """The price is taken at once or nothing happens."""
    world = ready_world()
    poor = GENERATOR.__class__(b"p" * 32)
    reason = world.refuse(poor, world.public_request(world.register_public("a")))
    assert reason is Reason.INSUFFICIENT_FUNDS


def test_a_free_request_needs_no_escrow() -> None:
    """A price entry of zero is a price: the request runs to its end."""
    world = ready_world()
    free = prices()
    for price in free.messages:
        price.base = price.per_byte = 0
    world.configure(prices=free)
    request_id = world.open_public(world.register_public("a"))
    world.end_block(DEADLINE + 1)
    assert world.status(request_id).status == asc_pb2.STATUS_EXPIRED
    assert world.balance(REQUESTER.address) == START_BALANCE


@pytest.mark.parametrize(
    "kind",
    [
        "request_key_generation",
        "request_crs_generation",
        "request_public_decryption",
        "request_user_decryption",
    ],
)
def test_unpriced_kinds_are_refused(kind: str) -> None:
    """Without a price entry a kind is off."""
    world = ready_world()
    messages = {
        "request_key_generation": (GENERATOR, KEY_REQUEST),
        "request_crs_generation": (
            GENERATOR,
            asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=64, dealer=True),
        ),
        "request_public_decryption": (
            REQUESTER,
            world.public_request(world.register_public("a")),
        ),
        "request_user_decryption": (
            REQUESTER,
            world.user_request(world.register_for(USER.address, "b")),
        ),
    }
    table = prices()
    kept = [price for price in table.messages if price.message != kind]
    del table.messages[:]
    table.messages.extend(kept)
    world.configure(prices=table)
    for name, (sender, message) in messages.items():
        if name == kind:
            assert world.refuse(sender, message) is Reason.UNPRICED
        else:
            world.send(sender, message)


def test_generation_needs_the_role() -> None:
    """For keys and for reference strings."""
    world = ready_world()
    crs = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=64, dealer=True)
    assert world.refuse(STRANGER, KEY_REQUEST) is Reason.MISSING_ROLE
    assert world.refuse(STRANGER, crs) is Reason.MISSING_ROLE


def test_parameter_set_must_be_allowed() -> None:
    """A set that Config does not list is refused."""
    message = asc_pb2.RequestKeyGeneration(parameters="production-64", dealer=True)
    assert World().refuse(GENERATOR, message) is Reason.UNKNOWN_PARAMETERS


def test_dealing_can_be_off() -> None:
    """Then nothing can generate keys or reference strings."""
    world = ready_world()
    world.change_parameters(insecure_dealing=False)
    crs = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=64, dealer=True)
    assert world.refuse(GENERATOR, KEY_REQUEST) is Reason.DEALING_OFF
    assert world.refuse(GENERATOR, crs) is Reason.DEALING_OFF


@pytest.mark.parametrize("bits", [0, 1, 32, 63, 65, 96, 2047, 4096])
def test_crs_size_is_a_power_of_two_in_range(bits: int) -> None:
    """64 to 2048."""
    world = ready_world()
    message = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=bits, dealer=True)
    assert world.refuse(GENERATOR, message) is Reason.BAD_MAX_BITS


@pytest.mark.parametrize("bits", [64, 128, 256, 512, 1024, 2048])
def test_crs_sizes_that_are_allowed(bits: int) -> None:
    """All six."""
    world = ready_world()
    message = asc_pb2.RequestCrsGeneration(key_id=world.key_id, max_bits=bits, dealer=True)
    assert len(world.send(GENERATOR, message).ids) == 1


def test_unknown_key_is_refused_everywhere() -> None:
    """The id of a generation that has not finished is told apart."""
    world = ready_world()
    (pending,) = world.send(GENERATOR, KEY_REQUEST).ids
    for key_id in (b"", bytes(20), pending):
        expected = Reason.KEY_PENDING if key_id == pending else Reason.UNKNOWN_KEY
        crs = asc_pb2.RequestCrsGeneration(key_id=key_id, max_bits=64, dealer=True)
        assert world.refuse(GENERATOR, crs) is expected
        message = asc_pb2.RequestPublicDecryption(
            application=APPLICATION, key_id=key_id, ciphertexts=[ciphertext("a", key_id)]
        )
        assert world.refuse(REQUESTER, message) is expected


@pytest.mark.parametrize("user", [False, True])
@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("handle", b"?" * 32, Reason.UNKNOWN_HANDLE),
        ("handle", b"?" * 31, Reason.CIPHERTEXT_INVALID),
        ("digest", b"?" * 32, Reason.DIGEST_MISMATCH),
        ("fhe_type", 3, Reason.TYPE_MISMATCH),
        ("fhe_type", 77, Reason.TYPE_MISMATCH),
        ("format", 3, Reason.FORMAT_MISMATCH),
        ("size", 999, Reason.SIZE_MISMATCH),
        ("key_id", b"?" * 20, Reason.KEY_MISMATCH),
    ],
)
def test_a_ciphertext_that_is_not_the_registered_one(
    field: str, value: Any, reason: Reason, *, user: bool
) -> None:
    """Each field has its own reason; the second of two ciphertexts is checked too."""
    world = ready_world()
    good = world.register_for(USER.address, "good")
    record = world.register_for(USER.address, "bad")
    setattr(record, field, value)
    if user:
        assert world.refuse(REQUESTER, world.user_request(good, record)) is reason
    else:
        assert world.refuse(USER, world.public_request(good, record)) is reason


def test_registration_under_another_key_is_a_mismatch() -> None:
    """Both keys are active: the request cannot redirect a ciphertext to the other one."""
    world = ready_world()
    record = world.register_public("a")
    world.generate_key()
    record.key_id = world.key_id
    assert world.refuse(REQUESTER, world.public_request(record)) is Reason.KEY_MISMATCH


def test_request_for_another_application() -> None:
    """Its handles are not known there, and a missing application is named."""
    world = ready_world()
    message = world.public_request(world.register_public("a"))
    message.application = OTHER_APPLICATION
    assert world.refuse(REQUESTER, message) is Reason.UNKNOWN_HANDLE
    message.application = "nowhere"
    assert world.refuse(REQUESTER, message) is Reason.UNKNOWN_APPLICATION


def test_revoked_access_is_gone() -> None:
    """For public and for user decryption."""
    world = ready_world()
    record = world.register_for(USER.address, "a")
    world.open_user(record)
    world.send(
        OWNER,
        isc_pb2.RevokeAccess(
            application=APPLICATION, handle=record.handle, account=USER.address.value
        ),
    )
    assert world.refuse(REQUESTER, world.user_request(record)) is Reason.ACCESS_DENIED
    assert world.refuse(USER, world.public_request(record)) is Reason.ACCESS_DENIED


def test_one_forbidden_ciphertext_refuses_the_batch() -> None:
    """Access is needed to each of them."""
    world = ready_world()
    records = [world.register_public("a"), world.register("b")]
    assert world.refuse(REQUESTER, world.public_request(*records)) is Reason.ACCESS_DENIED


def test_batch_shape() -> None:
    """Empty, repeated and too many ciphertexts have their own reasons."""
    world = ready_world()
    record = world.register_public("a")
    assert world.refuse(REQUESTER, world.public_request()) is Reason.NO_CIPHERTEXTS
    assert world.refuse(REQUESTER, world.public_request(record, record)) is Reason.DUPLICATE_HANDLE
    many = [ciphertext(str(index), world.key_id, FheType.EBOOL) for index in range(33)]
    assert world.refuse(REQUESTER, world.public_request(*many)) is Reason.TOO_MANY_CIPHERTEXTS


def test_plaintext_bits_are_bounded() -> None:
    """2048 bits are allowed, one more is not."""
    world = ready_world()
    full = [world.register_public(str(index), FheType.EUINT256) for index in range(8)]
    world.open_public(*full)
    one_more = world.register_public("bit", FheType.EBOOL)
    assert (
        world.refuse(REQUESTER, world.public_request(*full, one_more)) is Reason.REQUEST_TOO_LARGE
    )


def test_ciphertext_bytes_are_bounded() -> None:
    """A limit that was lowered after the registration holds for requests."""
    world = ready_world()
    record = world.register_public("a")
    world.change_parameters(max_ciphertext_bytes=record.size - 1)
    assert world.refuse(REQUESTER, world.public_request(record)) is Reason.REQUEST_TOO_LARGE


def test_a_public_handle_is_no_claim_to_a_user_decryption() -> None:
    """The user needs a grant."""
    world = ready_world()
    reason = world.refuse(REQUESTER, world.user_request(world.register_public("a")))
    assert reason is Reason.ACCESS_DENIED


def test_the_grant_must_be_the_users() -> None:
    """Not the sender's: a gateway that holds grants cannot lend them."""
    world = ready_world()
    record = world.register_for(REQUESTER.address, "a")
    assert world.refuse(REQUESTER, world.user_request(record)) is Reason.ACCESS_DENIED


Tamper = Callable[[World, asc_pb2.RequestUserDecryption], None]


def _other_signer(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    authorize(message, STRANGER)


def _more_handles(world: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.ciphertexts.append(world.register_for(USER.address, "more"))


def _other_order(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    records = list(message.ciphertexts)[::-1]
    del message.ciphertexts[:]
    message.ciphertexts.extend(records)


def _other_application(world: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.application = OTHER_APPLICATION
    world.send(
        OWNER,
        isc_pb2.RegisterCiphertexts(application=OTHER_APPLICATION, ciphertexts=message.ciphertexts),
        *(
            isc_pb2.GrantAccess(
                application=OTHER_APPLICATION, handle=record.handle, account=message.user
            )
            for record in message.ciphertexts
        ),
    )


def _other_key(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.user_public_key = message.user_public_key[:-1] + b"\x7f"


def _longer(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.authorization_expires_at_height += 1


def _no_signature(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.user_signature = b""


def _short_user(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.user = message.user[:19]


def _stranger(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.user = STRANGER.address.value


def _short_key(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    message.user_public_key = message.user_public_key[:-1]
    authorize(message, USER)


def _other_header(_: World, message: asc_pb2.RequestUserDecryption) -> None:
    key = message.user_public_key
    message.user_public_key = key[:20] + bytes([key[20] ^ 1]) + key[21:]
    authorize(message, USER)


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (_other_signer, Reason.BAD_USER_SIGNATURE),
        (_more_handles, Reason.BAD_USER_SIGNATURE),
        (_other_order, Reason.BAD_USER_SIGNATURE),
        (_other_application, Reason.BAD_USER_SIGNATURE),
        (_other_key, Reason.BAD_USER_SIGNATURE),
        (_longer, Reason.BAD_USER_SIGNATURE),
        (_no_signature, Reason.BAD_USER_SIGNATURE),
        (_short_user, Reason.BAD_ADDRESS),
        (_stranger, Reason.ACCESS_DENIED),
        (_short_key, Reason.BAD_USER_KEY),
        (_other_header, Reason.BAD_USER_KEY),
    ],
)
def test_authorization_is_bound_to_everything(tamper: Tamper, reason: Reason) -> None:
    """What the user did not sign is refused, whoever sends it."""
    world = ready_world()
    records = [world.register_for(USER.address, name) for name in ("a", "b")]
    message = world.user_request(*records)
    tamper(world, message)
    assert world.refuse(REQUESTER, message) is reason


def test_authorization_expires() -> None:
    """Valid at its last height, not one later."""
    world = ready_world()
    message = world.user_request(world.register_for(USER.address, "a"))
    world.end_block(3)
    assert world.height == message.authorization_expires_at_height
    world.send(REQUESTER, message)
    world.end_block()
    assert world.refuse(REQUESTER, message) is Reason.AUTHORIZATION_EXPIRED


def test_user_is_not_the_contract() -> None:
    """Clients in the field refuse such answers."""
    world = ready_world()
    record = world.register("a")
    contract = domain(APPLICATION).verifying_contract
    world.send(
        OWNER,
        isc_pb2.GrantAccess(application=APPLICATION, handle=record.handle, account=contract),
    )
    message = world.user_request(record)
    message.user = contract
    assert world.refuse(REQUESTER, message) is Reason.USER_IS_CONTRACT
