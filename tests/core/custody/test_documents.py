"""Documents that people hand to each other: one form, one signer, one kind."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.custody.custodian import Custodian
from core.custody.documents import (
    Answer,
    Context,
    Material,
    Request,
    Setup,
    read_context,
    read_request,
    read_setup,
    sign_context,
)
from core.custody.errors import DocumentError
from tests.support.core_network import signing_secret
from wire.signing import Secp256k1Signer

CUSTODIANS = [Custodian(bytes([n]) * 32) for n in range(1, 4)]
SETUPS = tuple(custodian.setup(f"c{n}") for n, custodian in enumerate(CUSTODIANS))
SIGNER = Secp256k1Signer(signing_secret(1))
CONTEXT = Context(
    backup_id=b"i" * 32,
    chain_id="made-1",
    party=1,
    operator_key=SIGNER.verification_key,
    backup_key=b"k" * 1216,
    threshold=1,
    made_ms=1,
    setups=SETUPS,
    commitments=(b"1" * 32, b"2" * 32, b"3" * 32),
    shares=(b"1", b"2", b"3"),
)
REQUEST = Request(b"i" * 32, b"c" * 32, "restore", b"r" * 1216, 5)


def test_documents_come_back() -> None:
    """Whole objects, by their own readers."""
    assert read_setup(SETUPS[0]) == Setup.read(SETUPS[0])[0]
    assert read_context(sign_context(CONTEXT, SIGNER)) == CONTEXT
    assert read_request(REQUEST.text()) == REQUEST
    assert len(REQUEST.code()) == 19


def test_another_form_of_the_same_is_refused() -> None:
    """Spaces, order, capitals, more keys, another kind."""
    good = SETUPS[0]
    envelope = json.loads(good)
    reordered = json.dumps(dict(reversed(envelope.items())), separators=(",", ":")).encode()
    for bad in (
        good[:-1],
        good + b"\n",
        good.replace(b",", b", ", 1),
        reordered + b"\n",
        good.replace(b'"kind":"setup"', b'"kind":"answer"'),
        good.replace(b'{"body"', b'{"a":1,"body"'),
        good.replace(b'"name":"c0"', b'"name":0'),
        b"",
        b"[]",
        b"{" * 100_000,
        b" " * 300_000,
    ):
        with pytest.raises(DocumentError):
            read_setup(bad)


def test_a_changed_document_is_not_signed() -> None:
    """Every field of a setup and of a context counts."""
    setup, signature = Setup.read(SETUPS[0])
    for changed in (
        dataclasses.replace(setup, name="other"),
        dataclasses.replace(setup, sealing_key=b"x" * 1216),
        dataclasses.replace(setup, verification_key=CUSTODIANS[1].verification_key),
        dataclasses.replace(setup, verification_key=b"short"),
    ):
        with pytest.raises(DocumentError, match="not signed by its custodian"):
            read_setup(changed.text(signature))
    signature = SIGNER.sign_digest(CONTEXT.digest())
    other = Secp256k1Signer(signing_secret(2))
    for changed in (
        dataclasses.replace(CONTEXT, threshold=0),
        dataclasses.replace(CONTEXT, party=2),
        dataclasses.replace(CONTEXT, backup_key=b"x" * 1216),
        dataclasses.replace(CONTEXT, shares=(b"1", b"2", b"4")),
        dataclasses.replace(CONTEXT, operator_key=other.verification_key),
        dataclasses.replace(CONTEXT, operator_key=b"none"),
    ):
        with pytest.raises(DocumentError, match="not signed by its operator"):
            read_context(changed.text(signature))
    with pytest.raises(DocumentError, match="not signed by its operator"):
        read_context(CONTEXT.text(b"\1" * 64))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"threshold": 0}, "threshold"),
        ({"threshold": 2}, "threshold"),
        ({"setups": (*SETUPS[:2], SETUPS[0])}, "custodian twice"),
        ({"setups": SETUPS[:2]}, "do not match"),
        ({"commitments": (b"1" * 32,) * 2}, "do not match"),
        ({"shares": (b"1",) * 4}, "do not match"),
        ({"setups": (*SETUPS[:2], b"nonsense")}, "not a setup"),
    ],
)
def test_an_operator_cannot_sign_nonsense(changed: dict[str, object], message: str) -> None:
    """A context that is signed well and not whole."""
    with pytest.raises(DocumentError, match=message):
        read_context(sign_context(dataclasses.replace(CONTEXT, **changed), SIGNER))


def test_requests_have_one_of_two_purposes() -> None:
    """A custodian sees what it answers."""
    with pytest.raises(DocumentError, match="restores or rehearses"):
        read_request(dataclasses.replace(REQUEST, purpose="curiosity").text())


def test_the_code_tells_requests_apart() -> None:
    """Every field of a request is in what the voices compare."""
    codes = {
        dataclasses.replace(REQUEST, **changed).code()
        for changed in (
            {},
            {"backup_id": b"j" * 32},
            {"context": b"d" * 32},
            {"purpose": "rehearsal"},
            {"recipient": b"s" * 1216},
            {"made_ms": 6},
        )
    }
    assert len(codes) == 6


@given(st.sampled_from([Setup, Context, Material, Request, Answer]), st.binary(max_size=300))
def test_any_bytes_are_refused_as_such(kind: type[Setup], data: bytes) -> None:
    """No other exception, whatever comes."""
    with pytest.raises(DocumentError):
        kind.read(data)


def test_secrets_are_not_shown() -> None:
    """Shares stay out of what is printed or logged."""
    assert "shares" not in repr(CONTEXT)
    material = Material(b"i", "c", 1, b"o", 1, b"v", b"very secret share")
    assert "very secret" not in repr(material)
    assert repr(CUSTODIANS[0]) == f"Custodian({CUSTODIANS[0].verification_key.hex()})"
