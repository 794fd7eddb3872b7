"""Decides who gets the data key of a vault: an attested core with a pinned certificate, and nobody else.

Rules
1. A vault has one policy, one client certificate, and its data key never leaves unsealed.
2. A challenge is random, for one vault, good for a minute and for one attempt, right or wrong.
3. The document holds the challenge, the hash of the recipient key and the purpose: a stolen document is
   of no use for another recipient, and one that was made for anything else does not count here.
4. The service keeps no data keys: it wraps them under its master key, bound to the vault's name.
5. Every decision is a line in the log of decisions before its answer leaves.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from core.isolation.attestation import Expected, Policy, verify
from core.isolation.document import parse
from core.isolation.errors import AttestationError, ReleaseError
from core.isolation.sealing import SealError, seal

DATA_KEY_BYTES = 32
PURPOSE = b"tkms/release/v1/"
_WRAP = b"tkms/release/wrap/v1/"
_NONCE_BYTES = 12
_CHALLENGE_LIFE_MS = 60_000
# More are open at once only if somebody asks without need: the oldest go.
_MAX_CHALLENGES = 1024


@dataclass(frozen=True, slots=True)
class Holder:
    """Who may have a vault's key."""

    # SHA-256 of the client's certificate.
    client: bytes
    policy: Policy


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody shows for a key."""

    vault: str
    document: bytes
    recipient: bytes


@dataclass(frozen=True, slots=True)
class DataKey:
    """One answer: the key under our master key, and for the recipient."""

    wrapped: bytes
    sealed: bytes


class KeyRelease:
    """The decisions of one service; no sockets here."""

    def __init__(
        self,
        master_key: bytes,
        holders: Mapping[str, Holder],
        decisions: Path,
        now_ms: Callable[[], int],
    ) -> None:
        """Take the master key, who may have what, and where decisions are written."""
        self._wrapping = AESGCM(master_key)
        self._holders = holders
        self._decisions = decisions
        self._now_ms = now_ms
        self._challenges: dict[bytes, tuple[str, int]] = {}

    def challenge(self, client: bytes, vault: str) -> bytes:
        """A nonce for one attempt.

        Raises
        ------
        ReleaseError
            The client may not have this vault's key.
        """
        self._holder(client, vault)
        while len(self._challenges) >= _MAX_CHALLENGES:
            del self._challenges[next(iter(self._challenges))]
        nonce = secrets.token_bytes(32)
        self._challenges[nonce] = vault, self._now_ms()
        return nonce

    def create(self, client: bytes, proof: Proof) -> DataKey:
        """A new data key.

        Raises
        ------
        ReleaseError
            The proof is not sufficient.
        """
        self._require(client, proof, "create")
        key = secrets.token_bytes(DATA_KEY_BYTES)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        wrapped = nonce + self._wrapping.encrypt(nonce, key, _WRAP + proof.vault.encode())
        return DataKey(wrapped, _sealed(proof, key))

    def release(self, client: bytes, proof: Proof, wrapped: bytes) -> DataKey:
        """An existing data key.

        Raises
        ------
        ReleaseError
            The proof is not sufficient, or the wrapped key is not ours for this vault.
        """
        self._require(client, proof, "release")
        nonce, body = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            key = self._wrapping.decrypt(nonce, body, _WRAP + proof.vault.encode())
        except (InvalidTag, ValueError) as error:
            raise ReleaseError("the wrapped key is not one of this vault") from error
        return DataKey(wrapped, _sealed(proof, key))

    def _holder(self, client: bytes, vault: str) -> Holder:
        holder = self._holders.get(vault)
        if holder is None or not secrets.compare_digest(holder.client, client):
            raise ReleaseError("this client has no such vault")
        return holder

    def _require(self, client: bytes, proof: Proof, what: str) -> None:
        """Let a sufficient proof pass, and write down what was decided."""
        reason, module = "", ""
        try:
            module = self._judge(client, proof)
        except (ReleaseError, AttestationError) as error:
            reason = str(error)
        line = {
            "time_ms": self._now_ms(),
            "what": what,
            "vault": proof.vault,
            "granted": not reason,
            "reason": reason,
            "module": module,
            "client": client.hex(),
        }
        self._write(json.dumps(line).encode() + b"\n")
        if reason:
            raise ReleaseError(reason)

    def _judge(self, client: bytes, proof: Proof) -> str:
        """Name of the attested module."""
        holder = self._holder(client, proof.vault)
        nonce = self._take_challenge(proof)
        expected = Expected(
            nonce=nonce,
            public_key=recipient_hash(proof.recipient),
            user_data=PURPOSE + proof.vault.encode(),
        )
        return verify(proof.document, holder.policy, expected, self._now_ms()).module

    def _take_challenge(self, proof: Proof) -> bytes:
        """The open challenge of this document; it is gone afterwards, whatever comes of it."""
        nonce = parse(proof.document).nonce
        vault, made_ms = self._challenges.pop(nonce, ("", 0))
        if vault != proof.vault or self._now_ms() - made_ms > _CHALLENGE_LIFE_MS:
            raise ReleaseError("no open challenge for this vault")
        return nonce

    def _write(self, line: bytes) -> None:
        """Append durably: a key that left without a trace is what must not happen."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._decisions, flags, 0o600)
        try:
            os.write(descriptor, line)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def recipient_hash(recipient: bytes) -> bytes:
    """What a document holds in the place of a recipient key that is too long for it."""
    return hashlib.sha384(recipient).digest()


def _sealed(proof: Proof, key: bytes) -> bytes:
    try:
        return seal(proof.recipient, key, PURPOSE + proof.vault.encode())
    except SealError as error:
        raise ReleaseError(str(error)) from error
