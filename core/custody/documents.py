"""What operator and custodians hand to each other, as files: canonical JSON, read strictly.

    setup      a custodian's public keys, signed by itself
    context    one backup: its key, custodians, sealed shares and commitments; signed by the operator
    request    "give me your share, sealed to this key": confirmed by voice, since the operator lost its keys
    answer     one custodian's share for one request, signed by the custodian

Every text has one form: sorted keys, no spaces, bytes as lower-case hexadecimal digits. What is signed
is the kind and the body, so that no document passes for one of another kind.
"""

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import ClassVar, Self, get_type_hints

import nacl.exceptions
import nacl.signing

from core.custody.errors import DocumentError
from wire.digests import sha3_256
from wire.json_text import parse_json
from wire.signing import Secp256k1Signer, SignatureError, address_of, recover_address

MAX_DOCUMENT_BYTES = 256 * 1024
_DOMAIN = b"tkms/custody/v1/"


@dataclass(frozen=True, slots=True)
class Document:
    """A body of texts, numbers and bytes."""

    KIND: ClassVar[str]

    def body(self) -> bytes:
        """The one form of the body."""
        values = {each.name: _plain(getattr(self, each.name)) for each in fields(self)}
        return json.dumps(values, sort_keys=True, separators=(",", ":")).encode()

    def digest(self) -> bytes:
        """What is signed: kind and body."""
        return sha3_256(_DOMAIN + self.KIND.encode() + b"\n" + self.body())

    def text(self, signature: bytes = b"") -> bytes:
        """The file: one line, with its signature where there is one."""
        envelope = {
            "kind": self.KIND,
            "body": json.loads(self.body()),
            "signature": signature.hex(),
        }
        return json.dumps(envelope, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def read(cls, data: bytes) -> tuple[Self, bytes]:
        """Document and signature; who signed is for the caller to verify.

        Raises
        ------
        DocumentError
            Not the one form of a document of this kind.
        """
        if len(data) > MAX_DOCUMENT_BYTES:
            raise DocumentError("too long")
        try:
            envelope = parse_json(data)
            values, signature = envelope["body"], bytes.fromhex(envelope["signature"])
            kinds = get_type_hints(cls)
            names = [each.name for each in fields(cls)]
            document = cls(**{name: _typed(kinds[name], values[name]) for name in names})
        except (ValueError, KeyError, TypeError) as error:
            raise DocumentError(f"not a {cls.KIND}") from error
        if document.text(signature) != data:
            raise DocumentError(f"not the one form of a {cls.KIND}")
        return document, signature


@dataclass(frozen=True, slots=True)
class Setup(Document):
    """A custodian's public keys."""

    KIND: ClassVar[str] = "setup"

    name: str
    sealing_key: bytes
    verification_key: bytes


@dataclass(frozen=True, slots=True)
class Context(Document):
    """One backup. Shares and commitments are in the order of the custodians, who are numbered from 1."""

    KIND: ClassVar[str] = "context"

    backup_id: bytes
    chain_id: str
    party: int
    operator_key: bytes
    backup_key: bytes
    # This many custodians together learn nothing; one more restores.
    threshold: int
    made_ms: int
    # The signed setups, as files.
    setups: tuple[bytes, ...]
    commitments: tuple[bytes, ...]
    shares: tuple[bytes, ...] = field(repr=False)

    @property
    def custodians(self) -> list[Setup]:
        """Who holds shares, number 1 first."""
        return [read_setup(setup) for setup in self.setups]


@dataclass(frozen=True, slots=True)
class Material(Document):
    """What one custodian holds, inside its seal."""

    KIND: ClassVar[str] = "material"

    backup_id: bytes
    chain_id: str
    party: int
    operator_key: bytes
    custodian: int
    verification_key: bytes
    share: bytes = field(repr=False)

    def commitment(self) -> bytes:
        """What the context says of it. The share has 2,048 uniform bits: this hides it."""
        return hashlib.sha256(self.text()).digest()


@dataclass(frozen=True, slots=True)
class Request(Document):
    """An operator's wish to have its shares back, or to rehearse that."""

    KIND: ClassVar[str] = "request"

    backup_id: bytes
    context: bytes
    # restore or rehearsal: a custodian sees what it answers.
    purpose: str
    recipient: bytes
    made_ms: int

    def code(self) -> str:
        """What operator and custodian compare by voice: 64 bits, in groups."""
        digits = self.digest()[:8].hex()
        return "-".join(digits[start : start + 4] for start in range(0, 16, 4))


@dataclass(frozen=True, slots=True)
class Answer(Document):
    """One custodian's material, sealed for the request's recipient."""

    KIND: ClassVar[str] = "answer"

    request: bytes
    custodian: int
    sealed: bytes = field(repr=False)


def read_setup(data: bytes) -> Setup:
    """A setup that its custodian signed.

    Raises
    ------
    DocumentError
        It did not.
    """
    setup, signature = Setup.read(data)
    if not 0 < len(setup.name) <= 64:
        raise DocumentError("a custodian's name has 1 to 64 characters")
    verify_ed25519(setup, signature, setup.verification_key)
    return setup


def read_context(data: bytes) -> Context:
    """A context that its operator signed and that is whole.

    Raises
    ------
    DocumentError
        Anything else.
    """
    context, signature = Context.read(data)
    try:
        if recover_address(context.digest(), signature) != address_of(context.operator_key):
            raise DocumentError("the context is not signed by its operator")
    except SignatureError as error:
        raise DocumentError("the context is not signed by its operator") from error
    custodians = context.custodians
    if len({each.verification_key for each in custodians}) != len(custodians):
        raise DocumentError("a custodian twice")
    if not len(custodians) == len(context.commitments) == len(context.shares):
        raise DocumentError("custodians, commitments and shares do not match")
    if context.threshold < 1 or 2 * context.threshold >= len(custodians):
        raise DocumentError("the threshold is at least 1 and below half of the custodians")
    return context


def read_request(data: bytes) -> Request:
    """A request; only the voice of the operator confirms it.

    Raises
    ------
    DocumentError
        Not one.
    """
    request, _ = Request.read(data)
    if request.purpose not in {"restore", "rehearsal"}:
        raise DocumentError("a request restores or rehearses")
    return request


def sign_context(context: Context, signer: Secp256k1Signer) -> bytes:
    """The file of a context."""
    return context.text(signer.sign_digest(context.digest()))


def verify_ed25519(document: Document, signature: bytes, key: bytes) -> None:
    """Make sure that a custodian signed.

    Raises
    ------
    DocumentError
        It did not.
    """
    try:
        nacl.signing.VerifyKey(key).verify(document.digest(), signature)
    except (nacl.exceptions.CryptoError, ValueError, TypeError) as error:
        raise DocumentError(f"the {document.KIND} is not signed by its custodian") from error


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _typed(kind: object, value: object) -> object:
    """A value of a field's type, from its text."""
    if kind is bytes and isinstance(value, str):
        return bytes.fromhex(value)
    if kind == tuple[bytes, ...] and isinstance(value, list):
        return tuple(_typed(bytes, item) for item in value)
    if kind in {str, int} and type(value) is kind:
        return value
    raise ValueError("a value of another type")
