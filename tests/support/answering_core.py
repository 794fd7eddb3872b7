"""A core that believes like a real one and answers at once: real authorizer and journal, no secrets."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc

from core.authorize import Authorizer, OwnIdentity
from core.errors import Refused
from core.journal import Journal
from core.trust import Trust
from light import Policy
from tests.support.certificates import certificate
from tests.support.chain import CHAIN_ID, party_key
from wire.eip712 import encode_plaintexts, public_decryption_digest
from wire.ids import PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2, core_pb2_grpc


def plaintext(entry: asc_pb2.LogEntry) -> int:
    """What this core says every ciphertext of a request holds."""
    return entry.sequence % 256


class AnsweringCore(core_pb2_grpc.CoreServiceServicer):
    """CoreService of one party."""

    def __init__(self, folder: Path, validators_hash: bytes, party: int = 1) -> None:
        """Open the journal."""
        self.party = party
        self.socket = folder / "core.sock"
        self.submitted: list[bytes] = []
        self.missing: list[bytes] = []
        self._journal = Journal(folder / "journal.db", CHAIN_ID, party)
        policy = Policy(CHAIN_ID, 14 * 24 * 3600, 30)
        self._trust = Trust(policy, validators_hash, self._journal, time.time_ns)
        identity = OwnIdentity(
            PartyId(party), party_key(party).verification_key, certificate(f"party-{party}")
        )
        self._authorizer = Authorizer(CHAIN_ID, identity, self._trust, self._journal)
        self._changed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[AnsweringCore]:
        """Serve on the unix socket."""
        server = grpc.aio.server()
        core_pb2_grpc.add_CoreServiceServicer_to_server(self, server)
        server.add_insecure_port(f"unix:{self.socket}")
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)
            self._journal.close()

    async def Submit(  # noqa: N802 - the name in the schema
        self, request: core_pb2.SubmitRequest, context: grpc.aio.ServicerContext
    ) -> core_pb2.SubmitReply:
        """Believe or refuse; answer what is believed."""
        try:
            verdict = self._authorizer.authorize(request)
        except Refused as error:
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(error))
        self.submitted.append(request.entry.value)
        if verdict.permission is not None:
            entry = verdict.permission.entry
            if len(request.ciphertexts) != len(entry.ciphertexts):
                self.missing.append(entry.request_id)
            self._journal.finish(RequestId(entry.request_id), self._result(entry))
            self._changed.set()
            self._changed = asyncio.Event()
        return core_pb2.SubmitReply(state=verdict.state)

    async def Results(  # noqa: N802 - the name in the schema
        self, request: core_pb2.ResultsRequest, _context: grpc.aio.ServicerContext
    ) -> AsyncIterator[core_pb2.Result]:
        """Results behind a cursor, then new ones."""
        cursor = request.after_cursor
        while True:
            changed = self._changed
            found = self._journal.results_after(cursor)
            for result in found:
                cursor = result.cursor
                yield result
            if not found:
                await changed.wait()

    async def Status(  # noqa: N802 - the name in the schema
        self, _request: core_pb2.StatusRequest, _context: grpc.aio.ServicerContext
    ) -> core_pb2.StatusReply:
        """Trusted height."""
        return core_pb2.StatusReply(party=self.party, trusted_height=self._trust.height)

    def _result(self, entry: asc_pb2.LogEntry) -> core_pb2.Result:
        values = [(item.fhe_type, plaintext(entry)) for item in entry.ciphertexts]
        encoded = encode_plaintexts(values)
        digest = public_decryption_digest(
            entry.domain, [item.handle for item in entry.ciphertexts], encoded
        )
        return core_pb2.Result(
            request_id=entry.request_id,
            fulfil=asc_pb2.Fulfil(
                request_id=entry.request_id,
                party=self.party,
                public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=encoded),
                signature=party_key(self.party).sign_digest(digest),
            ),
            deadline_height=entry.deadline_height,
        )
