"""Self-signed certificates of peer endpoints: each is its own root and is pinned by its bytes."""

import datetime as dt
import hashlib
import secrets
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Certificates are pinned by SHA-256 in the epoch record; expiry would only add an outage.
_LIFETIME = dt.timedelta(days=3650)


def generate(name: str) -> tuple[bytes, bytes]:
    """A P-256 key and its self-signed certificate, both PEM; `name` becomes a DNS name."""
    key = ec.generate_private_key(ec.SECP256R1())
    # TLS libraries look roots up by subject: two certificates of one party must differ there.
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, name),
            x509.NameAttribute(NameOID.SERIAL_NUMBER, secrets.token_hex(16)),
        ]
    )
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


def to_der(pem: bytes) -> bytes:
    """DER of a PEM certificate: what epoch records hold."""
    return ssl.PEM_cert_to_DER_cert(pem.decode())


def to_pem(der: bytes) -> bytes:
    """PEM of a DER certificate."""
    return ssl.DER_cert_to_PEM_cert(der).encode()


def fingerprint(der: bytes) -> bytes:
    """SHA-256 of the certificate's DER."""
    return hashlib.sha256(der).digest()


def server_name(der: bytes) -> str:
    """First DNS name of a certificate, which the TLS handshake must ask for.

    Raises
    ------
    ValueError
        Not a certificate, or one without a DNS name.
    """
    certificate = x509.load_der_x509_certificate(der)
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound as error:
        raise ValueError("the certificate has no subject alternative name") from error
    names: list[str] = extension.value.get_values_for_type(x509.DNSName)
    if not names:
        raise ValueError("the certificate has no DNS name")
    return names[0]
