"""Sealing for one recipient and one purpose."""

import pytest

from core.isolation.sealing import PUBLIC_KEY_BYTES, SealError, SealingKey, seal

KEY = SealingKey(bytes(range(32)))


def test_what_is_sealed_opens_for_its_key_and_purpose_only() -> None:
    """Another key, another purpose and every changed byte are told."""
    sealed = seal(KEY.public, b"secret", b"purpose")
    assert KEY.open(sealed, b"purpose") == b"secret"
    assert seal(KEY.public, b"secret", b"purpose") != sealed
    with pytest.raises(SealError, match="another key or purpose"):
        KEY.open(sealed, b"other")
    with pytest.raises(SealError):
        SealingKey(bytes(32)).open(sealed, b"purpose")
    for position in (0, 1087, 1088, 1120, len(sealed) - 1):
        altered = bytearray(sealed)
        altered[position] ^= 1
        with pytest.raises(SealError):
            KEY.open(bytes(altered), b"purpose")
    for cut in (b"", sealed[:100], sealed[:-1]):
        with pytest.raises(SealError):
            KEY.open(cut, b"purpose")


def test_keys_follow_from_their_seed() -> None:
    """The same seed is the same key; nothing of it is shown."""
    assert SealingKey(bytes(range(32))).public == KEY.public
    assert len(KEY.public) == PUBLIC_KEY_BYTES
    assert repr(KEY) == "SealingKey(...)"
    with pytest.raises(SealError, match="32 bytes"):
        SealingKey(b"short")


@pytest.mark.parametrize("public", [b"", bytes(PUBLIC_KEY_BYTES - 1), b"\xff" * PUBLIC_KEY_BYTES])
def test_what_is_no_public_key_is_refused(public: bytes) -> None:
    """Lengths and values that no key has."""
    with pytest.raises(SealError):
        seal(public, b"secret", b"purpose")


def test_both_key_agreements_count() -> None:
    """Half of the right key opens nothing: a recipient that is one part of another cannot read."""
    other = SealingKey(bytes(32))
    for public in (
        KEY.public[:1184] + other.public[1184:],
        other.public[:1184] + KEY.public[1184:],
    ):
        sealed = seal(public, b"secret", b"purpose")
        for key in (KEY, other):
            with pytest.raises(SealError):
                key.open(sealed, b"purpose")
