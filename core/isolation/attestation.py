"""Whether an attestation document proves what a policy demands; decided offline, without any network.

Order of the checks: form, pinned root, chain at our time, signature, age, debug mode, measurements, then
nonce, public key and user data where the caller expects some. The first that fails is the reason.

Trust in a root is a fingerprint in the policy and nothing else: a development root passes exactly where an
operator wrote its fingerprint down, and no line here knows that there are two kinds of roots.
"""

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509 import verification

from core.isolation.document import Document, parse
from core.isolation.errors import AttestationError, Denial

AWS_NITRO_ROOT = bytes.fromhex("641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b")
"""SHA-256 of the DER of `aws.nitro-enclaves` G1, as AWS publishes it."""

# A document of the future is as suspect as an old one; clocks of two machines differ by less.
_MAX_AHEAD_MS = 60_000
_ZERO = bytes(48)
# Image, kernel with its start-up, application: these three say what runs.
_IMAGE_REGISTERS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class Policy:
    """What a document has to prove."""

    # SHA-256 fingerprints of root certificates that are trusted.
    roots: frozenset[bytes]
    # Register number to the measurements that are allowed there; register 0 is always named.
    measurements: Mapping[int, frozenset[bytes]]
    max_age_s: int = 300

    def __post_init__(self) -> None:
        """Refuse a policy that would let anything pass.

        Raises
        ------
        ValueError
            No root, no image, or a register without any allowed measurement.
        """
        if not self.roots or any(len(root) != 32 for root in self.roots):
            raise ValueError("a policy names at least one root by its 32-byte fingerprint")
        if 0 not in self.measurements or not all(self.measurements.values()):
            raise ValueError("a policy names the image (register 0), and a value for each register")
        if any(_ZERO in allowed for allowed in self.measurements.values()):
            raise ValueError("a measurement of zeros is that of a debugged enclave")
        if self.max_age_s < 1:
            raise ValueError("max_age_s starts at 1")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the caller knows about this one document; None where it takes whatever is there."""

    nonce: bytes | None = None
    public_key: bytes | None = None
    user_data: bytes | None = None


def verify(data: bytes, policy: Policy, expected: Expected, now_ms: int) -> Document:
    """The claims of a document that fulfils the policy.

    Raises
    ------
    AttestationError
        With the first thing that is wrong.
    """
    document = parse(data)
    leaf = _verify_chain(document, policy, now_ms)
    _verify_signature(document, leaf)
    age_ms = now_ms - document.timestamp_ms
    if not -_MAX_AHEAD_MS <= age_ms <= policy.max_age_s * 1000:
        raise AttestationError(Denial.STALE, f"made {age_ms} ms ago")
    _verify_measurements(document, policy)
    _verify_expected(document, expected)
    return document


def _verify_chain(document: Document, policy: Policy, now_ms: int) -> x509.Certificate:
    """The leaf certificate, proven by the authorities up to a pinned root."""
    root = document.authorities[0]
    if hashlib.sha256(root).digest() not in policy.roots:
        raise AttestationError(Denial.ROOT, "the root certificate is not a pinned one")
    try:
        anchor, *others = [x509.load_der_x509_certificate(der) for der in document.authorities]
        leaf = x509.load_der_x509_certificate(document.certificate)
        now = dt.datetime.fromtimestamp(now_ms / 1000, dt.UTC)
    except (ValueError, OverflowError) as error:
        raise AttestationError(Denial.CHAIN, "not a certificate") from error
    ca_policy, leaf_policy = _extension_policies()
    verifier = (
        verification.PolicyBuilder()
        .store(verification.Store([anchor]))
        .time(now)
        .max_chain_depth(len(document.authorities))
        .extension_policies(ca_policy=ca_policy, ee_policy=leaf_policy)
        .build_client_verifier()
    )
    try:
        verifier.verify(leaf, others)
    except verification.VerificationError as error:
        raise AttestationError(Denial.CHAIN, str(error)) from error
    return leaf


def _extension_policies() -> tuple[verification.ExtensionPolicy, verification.ExtensionPolicy]:
    """Rules for authorities and leaf: nobody may pass for an authority who is not made one.

    Not the rules of the public web: Nitro's authorities carry no names for servers.
    """
    any_form = verification.Criticality.AGNOSTIC
    permissive = verification.ExtensionPolicy.permit_all
    ca_policy = permissive().require_present(x509.BasicConstraints, any_form, _require_authority)
    ca_policy = ca_policy.require_present(x509.KeyUsage, any_form, _require_signs_certificates)
    leaf_policy = permissive().require_present(x509.BasicConstraints, any_form, _require_leaf)
    return ca_policy, leaf_policy.require_present(x509.KeyUsage, any_form, _require_signs)


def _require_authority(
    policy: object, certificate: x509.Certificate, extension: x509.BasicConstraints
) -> None:
    del policy, certificate
    if not extension.ca:
        raise ValueError("an authority that is none")


def _require_signs_certificates(
    policy: object, certificate: x509.Certificate, extension: x509.KeyUsage
) -> None:
    del policy, certificate
    if not extension.key_cert_sign:
        raise ValueError("an authority that may not sign certificates")


def _require_leaf(
    policy: object, certificate: x509.Certificate, extension: x509.BasicConstraints
) -> None:
    del policy, certificate
    if extension.ca:
        raise ValueError("an authority in the place of the leaf")


def _require_signs(policy: object, certificate: x509.Certificate, extension: x509.KeyUsage) -> None:
    del policy, certificate
    if not extension.digital_signature:
        raise ValueError("a leaf that may not sign")


def _verify_signature(document: Document, leaf: x509.Certificate) -> None:
    key = leaf.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise AttestationError(Denial.ALGORITHM, "the leaf's key is not on P-384")
    half = len(document.signature) // 2
    r = int.from_bytes(document.signature[:half], "big")
    s = int.from_bytes(document.signature[half:], "big")
    try:
        signature = utils.encode_dss_signature(r, s)
        key.verify(signature, document.signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature as error:
        raise AttestationError(Denial.SIGNATURE, "not signed by the leaf's key") from error


def _verify_measurements(document: Document, policy: Policy) -> None:
    if any(document.registers.get(number, _ZERO) == _ZERO for number in _IMAGE_REGISTERS):
        raise AttestationError(Denial.DEBUG, "an enclave in debug mode measures zeros")
    for number, allowed in sorted(policy.measurements.items()):
        if document.registers.get(number) not in allowed:
            raise AttestationError(Denial.MEASUREMENT, f"register {number} is not an allowed one")


def _verify_expected(document: Document, expected: Expected) -> None:
    if expected.nonce is not None and document.nonce != expected.nonce:
        raise AttestationError(Denial.NONCE, "made for another question")
    if expected.public_key is not None and document.public_key != expected.public_key:
        raise AttestationError(Denial.PUBLIC_KEY, "holds another public key")
    if expected.user_data is not None and document.user_data != expected.user_data:
        raise AttestationError(Denial.USER_DATA, "holds other data")
