"""Sealing for one recipient: HPKE (RFC 9180) with X25519 and ML-KEM-768 together, AES-256-GCM.

Who breaks one of the two key agreements learns nothing. A key pair follows from a 32-byte seed, so that a
seed is all that has to be shared, written down or derived.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric import mlkem, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SEED_BYTES = 32
PUBLIC_KEY_BYTES = 1184 + 32
_LATTICE_BYTES = 1184
_SUITE = hpke.Suite(hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.AES_256_GCM)


class SealError(ValueError):
    """A public key that is none, or a sealed value that does not open with this key and purpose."""


class SealingKey:
    """A private key. Its repr shows nothing of it."""

    __slots__ = ("_private", "public")

    def __init__(self, seed: bytes) -> None:
        """Derive the pair from 32 secret bytes."""
        if len(seed) != SEED_BYTES:
            raise SealError(f"a seed has {SEED_BYTES} bytes")
        lattice = mlkem.MLKEM768PrivateKey.from_seed_bytes(_derived(seed, b"ml-kem-768", 64))
        curve = x25519.X25519PrivateKey.from_private_bytes(_derived(seed, b"x25519", 32))
        self._private = hpke.MLKEM768X25519PrivateKey(lattice, curve)
        self.public = (
            lattice.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
        )

    def __repr__(self) -> str:
        """Say what it is."""
        return "SealingKey(...)"

    def open(self, sealed: bytes, purpose: bytes) -> bytes:
        """What was sealed for us and this purpose.

        Raises
        ------
        SealError
            Altered, for somebody else or for another purpose.
        """
        try:
            return _SUITE.decrypt(sealed, self._private, purpose)
        except (InvalidTag, ValueError) as error:
            raise SealError("altered, or sealed for another key or purpose") from error


def seal(public: bytes, plaintext: bytes, purpose: bytes) -> bytes:
    """Seal for the holder of a public key; `purpose` is authenticated and must be named to open it.

    Raises
    ------
    SealError
        Not a public key.
    """
    if len(public) != PUBLIC_KEY_BYTES:
        raise SealError(f"a public key has {PUBLIC_KEY_BYTES} bytes")
    try:
        key = hpke.MLKEM768X25519PublicKey(
            mlkem.MLKEM768PublicKey.from_public_bytes(public[:_LATTICE_BYTES]),
            x25519.X25519PublicKey.from_public_bytes(public[_LATTICE_BYTES:]),
        )
        return _SUITE.encrypt(plaintext, key, purpose)
    except ValueError as error:
        raise SealError("not a public key") from error


def _derived(seed: bytes, what: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, None, b"tkms/sealing/v1/" + what).derive(seed)
