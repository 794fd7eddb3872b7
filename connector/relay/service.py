"""GatewayService: each method checks its fields, asks the parts, and puts the answer together."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from client.chain import Chain
from client.errors import NodeError, Unreachable
from client.rpc import ChainRpc
from connector.relay.calls import Caller, Door, streaming, unary
from connector.relay.database import Database, Filter
from connector.relay.errors import Violation, busy, malformed, refused_by_chain
from connector.relay.hub import Hub
from connector.relay.intake import Intake
from connector.relay.pages import position_of, size_of, token_of
from connector.relay.payers import Payers
from connector.relay.pricing import Pricing
from connector.relay.records import FINAL, LOCAL_SEQUENCE, Place, Submission, state_of
from connector.relay.results import Results, lapsed, unknown_request
from connector.relay.stream import Stream
from connector.relay.tokens import Quotas
from wire.ids import RequestId
from wire.limits import MAX_TRANSACTION_BYTES
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc
from wire.pb.tkms.state.v1 import state_pb2

# A request is no larger than a transaction may be; a list of ids is smaller.
MAX_RECEIVE_BYTES: Final = MAX_TRANSACTION_BYTES + 64 * 1024
_MOST_STREAMS: Final = 1_000
_MOST_WATCHED: Final = 1_000
_MOST_FILTERS: Final = 32
_LONGEST_APPLICATION: Final = 256
_HANDLE_BYTES: Final = 32
_WAIT_S: Final = 3_600.0
_LIST_PREFIXES: Final = (
    (pb.MATERIAL_TYPE_KEY, "keys"),
    (pb.MATERIAL_TYPE_CRS, "crs"),
    (pb.MATERIAL_TYPE_PREPROCESSING, "preprocessings"),
)


@dataclass(frozen=True, slots=True)
class ServiceParts:
    """What the service works with."""

    chain: Chain
    rpc: ChainRpc
    database: Database
    hub: Hub
    intake: Intake
    taken: Callable[[bytes], bool]
    results: Results
    pricing: Pricing
    payers: Payers
    quotas: Quotas
    verdict_seconds: float


class GatewayService(gateway_pb2_grpc.GatewayServiceServicer):
    """See the schema for what each method promises."""

    def __init__(self, parts: ServiceParts, door: Door) -> None:
        """Nothing is kept here but the number of streams."""
        self._parts = parts
        self.door = door
        self._streams = 0

    @unary
    async def Submit(  # noqa: N802 - the name in the schema
        self, request: pb.SubmitRequest, caller: Caller
    ) -> pb.SubmitResponse:
        """Keep, then offer."""
        parts = self._parts
        wanted = parts.verdict_seconds
        if request.HasField("verdict_timeout"):
            wanted = _seconds(request.verdict_timeout, "verdict_timeout")
        submission, duplicate = await parts.intake.submit(
            caller.grant, request, caller.patience(wanted)
        )
        return pb.SubmitResponse(submission=self._shown(submission), duplicate=duplicate)

    @unary
    async def GetRequest(  # noqa: N802 - the name in the schema
        self, request: pb.GetRequestRequest, caller: Caller
    ) -> pb.GetRequestResponse:
        """From disk and from the node."""
        _check_id("request_id", request.request_id)
        return pb.GetRequestResponse(request=await self._request(request.request_id, caller))

    @unary
    async def ListRequests(  # noqa: N802 - the name in the schema
        self, request: pb.ListRequestsRequest, caller: Caller
    ) -> pb.ListRequestsResponse:
        """From disk."""
        if max(len(request.states), len(request.kinds)) > _MOST_FILTERS:
            raise malformed(Violation("states, kinds", f"at most {_MOST_FILTERS}"))
        filters = f"requests|{caller.grant.name}|{[*request.states]}|{[*request.kinds]}".encode()
        before = position_of(request.page_token, filters)
        wanted = Filter(caller.grant.name, tuple(request.states), tuple(request.kinds))
        page = self._parts.database.submissions(wanted, before, size_of(request.page_size))
        return pb.ListRequestsResponse(
            submissions=[self._shown(submission) for submission in page.submissions],
            next_page_token=token_of(page.position, filters) if page.position else "",
        )

    @unary
    async def WaitRequest(  # noqa: N802 - the name in the schema
        self, request: pb.WaitRequestRequest, caller: Caller
    ) -> pb.WaitRequestResponse:
        """Look whenever something about the request changes."""
        _check_id("request_id", request.request_id)
        wanted = _WAIT_S
        if request.HasField("timeout"):
            wanted = _seconds(request.timeout, "timeout")
        with self._parts.hub.watching(request.request_id) as changed:
            found = await self._request(request.request_id, caller)
            try:
                async with asyncio.timeout(caller.patience(wanted)):
                    while not _reached(found, request.until):
                        await changed.wait()
                        changed.clear()
                        found = await self._request(request.request_id, caller)
            except TimeoutError:
                pass
        reached = _reached(found, request.until)
        response = pb.WaitRequestResponse(request=found, reached=reached)
        if request.include_result and found.state == pb.REQUEST_STATE_FULFILLED:
            response.result.CopyFrom(await self._result(request))
        return response

    @streaming
    async def WatchRequests(  # noqa: N802 - the name in the schema
        self, request: pb.WatchRequestsRequest, caller: Caller
    ) -> AsyncIterator[pb.WatchRequestsResponse]:
        """From the database, woken by the follower."""
        parts = self._parts
        if len(request.request_ids) > _MOST_WATCHED or len(request.kinds) > _MOST_FILTERS:
            raise malformed(Violation("request_ids", f"at most {_MOST_WATCHED}"))
        for request_id in request.request_ids:
            _check_id("request_ids", request_id)
        if self._streams >= _MOST_STREAMS:
            raise busy(f"{_MOST_STREAMS} streams are open", 5.0)
        stream = Stream(parts.database, parts.hub, parts.results)
        place = stream.start(request)
        self._streams += 1
        self.door.meter.streams.set(self._streams)
        try:
            async for response in stream.events(request, place, caller.grant.name):
                yield response
        finally:
            self._streams -= 1
            self.door.meter.streams.set(self._streams)

    @unary
    async def GetResult(  # noqa: N802 - the name in the schema
        self,
        request: pb.GetResultRequest,
        caller: Caller,  # noqa: ARG002 - as the others
    ) -> pb.GetResultResponse:
        """Answers and proofs."""
        _check_id("request_id", request.request_id)
        return pb.GetResultResponse(result=await self._result(request))

    @unary
    async def GetPrices(  # noqa: N802 - the name in the schema
        self, request: pb.GetPricesRequest, caller: Caller
    ) -> pb.GetPricesResponse:
        """From the configuration that the node last told."""
        parts = self._parts
        view = parts.pricing.view
        response = pb.GetPricesResponse(
            height=parts.pricing.height,
            prices=view.prices,
            parameters=view.parameters,
            limits=parts.quotas.limits(caller.grant, MAX_RECEIVE_BYTES),
        )
        if request.HasField("submission"):
            cost = parts.intake.draft(request.submission).cost
            response.estimate.fee = cost.fee
            response.estimate.price = cost.price
            response.estimate.max_fee = cost.total
        return response

    @unary
    async def GetChainInfo(  # noqa: N802 - the name in the schema
        self,
        request: pb.GetChainInfoRequest,  # noqa: ARG002 - as the others
        caller: Caller,  # noqa: ARG002 - as the others
    ) -> pb.GetChainInfoResponse:
        """From the node, unproven."""
        parts = self._parts
        status = await parts.rpc.status()
        header = json.loads(await parts.rpc.commit(status.latest_height))["header"]
        time = Timestamp()
        time.FromJsonString(header["time"])
        return pb.GetChainInfoResponse(
            chain_id=status.chain_id,
            height=status.latest_height,
            block_time=time,
            validators_hash=bytes.fromhex(header["validators_hash"]),
            catching_up=status.catching_up,
            head=Place(parts.hub.height, LOCAL_SEQUENCE - 1).message(),
            oldest_height=parts.database.place("oldest") or 0,
            epoch=parts.pricing.view.epoch,
            payers=parts.payers.messages(),
        )

    @unary
    async def ListMaterial(  # noqa: N802 - the name in the schema
        self,
        request: pb.ListMaterialRequest,
        caller: Caller,  # noqa: ARG002 - as the others
    ) -> pb.ListMaterialResponse:
        """From the node, unproven."""
        if request.id:
            _check_id("id", request.id)
        if len(request.types) > _MOST_FILTERS:
            raise malformed(Violation("types", f"at most {_MOST_FILTERS}"))
        filters = f"material|{[*request.types]}|{request.id.hex()}".encode()
        start = position_of(request.page_token, filters)
        answer = await self._parts.chain.query("/asc/material", request.id)
        listing = state_pb2.MaterialList.FromString(answer)
        materials = [
            pb.Material(type=kind, record=view.record, uris=view.uris)
            for kind, name in _LIST_PREFIXES
            if not request.types or kind in request.types
            for view in getattr(listing, name)
        ]
        end = start + size_of(request.page_size)
        return pb.ListMaterialResponse(
            materials=materials[start:end],
            next_page_token=token_of(end, filters) if end < len(materials) else "",
        )

    @unary
    async def GetHandle(  # noqa: N802 - the name in the schema
        self,
        request: pb.GetHandleRequest,
        caller: Caller,  # noqa: ARG002 - as the others
    ) -> pb.GetHandleResponse:
        """From the node, unproven."""
        name = request.application.encode()
        if not 0 < len(name) <= _LONGEST_APPLICATION or b"\x00" in name:
            raise malformed(Violation("application", "1 to 256 bytes without a zero"))
        if len(request.handle) != _HANDLE_BYTES:
            raise malformed(Violation("handle", f"{_HANDLE_BYTES} bytes"))
        answer = await self._parts.chain.query("/isc/handle", name + b"\x00" + request.handle)
        return pb.GetHandleResponse(handle=state_pb2.HandleView.FromString(answer))

    async def _result(
        self, request: pb.GetResultRequest | pb.WaitRequestRequest
    ) -> pb.RequestResult:
        """Result of a request; of a submission that no block will have, the refusal that says why.

        Raises:
            RelayError: as `Results.result` does, LAPSED, or the chain's own reason.
        """
        parts = self._parts
        own = parts.database.submission(request.request_id)
        if own is not None and not own.included_height:
            if own.state == pb.REQUEST_STATE_LAPSED:
                raise lapsed(own.expires_at)
            if own.state == pb.REQUEST_STATE_REJECTED:
                raise refused_by_chain(own.refusal_code, own.refusal_detail)
        return await parts.results.result(
            request.request_id,
            min(request.trusted_height, parts.hub.height),
            parts.hub.height,
            submitted=own is not None,
        )

    async def _request(self, request_id: bytes, caller: Caller) -> pb.Request:
        """What disk and node know of a request.

        Raises:
            RelayError: UNKNOWN_REQUEST.
        """
        parts = self._parts
        own = parts.database.submission(request_id)
        try:
            view = await parts.results.view(request_id)
        except (Unreachable, NodeError):
            # What the disk has is better than nothing.
            if own is None:
                raise
            view = None
        if view is None and own is None:
            raise unknown_request()
        found = pb.Request(request_id=request_id)
        if own is not None:
            found.state, found.kind = own.state, own.kind
            if own.client == caller.grant.name:
                found.submission.CopyFrom(self._shown(own))
        if view is not None:
            found.state, found.kind = state_of(view.status.status), view.entry.kind
            found.view.CopyFrom(view)
        return found

    def _shown(self, submission: Submission) -> pb.Submission:
        return submission.message(taken=self._parts.taken(submission.request_id))


def _reached(found: pb.Request, until: pb.WaitUntil) -> bool:
    """Whether a request is as far as was waited for."""
    if until == pb.WAIT_UNTIL_INCLUDED:
        return found.state != pb.REQUEST_STATE_ACCEPTED
    if found.state not in FINAL:
        return False
    if until != pb.WAIT_UNTIL_CLOSED or not found.HasField("view"):
        return True
    return found.view.status.closed_height > 0


def _check_id(field: str, value: bytes) -> None:
    if len(value) != RequestId.LENGTH:
        raise malformed(Violation(field, f"{RequestId.LENGTH} bytes"))


def _seconds(duration: Duration, field: str) -> float:
    seconds = float(duration.seconds) + duration.nanos / 1e9
    if seconds < 0 or not math.isfinite(seconds):
        raise malformed(Violation(field, "at least 0"))
    return seconds
