"""The search box: everything that a text may name, and texts that are meant badly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.explorer.search import MAX_QUERY_CHARACTERS, SearchRefused, parse

ID = "0123456789abcdef0123456789abcdef01234567"
DIGEST = ID + "89abcdef0123456789abcdef"
ACCOUNT = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


@pytest.mark.parametrize("text", ["17", " 17 ", "#17", "\u200b17\n", '"17"'])
def test_heights(text: str) -> None:
    """As people copy them."""
    assert parse(text).height == 17


def test_heights_as_people_write_them() -> None:
    """With separators, and never beyond what a height can be."""
    assert parse("#1,234,567").height == 1_234_567
    assert parse("9" * 19).height is None
    assert parse(str(2**63 - 1)).height == 2**63 - 1
    assert parse("\u0661\u0662").height is None


@pytest.mark.parametrize("text", [DIGEST, "0x" + DIGEST, DIGEST.upper(), "0X" + DIGEST.upper()])
def test_digests(text: str) -> None:
    """Blocks, transactions and handles, in any case, with or without a prefix."""
    assert parse(text).digest == bytes.fromhex(DIGEST)
    assert parse(text).identifier is None


@pytest.mark.parametrize("text", [ID, "0x" + ID, ID.upper()])
def test_identifiers(text: str) -> None:
    """Accounts, requests, keys, reference strings, preprocessings."""
    found = parse(text)
    assert (found.identifier, found.digest, found.note) == (bytes.fromhex(ID), None, "")


def test_a_mistyped_address_is_said() -> None:
    """The checksum is of use, but an id may look like a wrong address."""
    assert parse(ACCOUNT).note == ""
    wrong = parse(ACCOUNT.replace("5aA", "5Aa"))
    assert "checksum" in wrong.note
    assert wrong.identifier is not None


def test_one_text_names_several_things() -> None:
    """A number is a block and may be an application."""
    found = parse("42")
    assert (found.height, found.application) == (42, "42")
    digits = parse("1" * 40)
    assert digits.identifier == bytes.fromhex("11" * 20)
    assert digits.application == "1" * 40
    assert digits.height is None


def test_applications() -> None:
    """As the chain names them."""
    assert parse("Shop.v2").application == "shop.v2"
    assert parse("-shop").application is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "'; DROP TABLE blocks; --",
        "<script>alert(1)</script>",
        "../../etc/passwd",
        "\0",
        "%00",
        "a" * 65,
        "{{7*7}}",
        "\ud800",
    ],
)
def test_hostile_texts_name_nothing(text: str) -> None:
    """Whatever is typed."""
    assert parse(text).empty


def test_long_texts_are_refused() -> None:
    """Before anything reads them."""
    assert parse("a" * MAX_QUERY_CHARACTERS).empty
    with pytest.raises(SearchRefused):
        parse("a" * 1_000_000)


@given(st.text(max_size=MAX_QUERY_CHARACTERS))
def test_any_text_is_read(text: str) -> None:
    """Nothing else is raised, and what is found is in bounds."""
    found = parse(text)
    assert found.height is None or 0 <= found.height < 2**63
    assert found.digest is None or len(found.digest) == 32
    assert found.identifier is None or len(found.identifier) == 20
