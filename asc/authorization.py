"""The user's own authorization: no gateway can ask for somebody else's plaintext."""

from __future__ import annotations

from ledger.context import Context
from wire.eip712 import authorization_digest
from wire.payload import PayloadError, unwrap_user_key
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection
from wire.signing import SignatureError, recover_address


def require_user_authorization(
    message: asc_pb2.RequestUserDecryption, domain: isc_pb2.Domain, context: Context
) -> None:
    """Check key, account, expiry and signature, the cheap ones first.

    Raises:
        Rejection: BAD_USER_KEY, USER_IS_CONTRACT, AUTHORIZATION_EXPIRED or BAD_USER_SIGNATURE.
    """
    try:
        unwrap_user_key(message.user_public_key)
    except PayloadError as error:
        raise Rejection(Reason.BAD_USER_KEY, str(error)) from None
    # Clients in the field insist on it: the linker would not tell user and contract apart.
    if message.user == domain.verifying_contract:
        raise Rejection(Reason.USER_IS_CONTRACT)
    if context.height > message.authorization_expires_at_height:
        raise Rejection(
            Reason.AUTHORIZATION_EXPIRED, f"at {message.authorization_expires_at_height}"
        )
    digest = authorization_digest(
        domain,
        message.user_public_key,
        [ciphertext.handle for ciphertext in message.ciphertexts],
        message.application,
        context.chain_id,
        message.authorization_expires_at_height,
    )
    try:
        signer = recover_address(digest, message.user_signature)
    except SignatureError as error:
        raise Rejection(Reason.BAD_USER_SIGNATURE, str(error)) from None
    if signer.value != message.user:
        raise Rejection(Reason.BAD_USER_SIGNATURE, f"{signer} signed")
