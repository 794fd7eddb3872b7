"""EIP-712 digests against eth-account's independent encoder."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data

from wire import eip712
from wire.digests import keccak256
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.signing import recover_address

DOMAIN = isc_pb2.Domain(
    name="Decryption", version="1", chain_id=8006, verifying_contract=b"\x11" * 20
)
HANDLES = [bytes([index]) * 32 for index in (1, 2)]
KEY = b"k" * 869


def oracle(primary: str, types: dict[str, list[tuple[str, str]]], message: dict[str, Any]) -> bytes:
    """Digest by eth-account."""
    full = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
        }
        | {
            name: [{"name": field, "type": kind} for kind, field in fields]
            for name, fields in types.items()
        },
        "primaryType": primary,
        "domain": {
            "name": DOMAIN.name,
            "version": DOMAIN.version,
            "chainId": DOMAIN.chain_id,
            "verifyingContract": "0x" + "11" * 20,
        },
        "message": message,
    }
    return bytes(_hash_eip191_message(encode_typed_data(full_message=full)))


def test_public_decryption() -> None:
    """PublicDecryptVerification."""
    fields = [("bytes32[]", "ctHandles"), ("bytes", "decryptedResult"), ("bytes", "extraData")]
    result = eip712.encode_plaintexts([(0, 1), (5, 77)])
    expected = oracle(
        "PublicDecryptVerification",
        {"PublicDecryptVerification": fields},
        {"ctHandles": HANDLES, "decryptedResult": result, "extraData": b""},
    )
    assert eip712.public_decryption_digest(DOMAIN, HANDLES, result) == expected


def test_user_decryption_and_linker() -> None:
    """UserDecryptResponseVerification and UserDecryptionLinker."""
    fields = [
        ("bytes", "publicKey"),
        ("bytes32[]", "ctHandles"),
        ("bytes", "userDecryptedShare"),
        ("bytes", "extraData"),
    ]
    expected = oracle(
        "UserDecryptResponseVerification",
        {"UserDecryptResponseVerification": fields},
        {"publicKey": KEY, "ctHandles": HANDLES, "userDecryptedShare": b"share", "extraData": b""},
    )
    assert eip712.user_decryption_digest(DOMAIN, KEY, HANDLES, keccak256(b"share")) == expected
    linker = oracle(
        "UserDecryptionLinker",
        {
            "UserDecryptionLinker": [
                ("bytes", "publicKey"),
                ("bytes32[]", "handles"),
                ("address", "userAddress"),
            ]
        },
        {"publicKey": KEY, "handles": HANDLES, "userAddress": "0x" + "22" * 20},
    )
    assert eip712.linker_digest(DOMAIN, KEY, HANDLES, b"\x22" * 20) == linker


def test_generation() -> None:
    """KeygenVerification with its nested struct array, and CrsgenVerification."""
    expected = oracle(
        "KeygenVerification",
        {
            "KeygenVerification": [
                ("uint256", "prepKeygenId"),
                ("uint256", "keyId"),
                ("KeyDigest[]", "keyDigests"),
                ("bytes", "extraData"),
            ],
            "KeyDigest": [("uint8", "keyType"), ("bytes", "digest")],
        },
        {
            "prepKeygenId": 0,
            "keyId": int.from_bytes(b"\x05" * 20, "big"),
            "keyDigests": [
                {"keyType": 1, "digest": b"p" * 32},
                {"keyType": 0, "digest": b"s" * 32},
            ],
            "extraData": b"",
        },
    )
    digests = [("public-key", b"p" * 32), ("server-key", b"s" * 32)]
    assert eip712.keygen_digest(DOMAIN, b"\x05" * 20, digests) == expected
    crs = oracle(
        "CrsgenVerification",
        {
            "CrsgenVerification": [
                ("uint256", "crsId"),
                ("uint256", "maxBitLength"),
                ("bytes", "crsDigest"),
                ("bytes", "extraData"),
            ]
        },
        {
            "crsId": int.from_bytes(b"\x06" * 20, "big"),
            "maxBitLength": 2048,
            "crsDigest": b"c" * 32,
            "extraData": b"",
        },
    )
    assert eip712.crs_digest(DOMAIN, b"\x06" * 20, 2048, b"c" * 32) == crs


def test_a_wallet_signs_what_the_chain_checks() -> None:
    """eth-account signs the typed data; the digest recovers its address; every field is bound."""
    account = Account.from_key(b"\x03" * 32)
    arguments = (DOMAIN, KEY, HANDLES, "demo", "chain", 77)
    signature = account.sign_typed_data(full_message=eip712.authorization_message(*arguments))
    digest = eip712.authorization_digest(*arguments)
    assert str(recover_address(digest, bytes(signature.signature))) == account.address
    other_domain = isc_pb2.Domain(name="x", version="1", verifying_contract=b"\x11" * 20)
    variants = [
        (other_domain, KEY, HANDLES, "demo", "chain", 77),
        (DOMAIN, KEY[1:], HANDLES, "demo", "chain", 77),
        (DOMAIN, KEY, HANDLES[::-1], "demo", "chain", 77),
        (DOMAIN, KEY, HANDLES, "other", "chain", 77),
        (DOMAIN, KEY, HANDLES, "demo", "other", 77),
        (DOMAIN, KEY, HANDLES, "demo", "chain", 78),
    ]
    digests = {eip712.authorization_digest(*variant) for variant in variants}
    assert len(digests | {digest}) == len(variants) + 1


def test_plaintexts() -> None:
    """One word a value; values must fit their type in both directions."""
    encoded = eip712.encode_plaintexts([(0, 1), (8, 2**256 - 1)])
    assert eip712.decode_plaintexts(encoded, [0, 8]) == [1, 2**256 - 1]
    with pytest.raises(ValueError, match="fit"):
        eip712.encode_plaintexts([(0, 2)])
    with pytest.raises(ValueError, match="fit"):
        eip712.decode_plaintexts(encoded, [8, 2])
    with pytest.raises(ValueError, match="word"):
        eip712.decode_plaintexts(encoded, [8])
