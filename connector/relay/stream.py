"""The stream of events to one caller: read from the database, so that it can begin anywhere and lose nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import grpc

from client.errors import ClientError
from connector.relay.database import Database
from connector.relay.errors import Facts, RelayError, refusal
from connector.relay.hub import Hub
from connector.relay.records import LOCAL_SEQUENCE, Event, Place
from connector.relay.results import Results
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

_PAGE: Final = 256
# Without events the caller's cursor moves on this often.
_HEARTBEAT_S: Final = 5.0
_RESULT_TRIES: Final = 3
_RESULT_RETRY_S: Final = 0.3


@dataclass(frozen=True, slots=True)
class Wish:
    """What a caller wants to hear of."""

    client: str
    include_results: bool
    request_ids: frozenset[bytes]
    kinds: frozenset[int]

    def has(self, event: Event) -> bool:
        """Whether the event is wanted."""
        if self.request_ids and event.request_id not in self.request_ids:
            return False
        return not self.kinds or event.kind in self.kinds


class Stream:
    """One caller's stream."""

    def __init__(self, database: Database, hub: Hub, results: Results) -> None:
        """Nothing is read yet."""
        self._database = database
        self._hub = hub
        self._results = results
        self._trusted = 0

    def start(self, request: pb.WatchRequestsRequest) -> Place:
        """Where the stream begins.

        Raises:
            RelayError: CURSOR_TOO_OLD.
        """
        oldest = self._database.place("oldest") or 0
        if not request.HasField("after"):
            return self._now()
        after = Place(min(request.after.height, 2**63 - 1), min(request.after.sequence, 2**63 - 1))
        if after.height == 0:
            return Place(oldest, 2**63 - 1)
        if after.height < oldest:
            raise refusal(
                pb.RELAY_REASON_CURSOR_TOO_OLD,
                grpc.StatusCode.OUT_OF_RANGE,
                f"events up to height {oldest} are not kept",
                Facts({"oldest_height": str(oldest)}),
            )
        return after

    async def events(
        self, request: pb.WatchRequestsRequest, place: Place, client: str
    ) -> AsyncIterator[pb.WatchRequestsResponse]:
        """Everything after a place, for ever."""
        wish = Wish(
            client,
            request.include_results,
            frozenset(request.request_ids),
            frozenset(request.kinds),
        )
        self._trusted = request.trusted_height
        while True:
            changed = self._hub.next_change
            reached = self._now()
            events = self._database.events(place, _PAGE, client)
            for event in events:
                place = event.place
                if wish.has(event):
                    yield await self._response(event, wish)
            if events:
                continue
            try:
                async with asyncio.timeout(_HEARTBEAT_S):
                    await changed.wait()
            except TimeoutError:
                # Nothing came up to there; the caller need not read it again.
                place = max(place, reached)
                yield pb.WatchRequestsResponse(cursor=place.message())

    def _now(self) -> Place:
        """After all that the chain did up to the newest height."""
        return Place(self._hub.height, LOCAL_SEQUENCE - 1)

    async def _response(self, event: Event, wish: Wish) -> pb.WatchRequestsResponse:
        message = event.message()
        fulfilled = (
            event.kind == pb.EVENT_KIND_DECIDED and event.state == pb.REQUEST_STATE_FULFILLED
        )
        if wish.include_results and fulfilled:
            result = await self._result(event.request_id)
            if result is not None:
                message.result.CopyFrom(result)
                self._trusted = max(self._trusted, result.headers[-1].height)
        return pb.WatchRequestsResponse(cursor=event.place.message(), event=message)

    async def _result(self, request_id: bytes) -> pb.RequestResult | None:
        """The result, if it can be had now: a stream does not stop because of one of them."""
        for _ in range(_RESULT_TRIES):
            try:
                return await self._results.result(request_id, self._trusted, self._hub.height)
            except RelayError as error:
                if error.code is not grpc.StatusCode.UNAVAILABLE:
                    return None
            except ClientError:
                pass
            await asyncio.sleep(_RESULT_RETRY_S)
        return None
