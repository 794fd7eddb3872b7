"""The stream: in the order of the chain, from any cursor, the same at every relay."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import pytest

from client.relayed import RelayTrust
from connector.relay import blocks, stream
from connector.relay.records import LOCAL_SEQUENCE
from light import PinnedValidators
from tests.connector.relay.test_service import reason
from tests.connector.relay.world import VALUE, Desk, world
from tests.support.shop import APPLICATION
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

OLDEST = pb.Cursor(height=0)


async def listen(desk: Desk, count: int, **fields: Any) -> list[pb.WatchRequestsResponse]:
    """The first events of a stream."""
    found: list[pb.WatchRequestsResponse] = []
    call = desk.stub.WatchRequests(pb.WatchRequestsRequest(**fields))
    async with asyncio.timeout(20):
        async for response in call:
            if response.HasField("event"):
                found.append(response)
            if len(found) == count:
                break
    call.cancel()
    return found


def places(responses: list[pb.WatchRequestsResponse]) -> list[tuple[int, int]]:
    """Cursors as pairs."""
    return [(item.cursor.height, item.cursor.sequence) for item in responses]


async def test_every_cursor_resumes_and_relays_agree(tmp_path: Path) -> None:
    """Opened, answered, decided, answered, closed; another relay has the same under the same cursors."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay("one") as one, here.relay("two") as two:
            made = (await one.stub.Submit(here.submission("a"))).submission.request_id
            await one.stub.WaitRequest(
                pb.WaitRequestRequest(request_id=made, until=pb.WAIT_UNTIL_INCLUDED)
            )
            here.answer(made)
            events = await listen(one, 7, after=OLDEST)
            kinds = [item.event.kind for item in events]
            assert kinds[0] == pb.EVENT_KIND_OPENED
            assert kinds[-1] == pb.EVENT_KIND_CLOSED
            assert kinds.count(pb.EVENT_KIND_ANSWERED) == 4
            assert kinds.count(pb.EVENT_KIND_DECIDED) == 1
            parties = [item.event.party for item in events if item.event.party]
            assert parties == [1, 2, 3, 4]
            cursors = places(events)
            assert cursors == sorted(set(cursors))
            assert await listen(two, 7, after=OLDEST) == events
            for index in range(6):
                rest = await listen(two, 6 - index, after=events[index].cursor)
                assert rest == events[index + 1 :]
            decided = await listen(
                one, 1, after=OLDEST, kinds=[pb.EVENT_KIND_DECIDED], include_results=True
            )
            trust = RelayTrust(here.chain.chain_id, PinnedValidators(here.node.validators_hash))
            result = decided[0].event.result
            assert trust.public(result, APPLICATION, here.handles("a")).values == (VALUE,)
            assert trust.trusted_height > 0
        # A gateway that comes to a relay that has just been set up.
        async with here.relay("three") as three:
            assert await listen(three, 7, after=OLDEST) == events


async def test_stream_without_cursor_begins_now(tmp_path: Path) -> None:
    """Nothing of before; what comes while it is open arrives at once."""
    async with world(tmp_path) as here:
        here.register("a", "b")
        async with here.relay() as desk:
            old = (await desk.stub.Submit(here.submission("a"))).submission.request_id
            await desk.stub.WaitRequest(
                pb.WaitRequestRequest(request_id=old, until=pb.WAIT_UNTIL_INCLUDED)
            )
            listener = asyncio.create_task(listen(desk, 1))
            await asyncio.sleep(0.1)
            new = (await desk.stub.Submit(here.submission("b"))).submission.request_id
            (event,) = await listener
            assert event.event.request_id == new
            only = await listen(desk, 1, after=OLDEST, request_ids=[new])
            assert only[0].event.request_id == new


async def test_cursor_moves_on_without_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quiet stream tells how far it is, and its cursor resumes."""
    monkeypatch.setattr(stream, "_HEARTBEAT_S", 0.05)
    async with world(tmp_path, block_seconds=0.5) as here:
        here.register("a")
        async with here.relay() as desk:
            call = desk.stub.WatchRequests(pb.WatchRequestsRequest(after=OLDEST))
            async with asyncio.timeout(20):
                response = await call.read()
            call.cancel()
            assert not response.HasField("event")
            assert response.cursor.height > 0
            made = (await desk.stub.Submit(here.submission("a"))).submission.request_id
            (event,) = await listen(desk, 1, after=response.cursor)
            assert event.event.request_id == made


async def test_transactions_that_no_block_takes_lapse(tmp_path: Path) -> None:
    """The node loses the bytes until their last height: an event of this relay alone, after the chain's."""
    async with world(tmp_path, lose_every=1) as here:
        here.register("a")
        async with here.relay() as desk:
            request = here.submission("a", expires_at_height=here.chain.height + 4)
            made = (await desk.stub.Submit(request)).submission.request_id
            done = await desk.stub.WaitRequest(pb.WaitRequestRequest(request_id=made))
            assert done.request.state == pb.REQUEST_STATE_LAPSED
            asked = desk.stub.GetResult(pb.GetResultRequest(request_id=made))
            assert await reason(asked) == (grpc.StatusCode.FAILED_PRECONDITION, "LAPSED")
            (event,) = await listen(desk, 1, after=OLDEST)
            assert event.event.kind == pb.EVENT_KIND_LAPSED
            assert event.cursor.sequence >= LOCAL_SEQUENCE
            assert event.cursor.height == request.expires_at_height


async def test_cursor_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """OUT_OF_RANGE, with the oldest height."""
    async with world(tmp_path) as here:
        async with here.relay() as desk:
            pass
        # As after pruning.
        from connector.relay.database import Database

        database = Database(tmp_path / "relay/relay.db")
        database.prune(3, 0.0)
        database.close()
        async with here.relay() as desk:
            info = await desk.stub.GetChainInfo(pb.GetChainInfoRequest())
            assert info.oldest_height == 3
            call = desk.stub.WatchRequests(
                pb.WatchRequestsRequest(after=pb.Cursor(height=1, sequence=1))
            )
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call.read()
            assert caught.value.code() == grpc.StatusCode.OUT_OF_RANGE


def test_numbers_do_not_depend_on_whose_relay_counts() -> None:
    """Refused transactions and foreign requests take numbers too."""
    opened = {
        "type": "request_opened",
        "attributes": [
            {"key": "request_id", "value": "aa" * 20},
            {"key": "requester", "value": "0x" + "11" * 20},
        ],
    }
    results = {
        "txs_results": [
            {"code": 0, "events": [{"type": "transfer", "attributes": []}, opened]},
            {"code": 1015, "log": "poor", "events": None},
            {"code": 0, "events": [opened]},
        ],
        "finalize_block_events": [
            {"type": "request_closed", "attributes": [{"key": "request_id", "value": "bb" * 20}]}
        ],
    }
    raws = blocks.raw_events(results)
    assert [raw.sequence for raw in raws] == [1, 2, 3, 4]
    assert [raw.kind for raw in raws] == [
        pb.EVENT_KIND_OPENED,
        pb.EVENT_KIND_REJECTED,
        pb.EVENT_KIND_OPENED,
        pb.EVENT_KIND_CLOSED,
    ]
    ours = blocks.Reader("chain", frozenset({b"\x11" * 20}), {}).read(5, raws, [b"", b"x"])
    assert [event.place.sequence for event in ours] == [1, 3]
    theirs = blocks.Reader("chain", frozenset({b"\x22" * 20}), {b"\xbb" * 20: 2})
    assert [event.place.sequence for event in theirs.read(5, raws, [b"", b"x"])] == [4]
