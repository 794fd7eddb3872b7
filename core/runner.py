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
import sqlite3
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import ParamSpec, TypeVar

import structlog
import tkms_kernel as kernel

from core import keystore
from core.active import Active
from core.authorize import (
    CRS_GENERATION,
    KEY_GENERATION,
    PUBLIC_DECRYPTION,
    USER_DECRYPTION,
    Permission,
)
from core.codec import envelope_of, payload_of
from core.engine import PartialDecryption
from core.errors import PublishError, WorkFailed
from core.failures import failure_code
from core.faults import spoiled
from core.flows.table import Answer
from core.journal import ACCEPTED
from core.ordinary import Ordinary, merged, split
from core.parts import Limits, Parts
from core.settings import FaultMode
from mpc.dealing import ASK, Deal, Dealing
from mpc.exchange import Setting
from mpc.public_decryption import PublicDecryption
from mpc.session import Abort, Blame, Done, MaskedShares, Send
from wire.ids import PartyId, RequestId
from wire.payload import PayloadError
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

_REPEAT = 1
# A process cannot start again faster than this, so what it lost is at least so old.
_LATE_S = 0.5
_PUBLISH_RETRY_S = 2.0
_JOURNAL_RETRY_S = 1.0

P = ParamSpec("P")
T = TypeVar("T")

log = structlog.get_logger("core.runner")


class Runner:
    """All running requests of one core."""

    __slots__ = ("_active", "_limits", "_parts", "_recorded")

    def __init__(self, parts: Parts, limits: Limits, recorded: Callable[[], None]) -> None:
        """`recorded` is called after the journal has a new result."""
        self._parts = parts
        self._limits = limits
        self._recorded = recorded
        self._active: dict[RequestId, Active] = {}

    @property
    def running(self) -> Collection[Active]:
        """Requests in progress."""
        return self._active.values()

    def taken_over(self) -> None:
        """Another core of this party had requests that come now."""
        self._parts.host.taken_over()

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
        active = self._active[permission.request_id] = Active(permission, blobs)
        for sender, envelope in self._parts.inbox.take(permission.request_id.value):
            self._enqueue(active, sender, envelope)
        active.task = asyncio.create_task(self._run(active), name=permission.request_id.hex)

    def receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> Awaitable[None] | None:
        """Take a message of a peer that the transport has authenticated."""
        if len(envelope.request_id) != RequestId.LENGTH:
            return None
        active = self._active.get(RequestId(envelope.request_id))
        if active is None:
            return self._receive_idle(sender, envelope)
        self._enqueue(active, sender, envelope)
        return None

    async def _receive_idle(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        """A message for a request that does not run: answered, or not authorised yet."""
        request_id = RequestId(envelope.request_id)
        if await self._answered(request_id):
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
        late = [
            request_id
            for request_id, active in self._active.items()
            if active.permission.deadline_height <= height
        ]
        await self.end(late)

    async def end(self, request_ids: Sequence[RequestId]) -> None:
        """End running requests whose answer nobody takes any more."""
        for request_id in request_ids:
            active = self._active.get(request_id)
            if active is None or active.task is None:
                continue
            active.task.cancel()
            await asyncio.gather(active.task, return_exceptions=True)
            # A task that was cancelled before its first step has not done it.
            self._drop(active)
            if await asyncio.to_thread(self._parts.journal.expire, request_id):
                log.info("request expired", request=request_id.hex)
            await self._parts.ordinary.ended(active.permission)

    async def close(self) -> None:
        """Stop all tasks; unanswered requests resume at the next start."""
        tasks = [active.task for active in self._active.values() if active.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _drop(self, active: Active) -> None:
        """It runs no more; a later start of the same request is another one."""
        request_id = active.permission.request_id
        if self._active.get(request_id) is active:
            del self._active[request_id]

    def _enqueue(self, active: Active, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
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

    async def _run(self, active: Active) -> None:
        """One request from start to result; the task root."""
        permission = active.permission
        structlog.contextvars.bind_contextvars(request=permission.request_id.hex)
        flow = self._parts.flows.of(permission.entry)
        try:
            # A flow takes as long as it takes: only its deadline ends it.
            async with asyncio.timeout(None if flow else self._limits.request_timeout_s):
                await (self._follow(permission, flow) if flow else self._answer(active))
        except TimeoutError:
            if await _written(self._parts.journal.expire, permission.request_id):
                log.warning("request given up: peers did not answer in time")
            await self._parts.ordinary.ended(permission)
        except WorkFailed as error:
            log.warning("request failed", code=error.code, reason=error.detail)
            await self._finish(self._parts.signer.failure(permission, error.code), permission)
        except Exception:  # the task root: a defect must end in a recorded failure
            log.exception("request failed inside")
            code = asc_pb2.FAILURE_CODE_INTERNAL
            await self._finish(self._parts.signer.failure(permission, code), permission)
        finally:
            self._drop(active)

    async def _follow(self, permission: Permission, flow: Answer) -> None:
        """Work over many runs; where it leaves us nothing to say the request just ends."""
        result = await flow(permission)
        if result is not None:
            await self._finish(result, permission)
        else:
            await _written(self._parts.journal.expire, permission.request_id)

    async def _answer(self, active: Active) -> None:
        """The kinds of work of one round, in one table."""
        kinds: dict[int, Callable[[Active], Awaitable[None]]] = {
            KEY_GENERATION: self._generate,
            CRS_GENERATION: self._generate,
            PUBLIC_DECRYPTION: self._decrypt_publicly,
            USER_DECRYPTION: self._decrypt_for_user,
        }
        self._parts.ordinary.accepted(active.permission)
        work = kinds.get(active.permission.entry.kind)
        if work is None:
            raise WorkFailed(asc_pb2.FAILURE_CODE_INTERNAL, "unknown kind of request")
        await work(active)

    async def _inputs(self, active: Active) -> tuple[list[Ordinary], list[isc_pb2.Ciphertext]]:
        """Ordinary and other ciphertexts, once all are here or the wait for them is over."""
        try:
            async with asyncio.timeout(self._limits.ciphertext_wait_s):
                await active.all_here()
        except TimeoutError as error:
            code = asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE
            raise WorkFailed(code, "the ciphertexts' bytes did not come in time") from error
        return split(active.permission, active.blobs)

    async def _decrypt_for_user(self, active: Active) -> None:
        """The value is not opened: our shares go sealed to the user."""
        permission = active.permission
        ordinary, others = await self._inputs(active)
        rest = await self._parts.engine.partial_decryptions(permission, active.blobs, others)
        known: dict[int, PartialDecryption] = {}
        if ordinary:
            accuse = partial(self._accuse, permission)
            known = await self._parts.ordinary.shares(permission, ordinary, accuse)
        partials = merged(known, rest)
        if self._limits.fault is FaultMode.WRONG_SHARES:
            log.warning("FAULT MODE: wrong shares")
            partials = [replace(p, share=spoiled(p.share)) for p in partials]
        signer = self._parts.signer
        try:
            result = await self._parts.engine.run(
                lambda: signer.user_decryption(permission, partials)
            )
        except (PayloadError, kernel.KernelError) as error:
            code = asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED
            raise WorkFailed(code, f"user key: {error}") from error
        await self._finish(result, permission)

    async def _decrypt_publicly(self, active: Active) -> None:
        """Open together with the peers."""
        permission = active.permission
        ordinary, others = await self._inputs(active)
        partials = await self._parts.engine.partial_decryptions(permission, active.blobs, others)
        if ordinary:
            accuse = partial(self._accuse, permission)
            opened = await self._parts.ordinary.values(permission, ordinary, accuse)
            active.known = opened.values
            if opened.proven:
                await asyncio.to_thread(self._parts.dealer.forget, permission.key_id)
        active.blobs.clear()
        if others:
            await self._open_squashed(active, partials)
        else:
            await self._complete(active, ())

    async def _open_squashed(self, active: Active, partials: list[PartialDecryption]) -> None:
        """One round with the peers, and a wait for late liars."""
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

    async def _generate(self, active: Active) -> None:
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
        self, active: Active, sender: PartyId, envelope: peer_pb2.Envelope
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
        active: Active,
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
                raise WorkFailed(failure_code(output.reason), output.detail)
            else:
                await self._complete(active, output.value)

    async def _send(self, active: Active, output: Send[MaskedShares] | Send[Deal]) -> None:
        """Put a session's message on the wire; one to all is kept for peers that start over."""
        envelope = envelope_of(active.permission, output.message)
        if self._limits.fault is FaultMode.WRONG_SHARES:
            log.warning("FAULT MODE: wrong shares")
            for share in envelope.masked_shares.shares:
                share.elements = spoiled(share.elements)
        if output.recipient is not None:
            self._parts.peers.send(output.recipient, envelope)
            return
        active.message = envelope
        active.sent_at = asyncio.get_running_loop().time()
        message = envelope.SerializeToString()
        await _written(self._parts.journal.save_message, active.permission.request_id, message)
        self._parts.peers.broadcast(envelope)

    async def _complete(self, active: Active, value: object) -> None:
        """Sign and record what a session found."""
        permission = active.permission
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
                    dealer=True,
                )
                if permission.epoch.threshold:
                    self._parts.ordinary.prepare(permission.record.epoch_id)
            result = signer.generation(permission, value.materials)
        elif isinstance(value, tuple):
            result = signer.public_decryption(permission, merged(active.known, value))
        else:
            raise TypeError("a session's value of unknown type")
        await self._finish(result, permission)

    async def _accuse(self, permission: Permission, blame: Blame) -> None:
        """Record an accusation, once a party."""
        log.warning("peer deviated", peer=blame.party, fault=blame.fault.value)
        if blame.party == permission.party:
            return
        result = self._parts.signer.accusation(permission, blame.party)
        accuse = self._parts.journal.accuse
        if await _written(accuse, permission.request_id, blame.party, result):
            self._recorded()

    async def _finish(self, result: core_pb2.Result, permission: Permission) -> None:
        """Record the one answer."""
        if await _written(self._parts.journal.finish, permission.request_id, result):
            log.info("request answered", answer=result.WhichOneof("answer"))
            self._recorded()
        await self._parts.ordinary.ended(permission)


async def _written(write: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What the journal says of a change, as soon as its disk takes it: what was computed stays."""
    while True:
        try:
            return await asyncio.to_thread(write, *args, **kwargs)
        except sqlite3.OperationalError as error:  # a full disk, a lock that others hold
            log.warning("THE JOURNAL CANNOT WRITE", reason=str(error))
            await asyncio.sleep(_JOURNAL_RETRY_S)
