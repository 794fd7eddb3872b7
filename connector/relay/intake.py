"""From a call to a submission on disk: checked, priced, signed, counted, kept; then offered."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import grpc

from connector.relay.broadcast import Broadcaster, Word
from connector.relay.database import Stored
from connector.relay.errors import Violation, busy, malformed, refusal, refused_by_chain
from connector.relay.hub import Hub
from connector.relay.metrics import RelayMeter
from connector.relay.payers import Account, Payers
from connector.relay.pricing import Cost, Pricing
from connector.relay.records import MESSAGES, Submission
from connector.relay.tokens import Grant, Quotas
from connector.relay.writer import Writer
from wire.digests import sha256
from wire.ids import Address, request_id
from wire.limits import NONCE_BYTES
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.tx import sign_bytes

# What SQLite can count to; no account ever has as many units, and no chain as many blocks.
_MOST: Final = 2**63 - 1
# Ciphertexts of one request, far above what any configuration allows.
_MOST_CIPHERTEXTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the settings."""

    ttl_blocks: int
    max_in_flight: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A body that lacks nothing but, perhaps, its max_fee."""

    body: tx_pb2.TxBody
    message: str
    kind: asc_pb2.RequestKind
    account: Account
    cost: Cost


@dataclass(frozen=True, slots=True)
class IntakeParts:
    """What intake works with."""

    chain_id: str
    pricing: Pricing
    payers: Payers
    quotas: Quotas
    writer: Writer
    broadcaster: Broadcaster
    hub: Hub
    meter: RelayMeter
    limits: Limits
    now: Callable[[], float] = time.time


class Intake:
    """Takes submissions."""

    def __init__(self, parts: IntakeParts) -> None:
        """Nothing is kept here."""
        self._parts = parts

    def draft(self, request: pb.SubmitRequest) -> Draft:
        """Check a submission and price it.

        Raises:
            RelayError: MALFORMED, UNKNOWN_PAYER, or a reason of the chain that is certain already.
        """
        parts = self._parts
        message, kind = _check(request)
        account = parts.payers.choose(request.payer)
        height = parts.hub.head
        ttl = min(parts.limits.ttl_blocks, parts.pricing.view.parameters.max_ttl_blocks)
        body = tx_pb2.TxBody(
            chain_id=parts.chain_id,
            sender=bytes(account.signer.address),
            nonce=request.nonce or os.urandom(NONCE_BYTES),
            expires_at_height=request.expires_at_height or height + ttl,
            max_fee=request.max_fee,
        )
        content = getattr(request, str(request.WhichOneof("request")))
        getattr(body.messages.add(), message).CopyFrom(content)
        cost = parts.pricing.cost(body, message, account.signer)
        if cost.total > _MOST:
            # Of sizes that the caller names: nobody could pay it, and no field could hold it.
            raise refused_by_chain(Reason.REQUEST_TOO_LARGE, f"it costs more than {_MOST} units")
        return Draft(body, message, kind, account, cost)

    async def submit(
        self, grant: Grant, request: pb.SubmitRequest, verdict_s: float
    ) -> tuple[Submission, bool]:
        """A submission on disk, and whether it was there before.

        Raises:
            RelayError: it is not kept, or the chain refuses it.
        """
        parts = self._parts
        known = self._known(request)
        if known is None:
            draft = self.draft(request)
            self._certain(draft)
            stored = await self._keep(grant, draft, self._payers(request))
        else:
            stored = known
        if stored.conflict or (stored.duplicate and not _agrees(stored.submission, request)):
            raise refusal(
                pb.RELAY_REASON_NONCE_REUSED,
                grpc.StatusCode.ALREADY_EXISTS,
                "the payer's nonce names another submission",
            )
        submission = stored.submission
        if stored.duplicate:
            parts.meter.submissions.add("duplicate")
            submission = await self._again(submission)
        else:
            parts.meter.submissions.add("accepted")
        if submission.state == pb.REQUEST_STATE_ACCEPTED:
            await self._verdict(submission, verdict_s)
        return submission, stored.duplicate

    def _known(self, request: pb.SubmitRequest) -> Stored | None:
        """The submission that the nonce names already, before anything is counted or signed."""
        if not request.nonce:
            return None
        _check(request)
        payers = self._payers(request)
        found = self._parts.writer.database.submission_of_nonce(request.nonce, payers)
        if found is None:
            return None
        same = found.content == _content(request)
        return Stored(found, duplicate=same, conflict=not same)

    def _payers(self, request: pb.SubmitRequest) -> tuple[bytes, ...]:
        """Among whom the nonce counts: the named payer, or all where that is left to the relay."""
        if request.payer:
            self._parts.payers.choose(request.payer)
            return (request.payer,)
        return self._parts.payers.addresses

    def _certain(self, draft: Draft) -> None:
        """Refuse now what the node would refuse in a moment."""
        parts = self._parts
        height = parts.hub.head
        body = draft.body
        if body.max_fee and body.max_fee < draft.cost.total:
            raise refused_by_chain(
                Reason.MAX_FEE_EXCEEDED, f"it costs {draft.cost.total}, max_fee is {body.max_fee}"
            )
        if body.expires_at_height <= height:
            raise refused_by_chain(Reason.EXPIRED, f"the newest height is {height}")
        last = height + 1 + parts.pricing.view.parameters.max_ttl_blocks
        if body.expires_at_height > min(last, _MOST):
            raise refused_by_chain(Reason.TTL_TOO_LONG, f"the newest height is {height}")
        if len(parts.broadcaster) >= parts.limits.max_in_flight:
            raise busy("as many transactions as the relay holds wait for a block", 1.0)

    async def _keep(self, grant: Grant, draft: Draft, payers: Sequence[bytes]) -> Stored:
        """Sign and write; what was counted is given back where nothing new came of it."""
        parts = self._parts
        body = draft.body
        body.max_fee = body.max_fee or draft.cost.total
        units = body.max_fee
        parts.quotas.take(grant, units)
        kept = False
        try:
            submission = self._signed(draft, grant.name)
            stored = await parts.writer.keep(submission, payers)
            kept = not (stored.duplicate or stored.conflict)
        finally:
            if not kept:
                parts.quotas.give_back(grant, units)
        if kept:
            draft.account.promised += units
        return stored

    def _signed(self, draft: Draft, client: str) -> Submission:
        parts = self._parts
        signer = draft.account.signer
        raw_body = draft.body.SerializeToString(deterministic=True)
        raw = tx_pb2.Tx(
            body=raw_body,
            scheme=signer.scheme,
            public_key=signer.public_key,
            signature=signer.sign_digest(sign_bytes(parts.chain_id, raw_body)),
        ).SerializeToString(deterministic=True)
        message = getattr(draft.body.messages[0], draft.message)
        return Submission(
            request_id=request_id(parts.chain_id, raw_body, 0).value,
            hash=sha256(raw),
            raw=raw,
            payer=draft.body.sender,
            nonce=draft.body.nonce,
            content=_digest(draft.message, message.SerializeToString(deterministic=True)),
            kind=draft.kind,
            client=client,
            expires_at=draft.body.expires_at_height,
            max_fee=draft.body.max_fee,
            accepted_at=parts.now(),
        )

    async def _again(self, submission: Submission) -> Submission:
        """A repeated call: what was refused before any block is tried again, the rest is as it is."""
        if submission.state != pb.REQUEST_STATE_REJECTED:
            return submission
        parts = self._parts
        if submission.included_height or submission.expires_at <= parts.hub.head:
            raise refused_by_chain(submission.refusal_code, submission.refusal_detail)
        await parts.writer.run(parts.writer.database.reopen, submission.request_id)
        return dataclasses.replace(
            submission, state=pb.REQUEST_STATE_ACCEPTED, refusal_code=0, refusal_detail=""
        )

    async def _verdict(self, submission: Submission, verdict_s: float) -> None:
        """Offer it, and wait for the node's word for a while; a refusal is this call's error."""
        future = self._parts.broadcaster.offer(submission)
        if verdict_s <= 0:
            return
        await asyncio.wait([future], timeout=verdict_s)
        if future.done() and future.result().word is Word.REFUSED:
            self._parts.meter.submissions.add("refused")
            raise refused_by_chain(future.result().code, future.result().detail)


def _check(request: pb.SubmitRequest) -> tuple[str, asc_pb2.RequestKind]:
    """Message and kind of a well-formed submission.

    Raises:
        RelayError: MALFORMED.
    """
    which = request.WhichOneof("request")
    if which is None:
        raise malformed(Violation("request", "exactly one kind of request is set"))
    violations = [
        Violation(name, f"{length} bytes, or left out")
        for name, length in (("nonce", NONCE_BYTES), ("payer", Address.LENGTH))
        if len(getattr(request, name)) not in {0, length}
    ]
    if request.max_fee > _MOST:
        violations.append(Violation("max_fee", f"at most {_MOST}, or left out"))
    content = getattr(request, which)
    if len(getattr(content, "ciphertexts", ())) > _MOST_CIPHERTEXTS:
        violations.append(Violation(f"{which}.ciphertexts", "far too many"))
    size = request.ByteSize()
    request.DiscardUnknownFields()
    if request.ByteSize() != size:
        violations.append(Violation(which, "a field that this relay does not know"))
    if violations:
        raise malformed(*violations)
    return MESSAGES[which]


def _content(request: pb.SubmitRequest) -> bytes:
    which = str(request.WhichOneof("request"))
    message, _ = MESSAGES[which]
    return _digest(message, getattr(request, which).SerializeToString(deterministic=True))


def _digest(message: str, content: bytes) -> bytes:
    return sha256(message.encode() + b"\x00" + content)


def _agrees(known: Submission, request: pb.SubmitRequest) -> bool:
    """Whether what the caller gave is what the known submission has."""
    return (
        request.expires_at_height in {0, known.expires_at}
        and request.max_fee in {0, known.max_fee}
        and request.payer in {b"", known.payer}
    )
