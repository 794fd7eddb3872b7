"""What a user or an adversary can make of shares: the arithmetic of a client, for tests."""

from collections.abc import Mapping

import tkms_kernel as kernel

from wire.digests import keccak256
from wire.eip712 import linker_digest, user_decryption_digest
from wire.fhe import FheType
from wire.payload import parse_payload, unwrap_user_key
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.signing import address_of, recover_address

RING_BITS = 128


def blocks_of(fhe_type: int) -> int:
    """Squashed blocks of a type: four plaintext bits each."""
    return -(-FheType(fhe_type).bits // 4)


def open_answer(
    entry: asc_pb2.LogEntry, fulfil: asc_pb2.Fulfil, payload: bytes, decapsulation_key: bytes
) -> list[bytes]:
    """Verify one party's answer as a user does; its share of each ciphertext."""
    handles = [ciphertext.handle for ciphertext in entry.ciphertexts]
    answer = parse_payload(payload)
    digest = user_decryption_digest(
        entry.domain, entry.user_public_key, handles, keccak256(payload)
    )
    assert recover_address(digest, fulfil.signature) == address_of(answer.verification_key)
    link = linker_digest(entry.domain, entry.user_public_key, handles, entry.user)
    assert answer.link == link
    assert (answer.party, answer.degree) == (fulfil.party, entry.threshold)
    shares = []
    for sealed, ciphertext in zip(answer.shares, entry.ciphertexts, strict=True):
        assert sealed.handle == ciphertext.handle
        vector, fhe_type = kernel.open_signcryption(
            sealed.signcrypted,
            link,
            entry.user,
            unwrap_user_key(entry.user_public_key),
            decapsulation_key,
            answer.verification_key,
        )
        assert fhe_type == ciphertext.fhe_type == sealed.fhe_type
        assert int.from_bytes(vector[:8], "little") * 64 == len(vector) - 8
        shares.append(vector[8:])
    return shares


def combine(
    parties: int, threshold: int, fhe_type: int, shares: Mapping[int, bytes], max_errors: int
) -> tuple[int, list[int]]:
    """Value and liars from shares by party.

    Raises
    ------
    tkms_kernel.KernelError
        Too many errors, or nothing that is a plaintext.
    """
    opened, liars = kernel.decode_shares(
        RING_BITS, parties, threshold, sorted(shares.items()), max_errors
    )
    blocks = kernel.round_squashed(opened, blocks_of(fhe_type), parties, threshold)
    return kernel.plaintext_from_blocks(blocks, fhe_type), liars


def combine_ordinary(
    parties: int, threshold: int, fhe_type: int, shares: Mapping[int, bytes], max_errors: int
) -> tuple[int, list[int]]:
    """As `combine`, for shares of an ordinary ciphertext: two message bits a block, no noise."""
    opened, liars = kernel.decode_shares(
        RING_BITS, parties, threshold, sorted(shares.items()), max_errors
    )
    count = kernel.ordinary_blocks(fhe_type)
    blocks = kernel.round_squashed(opened, count, parties, threshold)
    return kernel.plaintext_from_ordinary_blocks(blocks, fhe_type), liars
