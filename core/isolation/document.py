"""Attestation documents of AWS Nitro enclaves as values: COSE_Sign1 (RFC 9052) around a CBOR map.

Only the form is checked here; `attestation` decides whether it proves anything. Bounds are those
that AWS publishes for the document, so that whatever passes is small.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.isolation import cbor
from core.isolation.errors import AttestationError, Denial

MAX_DOCUMENT_BYTES = 16 * 1024
MAX_USER_DATA_BYTES = 512
MAX_NONCE_BYTES = 512
MAX_PUBLIC_KEY_BYTES = 1024
MEASUREMENT_BYTES = 48
SIGNATURE_BYTES = 96

_MAX_CERTIFICATE_BYTES = 1024
_MAX_AUTHORITIES = 8
_MAX_REGISTERS = 32
_MAX_MODULE_NAME = 256
_DIGEST = "SHA384"
# COSE: label 1 is the algorithm, -35 is ECDSA with SHA-384 on P-384.
_ALGORITHM, _ES384 = 1, -35
_FIELDS = frozenset({"module_id", "digest", "timestamp", "pcrs", "certificate", "cabundle"})
_OPTIONAL = frozenset({"public_key", "user_data", "nonce"})


@dataclass(frozen=True, slots=True)
class Document:
    """Claims of a document, not yet believed."""

    module: str
    # Milliseconds since 1970, by the security module's clock.
    timestamp_ms: int
    # Register number to measurement.
    registers: Mapping[int, bytes]
    # DER; the authorities go from the root to the leaf's issuer.
    certificate: bytes = field(repr=False)
    authorities: tuple[bytes, ...] = field(repr=False)
    public_key: bytes
    user_data: bytes
    nonce: bytes
    # What the leaf certificate's key signed, and the signature as r || s.
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


def parse(data: bytes) -> Document:
    """A well-formed document.

    Raises
    ------
    AttestationError
        MALFORMED or ALGORITHM.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise _malformed("too long")
    parts = _decoded(data)
    if not isinstance(parts, list) or len(parts) != 4:
        raise _malformed("not a COSE_Sign1 array")
    protected, unprotected, payload, signature = parts
    if not isinstance(protected, bytes) or unprotected != {}:
        raise _malformed("headers")
    if _decoded(protected) != {_ALGORITHM: _ES384}:
        raise AttestationError(Denial.ALGORITHM, "only ES384 without further headers")
    payload = _bytes("payload", payload, MAX_DOCUMENT_BYTES)
    if len(_bytes("signature", signature, SIGNATURE_BYTES)) != SIGNATURE_BYTES:
        raise _malformed("signature")
    claims = _decoded(payload)
    if not isinstance(claims, dict) or not _FIELDS <= set(claims) <= _FIELDS | _OPTIONAL:
        raise _malformed("missing or unknown claims")
    return _document(claims, signed_bytes(protected, payload), signature)


def signed_bytes(protected: bytes, payload: bytes) -> bytes:
    """Sig_structure of COSE_Sign1 without external data."""
    return cbor.encode(["Signature1", protected, b"", payload])


def protected_header() -> bytes:
    """The one accepted protected header."""
    return cbor.encode({_ALGORITHM: _ES384})


def _document(claims: Mapping[int | str, cbor.Value], signed: bytes, signature: bytes) -> Document:
    module, timestamp, authorities = claims["module_id"], claims["timestamp"], claims["cabundle"]
    if claims["digest"] != _DIGEST:
        raise AttestationError(Denial.ALGORITHM, "measurements are SHA384")
    if not isinstance(module, str) or not 0 < len(module) <= _MAX_MODULE_NAME:
        raise _malformed("module_id")
    if isinstance(timestamp, bool) or not isinstance(timestamp, int) or timestamp <= 0:
        raise _malformed("timestamp")
    if not isinstance(authorities, list) or not 0 < len(authorities) <= _MAX_AUTHORITIES:
        raise _malformed("cabundle")
    return Document(
        module=module,
        timestamp_ms=timestamp,
        registers=_registers(claims["pcrs"]),
        certificate=_certificate(claims["certificate"]),
        authorities=tuple(_certificate(authority) for authority in authorities),
        public_key=_optional(claims, "public_key", MAX_PUBLIC_KEY_BYTES),
        user_data=_optional(claims, "user_data", MAX_USER_DATA_BYTES),
        nonce=_optional(claims, "nonce", MAX_NONCE_BYTES),
        signed=signed,
        signature=signature,
    )


def _registers(value: cbor.Value) -> dict[int, bytes]:
    if not isinstance(value, dict) or not 0 < len(value) <= _MAX_REGISTERS:
        raise _malformed("pcrs")
    found: dict[int, bytes] = {}
    for number, measurement in value.items():
        if not isinstance(number, int) or not 0 <= number < _MAX_REGISTERS:
            raise _malformed("number of a register")
        if not isinstance(measurement, bytes) or len(measurement) != MEASUREMENT_BYTES:
            raise _malformed("length of a measurement")
        found[number] = measurement
    return found


def _certificate(value: cbor.Value) -> bytes:
    found = _bytes("certificate", value, _MAX_CERTIFICATE_BYTES)
    if not found:
        raise _malformed("certificate")
    return found


def _optional(claims: Mapping[int | str, cbor.Value], name: str, limit: int) -> bytes:
    """A claim that may be missing or null; both are the empty string here."""
    value = claims.get(name)
    return b"" if value is None else _bytes(name, value, limit)


def _bytes(name: str, value: cbor.Value, limit: int) -> bytes:
    if not isinstance(value, bytes) or len(value) > limit:
        raise _malformed(name)
    return value


def _decoded(data: bytes) -> cbor.Value:
    try:
        return cbor.decode(data)
    except cbor.CborError as error:
        raise _malformed(str(error)) from error


def _malformed(detail: str) -> AttestationError:
    return AttestationError(Denial.MALFORMED, detail)
