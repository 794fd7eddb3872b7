"""Response payload of a user decryption, byte for byte as clients in the field read it.

Little-endian bincode in its legacy form: vectors are a u64 length and the bytes. Layout:
vec verification_key, vec link, u64 count, count times {i32 fhe_type, vec signcrypted, vec handle, u32 packing_factor},
u32 party_id, u32 degree. verification_key itself is wrapped twice: u64 33 and the compressed SEC1 key.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from wire.limits import USER_PUBLIC_KEY_BYTES, VERIFICATION_KEY_BYTES

ENCAPSULATION_KEY_BYTES = 800
_LINK_BYTES = 32
_MAX_VECTOR_BYTES = 1 << 20
_MAX_CIPHERTEXTS = 256


def _vector(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


# What `safe_serialize` writes before the 800 bytes of an ML-KEM-512 encapsulation key: format and type versions.
USER_PUBLIC_KEY_HEADER = (
    _vector(b"0.5")
    + struct.pack("<I", 0)
    + _vector(b"0.1")
    + _vector(b"UnifiedPublicEncKey")
    + struct.pack("<II", 0, 0)
    + struct.pack("<Q", ENCAPSULATION_KEY_BYTES)
)


class PayloadError(ValueError):
    """Bytes that are not a payload or key of this layout."""


@dataclass(frozen=True, slots=True)
class SigncryptedShare:
    """One ciphertext's share for the user."""

    fhe_type: int
    signcrypted: bytes
    handle: bytes
    packing_factor: int


@dataclass(frozen=True, slots=True)
class UserPayload:
    """One party's response."""

    verification_key: bytes
    link: bytes
    shares: tuple[SigncryptedShare, ...]
    party: int
    degree: int


def wrap_user_key(encapsulation_key: bytes) -> bytes:
    """869 bytes as clients send them."""
    if len(encapsulation_key) != ENCAPSULATION_KEY_BYTES:
        raise PayloadError("an ML-KEM-512 encapsulation key has 800 bytes")
    return USER_PUBLIC_KEY_HEADER + encapsulation_key


def unwrap_user_key(user_public_key: bytes) -> bytes:
    """The 800 bytes inside; PayloadError on any other header or length."""
    if len(user_public_key) != USER_PUBLIC_KEY_BYTES:
        raise PayloadError("a user's public key has 869 bytes")
    if not user_public_key.startswith(USER_PUBLIC_KEY_HEADER):
        raise PayloadError("the user's public key has another header")
    return user_public_key[len(USER_PUBLIC_KEY_HEADER) :]


def build_payload(payload: UserPayload) -> bytes:
    """Serialise; the result is what the party signs (keccak-256 of it) and the user parses."""
    parts = [
        _vector(_vector(payload.verification_key)),
        _vector(payload.link),
        struct.pack("<Q", len(payload.shares)),
    ]
    for share in payload.shares:
        parts += [
            struct.pack("<i", share.fhe_type),
            _vector(share.signcrypted),
            _vector(share.handle),
            struct.pack("<I", share.packing_factor),
        ]
    parts.append(struct.pack("<II", payload.party, payload.degree))
    return b"".join(parts)


class _Reader:
    """Bounded reader: every length is checked before it is used."""

    __slots__ = ("_data", "_offset")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def take(self, length: int) -> bytes:
        end = self._offset + length
        if length < 0 or end > len(self._data):
            raise PayloadError("the payload is truncated")
        piece = self._data[self._offset : end]
        self._offset = end
        return piece

    def number(self, form: str) -> int:
        return int(struct.unpack(form, self.take(struct.calcsize(form)))[0])

    def vector(self) -> bytes:
        length = self.number("<Q")
        if length > _MAX_VECTOR_BYTES:
            raise PayloadError("a vector is too long")
        return self.take(length)

    def finish(self) -> None:
        if self._offset != len(self._data):
            raise PayloadError("bytes follow the payload")


def parse_payload(data: bytes) -> UserPayload:
    """Parse untrusted bytes strictly.

    Raises:
        PayloadError: anything that `build_payload` would not have written.
    """
    reader = _Reader(data)
    wrapped_key = _Reader(reader.vector())
    verification_key = wrapped_key.vector()
    wrapped_key.finish()
    link = reader.vector()
    if len(verification_key) != VERIFICATION_KEY_BYTES or len(link) != _LINK_BYTES:
        raise PayloadError("key or link has a wrong length")
    count = reader.number("<Q")
    if count > _MAX_CIPHERTEXTS:
        raise PayloadError("too many ciphertexts")
    shares = tuple(
        SigncryptedShare(
            fhe_type=reader.number("<i"),
            signcrypted=reader.vector(),
            handle=reader.vector(),
            packing_factor=reader.number("<I"),
        )
        for _ in range(count)
    )
    party, degree = reader.number("<I"), reader.number("<I")
    reader.finish()
    return UserPayload(verification_key, link, shares, party, degree)
