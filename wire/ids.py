"""Identifiers as distinct types: bytes are parsed once at the border and never raw again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NewType, Self

from wire.digests import keccak256, sha3_256, sha256

PartyId = NewType("PartyId", int)
Height = NewType("Height", int)

_REQUEST_SEPARATOR = b"tkms/request/v1"


@dataclass(frozen=True, slots=True, order=True)
class _Identifier:
    """Fixed number of bytes with one canonical text form."""

    value: bytes
    LENGTH: ClassVar[int] = 0
    PREFIX: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Refuse any other length."""
        if len(self.value) != self.LENGTH:
            raise ValueError(f"{type(self).__name__} has exactly {self.LENGTH} bytes")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the canonical text; a leading 0x is accepted.

        Raises:
            ValueError: the text is not hexadecimal of the right length.
        """
        digits = text.removeprefix("0x")
        if len(digits) != 2 * cls.LENGTH or digits.strip() != digits:
            raise ValueError(f"{cls.__name__} is {2 * cls.LENGTH} hexadecimal digits")
        return cls(bytes.fromhex(digits))

    @property
    def hex(self) -> str:
        """Lower-case hexadecimal with the type's prefix."""
        return self.PREFIX + self.value.hex()

    def __bytes__(self) -> bytes:
        """The raw bytes."""
        return self.value

    def __str__(self) -> str:
        """Canonical text."""
        return self.hex


@dataclass(frozen=True, slots=True, order=True)
class RequestId(_Identifier):
    """160-bit id of a request, 40 hexadecimal digits; see `request_id`."""

    LENGTH: ClassVar[int] = 20


@dataclass(frozen=True, slots=True, order=True)
class KeyId(_Identifier):
    """Id of a key or reference string: the id of the request that generated it."""

    LENGTH: ClassVar[int] = 20


@dataclass(frozen=True, slots=True, order=True)
class HandleId(_Identifier):
    """32-byte name that an application gives a ciphertext."""

    LENGTH: ClassVar[int] = 32
    PREFIX: ClassVar[str] = "0x"


@dataclass(frozen=True, slots=True, order=True)
class Digest32(_Identifier):
    """32-byte digest."""

    LENGTH: ClassVar[int] = 32


@dataclass(frozen=True, slots=True, order=True)
class Address(_Identifier):
    """20-byte account address, shown with the EIP-55 checksum."""

    LENGTH: ClassVar[int] = 20
    PREFIX: ClassVar[str] = "0x"

    @property
    def checksum(self) -> str:
        """EIP-55 text: a letter is upper case where the Keccak digit is 8 or more."""
        digits = self.value.hex()
        mask = keccak256(digits.encode()).hex()
        # Events show addresses, so this runs in every transaction: hexadecimal text sorts as its digits do.
        pairs = zip(digits, mask, strict=False)
        return "0x" + "".join([digit.upper() if hint > "7" else digit for digit, hint in pairs])

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read 40 hexadecimal digits; mixed case must carry a right checksum (EIP-55).

        Raises:
            ValueError: wrong length, digits or checksum.
        """
        digits = text.removeprefix("0x")
        if len(digits) != 2 * cls.LENGTH or digits.strip() != digits:
            raise ValueError("an address is 40 hexadecimal digits")
        address = cls(bytes.fromhex(digits))
        mixed = digits not in (digits.lower(), digits.upper())
        if mixed and address.checksum[2:] != digits:
            raise ValueError("the address's checksum is wrong (EIP-55): was it mistyped?")
        return address

    def __str__(self) -> str:
        """EIP-55 text."""
        return self.checksum


def request_id(chain_id: str, body: bytes, message_index: int) -> RequestId:
    """Id of the request that message `message_index` of a transaction body makes.

    First 20 bytes of SHA3-256(separator, length-prefixed chain id, SHA-256(body), u32 big-endian index):
    bound to content, unique even for repeated calls (the body holds a random nonce), known before sending.
    """
    chain = chain_id.encode()
    material = (
        _REQUEST_SEPARATOR
        + len(chain).to_bytes(4, "big")
        + chain
        + sha256(body)
        + message_index.to_bytes(4, "big")
    )
    return RequestId(sha3_256(material)[: RequestId.LENGTH])
