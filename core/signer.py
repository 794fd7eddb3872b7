"""Answers as the chain and clients verify them: EIP-712 digests under this party's key."""

from collections.abc import Sequence

import tkms_kernel as kernel

from core.authorize import Permission
from core.engine import PartialDecryption
from mpc.dealing import Material
from wire import eip712, payload
from wire.answers import signed_digest
from wire.digests import keccak256, sha3_256
from wire.ids import PartyId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.signing import Secp256k1Signer

INLINE_LIMIT_BYTES = 4096
"""Default of Parameters.inline_limit: larger payloads travel by digest and go to storage first."""

# A plaintext is packed with nothing.
_PLAINTEXT_PACKING_FACTOR = 1


class ResultSigner:
    """Signs what this party answers. Its repr shows the party only."""

    __slots__ = ("_party", "_secret", "_signer")

    def __init__(self, party: PartyId, secret: bytes) -> None:
        """Take the 32-byte secp256k1 secret; raises ValueError when it is not one."""
        self._party = party
        self._secret = secret
        self._signer = Secp256k1Signer(secret)

    def __repr__(self) -> str:
        """Show the party."""
        return f"ResultSigner(party {self._party})"

    @property
    def verification_key(self) -> bytes:
        """33-byte compressed key that the epoch record names."""
        return self._signer.verification_key

    def public_decryption(self, permission: Permission, values: Sequence[int]) -> core_pb2.Result:
        """Plaintexts, signed as PublicDecryptVerification.

        Raises
        ------
        ValueError
            A value that does not fit its type.
        """
        entry = permission.entry
        types = [ciphertext.fhe_type for ciphertext in entry.ciphertexts]
        encoded = eip712.encode_plaintexts(list(zip(types, values, strict=True)))
        handles = [ciphertext.handle for ciphertext in entry.ciphertexts]
        digest = eip712.public_decryption_digest(entry.domain, handles, encoded)
        fulfil = self._fulfil(permission, digest)
        fulfil.public_decryption.decrypted_result = encoded
        return _result(permission, fulfil=fulfil)

    def user_decryption(
        self, permission: Permission, shares: Sequence[PartialDecryption]
    ) -> core_pb2.Result:
        """Shares sealed for the user, signed as UserDecryptResponseVerification, no extra data.

        A single party (n = 1) seals the plaintexts: that is the centralized form of the format.

        Raises
        ------
        wire.payload.PayloadError, tkms_kernel.KernelError
            A user key that is not one; noise out of range (n = 1 only).
        """
        entry = permission.entry
        alone = permission.epoch.threshold == 0
        handles = [ciphertext.handle for ciphertext in entry.ciphertexts]
        link = eip712.linker_digest(entry.domain, entry.user_public_key, handles, entry.user)
        encapsulation_key = payload.unwrap_user_key(entry.user_public_key)
        sealed = tuple(
            payload.SigncryptedShare(
                share.item.fhe_type,
                kernel.signcrypt_share(
                    share.plaintext() if alone else share.vector,
                    share.item.fhe_type,
                    link,
                    entry.user,
                    encapsulation_key,
                    self._secret,
                ),
                handle,
                _PLAINTEXT_PACKING_FACTOR if alone else share.packing_factor,
            )
            for share, handle in zip(shares, handles, strict=True)
        )
        content = payload.build_payload(
            payload.UserPayload(
                self.verification_key, link, sealed, self._party, permission.epoch.threshold
            )
        )
        keccak = keccak256(content)
        digest = eip712.user_decryption_digest(entry.domain, entry.user_public_key, handles, keccak)
        fulfil = self._fulfil(permission, digest)
        answer = fulfil.user_decryption
        answer.payload_digest = sha3_256(content)
        answer.payload_keccak = keccak
        answer.payload_size = len(content)
        if len(content) <= INLINE_LIMIT_BYTES:
            answer.payload = content
            return _result(permission, fulfil=fulfil)
        upload = core_pb2.Blob(digest=answer.payload_digest, data=content)
        return _result(permission, fulfil=fulfil, uploads=[upload])

    def generation(self, permission: Permission, materials: Sequence[Material]) -> core_pb2.Result:
        """Digests of what was made or agreed on, signed as the struct of the request's kind."""
        entry = permission.entry
        # What belongs to no application is bound to the chain alone.
        entry.domain.CopyFrom(eip712.chain_domain(entry.chain_id))
        fulfil = asc_pb2.Fulfil(request_id=entry.request_id, party=self._party)
        fulfil.generation.digests.extend(
            asc_pb2.MaterialDigest(kind=m.kind, digest=m.digest, size=m.size) for m in materials
        )
        fulfil.signature = self._signer.sign_typed_data(signed_digest(entry, fulfil))
        return _result(permission, fulfil=fulfil)

    def failure(self, permission: Permission, code: asc_pb2.FailureCode) -> core_pb2.Result:
        """Tell the chain that we cannot answer."""
        report = asc_pb2.ReportFailure(
            request_id=permission.request_id.value, party=self._party, code=code
        )
        return _result(permission, failure=report)

    def accusation(self, permission: Permission, accused: PartyId) -> core_pb2.Result:
        """Tell the chain whose share was wrong."""
        accusation = asc_pb2.Accuse(
            request_id=permission.request_id.value, party=self._party, accused=[accused]
        )
        return _result(permission, accusation=accusation)

    def _fulfil(self, permission: Permission, digest: bytes) -> asc_pb2.Fulfil:
        return asc_pb2.Fulfil(
            request_id=permission.request_id.value,
            party=self._party,
            signature=self._signer.sign_typed_data(digest),
        )


def _result(
    permission: Permission,
    fulfil: asc_pb2.Fulfil | None = None,
    failure: asc_pb2.ReportFailure | None = None,
    accusation: asc_pb2.Accuse | None = None,
    uploads: Sequence[core_pb2.Blob] = (),
) -> core_pb2.Result:
    return core_pb2.Result(
        request_id=permission.request_id.value,
        fulfil=fulfil,
        failure=failure,
        accusation=accusation,
        uploads=uploads,
        deadline_height=permission.deadline_height,
    )
