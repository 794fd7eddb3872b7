"""Slow second opinion on signcryption: ML-KEM-512 (FIPS 203) in plain Python, the rest by libraries.

Not constant-time and without randomness checks: an oracle for tests, never for use.
"""

from __future__ import annotations

import hashlib
import os
import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Q = 3329
N = 256
K = 2
ETA1, ETA2 = 3, 2
DU, DV = 10, 4
POLYNOMIAL = 384
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
CURVE = ec.SECP256K1()

Polynomial = list[int]


def reversed_bits(value: int) -> int:
    """Seven bits in the other order."""
    return int(f"{value:07b}"[::-1], 2)


ZETAS = [pow(17, reversed_bits(i), Q) for i in range(128)]
GAMMAS = [pow(17, 2 * reversed_bits(i) + 1, Q) for i in range(128)]


def ntt(poly: Polynomial) -> Polynomial:
    """Number theoretic transform (FIPS 203 algorithm 9)."""
    out, index, length = list(poly), 1, 128
    while length >= 2:
        for start in range(0, N, 2 * length):
            zeta, index = ZETAS[index], index + 1
            for j in range(start, start + length):
                term = zeta * out[j + length] % Q
                out[j], out[j + length] = (out[j] + term) % Q, (out[j] - term) % Q
        length //= 2
    return out


def inverse_ntt(poly: Polynomial) -> Polynomial:
    """Inverse transform (FIPS 203 algorithm 10)."""
    out, index, length = list(poly), 127, 2
    while length <= 128:
        for start in range(0, N, 2 * length):
            zeta, index = ZETAS[index], index - 1
            for j in range(start, start + length):
                low, high = out[j], out[j + length]
                out[j], out[j + length] = (low + high) % Q, zeta * (high - low) % Q
        length *= 2
    return [value * 3303 % Q for value in out]


def multiply(left: Polynomial, right: Polynomial) -> Polynomial:
    """Product of two transformed polynomials (algorithm 11)."""
    out = []
    for i, gamma in enumerate(GAMMAS):
        a, b, c, d = left[2 * i], left[2 * i + 1], right[2 * i], right[2 * i + 1]
        out += [(a * c + b * d * gamma) % Q, (a * d + b * c) % Q]
    return out


def add(left: Polynomial, right: Polynomial) -> Polynomial:
    """Sum of polynomials."""
    return [(a + b) % Q for a, b in zip(left, right, strict=True)]


def subtract(left: Polynomial, right: Polynomial) -> Polynomial:
    """Difference of polynomials."""
    return [(a - b) % Q for a, b in zip(left, right, strict=True)]


def dot(left: list[Polynomial], right: list[Polynomial]) -> Polynomial:
    """Inner product of transformed vectors."""
    total = [0] * N
    for a, b in zip(left, right, strict=True):
        total = add(total, multiply(a, b))
    return total


def uniform(seed: bytes) -> Polynomial:
    """Uniform polynomial by rejection (algorithm 7)."""
    stream, position = hashlib.shake_128(seed).digest(3 * 1024), 0
    out: Polynomial = []
    while len(out) < N:
        a, b, c = stream[position : position + 3]
        position += 3
        out += [value for value in (a + 256 * (b % 16), b // 16 + 16 * c) if value < Q]
    return out[:N]


def small(seed: bytes, counter: int, eta: int) -> Polynomial:
    """Centred binomial polynomial (algorithm 8)."""
    stream = hashlib.shake_256(seed + bytes([counter])).digest(64 * eta)
    bits = int.from_bytes(stream, "little")
    mask = (1 << eta) - 1
    out = []
    for i in range(N):
        pair = bits >> 2 * eta * i
        out.append(((pair & mask).bit_count() - (pair >> eta & mask).bit_count()) % Q)
    return out


def encode(poly: Polynomial, width: int) -> bytes:
    """Pack coefficients of ``width`` bits."""
    total = sum(value << width * i for i, value in enumerate(poly))
    return total.to_bytes(32 * width, "little")


def decode(data: bytes, width: int) -> Polynomial:
    """Unpack coefficients of ``width`` bits."""
    total = int.from_bytes(data, "little")
    return [total >> width * i & (1 << width) - 1 for i in range(N)]


def compress(poly: Polynomial, width: int) -> Polynomial:
    """Round to ``width`` bits."""
    return [((value << width) * 2 + Q) // (2 * Q) % (1 << width) for value in poly]


def decompress(poly: Polynomial, width: int) -> Polynomial:
    """Undo the rounding."""
    return [(value * Q * 2 + (1 << width)) >> width + 1 for value in poly]


def split(data: bytes, size: int) -> list[bytes]:
    """Pieces of equal size."""
    return [data[i : i + size] for i in range(0, len(data), size)]


def matrix(rho: bytes) -> list[list[Polynomial]]:
    """The public matrix, row by row."""
    return [[uniform(rho + bytes([column, row])) for column in range(K)] for row in range(K)]


def generate(seed: bytes) -> tuple[bytes, bytes]:
    """Key pair from d and z (algorithms 13 and 16)."""
    d, z = seed[:32], seed[32:]
    expanded = hashlib.sha3_512(d + bytes([K])).digest()
    rho, sigma = expanded[:32], expanded[32:]
    secret = [ntt(small(sigma, i, ETA1)) for i in range(K)]
    error = [ntt(small(sigma, K + i, ETA1)) for i in range(K)]
    public = [add(dot(row, secret), error[i]) for i, row in enumerate(matrix(rho))]
    public_key = b"".join(encode(poly, 12) for poly in public) + rho
    secret_key = b"".join(encode(poly, 12) for poly in secret)
    return public_key, secret_key + public_key + hashlib.sha3_256(public_key).digest() + z


def encrypt(public_key: bytes, message: bytes, coins: bytes) -> bytes:
    """K-PKE encryption (algorithm 14)."""
    public = [decode(part, 12) for part in split(public_key[: K * POLYNOMIAL], POLYNOMIAL)]
    rows = matrix(public_key[K * POLYNOMIAL :])
    blind = [ntt(small(coins, i, ETA1)) for i in range(K)]
    first = [
        add(inverse_ntt(dot([rows[j][i] for j in range(K)], blind)), small(coins, K + i, ETA2))
        for i in range(K)
    ]
    noise = small(coins, 2 * K, ETA2)
    second = add(add(inverse_ntt(dot(public, blind)), noise), decompress(decode(message, 1), 1))
    packed = [encode(compress(poly, DU), DU) for poly in first]
    return b"".join(packed) + encode(compress(second, DV), DV)


def decrypt(secret_key: bytes, ciphertext: bytes) -> bytes:
    """K-PKE decryption (algorithm 15)."""
    cut = 32 * DU * K
    first = [ntt(decompress(decode(part, DU), DU)) for part in split(ciphertext[:cut], 32 * DU)]
    second = decompress(decode(ciphertext[cut:], DV), DV)
    secret = [decode(part, 12) for part in split(secret_key, POLYNOMIAL)]
    return encode(compress(subtract(second, inverse_ntt(dot(secret, first))), 1), 1)


def encapsulate(public_key: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Ciphertext and shared secret (algorithm 17)."""
    both = hashlib.sha3_512(message + hashlib.sha3_256(public_key).digest()).digest()
    return encrypt(public_key, message, both[32:]), both[:32]


def decapsulate(decapsulation_key: bytes, ciphertext: bytes) -> bytes:
    """Shared secret, or a pseudorandom one for a wrong ciphertext (algorithm 18)."""
    cut = K * POLYNOMIAL
    secret_key, rest = decapsulation_key[:cut], decapsulation_key[cut:]
    public_key, digest, z = rest[: cut + 32], rest[cut + 32 : cut + 64], rest[cut + 64 :]
    message = decrypt(secret_key, ciphertext)
    both = hashlib.sha3_512(message + digest).digest()
    if encrypt(public_key, message, both[32:]) == ciphertext:
        return both[:32]
    return hashlib.shake_256(z + ciphertext).digest(32)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Link, client address and encapsulation key of an answer."""

    link: bytes
    address: bytes
    public_key: bytes


def vec(data: bytes) -> bytes:
    """Legacy bincode byte string."""
    return struct.pack("<Q", len(data)) + data


def take(data: bytes) -> tuple[bytes, bytes]:
    """Split a legacy bincode byte string from the front."""
    (length,) = struct.unpack_from("<Q", data)
    return data[8 : 8 + length], data[8 + length :]


def key_digest(key: bytes) -> bytes:
    """Digest of a public key with its length."""
    return hashlib.shake_256(b"SIGNCRYP" + vec(key)).digest(32)


def public_bytes(signing_key: bytes) -> bytes:
    """Compressed SEC1 public key of a secp256k1 secret key."""
    private = ec.derive_private_key(int.from_bytes(signing_key, "big"), CURVE)
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def signcrypt(share: bytes, fhe_type: int, envelope: Envelope, signing_key: bytes) -> bytes:
    """Make a ciphertext of format 1."""
    message = vec(share) + struct.pack("<i", fhe_type) + vec(envelope.link)
    signed = b"USER_DEC" + message + envelope.address + key_digest(envelope.public_key)
    private = ec.derive_private_key(int.from_bytes(signing_key, "big"), CURVE)
    r, s = utils.decode_dss_signature(private.sign(signed, ec.ECDSA(hashes.SHA256())))
    signature = r.to_bytes(32, "big") + min(s, ORDER - s).to_bytes(32, "big")
    return seal(message + signature + key_digest(public_bytes(signing_key)), envelope.public_key)


def seal(inner: bytes, public_key: bytes) -> bytes:
    """Encrypt the signed message."""
    kem, secret = encapsulate(public_key, os.urandom(32))
    nonce = os.urandom(12)
    return nonce + vec(kem) + vec(AESGCM(secret).encrypt(nonce, inner, None))


def unseal(ciphertext: bytes, decapsulation_key: bytes) -> bytes | None:
    """Decrypt to the signed message; None if the ciphertext was altered."""
    kem, rest = take(ciphertext[12:])
    sealed, rest = take(rest)
    try:
        secret = decapsulate(decapsulation_key, kem)
        return AESGCM(secret).decrypt(ciphertext[:12], sealed, None)
    except InvalidTag:
        return None


def unsigncrypt(
    ciphertext: bytes, envelope: Envelope, decapsulation_key: bytes, verification_key: bytes
) -> tuple[bytes, int] | None:
    """Share and FHE type, or None if anything is wrong."""
    inner = unseal(ciphertext, decapsulation_key)
    if inner is None or inner[-32:] != key_digest(verification_key):
        return None
    message, signature = inner[:-96], inner[-96:-32]
    signed = b"USER_DEC" + message + envelope.address + key_digest(envelope.public_key)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    public = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, verification_key)
    try:
        public.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return None
    share, rest = take(message)
    link, _ = take(rest[4:])
    return (share, *struct.unpack("<i", rest[:4])) if link == envelope.link else None
