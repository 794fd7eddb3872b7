"""The reader of certificates against a library, and against damaged bytes."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from core.certificates import generate, to_der
from tests.support.certificates import certificate
from wire.x509 import CertificateError, parse_certificate

CORE = to_der(generate("party-1")[1])


@pytest.mark.parametrize("der", [certificate("party-1"), CORE], ids=["ed25519", "core"])
def test_reads_what_the_library_reads(der: bytes) -> None:
    """Names, key and DNS name of the certificates that cores make."""
    expected = x509.load_der_x509_certificate(der)
    found = parse_certificate(der)
    assert found.subject == expected.subject.public_bytes()
    assert found.issuer == expected.issuer.public_bytes()
    assert found.public_key_info == expected.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert found.dns_names == (b"party-1",)


@pytest.mark.parametrize("cut", range(1, 40))
def test_short_bytes_are_refused(cut: int) -> None:
    """However much is missing."""
    with pytest.raises(CertificateError):
        parse_certificate(CORE[:-cut])
    with pytest.raises(CertificateError):
        parse_certificate(CORE[:cut])


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"\x30\x00",
        CORE + b"\x00",
        # Indefinite length, a length that is not minimal, a long tag.
        b"\x30\x80" + CORE[4:],
        b"\x30\x83\x00" + CORE[2:],
        b"\x3f" + CORE[1:],
        # Version 1 instead of 3.
        CORE.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x00"),
    ],
)
def test_what_is_not_der_of_version_3_is_refused(der: bytes) -> None:
    """One encoding, one version."""
    with pytest.raises(CertificateError):
        parse_certificate(der)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_an_answer(data: bytes) -> None:
    """CertificateError or a certificate, never another exception."""
    try:
        parse_certificate(data)
    except CertificateError:
        return


@given(st.integers(0, len(CORE) - 1), st.integers(0, 255))
def test_changed_bytes_end_in_an_answer(place: int, value: int) -> None:
    """So do certificates with one byte replaced."""
    changed = bytearray(CORE)
    changed[place] = value
    try:
        parse_certificate(bytes(changed))
    except CertificateError:
        return
