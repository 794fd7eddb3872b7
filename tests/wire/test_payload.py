"""The response payload of user decryption: strict, bounded, byte-exact."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.payload import (
    USER_PUBLIC_KEY_HEADER,
    PayloadError,
    SigncryptedShare,
    UserPayload,
    build_payload,
    parse_payload,
    unwrap_user_key,
    wrap_user_key,
)

SHARES = st.builds(
    SigncryptedShare,
    fhe_type=st.integers(0, 8),
    signcrypted=st.binary(max_size=60),
    handle=st.binary(max_size=32),
    packing_factor=st.integers(1, 2),
)
PAYLOADS = st.builds(
    UserPayload,
    verification_key=st.binary(min_size=33, max_size=33),
    link=st.binary(min_size=32, max_size=32),
    shares=st.lists(SHARES, max_size=4).map(tuple),
    party=st.integers(1, 15),
    degree=st.integers(0, 4),
)


@given(PAYLOADS)
def test_round_trip(payload: UserPayload) -> None:
    """Parsing gives back what was built."""
    assert parse_payload(build_payload(payload)) == payload


@given(PAYLOADS, st.data())
def test_truncation_and_trailing_bytes_are_refused(
    payload: UserPayload, data: st.DataObject
) -> None:
    """Every proper prefix and every extension is refused."""
    raw = build_payload(payload)
    with pytest.raises(PayloadError):
        parse_payload(raw[: data.draw(st.integers(0, len(raw) - 1))])
    with pytest.raises(PayloadError):
        parse_payload(raw + b"\0")


@given(st.binary(max_size=300))
def test_random_bytes_never_crash(raw: bytes) -> None:
    """Only PayloadError leaves; what parses builds to the same bytes."""
    try:
        payload = parse_payload(raw)
    except PayloadError:
        return
    assert build_payload(payload) == raw


def test_user_key_header() -> None:
    """69 bytes of header; any other header or length is refused."""
    assert len(USER_PUBLIC_KEY_HEADER) == 69
    wrapped = wrap_user_key(b"e" * 800)
    assert len(wrapped) == 869
    assert unwrap_user_key(wrapped) == b"e" * 800
    for bad in (wrapped[:-1], b"\x01" + wrapped[1:], b""):
        with pytest.raises(PayloadError):
            unwrap_user_key(bad)
