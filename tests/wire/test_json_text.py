"""Nested text is refused before the parser descends, whatever the recursion limit."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.json_text import MAX_DEPTH, parse_json

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_VALUES, st.booleans())
def test_is_json(value: object, ascii_only: bool) -> None:
    """Every value comes back, from text and from bytes."""
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert parse_json(text) == value
    if ascii_only:
        assert parse_json(text.encode()) == value


@pytest.mark.parametrize("start", ["[", '{"a":', '["]",', '["\\"]",'])
def test_deep_text_is_refused(start: str) -> None:
    """With the limit that a library sets, the parser itself would end the process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 100_000))
    try:
        with pytest.raises(ValueError, match="nested"):
            parse_json(start * 100_000)
    finally:
        sys.setrecursionlimit(before)


def test_depth_is_a_bound() -> None:
    """As deep as allowed, brackets in strings not counted, and one more."""
    assert parse_json("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert parse_json('"' + "[" * 1000 + '"') == "[" * 1000
    with pytest.raises(ValueError, match="nested"):
        parse_json("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    for bad in (b"", b"\xff\xfe\xff", b'"', b"{]"):
        with pytest.raises(ValueError, match=r".*"):
            parse_json(bad)
