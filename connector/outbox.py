"""From waiting answers to the chain: exactly one effect each, whatever dies in between.

Rules, in this order:
1. A transaction is written to disk before it is sent for the first time.
2. The same bytes are sent again until a block has them or their last height has passed. The chain
   refuses a second inclusion, so sending too often is harmless.
3. Only an expired transaction is replaced, and only for answers that the chain does not have and
   whose deadline has not passed. The chain takes a party's equal answer once, so a replacement that
   races its predecessor has no second effect either.
4. A refused transaction had no effect: its answers go back in companies of half the size, down to
   one, where the refusal names its culprit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from client import keys
from client.chain import Chain, Submitted
from client.errors import ClientError, NodeError, RejectedByChain
from connector.database import Answer, Database, Outgoing
from connector.metrics import ConnectorMeter
from connector.ticker import Ticker
from wire.limits import MAX_TRANSACTION_BYTES
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.signing import Signer

_LOG = structlog.get_logger(__name__)

# Short, so that a lost transaction is replaced soon; long enough for a busy mempool.
TTL_BLOCKS: Final = 30
_MOST_ANSWERS: Final = 512
# Body, signature and nonce around the messages, generously.
_ENVELOPE_BYTES: Final = 512
_FRAME_BYTES: Final = 8
# Heights after which the same bytes are offered again: a mempool is not durable.
_RESEND_BLOCKS: Final = 3
# Heights after which a refusal that may pass (empty account, young node) is tried again.
_RETRY_BLOCKS: Final = 5
# No repetition can help; people have to look.
_HOPELESS: Final = frozenset(
    {
        Reason.NOT_PARTY,
        Reason.KIND_MISMATCH,
        Reason.BAD_RESULT,
        Reason.BAD_RESULT_SIGNATURE,
        Reason.RESULT_CONFLICT,
        Reason.BAD_ACCUSATION,
        Reason.TOO_LARGE,
        Reason.DECODE,
    }
)


@dataclass(frozen=True, slots=True)
class Sender:
    """For whom the outbox speaks."""

    signer: Signer
    party: int


class Outbox:
    """Sends answers and follows their transactions; all state is in the database."""

    def __init__(
        self,
        chain: Chain,
        database: Database,
        sender: Sender,
        meter: ConnectorMeter | None = None,
    ) -> None:
        """Continue where the last process stopped."""
        self._meter = meter or ConnectorMeter()
        self._chain = chain
        self._database = database
        self._sender = sender
        self._batched_at = 0
        self._offered_at: dict[bytes, int] = {}

    async def run(self, ticker: Ticker, poll_seconds: float) -> None:
        """Work for ever; a silent node is waited for."""
        await ticker.beyond(0)
        while True:
            try:
                await self.step(ticker.height)
            except ClientError as error:
                _LOG.warning("outbox waits", error=str(error))
            await asyncio.sleep(poll_seconds)

    async def step(self, height: int) -> None:
        """Follow open transactions, then at most one new round of transactions a height."""
        for outgoing in self._database.open_outgoing():
            await self._follow(outgoing, height)
        if height > self._batched_at and await self._batch(height):
            self._batched_at = height

    # --- new transactions

    async def _batch(self, height: int) -> bool:
        """Put every ready answer into as few transactions as allowed; True when there was any."""
        ready = self._database.ready_answers(height, _MOST_ANSWERS)
        late = [answer for answer in ready if _is_late(answer, height)]
        if late:
            await self._bury(late)
        timely = [answer for answer in ready if not _is_late(answer, height)]
        if timely:
            parameters = (await self._chain.config()).parameters
            limit = min(parameters.max_transaction_bytes, MAX_TRANSACTION_BYTES)
            for company in companies(timely, parameters.max_messages, limit - _ENVELOPE_BYTES):
                await self._send_new(company, height, min(TTL_BLOCKS, parameters.max_ttl_blocks))
        return bool(timely)

    async def _send_new(self, company: Sequence[Answer], height: int, ttl_blocks: int) -> None:
        messages = [tx_pb2.Message.FromString(answer.message) for answer in company]
        try:
            submitted = await self._chain.build(
                messages, self._sender.signer, ttl_blocks=ttl_blocks
            )
        except RejectedByChain as error:
            await self._refused(company, error, height)
            return
        self._database.add_outgoing(
            Outgoing(submitted.hash, submitted.raw, submitted.expires_at_height),
            [answer.id for answer in company],
        )
        self._meter.transactions.add("built")
        self._meter.answers.add("sent", count=len(company))
        _LOG.info("transaction built", hash=submitted.hash.hex(), answers=len(company))
        self._offered_at[submitted.hash] = height
        await self._offer(submitted)

    async def _offer(self, submitted: Submitted) -> None:
        """Send bytes that are on disk; whatever the node says, their fate is read from blocks."""
        try:
            await self._chain.send(submitted)
        except (RejectedByChain, NodeError) as error:
            _LOG.warning("transaction not taken", hash=submitted.hash.hex(), error=str(error))

    # --- transactions on their way

    async def _follow(self, outgoing: Outgoing, height: int) -> None:
        try:
            found = await self._chain.rpc.tx(outgoing.hash)
        except NodeError:
            # A node without an index: only state and expiry tell.
            found = None
        if found is None:
            await self._missing(outgoing, height)
            return
        self._offered_at.pop(outgoing.hash, None)
        company = self._database.carried(outgoing.hash)
        if found.code == 0:
            # Answers first: dying in between only repeats this step.
            self._database.finish_answers([answer.id for answer in company], "done")
            self._database.finish_outgoing(outgoing.hash, "included")
            self._meter.transactions.add("included")
            self._meter.answers.add("landed", count=len(company))
            _LOG.info(
                "answers included",
                hash=outgoing.hash.hex(),
                answers=len(company),
                height=found.height,
            )
            return
        await self._refused(company, RejectedByChain(found.code, found.log), height)
        self._database.finish_outgoing(outgoing.hash, "refused")
        self._meter.transactions.add("refused")

    async def _missing(self, outgoing: Outgoing, height: int) -> None:
        if height <= outgoing.expires_at + 1:
            if height < self._offered_at.get(outgoing.hash, -_RESEND_BLOCKS) + _RESEND_BLOCKS:
                return
            self._offered_at[outgoing.hash] = height
            self._meter.transactions.add("offered_again")
            await self._offer(Submitted(outgoing.hash, outgoing.raw, (), outgoing.expires_at))
            return
        self._offered_at.pop(outgoing.hash, None)
        # No block after the last height can have it; the index may lag, the state does not.
        company = self._database.carried(outgoing.hash)
        known = await self._on_chain(company)
        present = [answer.id for answer in company if answer.id in known]
        absent = [answer.id for answer in company if answer.id not in known]
        self._database.finish_answers(present, "done")
        self._database.retry_answers(absent, _MOST_ANSWERS, 0)
        self._database.finish_outgoing(outgoing.hash, "expired")
        self._meter.transactions.add("expired")
        self._meter.answers.add("landed", count=len(present))
        self._meter.answers.add("retried", count=len(absent))
        _LOG.warning(
            "transaction expired", hash=outgoing.hash.hex(), again=len(absent), found=len(present)
        )

    # --- refusals

    async def _refused(
        self, company: Sequence[Answer], error: RejectedByChain, height: int
    ) -> None:
        """Sort out answers whose transaction had, or would have, no effect."""
        if len(company) > 1:
            half = len(company) // 2
            _LOG.info("company refused", answers=len(company), error=str(error))
            self._database.retry_answers([answer.id for answer in company], half, 0)
            self._meter.answers.add("retried", count=len(company))
            return
        for answer in company:
            await self._refused_alone(answer, error, height)

    async def _refused_alone(self, answer: Answer, error: RejectedByChain, height: int) -> None:
        request = answer.request.hex()
        if await self._on_chain([answer]):
            self._database.finish_answers([answer.id], "done", str(error))
            self._meter.answers.add("not_needed")
            _LOG.info("answer not needed", request=request, error=str(error))
        elif error.reason in _HOPELESS:
            self._database.finish_answers([answer.id], "dead", str(error))
            self._meter.answers.add("dead")
            _LOG.error("answer refused for good", request=request, error=str(error))
        else:
            self._database.retry_answers([answer.id], 1, height + _RETRY_BLOCKS)
            self._meter.answers.add("retried")
            _LOG.warning("answer refused, will retry", request=request, error=str(error))

    async def _bury(self, late: Sequence[Answer]) -> None:
        known = await self._on_chain(late)
        for answer in late:
            state, note = ("done", "") if answer.id in known else ("dead", "deadline passed")
            self._database.finish_answers([answer.id], state, note)
            self._meter.answers.add("landed" if state == "done" else "dead")
            _LOG.warning("deadline passed", request=answer.request.hex(), state=state)

    async def _on_chain(self, answers: Sequence[Answer]) -> set[int]:
        """Ids of the answers, or accusations, that the proven state has."""
        party = self._sender.party
        messages = {answer.id: tx_pb2.Message.FromString(answer.message) for answer in answers}
        wanted = {
            answer.id: keys.status(answer.request)
            if messages[answer.id].WhichOneof("kind") == "accuse"
            else keys.answer(answer.request, party)
            for answer in answers
        }
        if not wanted:
            return set()
        proven = await self._chain.proven_values(sorted(set(wanted.values())))
        values = {item.key: item.value for item in proven}
        return {
            identity
            for identity, key in wanted.items()
            if _says(values[key], messages[identity], party)
        }


def _says(value: bytes | None, message: tx_pb2.Message, party: int) -> bool:
    """Whether a proven record (an answer, or the status for accusations) holds what we send."""
    if value is None or message.WhichOneof("kind") != "accuse":
        return value is not None
    known = {
        record.accused
        for record in asc_pb2.RequestStatus.FromString(value).accusations
        if party in record.accusers
    }
    return known.issuperset(message.accuse.accused)


def _is_late(answer: Answer, height: int) -> bool:
    """Whether the next block is after the deadline; accusations are heard later too."""
    message = tx_pb2.Message.FromString(answer.message)
    return 0 < answer.deadline <= height and message.WhichOneof("kind") != "accuse"


def companies(answers: Sequence[Answer], max_messages: int, max_bytes: int) -> list[list[Answer]]:
    """Split answers into transactions in order: by count, bytes and each answer's own limit."""
    result: list[list[Answer]] = []
    size = 0
    for answer in answers:
        cost = len(answer.message) + _FRAME_BYTES
        current = result[-1] if result else []
        limit = min([max_messages, answer.batch_limit, *(item.batch_limit for item in current)])
        if not current or len(current) >= limit or size + cost > max_bytes:
            result.append([])
            size = 0
        result[-1].append(answer)
        size += cost
    return result
