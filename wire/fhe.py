"""Types and formats of ciphertexts, numbered as tfhe and the clients in the field number them."""

from __future__ import annotations

from enum import IntEnum


class FheType(IntEnum):
    """Plaintext type of a ciphertext."""

    EBOOL = 0
    EUINT4 = 1
    EUINT8 = 2
    EUINT16 = 3
    EUINT32 = 4
    EUINT64 = 5
    EUINT128 = 6
    EUINT160 = 7
    EUINT256 = 8

    @property
    def bits(self) -> int:
        """Width of the plaintext in bits."""
        return _BITS[self]

    @property
    def blocks(self) -> int:
        """Number of 2-bit blocks that carry it; a bool fills half of one."""
        return (self.bits + 1) // 2

    @property
    def label(self) -> str:
        """Name as people write it, for example euint8."""
        return self.name.lower()

    @classmethod
    def parse(cls, text: str) -> FheType:
        """Read a label; raises ValueError naming the known ones."""
        try:
            return cls[text.upper()]
        except KeyError:
            known = ", ".join(member.label for member in cls)
            raise ValueError(f"{text!r} is not a type; known types: {known}") from None


_BITS = {
    FheType.EBOOL: 1,
    FheType.EUINT4: 4,
    FheType.EUINT8: 8,
    FheType.EUINT16: 16,
    FheType.EUINT32: 32,
    FheType.EUINT64: 64,
    FheType.EUINT128: 128,
    FheType.EUINT160: 160,
    FheType.EUINT256: 256,
}


class Format(IntEnum):
    """Serialised form of a ciphertext; `BIG_*` are squashed to 128 bit already."""

    SMALL_COMPRESSED = 0
    SMALL_EXPANDED = 1
    BIG_COMPRESSED = 2
    BIG_EXPANDED = 3

    @property
    def squashed(self) -> bool:
        """Whether a core can decrypt it without switching to 128 bit first."""
        return self in (Format.BIG_COMPRESSED, Format.BIG_EXPANDED)


def pool_blocks(fhe_type: int, form: int) -> int:
    """Blocks of the preprocessing pool that decrypting such a ciphertext consumes: none where it is squashed."""
    return 0 if Format(form).squashed else FheType(fhe_type).blocks


def plaintext_bytes(fhe_type: FheType) -> int:
    """Bytes of the little-endian plaintext: bool and euint4 take one."""
    return max(1, (fhe_type.bits + 7) // 8)
