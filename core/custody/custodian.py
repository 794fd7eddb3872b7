"""A custodian: one seed of 24 words, keys that follow from it, and three things it does.

It needs no network and no state. It answers a request only when somebody has compared the request's code
with the operator by voice, and never one that is older than a day.
"""

import nacl.signing
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.custody.documents import Answer, Context, Material, Request, Setup
from core.custody.errors import DocumentError
from core.isolation.sealing import SealError, SealingKey, seal

SEED_BYTES = 32
SHARE_PURPOSE = b"tkms/custody/share/v1/"
ANSWER_PURPOSE = b"tkms/custody/answer/v1/"
_MAX_AGE_MS = 24 * 3600 * 1000
_MAX_AHEAD_MS = 10 * 60 * 1000


class Custodian:
    """Keys of one custodian. Its repr shows the public one."""

    __slots__ = ("_sealing", "_signing")

    def __init__(self, seed: bytes) -> None:
        """Derive the keys from 32 secret bytes."""
        if len(seed) != SEED_BYTES:
            raise DocumentError(f"a custodian's seed has {SEED_BYTES} bytes")
        self._sealing = SealingKey(_derived(seed, b"sealing"))
        self._signing = nacl.signing.SigningKey(_derived(seed, b"signing"))

    def __repr__(self) -> str:
        """Name the public key."""
        return f"Custodian({self.verification_key.hex()})"

    @property
    def verification_key(self) -> bytes:
        """Ed25519 key that names this custodian."""
        return bytes(self._signing.verify_key)

    def setup(self, name: str) -> bytes:
        """What operators need to know of us, as a file."""
        setup = Setup(name, self._sealing.public, self.verification_key)
        return self._signed(setup)

    def material(self, context: Context) -> Material:
        """Our share of a backup, as committed to by its operator.

        Raises
        ------
        DocumentError
            We are not its custodian, or the share is not the one that the context commits to.
        """
        keys = [each.verification_key for each in context.custodians]
        if self.verification_key not in keys:
            raise DocumentError("this backup has other custodians")
        number = keys.index(self.verification_key) + 1
        try:
            opened = self._sealing.open(
                context.shares[number - 1], SHARE_PURPOSE + context.backup_id
            )
        except SealError as error:
            raise DocumentError("our share does not open") from error
        material, _ = Material.read(opened)
        require_material(material, context, number)
        return material

    def answer(self, context: Context, request: Request, code: str, now_ms: int) -> bytes:
        """Our share for the recipient of a request, as a file.

        Raises
        ------
        DocumentError
            The code is not that of the request, or the request is old or for another backup.
        """
        if code.strip().lower() != request.code():
            raise DocumentError("the code is not that of this request: somebody else made it")
        if not -_MAX_AHEAD_MS <= now_ms - request.made_ms <= _MAX_AGE_MS:
            raise DocumentError("the request is older than a day, or from the future")
        if (request.backup_id, request.context) != (context.backup_id, context.digest()):
            raise DocumentError("the request is for another backup")
        material = self.material(context)
        try:
            sealed = seal(request.recipient, material.text(), ANSWER_PURPOSE + request.digest())
        except SealError as error:
            raise DocumentError("the request's recipient is no key") from error
        return self._signed(Answer(request.digest(), material.custodian, sealed))

    def _signed(self, document: Setup | Answer) -> bytes:
        return document.text(self._signing.sign(document.digest()).signature)


def require_material(material: Material, context: Context, number: int) -> None:
    """Make sure that a share is the one of this custodian in this backup.

    Raises
    ------
    DocumentError
        It is not.
    """
    if material.commitment() != context.commitments[number - 1]:
        raise DocumentError(f"the share of custodian {number} is not the committed one")
    key = context.custodians[number - 1].verification_key
    expected = (context.backup_id, context.chain_id, context.party, context.operator_key, number)
    found = (material.backup_id, material.chain_id, material.party, material.operator_key)
    if (*found, material.custodian) != expected or material.verification_key != key:
        raise DocumentError(f"the share of custodian {number} is of another backup")


def _derived(seed: bytes, what: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, b"tkms/custody/custodian/v1/" + what).derive(seed)
