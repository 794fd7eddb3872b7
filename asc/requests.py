"""Messages that ask for a decryption: check everything, then open the request.

A refused request leaves nothing behind. An accepted one pins the epoch (parties and thresholds)
that decides it, so that later changes of the configuration do not touch it.
"""

from __future__ import annotations

from collections.abc import Sequence

from asc.authorization import require_user_authorization
from asc.keys import require_active_key
from asc.opening import open_request, price_of
from isc.access import Claim, Purpose, require_access
from ledger.config import state as config
from ledger.context import Context
from ledger.state import State
from wire.fhe import FheType
from wire.ids import Address
from wire.limits import MAX_PLAINTEXT_BITS
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection


def request_public_decryption(
    state: State, message: asc_pb2.RequestPublicDecryption, context: Context
) -> bytes:
    """Ask for plaintexts that everybody will see."""
    kind = asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
    price = price_of(state, "request_public_decryption", _total_bytes(message.ciphertexts))
    entry = _decryption_entry(state, context, message, kind, Purpose.PUBLIC, context.sender)
    return open_request(state, context, entry, price)


def request_user_decryption(
    state: State, message: asc_pb2.RequestUserDecryption, context: Context
) -> bytes:
    """Ask for plaintexts that only the holder of the user's key can read; anybody may send it."""
    kind = asc_pb2.REQUEST_KIND_USER_DECRYPTION
    price = price_of(state, "request_user_decryption", _total_bytes(message.ciphertexts))
    if len(message.user) != Address.LENGTH:
        raise Rejection(Reason.BAD_ADDRESS, "a user has 20 bytes")
    user = Address(message.user)
    entry = _decryption_entry(state, context, message, kind, Purpose.USER, user)
    require_user_authorization(message, entry.domain, context)
    entry.user = message.user
    entry.user_public_key = message.user_public_key
    return open_request(state, context, entry, price)


def _decryption_entry(
    state: State,
    context: Context,
    message: asc_pb2.RequestPublicDecryption | asc_pb2.RequestUserDecryption,
    kind: asc_pb2.RequestKind,
    purpose: Purpose,
    account: Address,
) -> asc_pb2.LogEntry:
    """Check the ciphertexts and whether the application lets the account have them."""
    parameters = config.parameters(state)
    _check_batch(message.ciphertexts, parameters)
    if message.relayer and len(message.relayer) != Address.LENGTH:
        raise Rejection(Reason.BAD_ADDRESS, "a relayer has 20 bytes")
    key = require_active_key(state, message.key_id)
    claim = Claim(message.application, purpose, message.ciphertexts, message.key_id, account)
    access = require_access(state, claim)
    return asc_pb2.LogEntry(
        kind=kind,
        application=access.application.id,
        domain=access.application.domain,
        key_id=key.id,
        parameters=key.parameters,
        ciphertexts=message.ciphertexts,
        deadline_height=context.height + parameters.decryption_deadline_blocks,
        relayer=message.relayer,
        allowances=access.allowances,
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
