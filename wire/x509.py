"""The few facts about a certificate that the chain checks, read from its DER bytes.

Consensus must not depend on how strict some version of a TLS library is, so this is a reader of its own: definite
and minimal lengths, no trailing bytes, X.509 v3 in the order of RFC 5280. It verifies no signature: certificates of
peers are self-signed and pinned by their bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_INTEGER: Final = 0x02
_BIT_STRING: Final = 0x03
_OCTET_STRING: Final = 0x04
_OBJECT_IDENTIFIER: Final = 0x06
_SEQUENCE: Final = 0x30
_VERSION: Final = 0xA0
_UNIQUE_IDS: Final = (0x81, 0x82)
_EXTENSIONS: Final = 0xA3
_DNS_NAME: Final = 0x82
# Version 3 is written as 2.
_VERSION_3: Final = b"\x02\x01\x02"
# 2.5.29.17
_SUBJECT_ALTERNATIVE_NAME: Final = b"\x06\x03\x55\x1d\x11"


class CertificateError(ValueError):
    """Bytes that are not the DER of a certificate a peer could use."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """Parts of a certificate, each as its DER bytes."""

    issuer: bytes
    subject: bytes
    public_key_info: bytes
    dns_names: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Element:
    tag: int
    # Tag, length and content.
    encoded: bytes
    content: bytes


def parse_certificate(der: bytes) -> Certificate:
    """Read one certificate.

    Raises:
        CertificateError: not DER of X.509 v3, or trailing bytes.
    """
    outer = _elements(_only(der, _SEQUENCE).content)
    if [element.tag for element in outer] != [_SEQUENCE, _SEQUENCE, _BIT_STRING]:
        raise CertificateError("not a signed certificate")
    signed, algorithm, _ = outer
    fields = _elements(signed.content)
    # RFC 5280, 4.1: version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo.
    tags = [_VERSION, _INTEGER, *[_SEQUENCE] * 5]
    if [element.tag for element in fields[: len(tags)]] != tags:
        raise CertificateError("the fields of the certificate are not those of X.509 v3")
    version, _, inner_algorithm, issuer, _, subject, public_key_info = fields[: len(tags)]
    if version.content != _VERSION_3:
        raise CertificateError("the certificate is not of X.509 version 3")
    if inner_algorithm.encoded != algorithm.encoded:
        raise CertificateError("the certificate names two signature algorithms")
    names = _dns_names(fields[len(tags) :])
    return Certificate(issuer.encoded, subject.encoded, public_key_info.encoded, names)


def _dns_names(rest: list[_Element]) -> tuple[bytes, ...]:
    names: list[bytes] = []
    for element in rest:
        if element.tag in _UNIQUE_IDS:
            continue
        if element.tag != _EXTENSIONS:
            raise CertificateError("unknown field behind the public key")
        for extension in _elements(_only(element.content, _SEQUENCE).content):
            names += _dns_names_of_extension(extension)
    return tuple(names)


def _dns_names_of_extension(extension: _Element) -> list[bytes]:
    """Extension ::= SEQUENCE { extnID, critical DEFAULT FALSE, extnValue OCTET STRING }."""
    parts = _elements(extension.content)
    if extension.tag != _SEQUENCE or len(parts) < 2 or parts[0].tag != _OBJECT_IDENTIFIER:
        raise CertificateError("malformed extension")
    if parts[0].encoded != _SUBJECT_ALTERNATIVE_NAME:
        return []
    if parts[-1].tag != _OCTET_STRING:
        raise CertificateError("malformed extension")
    general_names = _elements(_only(parts[-1].content, _SEQUENCE).content)
    return [name.content for name in general_names if name.tag == _DNS_NAME]


def _only(data: bytes, tag: int) -> _Element:
    """The one element that fills `data`."""
    element, rest = _read(data)
    if element.tag != tag or rest:
        raise CertificateError("unexpected element or trailing bytes")
    return element


def _elements(data: bytes) -> list[_Element]:
    found: list[_Element] = []
    while data:
        element, data = _read(data)
        found.append(element)
    return found


def _read(data: bytes) -> tuple[_Element, bytes]:
    """First element and what follows it."""
    if len(data) < 2:
        raise CertificateError("the bytes end early")
    tag, first = data[0], data[1]
    # Numbers above 30 are not used in certificates.
    if tag & 0x1F == 0x1F:
        raise CertificateError("unknown kind of tag")
    start, length = 2, first
    if first & 0x80:
        count = first & 0x7F
        digits = data[2 : 2 + count]
        start, length = 2 + count, int.from_bytes(digits, "big")
        # Minimal: no leading zero, and the short form where it would do; 0x80 is the indefinite form.
        if not 0 < count <= 4 or len(digits) != count or digits[0] == 0 or length < 0x80:
            raise CertificateError("a length is not in DER")
    end = start + length
    if end > len(data):
        raise CertificateError("the bytes end early")
    return _Element(tag, data[:end], data[start:end]), data[end:]
