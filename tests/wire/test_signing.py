"""Signatures: canonical forms only, and both schemes give distinct addresses."""

from __future__ import annotations

import coincurve
import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from wire.ids import Address
from wire.signing import (
    Ed25519Signer,
    Secp256k1Signer,
    SignatureError,
    is_verification_key,
    recover_address,
    verify_ed25519,
)

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
DIGEST = b"\x07" * 32


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_recovered_address_is_the_ethereum_address(secret: bytes, digest: bytes) -> None:
    """Independent oracle: eth-account derives the same address."""
    if not 0 < int.from_bytes(secret, "big") < ORDER:
        return
    signer = Secp256k1Signer(secret)
    assert signer.address.checksum == Account.from_key(secret).address
    assert recover_address(digest, signer.sign_digest(digest)) == signer.address


def test_high_s_is_refused() -> None:
    """The malleated twin of a signature does not verify."""
    signature = Secp256k1Signer(b"\x01" * 32).sign_digest(DIGEST)
    s = ORDER - int.from_bytes(signature[32:64], "big")
    twin = signature[:32] + s.to_bytes(32, "big") + bytes([1 - signature[64]])
    with pytest.raises(SignatureError, match="high"):
        recover_address(DIGEST, twin)


@pytest.mark.parametrize("bad", [b"", b"\0" * 65, b"\xff" * 65, b"\x01" * 64 + b"\x04"])
def test_malformed_signatures_are_refused(bad: bytes) -> None:
    """No exception of a library leaves, only SignatureError."""
    with pytest.raises(SignatureError):
        recover_address(DIGEST, bad)


def test_ed25519_edge_vectors() -> None:
    """Non-canonical keys, small-order keys and s + order are refused: one rule on every node."""
    signer = Ed25519Signer(b"\x05" * 32)
    signature = signer.sign_digest(DIGEST)
    verify_ed25519(signer.public_key, DIGEST, signature)
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(signature[32:], "little") + order
    shifted = signature[:32] + s.to_bytes(32, "little")
    identity = (1).to_bytes(32, "little")
    non_canonical = (2**255 - 19 + 1).to_bytes(32, "little")
    for key, candidate in (
        (signer.public_key, shifted),
        (identity, b"\0" * 64),
        (identity, identity + b"\0" * 32),
        (non_canonical, identity + b"\0" * 32),
        (signer.public_key, signature[:-1]),
    ):
        with pytest.raises(SignatureError):
            verify_ed25519(key, DIGEST, candidate)


def test_verification_keys_are_points() -> None:
    """33 bytes that are no point on the curve are not a key."""
    assert is_verification_key(coincurve.PrivateKey(b"\x01" * 32).public_key.format())
    assert not is_verification_key(b"\x02" + b"\xff" * 32)
    assert not is_verification_key(b"\x02" * 20)


def test_secrets_do_not_show() -> None:
    """A signer's repr holds its address only."""
    assert repr(Secp256k1Signer(b"\x01" * 32)).count("01" * 8) == 0
    assert str(Secp256k1Signer(b"\x01" * 32).address) in repr(Secp256k1Signer(b"\x01" * 32))


def test_eip55() -> None:
    """Checksummed text round-trips; a mistyped one is refused (vector of EIP-55)."""
    text = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    assert Address.parse(text).checksum == text
    with pytest.raises(ValueError, match="checksum"):
        Address.parse(text.replace("aA", "AA"))
