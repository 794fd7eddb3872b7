"""Transactions: strict decoding of untrusted bytes, the digest that is signed, building and checking.

Decoding is the border of consensus: size first, then protobuf, then the rule that serialising the parsed value
gives the same bytes again. That refuses unknown fields, non-minimal forms, repeated scalars and trailing bytes, so
one transaction has one encoding and its hash is its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtobufMessage

from wire.digests import sha256
from wire.ids import Address, RequestId, request_id
from wire.limits import (
    ADDRESS_BYTES,
    ED25519_KEY_BYTES,
    ED25519_SIGNATURE_BYTES,
    MAX_TRANSACTION_BYTES,
    NONCE_BYTES,
    SECP256K1_SIGNATURE_BYTES,
)
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.signing import (
    SignatureError,
    Signer,
    ed25519_address,
    recover_address,
    verify_ed25519,
)

_SIGN_SEPARATOR = b"tkms/tx/v1"

# Every message kind, as named in TxBody and in the price table, in the order of the schema.
MESSAGE_KINDS: tuple[str, ...] = tuple(
    field.name for field in tx_pb2.Message.DESCRIPTOR.oneofs_by_name["kind"].fields
)
# Requests are priced by the bytes of the ciphertexts they name and escrowed by asc.
REQUEST_KINDS: tuple[str, ...] = tuple(
    kind for kind in MESSAGE_KINDS if kind.startswith("request_")
)
# Messages of parties about a request.
ANSWER_KINDS: tuple[str, ...] = ("fulfil", "report_failure", "accuse", "report_progress")
# Messages that must not wait behind others or for want of funds: first in a block, free within a rate limit.
SAFETY_KINDS: tuple[str, ...] = ANSWER_KINDS


@dataclass(frozen=True)
class SignedTransaction:
    """A decoded transaction; its signature may not have been checked yet."""

    raw: bytes
    hash: bytes
    body_bytes: bytes
    body: tx_pb2.TxBody
    sender: Address
    scheme: int
    public_key: bytes
    signature: bytes

    @property
    def messages(self) -> tuple[tx_pb2.Message, ...]:
        """The messages in order."""
        return tuple(self.body.messages)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of the messages in order, members of MESSAGE_KINDS."""
        return tuple(message_kind(message) for message in self.body.messages)

    @cached_property
    def body_digest(self) -> bytes:
        """SHA-256 of the body: what can be included once."""
        return sha256(self.body_bytes)

    def kind(self, index: int) -> str:
        """Kind of message `index`, a member of MESSAGE_KINDS."""
        return self.kinds[index]

    def request_id(self, index: int) -> RequestId:
        """Id of the request that message `index` would make."""
        return request_id(self.body.chain_id, self.body_bytes, index)


def message_kind(message: tx_pb2.Message) -> str:
    """Name of the set member of the oneof; Rejection(UNKNOWN_MESSAGE) when none is set."""
    kind = message.WhichOneof("kind")
    if kind is None:
        raise Rejection(Reason.UNKNOWN_MESSAGE)
    return str(kind)


def decode(raw: bytes, max_bytes: int = MAX_TRANSACTION_BYTES) -> SignedTransaction:
    """Read untrusted bytes; signatures are checked by `verify_signature`.

    Raises:
        Rejection: TOO_LARGE, DECODE, UNSIGNED, UNKNOWN_SCHEME, BAD_SIGNATURE (shape only), BAD_ADDRESS, BAD_NONCE,
            NO_MESSAGES, UNKNOWN_MESSAGE.
    """
    if len(raw) > min(max_bytes, MAX_TRANSACTION_BYTES):
        raise Rejection(Reason.TOO_LARGE, f"{len(raw)} bytes")
    outer = tx_pb2.Tx()
    body = tx_pb2.TxBody()
    _parse_strict(outer, raw)
    _parse_strict(body, outer.body)
    _check_shape(outer, body)
    return SignedTransaction(
        raw=raw,
        hash=sha256(raw),
        body_bytes=outer.body,
        body=body,
        sender=Address(body.sender),
        scheme=outer.scheme,
        public_key=outer.public_key,
        signature=outer.signature,
    )


def _parse_strict(message: ProtobufMessage, data: bytes) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise Rejection(Reason.DECODE, "not protobuf of this schema") from error
    # Unknown fields survive a round trip in protobuf: they are dropped first, so the comparison sees them.
    message.DiscardUnknownFields()
    if message.SerializeToString(deterministic=True) != data:
        raise Rejection(Reason.DECODE, "not in canonical form")


def _check_shape(outer: tx_pb2.Tx, body: tx_pb2.TxBody) -> None:
    if len(body.sender) != ADDRESS_BYTES:
        raise Rejection(Reason.BAD_ADDRESS, "sender")
    if len(body.nonce) != NONCE_BYTES:
        raise Rejection(Reason.BAD_NONCE)
    if not body.messages:
        raise Rejection(Reason.NO_MESSAGES)
    for message in body.messages:
        message_kind(message)
    if not outer.signature:
        raise Rejection(Reason.UNSIGNED)
    if outer.scheme == tx_pb2.SCHEME_SECP256K1:
        right = len(outer.signature) == SECP256K1_SIGNATURE_BYTES and not outer.public_key
        # One signature has one encoding: recovery bytes 27 and 28 are for EIP-712 only.
        right = right and outer.signature[64] in (0, 1)
    elif outer.scheme == tx_pb2.SCHEME_ED25519:
        right = len(outer.signature) == ED25519_SIGNATURE_BYTES
        right = right and len(outer.public_key) == ED25519_KEY_BYTES
    else:
        raise Rejection(Reason.UNKNOWN_SCHEME, str(outer.scheme))
    if not right:
        raise Rejection(Reason.BAD_SIGNATURE, "wrong length or form for its scheme")


def sign_bytes(chain_id: str, body: bytes) -> bytes:
    """SHA-256("tkms/tx/v1", chain id, body): the 32 bytes that are signed."""
    return sha256(_SIGN_SEPARATOR + chain_id.encode() + body)


def verify_signature(transaction: SignedTransaction, chain_id: str) -> None:
    """Check that the sender signed for this chain.

    Raises:
        Rejection: BAD_SIGNATURE.
    """
    digest = sign_bytes(chain_id, transaction.body_bytes)
    try:
        if transaction.scheme == tx_pb2.SCHEME_ED25519:
            verify_ed25519(transaction.public_key, digest, transaction.signature)
            signed_by = ed25519_address(transaction.public_key)
        else:
            signed_by = recover_address(digest, transaction.signature)
    except SignatureError as error:
        raise Rejection(Reason.BAD_SIGNATURE, str(error)) from error
    if signed_by != transaction.sender:
        raise Rejection(Reason.BAD_SIGNATURE, "another key signed")


def build(
    signer: Signer,
    chain_id: str,
    messages: Sequence[tx_pb2.Message],
    *,
    expires_at_height: int,
    max_fee: int,
    nonce: bytes,
) -> bytes:
    """Raw bytes of a signed transaction; `nonce` is 16 random bytes of the caller."""
    body = tx_pb2.TxBody(
        chain_id=chain_id,
        sender=bytes(signer.address),
        nonce=nonce,
        expires_at_height=expires_at_height,
        max_fee=max_fee,
        messages=messages,
    ).SerializeToString(deterministic=True)
    return tx_pb2.Tx(
        body=body,
        scheme=signer.scheme,
        public_key=signer.public_key,
        signature=signer.sign_digest(sign_bytes(chain_id, body)),
    ).SerializeToString(deterministic=True)
