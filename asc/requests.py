"""Messages that open a request: check everything, lock its price, append it to the log.

A refused request leaves nothing behind. An accepted one pins the epoch (parties and thresholds)
that decides it, so that later changes of the configuration do not touch it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from asc import state as asc_state
from asc.authorization import require_user_authorization
from asc.keys import require_active_key
from isc.access import Claim, Purpose, require_access
from isc.authority import require_application
from ledger.bank import escrow
from ledger.config import state as config
from ledger.context import Context
from ledger.state import State
from wire.eip712 import chain_domain
from wire.events import event
from wire.fhe import FheType
from wire.ids import Address
from wire.limits import MAX_PLAINTEXT_BITS
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection

_MIN_CRS_BITS: Final = 64
_MAX_CRS_BITS: Final = 2048


def request_key_generation(
    state: State, message: asc_pb2.RequestKeyGeneration, context: Context
) -> bytes:
    """Ask for a key of an allowed parameter set."""
    _require_generator(state, context)
    parameters = config.parameters(state)
    if message.parameters not in parameters.parameter_sets:
        raise Rejection(Reason.UNKNOWN_PARAMETERS, message.parameters)
    entry = _generation_entry(context, parameters, asc_pb2.REQUEST_KIND_KEY_GENERATION)
    entry.parameters = message.parameters
    return _open(state, context, entry, _price(state, "request_key_generation", 0))


def request_crs_generation(
    state: State, message: asc_pb2.RequestCrsGeneration, context: Context
) -> bytes:
    """Ask for a reference string that fits an active key."""
    _require_generator(state, context)
    key = require_active_key(state, message.key_id)
    bits = message.max_bits
    if not _MIN_CRS_BITS <= bits <= _MAX_CRS_BITS or bits & (bits - 1):
        raise Rejection(Reason.BAD_MAX_BITS, str(bits))
    parameters = config.parameters(state)
    entry = _generation_entry(context, parameters, asc_pb2.REQUEST_KIND_CRS_GENERATION)
    entry.parameters = key.parameters
    entry.key_id = key.id
    entry.max_bits = bits
    return _open(state, context, entry, _price(state, "request_crs_generation", 0))


def request_public_decryption(
    state: State, message: asc_pb2.RequestPublicDecryption, context: Context
) -> bytes:
    """Ask for plaintexts that everybody will see."""
    price = _price(state, "request_public_decryption", _total_bytes(message.ciphertexts))
    entry = _decryption_entry(state, context, message, asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION)
    claim = Claim(
        message.application, Purpose.PUBLIC, message.ciphertexts, message.key_id, context.sender
    )
    require_access(state, claim)
    return _open(state, context, entry, price)


def request_user_decryption(
    state: State, message: asc_pb2.RequestUserDecryption, context: Context
) -> bytes:
    """Ask for plaintexts that only the holder of the user's key can read; anybody may send it."""
    price = _price(state, "request_user_decryption", _total_bytes(message.ciphertexts))
    entry = _decryption_entry(state, context, message, asc_pb2.REQUEST_KIND_USER_DECRYPTION)
    if len(message.user) != Address.LENGTH:
        raise Rejection(Reason.BAD_ADDRESS, "a user has 20 bytes")
    claim = Claim(
        message.application,
        Purpose.USER,
        message.ciphertexts,
        message.key_id,
        Address(message.user),
    )
    require_access(state, claim)
    require_user_authorization(message, entry.domain, context)
    entry.user = message.user
    entry.user_public_key = message.user_public_key
    return _open(state, context, entry, price)


def _require_generator(state: State, context: Context) -> None:
    if not config.has_role(state, config_pb2.ROLE_GENERATOR, context.sender):
        raise Rejection(Reason.MISSING_ROLE, "ROLE_GENERATOR")


def _generation_entry(
    context: Context, parameters: config_pb2.Parameters, kind: asc_pb2.RequestKind
) -> asc_pb2.LogEntry:
    # Keys are dealt by one core until the parties can generate them together.
    if not parameters.insecure_dealing:
        raise Rejection(Reason.DEALING_OFF)
    return asc_pb2.LogEntry(
        kind=kind,
        domain=chain_domain(context.chain_id),
        deadline_height=context.height + parameters.generation_deadline_blocks,
        dealer=parameters.insecure_dealing,
    )


def _decryption_entry(
    state: State,
    context: Context,
    message: asc_pb2.RequestPublicDecryption | asc_pb2.RequestUserDecryption,
    kind: asc_pb2.RequestKind,
) -> asc_pb2.LogEntry:
    parameters = config.parameters(state)
    _check_batch(message.ciphertexts, parameters)
    key = require_active_key(state, message.key_id)
    application = require_application(state, message.application)
    return asc_pb2.LogEntry(
        kind=kind,
        application=application.id,
        domain=application.domain,
        key_id=key.id,
        parameters=key.parameters,
        ciphertexts=message.ciphertexts,
        deadline_height=context.height + parameters.decryption_deadline_blocks,
    )


def _check_batch(
    ciphertexts: Sequence[isc_pb2.Ciphertext], parameters: config_pb2.Parameters
) -> None:
    if not ciphertexts:
        raise Rejection(Reason.NO_CIPHERTEXTS)
    if len(ciphertexts) > parameters.max_ciphertexts_per_request:
        raise Rejection(Reason.TOO_MANY_CIPHERTEXTS, str(len(ciphertexts)))
    if len({ciphertext.handle for ciphertext in ciphertexts}) < len(ciphertexts):
        raise Rejection(Reason.DUPLICATE_HANDLE)
    bits = 0
    for ciphertext in ciphertexts:
        if ciphertext.size > parameters.max_ciphertext_bytes:
            raise Rejection(Reason.REQUEST_TOO_LARGE, f"{ciphertext.size} bytes")
        bits += _bits(ciphertext.fhe_type)
    if bits > MAX_PLAINTEXT_BITS:
        raise Rejection(Reason.REQUEST_TOO_LARGE, f"{bits} plaintext bits")


def _bits(fhe_type: int) -> int:
    try:
        return FheType(fhe_type).bits
    except ValueError:
        raise Rejection(Reason.TYPE_MISMATCH, f"type {fhe_type} is not known") from None


def _total_bytes(ciphertexts: Sequence[isc_pb2.Ciphertext]) -> int:
    return sum(ciphertext.size for ciphertext in ciphertexts)


def _price(state: State, name: str, ciphertext_bytes: int) -> int:
    for price in config.prices(state).messages:
        if price.message == name:
            return price.base + price.per_byte * ciphertext_bytes
    raise Rejection(Reason.UNPRICED, name)


def _open(state: State, context: Context, entry: asc_pb2.LogEntry, price: int) -> bytes:
    """Lock the price, which was made of sizes checked since, and append the entry."""
    if price > context.max_fee_left:
        raise Rejection(
            Reason.MAX_FEE_EXCEEDED, f"the request costs {price}, {context.max_fee_left} are left"
        )
    epoch = config.current_epoch(state)
    request_id = context.request_id.value
    entry.request_id = request_id
    entry.sequence = asc_state.last_sequence(state) + 1
    entry.chain_id = context.chain_id
    entry.height = context.height
    entry.requester = context.sender.value
    entry.epoch_id = epoch.id
    entry.parties = len(epoch.parties)
    entry.threshold = epoch.threshold
    entry.thresholds.CopyFrom(epoch.thresholds)
    entry.price = price
    if price:
        escrow.escrow_lock(state, context.sender, context.request_id, price)
    asc_state.append_log(state, entry)
    asc_state.set_status(
        state,
        asc_pb2.RequestStatus(
            request_id=request_id,
            sequence=entry.sequence,
            status=asc_pb2.STATUS_PENDING,
            opened_height=context.height,
        ),
    )
    asc_state.set_deadline(state, entry.deadline_height, request_id)
    _announce(state, entry)
    return request_id


def _announce(state: State, entry: asc_pb2.LogEntry) -> None:
    state.emit(
        event(
            "request_opened",
            request_id=entry.request_id,
            kind=asc_pb2.RequestKind.Name(entry.kind),
            application=entry.application,
            key_id=entry.key_id,
            requester=Address(entry.requester).checksum,
            sequence=entry.sequence,
            epoch_id=entry.epoch_id,
            ciphertexts=len(entry.ciphertexts),
            price=entry.price,
            deadline_height=entry.deadline_height,
        )
    )
