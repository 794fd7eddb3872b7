"""Drives every authorised request to exactly one recorded result.

A request is a task. It computes, runs its session with messages that `peers` delivers, signs, and
writes the result to the journal; only what the journal holds is ever shown to the connector.

Messages and restarts
- Round 0 is what a session sends by itself. Whoever receives it twice, late, or after the request
  was answered, sends its own message again as round 1, which nobody answers. So a party that lost
  everything in memory, also what it had acknowledged, gets all it needs by starting again.
- A request ends without result when the trusted height reaches its deadline or the wall timer runs
  out. After its result a session stays until all peers were heard, to name late liars.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
import tkms_kernel as kernel

from core import keystore
from core.authorize import (
    CRS_GENERATION,
    KEY_GENERATION,
    PUBLIC_DECRYPTION,
    USER_DECRYPTION,
    Permission,
)
from core.codec import envelope_of, payload_of
from core.dealer import Dealer
from core.engine import Engine, PartialDecryption
from core.errors import PublishError, WorkFailed
from core.inbox import Inbox
from core.journal import ACCEPTED, Journal
from core.peers import Peers
from core.settings import FaultMode
from core.signer import ResultSigner
from core.vault import Vault
from mpc.dealing import ASK, Deal, Dealing
from mpc.public_decryption import PublicDecryption, Setting
from mpc.session import Abort, AbortReason, Blame, Done, MaskedShares, Send
from wire.ids import PartyId, RequestId
from wire.payload import PayloadError
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

CIPHERTEXT_WAIT_S = 60.0
_MAX_QUEUED = 256
_REPEAT = 1
# A process cannot start again faster than this, so what it lost is at least so old.
_LATE_S = 0.5
_PUBLISH_RETRY_S = 2.0

_FAILURES = {
    AbortReason.TOO_MANY_ERRORS: asc_pb2.FAILURE_CODE_INTERNAL,
    AbortReason.NOISE_OUT_OF_RANGE: asc_pb2.FAILURE_CODE_NOISE_OUT_OF_RANGE,
    AbortReason.PLAINTEXT_OUT_OF_RANGE: asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED,
    AbortReason.MALFORMED_DEAL: asc_pb2.FAILURE_CODE_INTERNAL,
}

log = structlog.get_logger("core.runner")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a runner works with."""

    journal: Journal
    vault: Vault
    engine: Engine
    dealer: Dealer
    signer: ResultSigner
    peers: Peers
    inbox: Inbox


@dataclass(frozen=True, slots=True)
class Limits:
    """Wall timers in seconds and the deliberate fault, if any."""

    request_timeout_s: float = 3600.0
    ciphertext_wait_s: float = CIPHERTEXT_WAIT_S
    fault: FaultMode = FaultMode.NONE


@dataclass(slots=True)
class _Active:
    """One running request."""

    permission: Permission
    blobs: dict[bytes, bytes]
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    queue: asyncio.Queue[tuple[PartyId, peer_pb2.Envelope]] = field(
        default_factory=lambda: asyncio.Queue(_MAX_QUEUED)
    )
    heard: set[PartyId] = field(default_factory=set)
    message: peer_pb2.Envelope | None = None
    sent_at: float = 0.0
    task: asyncio.Task[None] | None = None


class Runner:
    """All running requests of one core."""

    __slots__ = ("_active", "_limits", "_parts", "_recorded")

    def __init__(self, parts: Parts, limits: Limits, recorded: Callable[[], None]) -> None:
        """`recorded` is called after the journal has a new result."""
        self._parts = parts
        self._limits = limits
        self._recorded = recorded
        self._active: dict[RequestId, _Active] = {}

    @property
    def running(self) -> int:
        """Number of requests in progress."""
        return len(self._active)

    def take(self, permission: Permission) -> None:
        """Begin a request, or hand a running one the bytes that it waits for."""
        self._parts.peers.learn(permission.epoch)
        blobs = dict(permission.record.blobs)
        running = self._active.get(permission.request_id)
        if running is not None:
            running.blobs.update(blobs)
            running.arrived.set()
            return
        if self._limits.fault is FaultMode.SILENT:
            log.warning("FAULT MODE: silent", request=permission.request_id.hex)
            return
        active = _Active(permission, blobs)
        self._active[permission.request_id] = active
        for sender, envelope in self._parts.inbox.take(permission.request_id.value):
            self._enqueue(active, sender, envelope)
        active.task = asyncio.create_task(self._run(active), name=permission.request_id.hex)

    async def receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Take a message of a peer that the transport has authenticated."""
        if len(envelope.request_id) != RequestId.LENGTH:
            return
        request_id = RequestId(envelope.request_id)
        active = self._active.get(request_id)
        if active is None and await self._answered(request_id):
            await self._repeat(sender, envelope)
            return
        # The request may have been authorised while we looked into the journal.
        active = self._active.get(request_id)
        if active is None:
            self._parts.inbox.put(sender, envelope)
        else:
            self._enqueue(active, sender, envelope)

    async def expire(self, height: int) -> None:
        """End requests whose deadline the trusted height has reached."""
        for active in list(self._active.values()):
            if active.permission.deadline_height <= height and active.task:
                active.task.cancel()
                await asyncio.gather(active.task, return_exceptions=True)
                request_id = active.permission.request_id
                if await asyncio.to_thread(self._parts.journal.expire, request_id):
                    log.info("request expired", request=request_id.hex)

    async def close(self) -> None:
        """Stop all tasks; unanswered requests resume at the next start."""
        tasks = [active.task for active in self._active.values() if active.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _enqueue(self, active: _Active, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Queue for the session. Another epoch's party of that number and a flood are dropped."""
        if active.queue.full() or envelope.epoch_id != active.permission.record.epoch_id:
            self._parts.inbox.dropped += 1
            return
        active.queue.put_nowait((sender, envelope))

    async def _answered(self, request_id: RequestId) -> bool:
        state = await asyncio.to_thread(self._parts.journal.state, request_id)
        return state not in {core_pb2.WORK_STATE_UNSPECIFIED, ACCEPTED}

    async def _repeat(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Send an answered request's message again to a peer of its epoch that starts over."""
        if envelope.round == _REPEAT:
            return
        request_id = RequestId(envelope.request_id)
        if payload_of(envelope) == ASK:
            message = await asyncio.to_thread(self._parts.dealer.stored, request_id, sender)
        else:
            stored = await asyncio.to_thread(self._parts.journal.message, request_id)
            message = peer_pb2.Envelope.FromString(stored) if stored else None
        if message is not None and message.epoch_id == envelope.epoch_id:
            message.round = _REPEAT
            self._parts.peers.send(sender, message)

    async def _run(self, active: _Active) -> None:
        """One request from start to result; the task root."""
        permission = active.permission
        structlog.contextvars.bind_contextvars(request=permission.request_id.hex)
        try:
            async with asyncio.timeout(self._limits.request_timeout_s):
                await self._answer(active)
        except TimeoutError:
            if await asyncio.to_thread(self._parts.journal.expire, permission.request_id):
                log.warning("request given up: peers did not answer in time")
        except WorkFailed as error:
            log.warning("request failed", code=error.code, reason=error.detail)
            await self._finish(self._parts.signer.failure(permission, error.code), permission)
        except Exception:  # the task root: a defect must end in a recorded failure
            log.exception("request failed inside")
            code = asc_pb2.FAILURE_CODE_INTERNAL
            await self._finish(self._parts.signer.failure(permission, code), permission)
        finally:
            del self._active[permission.request_id]

    async def _answer(self, active: _Active) -> None:
        """The kinds of work, in one table."""
        kinds: dict[int, Callable[[_Active], Awaitable[None]]] = {
            KEY_GENERATION: self._generate,
            CRS_GENERATION: self._generate,
            PUBLIC_DECRYPTION: self._decrypt_publicly,
            USER_DECRYPTION: self._decrypt_for_user,
        }
        work = kinds.get(active.permission.entry.kind)
        if work is None:
            raise WorkFailed(asc_pb2.FAILURE_CODE_INTERNAL, "unknown kind of request")
        await work(active)

    async def _partials(self, active: _Active) -> list[PartialDecryption]:
        """Our masked shares, once all ciphertexts are here or the wait for them is over."""
        permission = active.permission
        wanted = {ciphertext.digest for ciphertext in permission.entry.ciphertexts}
        try:
            async with asyncio.timeout(self._limits.ciphertext_wait_s):
                while wanted - set(active.blobs):
                    active.arrived.clear()
                    await active.arrived.wait()
        except TimeoutError as error:
            code = asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE
            raise WorkFailed(code, "the ciphertexts' bytes did not come in time") from error
        partials = await self._parts.engine.partial_decryptions(permission, active.blobs)
        active.blobs.clear()
        return partials

    async def _decrypt_for_user(self, active: _Active) -> None:
        """No opening: our shares go sealed to the user."""
        partials = await self._partials(active)
        if self._limits.fault is FaultMode.WRONG_SHARES:
            log.warning("FAULT MODE: wrong shares")
            partials = [PartialDecryption(p.item, _spoiled(p.share)) for p in partials]
        signer = self._parts.signer
        permission = active.permission
        try:
            result = await self._parts.engine.run(
                lambda: signer.user_decryption(permission, partials)
            )
        except (PayloadError, kernel.KernelError) as error:
            code = asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED
            raise WorkFailed(code, f"user key: {error}") from error
        await self._finish(result, permission)

    async def _decrypt_publicly(self, active: _Active) -> None:
        """Open together with the peers."""
        partials = await self._partials(active)
        permission = active.permission
        epoch = permission.epoch
        setting = Setting(len(epoch.parties), epoch.threshold, permission.party)
        session = PublicDecryption(setting, [p.item for p in partials], [p.share for p in partials])
        await self._carry_out(active, await self._parts.engine.run(session.start))
        while not session.complete:
            sender, envelope = await active.queue.get()
            payload = payload_of(envelope)
            if not isinstance(payload, MaskedShares):
                continue
            await self._answer_repeat(active, sender, envelope)
            outputs = await self._parts.engine.run(
                lambda s=sender, p=payload: session.feed(s, p)  # type: ignore[misc]  # defaults bind the loop's values
            )
            await self._carry_out(active, outputs)
        if session.unanimous:
            # Everybody holds its share: a dealer's copy of all of them would be one disk to steal.
            await asyncio.to_thread(self._parts.dealer.forget, permission.key_id)

    async def _generate(self, active: _Active) -> None:
        """Deal or be dealt to. Later asks are answered from the sealed deal, see `_repeat`."""
        session = await self._dealing(active.permission)
        await self._carry_out(active, session.start())
        while not session.finished:
            sender, envelope = await active.queue.get()
            payload = payload_of(envelope)
            if isinstance(payload, Deal):
                await self._carry_out(active, session.feed(sender, payload))

    async def _dealing(self, permission: Permission) -> Dealing:
        """The session, as soon as storage takes the public material."""
        while True:
            try:
                return await self._parts.dealer.session(permission)
            except PublishError as error:
                log.warning("storage is not there yet", reason=str(error))
                await asyncio.sleep(_PUBLISH_RETRY_S)

    async def _answer_repeat(
        self, active: _Active, sender: PartyId, envelope: peer_pb2.Envelope
    ) -> None:
        """Send ours again to a peer that may have lost it: it repeats itself, or it comes late."""
        again = sender in active.heard
        active.heard.add(sender)
        late = asyncio.get_running_loop().time() - active.sent_at > _LATE_S
        if envelope.round != _REPEAT and active.message is not None and (again or late):
            message = peer_pb2.Envelope.FromString(active.message.SerializeToString())
            message.round = _REPEAT
            self._parts.peers.send(sender, message)

    async def _carry_out(
        self,
        active: _Active,
        outputs: Sequence[
            Send[MaskedShares] | Send[Deal] | Done[tuple[int, ...]] | Done[Deal] | Blame | Abort
        ],
    ) -> None:
        """Do what a session decided."""
        permission = active.permission
        for output in outputs:
            if isinstance(output, Send):
                await self._send(active, output)
            elif isinstance(output, Blame):
                await self._accuse(permission, output)
            elif isinstance(output, Abort):
                raise WorkFailed(_FAILURES[output.reason], output.detail)
            else:
                await self._complete(permission, output.value)

    async def _send(self, active: _Active, output: Send[MaskedShares] | Send[Deal]) -> None:
        """Put a session's message on the wire; one to all is kept for peers that start over."""
        envelope = envelope_of(active.permission, output.message)
        if self._limits.fault is FaultMode.WRONG_SHARES:
            log.warning("FAULT MODE: wrong shares")
            for share in envelope.masked_shares.shares:
                share.elements = _spoiled(share.elements)
        if output.recipient is not None:
            self._parts.peers.send(output.recipient, envelope)
            return
        active.message = envelope
        active.sent_at = asyncio.get_running_loop().time()
        await asyncio.to_thread(
            self._parts.journal.save_message,
            active.permission.request_id,
            envelope.SerializeToString(),
        )
        self._parts.peers.broadcast(envelope)

    async def _complete(self, permission: Permission, value: object) -> None:
        """Sign and record what a session found."""
        signer = self._parts.signer
        if isinstance(value, Deal):
            if permission.entry.kind == KEY_GENERATION:
                log.warning("INSECURE: key share from a dealer", dealer=True)
                await asyncio.to_thread(
                    keystore.save,
                    self._parts.vault,
                    permission.key_id,
                    permission.record.epoch_id,
                    value,
                )
            result = signer.generation(permission, value.materials)
        elif isinstance(value, tuple):
            result = signer.public_decryption(permission, value)
        else:
            raise TypeError("a session's value of unknown type")
        await self._finish(result, permission)

    async def _accuse(self, permission: Permission, blame: Blame) -> None:
        """Record an accusation, once a party."""
        log.warning("peer deviated", peer=blame.party, fault=blame.fault.value)
        if blame.party == permission.party:
            return
        result = self._parts.signer.accusation(permission, blame.party)
        new = await asyncio.to_thread(
            self._parts.journal.accuse, permission.request_id, blame.party, result
        )
        if new:
            self._recorded()

    async def _finish(self, result: core_pb2.Result, permission: Permission) -> None:
        """Record the one answer."""
        if await asyncio.to_thread(self._parts.journal.finish, permission.request_id, result):
            log.info("request answered", answer=result.WhichOneof("answer"))
            self._recorded()


def _spoiled(share: bytes) -> bytes:
    """A share that is certainly wrong, for fault tests."""
    return bytes(byte ^ 0x5A for byte in share)
