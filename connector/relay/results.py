"""Answers of decided requests with their proofs: nothing that the caller would have to believe."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import grpc

from client import keys
from client.chain import Chain, Proven
from client.errors import ClientError, RejectedByChain, VerificationFailed
from client.storage import StorageClient
from connector.relay.errors import RelayError, refusal, unavailable
from connector.relay.metrics import RelayMeter
from connector.way import light_block
from wire.answers import answering_epoch_id
from wire.digests import sha3_256
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason

_SIDE_BY_SIDE: Final = 16
_MAX_PAYLOAD_BYTES: Final = 16 * 1024 * 1024
_OPEN: Final = (asc_pb2.STATUS_UNSPECIFIED, asc_pb2.STATUS_PENDING)


class Results:
    """Puts results together; a bounded number at a time."""

    def __init__(self, chain: Chain, storage: StorageClient | None, meter: RelayMeter) -> None:
        """Without storage, payloads that are kept there are left out."""
        self._chain = chain
        self._storage = storage
        self._meter = meter
        self._room = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def view(self, request_id: bytes) -> state_pb2.RequestView | None:
        """The request as the node has it; None where no block has it."""
        try:
            return await self._chain.request(RequestId(request_id))
        except RejectedByChain as error:
            if error.code == Reason.NOT_FOUND:
                return None
            raise

    async def result(
        self, request_id: bytes, trusted_height: int, head: int, *, submitted: bool = True
    ) -> pb.RequestResult:
        """Result of a decided request; `head` is the newest height that was read.

        `submitted`: the request is known here, so without a block it is on its way.

        Raises:
            RelayError: UNKNOWN_REQUEST, NOT_DECIDED, RESULT_PRUNED, STORAGE_UNAVAILABLE.
        """
        async with self._room:
            view = await self.view(request_id)
            if view is None and not submitted:
                raise unknown_request()
            if view is None or view.status.status in _OPEN:
                raise refusal(
                    pb.RELAY_REASON_NOT_DECIDED,
                    grpc.StatusCode.FAILED_PRECONDITION,
                    "the parties have not decided it yet",
                )
            answers = await self._with_payloads(view)
            # Under a header that is there already, if that is possible.
            height = max(view.status.decided_height, head - 1)
            proven = await self._chain.proven_values(
                [
                    keys.log_entry(view.entry.sequence),
                    keys.status(request_id),
                    keys.epoch(answering_epoch_id(view.entry)),
                ],
                height,
            )
            headers = await self._chain.headers.way(trusted_height or height + 1, height + 1)
        entry, status, epoch = map(_proven_value, proven)
        return pb.RequestResult(
            request_id=request_id,
            answers=answers,
            entry=entry,
            status=status,
            epoch=epoch,
            headers=map(light_block, headers),
        )

    async def _with_payloads(self, view: state_pb2.RequestView) -> Sequence[asc_pb2.Answer]:
        if view.status.status != asc_pb2.STATUS_FULFILLED:
            return view.answers
        if view.entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
            if not any(answer.fulfil.public_decryption.decrypted_result for answer in view.answers):
                raise _pruned()
            return view.answers
        if view.entry.kind == asc_pb2.REQUEST_KIND_USER_DECRYPTION:
            return await self._with_user_payloads(view)
        return view.answers

    async def _with_user_payloads(self, view: state_pb2.RequestView) -> Sequence[asc_pb2.Answer]:
        """Put payloads in; those that are missing may be so few that the rest is enough."""
        failures: list[ClientError] = []

        async def put_in(answer: asc_pb2.Answer) -> bool:
            result = answer.fulfil.user_decryption
            if answer.WhichOneof("outcome") != "fulfil" or result.payload:
                return bool(result.payload)
            try:
                result.payload = await self._payload(result)
            except ClientError as error:
                failures.append(error)
            return bool(result.payload)

        complete = sum(await asyncio.gather(*map(put_in, view.answers)))
        self._meter.storage_error = str(failures[0]) if failures and not complete else ""
        if complete < view.entry.thresholds.user_decryption:
            if view.status.prune_height and not failures:
                raise _pruned()
            raise unavailable(
                f"{complete} payloads could be had", pb.RELAY_REASON_STORAGE_UNAVAILABLE
            )
        return view.answers

    async def _payload(self, result: asc_pb2.UserDecryptionResult) -> bytes:
        if self._storage is None:
            return b""
        size = min(result.payload_size or _MAX_PAYLOAD_BYTES, _MAX_PAYLOAD_BYTES)
        payload = await self._storage.get(result.payload_digest, size)
        if sha3_256(payload) != result.payload_digest:
            raise VerificationFailed("storage serves other bytes")
        return payload


def unknown_request() -> RelayError:
    """Neither the chain nor this relay knows it."""
    return refusal(
        pb.RELAY_REASON_UNKNOWN_REQUEST,
        grpc.StatusCode.NOT_FOUND,
        "no block and no submission has this request",
    )


def lapsed(expires_at: int) -> RelayError:
    """No block had the transaction in time."""
    return refusal(
        pb.RELAY_REASON_LAPSED,
        grpc.StatusCode.FAILED_PRECONDITION,
        f"no block had the transaction up to height {expires_at}; nothing was done",
    )


def _pruned() -> RelayError:
    return refusal(
        pb.RELAY_REASON_RESULT_PRUNED,
        grpc.StatusCode.DATA_LOSS,
        "the answers were pruned from the state",
    )


def _proven_value(proven: Proven) -> state_pb2.ProvenValue:
    if proven.value is None:
        raise VerificationFailed(f"the state proves that {proven.key!r} is absent")
    return state_pb2.ProvenValue(
        key=proven.key, value=proven.value, proof=proven.proof, height=proven.height
    )
