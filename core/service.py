"""The operator's own interface: gRPC on a unix socket that only this user can open."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import structlog

from core import keystore
from core.authorize import Authorizer
from core.errors import Refusal, Refused, SettingsError
from core.facts import Facts
from core.journal import Journal
from core.peers import Peers
from core.results import Results
from core.runner import Runner
from core.tls import Identity
from core.trust import Trust
from core.vault import Vault
from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc

# Many ciphertexts of some hundred kilobytes in one submission.
MAX_SUBMIT_BYTES = 256 * 2**20
_MAX_RUNNING = 10_000
_GRACE_S = 0.5

OPTIONS = (
    ("grpc.max_receive_message_length", MAX_SUBMIT_BYTES),
    ("grpc.max_send_message_length", MAX_SUBMIT_BYTES),
)

log = structlog.get_logger("core.service")


@dataclass(frozen=True, slots=True)
class Door:
    """Where the connector comes in. With its certificate: mutual TLS, and nobody else gets through."""

    # `unix:<path>` or `host:port`; the latter only with a certificate.
    address: str
    identity: Identity | None = None
    connector: bytes = b""

    def __post_init__(self) -> None:
        """Refuse an open door to the network.

        Raises
        ------
        SettingsError
            A network address without a certificate.
        """
        if self.identity is None and not self.address.startswith("unix:"):
            raise SettingsError("a network address needs the connector's certificate")


@dataclass(frozen=True, slots=True)
class About:
    """What a core says of itself."""

    party: int
    # Something is set that must never be where secrets are real.
    developer: bool


class CoreService(core_pb2_grpc.CoreServiceServicer):
    """Submit, Inform, Results, Status, Take."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of the process that an operator can see
        self,
        authorizer: Authorizer,
        facts: Facts,
        trust: Trust,
        journal: Journal,
        runner: Runner,
        peers: Peers,
        vault: Vault,
        results: Results,
        about: About,
    ) -> None:
        """Bind to the parts of one core."""
        self._authorizer = authorizer
        self._facts = facts
        self._trust = trust
        self._journal = journal
        self._runner = runner
        self._peers = peers
        self._vault = vault
        self._results = results
        self._about = about
        self._server: grpc.aio.Server | None = None

    async def start(self, door: Door) -> int:
        """Serve; returns the port, which is 0 for a socket (that one is 0600)."""
        server = grpc.aio.server(options=OPTIONS)
        core_pb2_grpc.add_CoreServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        port = bind(server, door)
        await server.start()
        self._server = server
        return 0 if door.address.startswith("unix:") else port

    async def stop(self) -> None:
        """End streams and the server."""
        if self._server:
            await self._server.stop(_GRACE_S)

    async def Submit(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.SubmitRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.SubmitReply:
        """Believe or refuse a request; the same again gives its state."""
        try:
            self._require_room()
            verdict = await asyncio.to_thread(self._authorizer.authorize, request)
        except Refused as error:
            await _refuse(context, error)
            raise AssertionError from error  # abort raises
        finally:
            await self._runner.expire(self._trust.height)
        if verdict.permission is not None:
            self._runner.take(verdict.permission)
        return core_pb2.SubmitReply(state=verdict.state)

    async def Inform(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.InformRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.InformReply:
        """Believe or refuse what became of epochs, keys and requests."""
        try:
            learned = await asyncio.to_thread(self._facts.learn, request)
        except Refused as error:
            await _refuse(context, error)
            raise AssertionError from error  # abort raises
        await self._runner.end(learned.ended)
        await self._runner.expire(self._trust.height)
        return core_pb2.InformReply()

    def _require_room(self) -> None:
        """Refuse above the bound of running requests."""
        if len(self._runner.running) >= _MAX_RUNNING:
            raise Refused(Refusal.FULL, "too many requests are running")

    async def Results(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.ResultsRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> AsyncIterator[core_pb2.Result]:
        """Results behind a cursor, then new ones as they come."""
        del context
        async for result in self._results.stream(self._journal, request.after_cursor):
            yield result

    async def Take(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.TakeRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.TakeReply:
        """Work on accepted requests of the journal that another core of this party had."""
        del context
        wanted = set(request.request_ids)
        self._runner.taken_over()
        for permission in await asyncio.to_thread(self._authorizer.resume):
            if permission.request_id.value in wanted:
                self._runner.take(permission)
        return core_pb2.TakeReply()

    async def Status(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.StatusRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.StatusReply:
        """What this core is and does; no secrets."""
        del request, context
        accepted, answered = await asyncio.to_thread(self._journal.counts)
        states = await asyncio.to_thread(self._journal.epoch_states)
        return core_pb2.StatusReply(
            party=self._about.party,
            trusted_height=self._trust.height,
            epoch_id=self._peers.roster.latest(),
            current_epoch_id=states.current,
            change_request=states.change,
            held_epoch_ids=states.held,
            key_ids=[key_id.value for key_id in keystore.key_ids(self._vault)],
            peers=[
                core_pb2.PeerStatus(party=party, connected=connected)
                for party, connected in self._peers.connections().items()
            ],
            developer_mode=self._about.developer,
            long_requests=[
                active.permission.request_id.value
                for active in self._runner.running
                if active.is_long
            ],
            accepted=accepted,
            answered=answered,
        )


async def _refuse(
    context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    error: Refused,
) -> None:
    """End a call with the stable words of a refusal."""
    log.warning("not believed", refusal=error.refusal.value, reason=error.detail)
    code = grpc.StatusCode.FAILED_PRECONDITION
    if error.refusal is Refusal.FULL:
        code = grpc.StatusCode.RESOURCE_EXHAUSTED
    await context.abort(code, str(error))


def bind(server: grpc.aio.Server, door: Door) -> int:
    """Open the door and return its port; a unix socket is 0600 from its first moment."""
    path = door.address.removeprefix("unix:")
    if path != door.address:
        Path(path).unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        if door.identity is None:
            return int(server.add_insecure_port(door.address))
        pair = (door.identity.key, door.identity.certificate)
        credentials = grpc.ssl_server_credentials([pair], door.connector, require_client_auth=True)
        return int(server.add_secure_port(door.address, credentials))
    finally:
        os.umask(before)
