"""Signatures recovered together agree with signatures recovered one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.chain import account
from wire.ids import Address
from wire.signing import SignatureError, recover_address, recover_addresses

HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


def one(digest: bytes, signature: bytes) -> Address | None:
    """The single form, None where it raises."""
    try:
        return recover_address(digest, signature)
    except SignatureError:
        return None


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=32, max_size=32),
            st.sampled_from(["alice", "bob"]),
            st.integers(0, 64),
            st.integers(0, 255),
        ),
        max_size=8,
    )
)
def test_together_as_one_by_one(cases: list[tuple[bytes, str, int, int]]) -> None:
    """Also where a byte of the signature was changed: the same signer, or nobody."""
    signed = []
    for digest, name, position, value in cases:
        signature = bytearray(account(name).sign_digest(digest))
        signed.append((digest, bytes(signature)))
        signature[position] = value
        signed.append((digest, bytes(signature)))
    assert recover_addresses(signed) == [one(*pair) for pair in signed]


@pytest.mark.parametrize("version", [0, 1, 2, 3, 26, 27, 28, 29, 255])
def test_versions(version: int) -> None:
    """0, 1, 27 and 28 only."""
    digest = bytes(31) + b"\x05"
    signature = account("alice").sign_digest(digest)[:64] + bytes([version])
    assert recover_addresses([(digest, signature)]) == [one(digest, signature)]
    assert (one(digest, signature) is None) == (version not in {0, 1, 27, 28})


def test_high_s_is_nobody() -> None:
    """At half the order still somebody's, above it nobody's (EIP-2)."""
    digest, r = bytes(31) + b"\x06", account("alice").sign_digest(bytes(32))[:32]
    for s in (HALF_ORDER, HALF_ORDER + 1):
        signature = r + s.to_bytes(32, "big") + b"\x00"
        assert recover_addresses([(digest, signature)]) == [one(digest, signature)]
        assert (one(digest, signature) is None) == (s > HALF_ORDER)


def test_wrong_lengths_are_nobody() -> None:
    """Where the single form raises."""
    signature = account("alice").sign_digest(bytes(32))
    cases = [(bytes(32), signature[:64]), (bytes(32), b""), (bytes(32), signature + b"\x00")]
    assert recover_addresses(cases) == [None] * 3
    assert recover_addresses([]) == []
