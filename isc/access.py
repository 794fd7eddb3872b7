"""The single entry that asc calls to learn whether an application allows a decryption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from isc import state as isc_state
from isc.authority import require_application
from isc.kinds import KINDS
from isc.parse import parse_handle
from ledger.state import State
from wire.ids import Address, HandleId
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection


class Purpose(StrEnum):
    """Who will see the plaintext."""

    PUBLIC = "public"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about an application's ciphertexts.

    `account` is the requester of a public decryption and the user of a user decryption.
    """

    application: str
    kind: Purpose
    ciphertexts: Sequence[isc_pb2.Ciphertext]
    key_id: bytes
    account: Address


@dataclass(frozen=True, slots=True)
class Access:
    """A claim that was found true: of which application, and why for each ciphertext."""

    application: isc_pb2.Application
    allowances: Sequence[isc_pb2.Allowance]


def require_access(state: State, claim: Claim) -> Access:
    """Accept a claim that is true in every part.

    Raises:
        Rejection: UNKNOWN_APPLICATION, UNKNOWN_HANDLE, one reason for each field that differs from
            the registration (DIGEST_, TYPE_, FORMAT_, SIZE_, KEY_MISMATCH), or ACCESS_DENIED.
    """
    application = require_application(state, claim.application)
    kind = KINDS[application.kind]
    allows = kind.public_allowance if claim.kind is Purpose.PUBLIC else kind.user_allowance
    allowances = []
    for ciphertext in claim.ciphertexts:
        handle = parse_handle(ciphertext.handle)
        _require_registered(state, claim, ciphertext, handle)
        allowance = allows(state, claim.application, handle, claim.account)
        if allowance is None:
            raise Rejection(
                Reason.ACCESS_DENIED, f"{claim.account} has no {claim.kind} access to {handle}"
            )
        allowances.append(allowance)
    return Access(application, allowances)


def _require_registered(
    state: State, claim: Claim, ciphertext: isc_pb2.Ciphertext, handle: HandleId
) -> None:
    registered = isc_state.ciphertext(state, claim.application, handle)
    if registered is None:
        raise Rejection(Reason.UNKNOWN_HANDLE, f"{handle} in {claim.application}")
    comparisons = (
        (Reason.DIGEST_MISMATCH, ciphertext.digest == registered.digest),
        (Reason.TYPE_MISMATCH, ciphertext.fhe_type == registered.fhe_type),
        (Reason.FORMAT_MISMATCH, ciphertext.format == registered.format),
        (Reason.SIZE_MISMATCH, ciphertext.size == registered.size),
        (Reason.KEY_MISMATCH, ciphertext.key_id == claim.key_id == registered.key_id),
    )
    for reason, equal in comparisons:
        if not equal:
            raise Rejection(reason, str(handle))
