"""A certificate authority and a device of our own that make documents like those of a real enclave.

For tests, rehearsals and machines without enclaves. It is worth nothing until an operator puts the root's
fingerprint into a policy, and everything that then trusts it says DEVELOPMENT ROOT.
"""

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import NameOID

from core.isolation import cbor
from core.isolation.document import (
    MEASUREMENT_BYTES,
    SIGNATURE_BYTES,
    protected_header,
    signed_bytes,
)
from core.isolation.errors import DeviceError

ROOT_NAME = "tkms development attestation"
_CURVE = ec.SECP384R1
_ROOT_LIFETIME = dt.timedelta(days=3650)
# Nitro's leaf certificates live for three hours.
_LEAF_LIFETIME = dt.timedelta(hours=3)
_KEY_FILE, _ROOT_FILE = "root-key.pem", "root.pem"


@dataclass(frozen=True, slots=True)
class Authority:
    """One certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    @property
    def der(self) -> bytes:
        """DER of the certificate."""
        return self.certificate.public_bytes(serialization.Encoding.DER)


@dataclass(frozen=True, slots=True)
class Device:
    """Makes documents for one image; the same face as the real device."""

    root: Authority
    registers: Mapping[int, bytes]
    now: Callable[[], dt.datetime]

    def attest(self, *, public_key: bytes, user_data: bytes, nonce: bytes) -> bytes:
        """A signed document with these three values in it."""
        now = self.now()
        intermediate = issue("intermediate", self.root, now, authority=True)
        leaf = issue("i-development", intermediate, now)
        registers: dict[int | str, cbor.Value] = {}
        registers.update(self.registers.items())
        claims: dict[int | str, cbor.Value] = {
            "module_id": "i-development",
            "digest": "SHA384",
            "timestamp": int(now.timestamp() * 1000),
            "pcrs": registers,
            "certificate": leaf.der,
            "cabundle": [self.root.der, intermediate.der],
            "public_key": public_key,
            "user_data": user_data,
            "nonce": nonce,
        }
        return sign(claims, leaf.key)


def sign(claims: Mapping[int | str, cbor.Value], key: ec.EllipticCurvePrivateKey) -> bytes:
    """COSE_Sign1 around claims."""
    payload = cbor.encode(dict(claims))
    protected = protected_header()
    der = key.sign(signed_bytes(protected, payload), ec.ECDSA(hashes.SHA384()))
    half = SIGNATURE_BYTES // 2
    signature = b"".join(n.to_bytes(half, "big") for n in utils.decode_dss_signature(der))
    return cbor.encode([protected, {}, payload, signature])


def make_root(now: dt.datetime) -> Authority:
    """A new self-signed root."""
    return issue(ROOT_NAME, None, now, authority=True, lifetime=_ROOT_LIFETIME)


def issue(
    name: str,
    issuer: Authority | None,
    now: dt.datetime,
    *,
    authority: bool = False,
    path_length: int | None = None,
    lifetime: dt.timedelta = _LEAF_LIFETIME,
) -> Authority:
    """A certificate for a new key, signed by the issuer or by itself."""
    key = ec.generate_private_key(_CURVE())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, secrets.token_hex(8)),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + lifetime)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
        .add_extension(_usage(authority=authority), critical=True)
    )
    signing_key = issuer.key if issuer else key
    return Authority(builder.sign(signing_key, hashes.SHA384()), key)


def create(folder: Path, now: dt.datetime) -> Authority:
    """Make a root and keep it in an existing folder."""
    root = make_root(now)
    private = root.key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / _KEY_FILE).touch(mode=0o600)
    (folder / _KEY_FILE).write_bytes(private)
    (folder / _ROOT_FILE).write_bytes(root.certificate.public_bytes(serialization.Encoding.PEM))
    return root


def load(folder: Path) -> Authority:
    """The root that `create` made.

    Raises
    ------
    DeviceError
        There is none.
    """
    try:
        key = serialization.load_pem_private_key((folder / _KEY_FILE).read_bytes(), None)
        certificate = x509.load_pem_x509_certificate((folder / _ROOT_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise DeviceError(f"{folder}: no development root") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DeviceError(f"{folder}: not a development root")
    return Authority(certificate, key)


def registers_of(image: bytes) -> dict[int, bytes]:
    """Registers 0 to 15 of an image, as an enclave that measures `image` alone would have them."""
    digest = hashes.Hash(hashes.SHA384())
    digest.update(image)
    measurement = digest.finalize()
    return {n: measurement if n < 3 else bytes(MEASUREMENT_BYTES) for n in range(16)}


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=authority,
        encipher_only=False,
        decipher_only=False,
    )
