"""Process `tkms release`: the key-release service over mutual TLS."""

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import grpc
import structlog

from core.certificates import fingerprint, to_der
from core.errors import SettingsError
from core.isolation.errors import ReleaseError
from core.isolation.release import DataKey, KeyRelease, Proof
from core.isolation.release_settings import ReleaseSettings, load
from core.logs import configure_logs
from core.vault import read_private
from wire.pb.tkms.release.v1 import release_pb2, release_pb2_grpc

_MASTER_KEY_BYTES = 32
_GRACE_S = 0.5
_MAX_MESSAGE_BYTES = 64 * 1024
_Answer = TypeVar("_Answer")

log = structlog.get_logger("core.release")


class ReleaseServer(release_pb2_grpc.KeyReleaseServiceServicer):
    """The service's socket; `KeyRelease` decides."""

    def __init__(self, settings: ReleaseSettings) -> None:
        """Read keys.

        Raises
        ------
        SettingsError, VaultError
            Keys are missing or open to others.
        """
        master_key = read_private(settings.master_key)
        if len(master_key) != _MASTER_KEY_BYTES:
            raise SettingsError(f"master_key: {_MASTER_KEY_BYTES} random bytes are needed")
        self._settings = settings
        self._release = KeyRelease(
            master_key, settings.holders, settings.decisions, lambda: time.time_ns() // 1_000_000
        )
        self._server: grpc.aio.Server | None = None
        for name in settings.foreign_roots:
            log.warning("THE ROOT OF THIS VAULT IS NOT THAT OF AWS NITRO", vault=name)

    async def start(self) -> int:
        """Serve; returns the port."""
        settings = self._settings
        pair = (read_private(settings.key), settings.certificate.read_bytes())
        credentials = grpc.ssl_server_credentials(
            [pair], settings.clients, require_client_auth=True
        )
        options = (("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),)
        server = grpc.aio.server(options=options)
        release_pb2_grpc.add_KeyReleaseServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        port = server.add_secure_port(settings.listen, credentials)
        await server.start()
        self._server = server
        log.info("ready", service="release", vaults=len(settings.holders), port=port)
        return port

    async def stop(self) -> None:
        """End."""
        if self._server:
            await self._server.stop(_GRACE_S)

    async def Challenge(  # noqa: N802 - the name in the schema
        self,
        request: release_pb2.ChallengeRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> release_pb2.ChallengeReply:
        """A nonce for one attempt."""
        client = _client(context)
        nonce = await _decided(context, lambda: self._release.challenge(client, request.vault))
        return release_pb2.ChallengeReply(nonce=nonce)

    async def Create(  # noqa: N802 - the name in the schema
        self,
        request: release_pb2.CreateRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> release_pb2.DataKeyReply:
        """A new data key."""
        client, proof = _client(context), _proof(request.proof)
        return _reply(await _decided(context, lambda: self._release.create(client, proof)))

    async def Release(  # noqa: N802 - the name in the schema
        self,
        request: release_pb2.ReleaseRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> release_pb2.DataKeyReply:
        """An existing data key."""
        client, proof = _client(context), _proof(request.proof)
        return _reply(
            await _decided(context, lambda: self._release.release(client, proof, request.wrapped))
        )


def run(home: Path) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logs()
    asyncio.run(_serve(load(home)))


async def _serve(settings: ReleaseSettings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    server = ReleaseServer(settings)
    await server.start()
    await stopped.wait()
    await server.stop()


async def _decided(
    context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    decide: Callable[[], _Answer],
) -> _Answer:
    """The answer, or the refusal with its reason."""
    try:
        return decide()
    except ReleaseError as error:
        log.warning("refused", reason=str(error))
        await context.abort(grpc.StatusCode.PERMISSION_DENIED, str(error))
        raise AssertionError from error  # abort raises


def _client(context: grpc.aio.ServicerContext) -> bytes:  # type: ignore[type-arg]  # stubs
    """Fingerprint of the connection's certificate; TLS does not let anybody in without one."""
    certificates = list(context.auth_context().get("x509_pem_cert", []))
    return fingerprint(to_der(bytes(certificates[0]))) if certificates else b""


def _proof(message: release_pb2.Proof) -> Proof:
    return Proof(message.vault, message.document, message.recipient)


def _reply(key: DataKey) -> release_pb2.DataKeyReply:
    return release_pb2.DataKeyReply(wrapped=key.wrapped, sealed=key.sealed)
