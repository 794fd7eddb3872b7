"""How an isolated core gets the key of its vault: it attests, and is given the key for one recipient.

A cloud key service fits the same two calls: `create` is its "generate data key" and `release` its "decrypt",
both with an attestation document, and `wrapped` is its ciphertext blob.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from core.certificates import server_name, to_der
from core.isolation.device import Attestor
from core.isolation.errors import ReleaseError
from core.isolation.release import DATA_KEY_BYTES, PURPOSE, recipient_hash
from core.isolation.sealing import SEED_BYTES, SealError, SealingKey
from core.tls import Identity
from wire.pb.tkms.release.v1 import release_pb2, release_pb2_grpc

_CALL_S = 10.0


@dataclass(frozen=True, slots=True)
class Service:
    """Where the service is and which certificate it must show."""

    address: str
    certificate: Path


class OperatorRelease:
    """The operator's own key-release service, for one vault."""

    def __init__(
        self, service: Service, identity: Identity, attestor: Attestor, vault: str
    ) -> None:
        """Remember whom to ask and how to attest."""
        self._service = service
        self._identity = identity
        self._attestor = attestor
        self._vault = vault

    def create(self) -> tuple[bytes, bytes]:
        """A new data key: wrapped for keeping, and itself.

        Raises
        ------
        ReleaseError, DeviceError
            The service refused or is away; this machine cannot attest.
        """
        with self._channel() as channel:
            stub = release_pb2_grpc.KeyReleaseServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            recipient, proof = self._prove(stub)
            reply = _call(stub.Create, release_pb2.CreateRequest(proof=proof))
        return reply.wrapped, self._opened(recipient, reply)

    def release(self, wrapped: bytes) -> bytes:
        """The data key that `create` made.

        Raises
        ------
        ReleaseError, DeviceError
            As for `create`.
        """
        with self._channel() as channel:
            stub = release_pb2_grpc.KeyReleaseServiceStub(channel)  # type: ignore[no-untyped-call]  # generated
            recipient, proof = self._prove(stub)
            request = release_pb2.ReleaseRequest(proof=proof, wrapped=wrapped)
            reply = _call(stub.Release, request)
        return self._opened(recipient, reply)

    def _channel(self) -> grpc.Channel:
        try:
            pinned = self._service.certificate.read_bytes()
            name = server_name(to_der(pinned))
        except (OSError, ValueError) as error:
            raise ReleaseError(f"release_certificate: {error}") from error
        credentials = grpc.ssl_channel_credentials(
            pinned, self._identity.key, self._identity.certificate
        )
        options = (("grpc.ssl_target_name_override", name),)
        return grpc.secure_channel(self._service.address, credentials, options)

    def _prove(
        self, stub: release_pb2_grpc.KeyReleaseServiceStub
    ) -> tuple[SealingKey, release_pb2.Proof]:
        """A key for the answer, and a document that binds it to a fresh challenge."""
        challenge = _call(stub.Challenge, release_pb2.ChallengeRequest(vault=self._vault))
        recipient = SealingKey(secrets.token_bytes(SEED_BYTES))
        document = self._attestor.attest(
            public_key=recipient_hash(recipient.public),
            user_data=PURPOSE + self._vault.encode(),
            nonce=challenge.nonce,
        )
        return recipient, release_pb2.Proof(
            vault=self._vault, document=document, recipient=recipient.public
        )

    def _opened(self, recipient: SealingKey, reply: release_pb2.DataKeyReply) -> bytes:
        try:
            key = recipient.open(reply.sealed, PURPOSE + self._vault.encode())
        except SealError as error:
            raise ReleaseError("the answer does not open") from error
        if len(key) != DATA_KEY_BYTES:
            raise ReleaseError("the answer is not a data key")
        return key


def _call(method: Callable[..., Any], request: object) -> Any:
    """One answer of the service."""
    try:
        return method(request, timeout=_CALL_S)
    except grpc.RpcError as error:
        raise ReleaseError(f"{error.code().name}: {error.details()}") from error
