"""Ciphertexts that are none, and how a network ends requests for them."""

import tkms_kernel as kernel

from tests.localnet.world import describe
from wire.digests import sha256
from wire.fhe import FheType, Format
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.isc.v1 import isc_pb2

MALFORMED = asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED
NOISE = asc_pb2.FAILURE_CODE_NOISE_OUT_OF_RANGE

# Where a compressed squashed euint8 of `test` parameters has its 64-bit lengths, and its words.
_LENGTHS = (0, 15, 26, 115, 8500)
_WORDS = range(123, 123 + 514 * 16)


def nonsense(good: bytes, key_id: bytes) -> dict[str, tuple[bytes, isc_pb2.Ciphertext, int]]:
    """Bytes, their registration and the failure of their public decryption."""
    bad = {
        "one byte": b"\0",
        "garbage": kernel.shake256(b"garbage", len(good)),
        "zeros": bytes(len(good)),
        "all ones": b"\xff" * len(good),
        "half": good[: len(good) // 2],
        "without the last byte": good[:-1],
        "with one byte more": good + b"\0",
        "twice": good + good,
        "no words": good[: _WORDS.start],
        "bit of the version": flipped(good, 9),
        "bit of the name": flipped(good, 40),
        "bit of the type": flipped(good, 8358),
    }
    for start in _LENGTHS:
        for length in (2**31, 2**60, 2**64 - 1):
            end = start + 8
            bad[f"length {length} at {start}"] = (
                good[:start] + length.to_bytes(8, "little") + good[end:]
            )
    entries = {name: (data, describe(data, key_id), MALFORMED) for name, data in bad.items()}
    for number in (Format.SMALL_COMPRESSED, Format.SMALL_EXPANDED, Format.BIG_EXPANDED):
        entries[f"format {number}"] = (good, describe(good, key_id, number=number), MALFORMED)
    for fhe_type in (FheType.EBOOL, FheType.EUINT16, FheType.EUINT256):
        entries[f"type {fhe_type}"] = (good, describe(good, key_id, fhe_type), MALFORMED)
    longer = describe(good, key_id)
    longer.handle, longer.size = sha256(b"longer"), longer.size + 1
    entries["shorter than registered"] = (good, longer, MALFORMED)
    words = kernel.shake256(b"words", len(_WORDS))
    for name, data in {
        "random words": good[: _WORDS.start] + words + good[_WORDS.stop :],
        "another key": of_another_key(),
    }.items():
        entries[name] = (data, describe(data, key_id), NOISE)
    return entries


def flipped(data: bytes, position: int) -> bytes:
    """One bit of one byte changed."""
    return data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :]


def of_another_key() -> bytes:
    """A well-formed ciphertext that no share of the chain's key opens."""
    client = kernel.ClientKey.generate("test", sha256(b"another key"))
    server = kernel.ServerKey.load(client.server_key())
    fhe_type = int(FheType.EUINT8)
    return bytes(server.squash(client.encrypt(fhe_type, 77), fhe_type, compressed=True))
