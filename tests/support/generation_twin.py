"""Slow, readable twin of key generation, in the clear: masks, encryptions, and what noise is left.

Masks are AES-128 in counter mode, as tfhe makes them: the key is the seed, block i is i, all little
endian. Everything else follows the formulas of eprint 2025/699.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from wire.digests import sha3_256

PARTS = ("public-key", "check", "key-switch", "casting", "bootstrap", "squashing", "packing")


def mask_words(part: str, seed: bytes, bits: int, first: int, count: int) -> list[int]:
    """Words `first`..`first` + `count` of the masks of a part."""
    domain = b"tkms/generation/mask/v1" + bytes([PARTS.index(part)])
    key = sha3_256(domain + seed)[:16]
    size = bits // 8
    start, end = first * size // 16, -(-(first + count) * size // 16)
    blocks = b"".join(number.to_bytes(16, "little") for number in range(start, end))
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - counters
    stream = encryptor.update(blocks)[first * size - 16 * start :]
    return words(stream[: count * size], bits)


def words(data: bytes, bits: int) -> list[int]:
    """Little-endian words."""
    size = bits // 8
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]


def signed(word: int, bits: int) -> int:
    """Representative in [-2^(bits - 1), 2^(bits - 1))."""
    return (word + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)


def phase(body: int, mask: Sequence[int], key: Sequence[int], bits: int) -> int:
    """What an encryption of one word hides: b - <a, s> of its words."""
    inner = sum(word for word, bit in zip(mask, key, strict=True) if bit)
    return (body - inner) % 2**bits


def ring_phases(
    bodies: Sequence[int], mask: Sequence[int], key: Sequence[int], bits: int
) -> list[int]:
    """B - sum of A_u S_u mod X^N + 1 of an encryption of a polynomial."""
    size = len(bodies)
    result = list(bodies)
    for start in range(0, len(mask), size):
        polynomial = mask[start : start + size]
        for power, bit in enumerate(key[start : start + size]):
            if bit:
                for index, word in enumerate(polynomial):
                    place = index + power
                    if place < size:
                        result[place] -= word
                    else:
                        result[place - size] += word
    return [value % 2**bits for value in result]


def gadget(bits: int, base_log: int, level: int) -> int:
    """Q / base^level."""
    return 2 ** (bits - base_log * level)
