"""CBOR as attestation documents use it: one encoding a value, nothing else accepted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.isolation.cbor import CborError, decode, encode

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**64), 2**64 - 1)
    | st.binary(max_size=300)
    | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.integers(-300, 300) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(VALUES)
def test_values_come_back(value: object) -> None:
    """Decoding inverts encoding."""
    assert decode(encode(value)) == value


@given(st.binary(max_size=200))
def test_whatever_decodes_has_this_encoding_only(data: bytes) -> None:
    """Any bytes are refused, or are exactly what we would write."""
    try:
        value = decode(data)
    except CborError:
        return
    assert encode(value) == data


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("00", 0),
        ("17", 23),
        ("1818", 24),
        ("1903e8", 1000),
        ("1b000000e8d4a51000", 10**12),
        ("1bffffffffffffffff", 2**64 - 1),
        ("3bffffffffffffffff", -(2**64)),
        ("3863", -100),
        ("f4", False),
        ("f5", True),
        ("f6", None),
        ("4401020304", b"\1\2\3\4"),
        ("62c3bc", "\u00fc"),
        ("8301820203820405", [1, [2, 3], [4, 5]]),
        ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ],
)
def test_examples_of_the_standard(text: str, value: object) -> None:
    """RFC 8949, appendix A."""
    assert decode(bytes.fromhex(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",  # nothing
        "0000",  # something behind
        "1817",  # 23 in two bytes
        "190018",  # 24 in three bytes
        "1a0000ffff",  # 65535 in five bytes
        "1b00000000ffffffff",  # 2**32 - 1 in nine bytes
        "1c",  # reserved
        "5f41014102ff",  # indefinite bytes
        "9f01ff",  # indefinite array
        "bf616101ff",  # indefinite map
        "c000",  # tag
        "f7",  # undefined
        "f0",  # unknown simple value
        "f814",  # false in two bytes
        "f90000",  # half float
        "fa00000000",  # float
        "5bffffffffffffffff",  # a length far beyond
        "9bffffffffffffffff00",  # as many items
        "bbffffffffffffffff00",
        "42ff",  # cut off
        "61ff",  # not UTF-8
        "a201010102",  # the same key twice
        "a1f500",  # a key that is true
        "a1410000",  # a key of bytes
        "81" * 10 + "00",  # deep
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    """Each as CborError, without recursion or allocation by the sender's will."""
    with pytest.raises(CborError):
        decode(bytes.fromhex(text))
