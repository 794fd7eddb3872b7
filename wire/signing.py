"""Account and party signatures: thin over coincurve (secp256k1) and PyNaCl (ed25519)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Protocol

import coincurve
import nacl.bindings
import nacl.exceptions
import nacl.signing
import tkms_kernel

from wire.digests import keccak256, sha3_256
from wire.ids import Address
from wire.limits import (
    ED25519_KEY_BYTES,
    ED25519_SIGNATURE_BYTES,
    SECP256K1_SIGNATURE_BYTES,
    VERIFICATION_KEY_BYTES,
)
from wire.pb.tkms.tx.v1 import tx_pb2

_ED25519_ADDRESS_SEPARATOR = b"tkms/address/ed25519/v1"
# Half the group order of secp256k1: larger s has a twin signature (EIP-2), so it is refused.
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_ED25519_PRIME = 2**255 - 19
# A transaction is executed by CheckTx, for a proposal and in its block, and asks the same each time: these
# many signatures are remembered, about 2 MB. Forgetting costs time only.
_REMEMBERED_SIGNATURES: Final = 8_192
# Parties of the epochs that are in use.
_REMEMBERED_KEYS: Final = 256


class SignatureError(ValueError):
    """A signature or key that does not verify or is not canonical."""


class Signer(Protocol):
    """Somebody who signs 32-byte digests for one address."""

    @property
    def address(self) -> Address:
        """Account address."""

    @property
    def scheme(self) -> tx_pb2.Scheme:
        """Tag of the signature scheme."""

    @property
    def public_key(self) -> bytes:
        """What Tx.public_key carries: empty for secp256k1."""

    def sign_digest(self, digest: bytes) -> bytes:
        """Signature of a 32-byte digest."""


class Secp256k1Signer:
    """Signs as an Ethereum account does: 65 bytes r, s, v with low s and v in {0, 1}."""

    __slots__ = ("_key", "address")

    def __init__(self, secret: bytes) -> None:
        """Take a 32-byte secret key; raises ValueError when it is not one."""
        self._key = coincurve.PrivateKey(secret)
        self.address = address_of(self.verification_key)

    def __repr__(self) -> str:
        """Show the address only."""
        return f"Secp256k1Signer({self.address})"

    @property
    def scheme(self) -> tx_pb2.Scheme:
        """SCHEME_SECP256K1."""
        return tx_pb2.SCHEME_SECP256K1

    @property
    def public_key(self) -> bytes:
        """Empty: the key is recovered from the signature."""
        return b""

    @property
    def verification_key(self) -> bytes:
        """33-byte compressed key."""
        return self._key.public_key.format(compressed=True)

    def sign_digest(self, digest: bytes) -> bytes:
        """65-byte recoverable signature (RFC 6979 nonce)."""
        return self._key.sign_recoverable(digest, hasher=None)

    def sign_typed_data(self, digest: bytes) -> bytes:
        """The same for an EIP-712 digest, v in {27, 28} as Ethereum's tools and clients in the field expect."""
        signature = self.sign_digest(digest)
        return signature[:64] + bytes([signature[64] + 27])


class Ed25519Signer:
    """Signs for services, enclaves and validators."""

    __slots__ = ("_key", "address")

    def __init__(self, seed: bytes) -> None:
        """Take a 32-byte seed."""
        self._key = nacl.signing.SigningKey(seed)
        self.address = ed25519_address(self.public_key)

    def __repr__(self) -> str:
        """Show the address only."""
        return f"Ed25519Signer({self.address})"

    @property
    def scheme(self) -> tx_pb2.Scheme:
        """SCHEME_ED25519."""
        return tx_pb2.SCHEME_ED25519

    @property
    def public_key(self) -> bytes:
        """32-byte key."""
        return bytes(self._key.verify_key)

    def sign_digest(self, digest: bytes) -> bytes:
        """64-byte signature (RFC 8032)."""
        return self._key.sign(digest).signature


@lru_cache(maxsize=_REMEMBERED_KEYS)
def address_of(verification_key: bytes) -> Address:
    """Ethereum address of a 33- or 65-byte secp256k1 key; SignatureError when it is not a point."""
    try:
        point = coincurve.PublicKey(verification_key).format(compressed=False)
    except ValueError as error:
        raise SignatureError("not a secp256k1 public key") from error
    return Address(keccak256(point[1:])[-20:])


def is_verification_key(key: bytes) -> bool:
    """Whether these are 33 bytes of a compressed point on secp256k1."""
    if len(key) != VERIFICATION_KEY_BYTES:
        return False
    try:
        address_of(key)
    except SignatureError:
        return False
    return True


def is_ed25519_key(key: bytes) -> bool:
    """Whether these are 32 bytes of a canonical ed25519 point of prime order, as every honest key is."""
    return len(key) == ED25519_KEY_BYTES and nacl.bindings.crypto_core_ed25519_is_valid_point(key)


def ed25519_address(public_key: bytes) -> Address:
    """Last 20 bytes of SHA3-256(separator, key)."""
    return Address(sha3_256(_ED25519_ADDRESS_SEPARATOR + public_key)[-20:])


@lru_cache(maxsize=_REMEMBERED_SIGNATURES)
def recover_address(digest: bytes, signature: bytes) -> Address:
    """Address that signed; v may be 0, 1, 27 or 28; high s is refused.

    Raises:
        SignatureError: wrong length, v, r, s, or no such point.
    """
    if len(signature) != SECP256K1_SIGNATURE_BYTES:
        raise SignatureError("a recoverable signature has 65 bytes")
    recovery = signature[64] - 27 if signature[64] >= 27 else signature[64]
    if recovery not in (0, 1):
        raise SignatureError("the recovery byte is not 0, 1, 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureError("the signature's s is high: not canonical")
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([recovery]), digest, hasher=None
        )
    except Exception as error:  # coincurve raises bare Exception where libsecp256k1 refuses
        raise SignatureError("no key gives this signature") from error
    return Address(keccak256(key.format(compressed=False)[1:])[-20:])


def recover_addresses(signed: Sequence[tuple[bytes, bytes]]) -> list[Address | None]:
    """`recover_address` of many (digest, signature) at once, on all cores; None where it would raise."""
    return [
        None if found is None else Address(found) for found in tkms_kernel.recover_addresses(signed)
    ]


def verify_ed25519(public_key: bytes, digest: bytes, signature: bytes) -> None:
    """One rule for consensus: libsodium's (canonical s, no small-order key), key encoding canonical too.

    Raises:
        SignatureError: anything else.
    """
    if len(public_key) != ED25519_KEY_BYTES or len(signature) != ED25519_SIGNATURE_BYTES:
        raise SignatureError("an ed25519 key has 32 bytes and a signature 64")
    if int.from_bytes(public_key, "little") % 2**255 >= _ED25519_PRIME:
        raise SignatureError("the ed25519 key is not canonically encoded")
    try:
        nacl.signing.VerifyKey(public_key).verify(digest, signature)
    except (nacl.exceptions.BadSignatureError, ValueError, RuntimeError) as error:
        raise SignatureError("the ed25519 signature does not verify") from error
