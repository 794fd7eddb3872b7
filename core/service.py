"""The operator's own interface: gRPC on a unix socket that only this user can open."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import structlog

from core import keystore
from core.authorize import Authorizer
from core.errors import Refusal, Refused
from core.journal import Journal
from core.peers import Peers
from core.runner import Runner
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


class Results:
    """Wakes the result streams when the journal has something new."""

    __slots__ = ("_changed",)

    def __init__(self) -> None:
        """Start quiet."""
        self._changed = asyncio.Event()

    def notify(self) -> None:
        """Wake everybody who waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    def waiter(self) -> asyncio.Event:
        """The event of the next change; take it before looking into the journal."""
        return self._changed


class CoreService(core_pb2_grpc.CoreServiceServicer):
    """Submit, Results, Status."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of the process that an operator can see
        self,
        authorizer: Authorizer,
        trust: Trust,
        journal: Journal,
        runner: Runner,
        peers: Peers,
        vault: Vault,
        results: Results,
        party: int,
    ) -> None:
        """Bind to the parts of one core."""
        self._authorizer = authorizer
        self._trust = trust
        self._journal = journal
        self._runner = runner
        self._peers = peers
        self._vault = vault
        self._results = results
        self._party = party
        self._server: grpc.aio.Server | None = None

    async def start(self, socket: Path) -> None:
        """Serve; the socket is 0600."""
        server = grpc.aio.server(options=OPTIONS)
        core_pb2_grpc.add_CoreServiceServicer_to_server(self, server)  # type: ignore[no-untyped-call]  # generated
        _bind_private(server, socket)
        await server.start()
        self._server = server

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
            log.warning("submission refused", refusal=error.refusal.value, reason=error.detail)
            code = grpc.StatusCode.FAILED_PRECONDITION
            if error.refusal is Refusal.FULL:
                code = grpc.StatusCode.RESOURCE_EXHAUSTED
            await context.abort(code, str(error))
            raise AssertionError from error  # abort raises
        finally:
            await self._runner.expire(self._trust.height)
        if verdict.permission is not None:
            self._runner.take(verdict.permission)
        return core_pb2.SubmitReply(state=verdict.state)

    def _require_room(self) -> None:
        """Refuse above the bound of running requests."""
        if self._runner.running >= _MAX_RUNNING:
            raise Refused(Refusal.FULL, "too many requests are running")

    async def Results(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.ResultsRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> AsyncIterator[core_pb2.Result]:
        """Results behind a cursor, then new ones as they come."""
        del context
        cursor = request.after_cursor
        while True:
            changed = self._results.waiter()
            found = await asyncio.to_thread(self._journal.results_after, cursor)
            for result in found:
                cursor = result.cursor
                yield result
            if not found:
                await changed.wait()

    async def Status(  # noqa: N802 - the name in the schema
        self,
        request: core_pb2.StatusRequest,
        context: grpc.aio.ServicerContext,  # type: ignore[type-arg]  # stubs
    ) -> core_pb2.StatusReply:
        """What this core is and does; no secrets."""
        del request, context
        accepted, answered = await asyncio.to_thread(self._journal.counts)
        return core_pb2.StatusReply(
            party=self._party,
            trusted_height=self._trust.height,
            epoch_id=self._peers.roster.latest(),
            key_ids=[key_id.value for key_id in keystore.key_ids(self._vault)],
            peers=[
                core_pb2.PeerStatus(party=party, connected=connected)
                for party, connected in self._peers.connections().items()
            ],
            developer_mode=self._vault.clear_text,
            accepted=accepted,
            answered=answered,
        )


def _bind_private(server: grpc.aio.Server, socket: Path) -> None:
    """Bind a unix socket that is 0600 from its first moment."""
    socket.unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        server.add_insecure_port(f"unix:{socket}")
    finally:
        os.umask(before)
