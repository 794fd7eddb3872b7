"""Submissions, states, results and lists through the gRPC door, over the real application."""

from __future__ import annotations

from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from client.errors import VerificationFailed
from client.relayed import RelayTrust
from connector.relay.pricing import Cost, Pricing
from light import PinnedValidators
from tests.connector.relay.world import VALUE, World, world
from tests.support.chain import ALICE, BOB
from tests.support.shop import APPLICATION, ciphertext
from wire.ids import request_id
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.reasons import Reason
from wire.tx import build

NONCE = bytes(range(16))


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, dict[str, Any]]:
    """Code and details of a call that is refused."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(details)
    assert status.code == caught.value.code().value[0]
    found: dict[str, Any] = {}
    for detail in status.details:
        for kind in (
            error_details_pb2.ErrorInfo,
            error_details_pb2.BadRequest,
            error_details_pb2.RetryInfo,
        ):
            message = kind()
            if detail.Unpack(message):
                found[kind.DESCRIPTOR.name] = message
    assert found["ErrorInfo"].domain == "tkms"
    return caught.value.code(), found


async def reason(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Code and reason of a call that is refused."""
    code, found = await refused(call)
    return code, found["ErrorInfo"].reason


def trust(here: World) -> RelayTrust:
    """What a gateway believes: the first validators."""
    return RelayTrust(here.chain.chain_id, PinnedValidators(here.node.validators_hash))


async def test_submission_is_answered_and_proven(tmp_path: Path) -> None:
    """The whole life: on disk, in a block, answered, with a result."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            response = await desk.stub.Submit(here.submission("a"))
            submission = response.submission
            assert not response.duplicate
            assert submission.state == pb.REQUEST_STATE_ACCEPTED
            assert submission.taken_by_node
            assert submission.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
            made = request_id(here.chain.chain_id, submission.body, 0)
            assert submission.request_id == bytes(made)
            wait = pb.WaitRequestRequest(
                request_id=submission.request_id, until=pb.WAIT_UNTIL_INCLUDED
            )
            assert (await desk.stub.WaitRequest(wait)).request.state == pb.REQUEST_STATE_PENDING
            early = pb.GetResultRequest(request_id=submission.request_id)
            assert await reason(desk.stub.GetResult(early)) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "NOT_DECIDED",
            )
            here.answer(submission.request_id)
            wait = pb.WaitRequestRequest(request_id=submission.request_id, include_result=True)
            done = await desk.stub.WaitRequest(wait)
            assert done.reached
            assert done.request.state == pb.REQUEST_STATE_FULFILLED
            assert done.result.headers[-1].height == done.result.entry.height + 1
            assert trust(here).public(done.result, APPLICATION, here.handles("a")).values == (
                VALUE,
            )
            assert here.requests() == [submission.request_id]


async def test_results_that_were_changed_are_not_believed(tmp_path: Path) -> None:
    """Every part of a result is bound to the root of trust."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            made = (await desk.stub.Submit(here.submission("a"))).submission.request_id
            wait = pb.WaitRequestRequest(request_id=made, until=pb.WAIT_UNTIL_INCLUDED)
            await desk.stub.WaitRequest(wait)
            here.answer(made)
            await desk.stub.WaitRequest(pb.WaitRequestRequest(request_id=made))
            result = (await desk.stub.GetResult(pb.GetResultRequest(request_id=made))).result
        changes: dict[str, Any] = {
            "entry": lambda item: setattr(item.entry, "value", item.entry.value + b"\x08\x01"),
            "status": lambda item: setattr(item.status, "value", b""),
            "epoch": lambda item: setattr(item.epoch, "key", item.entry.key),
            "height": lambda item: setattr(item.entry, "height", item.entry.height - 1),
            "request": lambda item: setattr(item, "request_id", bytes(20)),
            "header": lambda item: setattr(
                item.headers[-1],
                "signed_header",
                item.headers[-1].signed_header.replace(b'"app_hash":"', b'"app_hash":"0'),
            ),
            "headers": lambda item: item.ClearField("headers"),
            "answers": lambda item: item.ClearField("answers"),
        }
        asked = here.handles("a")
        assert trust(here).public(result, APPLICATION, asked).values == (VALUE,)
        for name, change in changes.items():
            spoiled = pb.RequestResult.FromString(result.SerializeToString())
            change(spoiled)
            try:
                trust(here).public(spoiled, APPLICATION, asked)
            except VerificationFailed:
                continue
            pytest.fail(name)
        stranger = RelayTrust(here.chain.chain_id, PinnedValidators(bytes(32)))
        with pytest.raises(VerificationFailed):
            stranger.public(result, APPLICATION, asked)


async def test_same_nonce_is_the_same_submission(tmp_path: Path) -> None:
    """Repeated calls have no further effect; other content is refused."""
    async with world(tmp_path) as here:
        here.register("a", "b")
        async with here.relay() as desk:
            first = await desk.stub.Submit(here.submission("a", nonce=NONCE))
            again = await desk.stub.Submit(here.submission("a", nonce=NONCE))
            assert again.duplicate
            assert again.submission.request_id == first.submission.request_id
            assert again.submission.body == first.submission.body
            taken = (grpc.StatusCode.ALREADY_EXISTS, "NONCE_REUSED")
            assert await reason(desk.stub.Submit(here.submission("b", nonce=NONCE))) == taken
            fee = first.submission.max_fee + 1
            other = here.submission("a", nonce=NONCE, max_fee=fee)
            assert await reason(desk.stub.Submit(other)) == taken
            wait = pb.WaitRequestRequest(
                request_id=first.submission.request_id, until=pb.WAIT_UNTIL_INCLUDED
            )
            await desk.stub.WaitRequest(wait)
        # Another process with the same disk.
        async with here.relay() as desk:
            again = await desk.stub.Submit(here.submission("a", nonce=NONCE))
            assert again.duplicate
            assert again.submission.state == pb.REQUEST_STATE_PENDING
        assert here.requests() == [first.submission.request_id]


async def test_given_fields_determine_the_transaction(tmp_path: Path) -> None:
    """With nonce, last height, bound and payer the caller computes the id, and two relays agree."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay("one") as one, here.relay("two") as two:
            fields = {
                "nonce": NONCE,
                "payer": bytes(ALICE.address),
                "max_fee": 5_000,
                "expires_at_height": here.chain.height + 30,
            }
            request = here.submission("a", **fields)
            first = await one.stub.Submit(request)
            second = await two.stub.Submit(request)
            assert not first.duplicate
            assert not second.duplicate
            assert first.submission.transaction_hash == second.submission.transaction_hash
            wait = pb.WaitRequestRequest(
                request_id=first.submission.request_id, until=pb.WAIT_UNTIL_INCLUDED
            )
            await two.stub.WaitRequest(wait)
            await one.stub.WaitRequest(wait)
        assert here.requests() == [first.submission.request_id]


async def test_refusals_of_the_chain_come_back_with_its_reason(tmp_path: Path) -> None:
    """CheckTx's word within the deadline; nothing stays behind, and a repeated call is checked again."""
    async with world(tmp_path) as here:
        here.register("a")
        record, _ = ciphertext("unregistered", here.key_id)
        here.records["unregistered"] = record
        async with here.relay() as desk:
            call = here.submission("unregistered", nonce=NONCE)
            code, found = await refused(desk.stub.Submit(call))
            assert code == grpc.StatusCode.NOT_FOUND
            assert found["ErrorInfo"].reason == "UNKNOWN_HANDLE"
            assert found["ErrorInfo"].metadata["code"] == str(int(Reason.UNKNOWN_HANDLE))
            listed = (await desk.stub.ListRequests(pb.ListRequestsRequest())).submissions
            assert [item.state for item in listed] == [pb.REQUEST_STATE_REJECTED]
            assert listed[0].refusal.reason == "UNKNOWN_HANDLE"
            refused_id = pb.GetResultRequest(request_id=listed[0].request_id)
            assert (await reason(desk.stub.GetResult(refused_id)))[1] == "UNKNOWN_HANDLE"
            here.register("unregistered")
            again = await desk.stub.Submit(call)
            assert again.duplicate
            wait = pb.WaitRequestRequest(
                request_id=again.submission.request_id, until=pb.WAIT_UNTIL_INCLUDED
            )
            found_request = (await desk.stub.WaitRequest(wait)).request
            assert found_request.state == pb.REQUEST_STATE_PENDING
            certain = here.submission("a", max_fee=1)
            assert await reason(desk.stub.Submit(certain)) == (
                grpc.StatusCode.FAILED_PRECONDITION,
                "MAX_FEE_EXCEEDED",
            )
            old = here.submission("a", expires_at_height=1)
            assert (await reason(desk.stub.Submit(old)))[1] == "EXPIRED"
            far = here.submission("a", expires_at_height=2**64 - 1)
            assert (await reason(desk.stub.Submit(far)))[1] == "TTL_TOO_LONG"
            generation = pb.SubmitRequest(
                key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
            )
            assert await reason(desk.stub.Submit(generation)) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "MISSING_ROLE",
            )


async def test_malformed_calls_name_their_fields(tmp_path: Path) -> None:
    """INVALID_ARGUMENT with violations, and NOT_FOUND for what nobody knows."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            stub = desk.stub
            unknown_field = here.submission("a")
            unknown_field.public_decryption.MergeFromString(b"\xf8\x01\x01")
            calls = {
                "request": stub.Submit(pb.SubmitRequest()),
                "nonce": stub.Submit(here.submission("a", nonce=b"short")),
                "payer": stub.Submit(here.submission("a", payer=b"short")),
                "max_fee": stub.Submit(here.submission("a", max_fee=2**64 - 1), timeout=20),
                "public_decryption": stub.Submit(unknown_field),
                "verdict_timeout": stub.Submit(
                    here.submission("a", verdict_timeout=Duration(seconds=-1))
                ),
                "request_id": stub.GetRequest(pb.GetRequestRequest(request_id=b"x")),
                "id": stub.ListMaterial(pb.ListMaterialRequest(id=b"x")),
                "handle": stub.GetHandle(pb.GetHandleRequest(application="a")),
                "application": stub.GetHandle(pb.GetHandleRequest(handle=bytes(32))),
            }
            for field, call in calls.items():
                code, found = await refused(call)
                assert code == grpc.StatusCode.INVALID_ARGUMENT, field
                assert found["ErrorInfo"].reason == "MALFORMED"
                assert field in {
                    violation.field for violation in found["BadRequest"].field_violations
                }
            payer = here.submission("a", payer=bytes(BOB.address))
            assert (await reason(stub.Submit(payer)))[1] == "UNKNOWN_PAYER"
            nobody = (grpc.StatusCode.NOT_FOUND, "UNKNOWN_REQUEST")
            for call in (
                stub.GetRequest(pb.GetRequestRequest(request_id=bytes(20))),
                stub.GetResult(pb.GetResultRequest(request_id=bytes(20))),
                stub.WaitRequest(pb.WaitRequestRequest(request_id=bytes(20))),
            ):
                assert await reason(call) == nobody
            token = pb.ListRequestsRequest(page_token="nonsense")
            assert (await reason(stub.ListRequests(token)))[1] == "BAD_PAGE_TOKEN"


async def test_lists_come_in_pages(tmp_path: Path) -> None:
    """Newest first; a token belongs to its filters."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            made = [
                (await desk.stub.Submit(here.submission("a"))).submission.request_id
                for _ in range(5)
            ]
            seen: list[bytes] = []
            token = ""
            while True:
                page = await desk.stub.ListRequests(
                    pb.ListRequestsRequest(page_size=2, page_token=token)
                )
                seen += [item.request_id for item in page.submissions]
                token = page.next_page_token
                if not token:
                    break
                other = pb.ListRequestsRequest(
                    page_size=2, page_token=token, states=[pb.REQUEST_STATE_FAILED]
                )
                assert (await reason(desk.stub.ListRequests(other)))[1] == "BAD_PAGE_TOKEN"
            assert seen == made[::-1]
            none = pb.ListRequestsRequest(states=[pb.REQUEST_STATE_LAPSED])
            assert not (await desk.stub.ListRequests(none)).submissions


async def test_waiting_ends_with_the_time(tmp_path: Path) -> None:
    """A wait that is over says how things are."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            made = (await desk.stub.Submit(here.submission("a"))).submission.request_id
            wait = pb.WaitRequestRequest(request_id=made, timeout=Duration(nanos=50_000_000))
            answer = await desk.stub.WaitRequest(wait)
            assert not answer.reached
            # The call's own deadline is not missed either.
            answer = await desk.stub.WaitRequest(
                pb.WaitRequestRequest(request_id=made), timeout=0.5
            )
            assert not answer.reached


async def test_prices_are_what_the_chain_takes(tmp_path: Path) -> None:
    """The estimate, from the configuration alone, is the simulated cost."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            request = here.submission("a")
            prices = await desk.stub.GetPrices(pb.GetPricesRequest(submission=request))
            before = here.balance(ALICE)
            made = (await desk.stub.Submit(request)).submission
            wait = pb.WaitRequestRequest(request_id=made.request_id, until=pb.WAIT_UNTIL_INCLUDED)
            await desk.stub.WaitRequest(wait)
            paid = before - here.balance(ALICE)
            assert made.max_fee == prices.estimate.max_fee
            # The bound assumes the longest varint of itself.
            assert paid <= prices.estimate.max_fee <= paid + 8
            assert prices.parameters.max_messages == 50
            assert prices.limits.max_message_bytes > 0


async def test_chain_material_and_handles_are_told(tmp_path: Path) -> None:
    """What a gateway needs to know beforehand."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            info = await desk.stub.GetChainInfo(pb.GetChainInfoRequest())
            assert info.chain_id == here.chain.chain_id
            assert info.validators_hash == here.node.validators_hash
            assert len(info.epoch.parties) == 4
            assert [payer.address for payer in info.payers] == [bytes(ALICE.address)]
            assert info.payers[0].balance > 0
            material = await desk.stub.ListMaterial(pb.ListMaterialRequest(page_size=1))
            assert material.materials[0].record.id == here.key_id
            assert len(material.materials[0].uris) == 2
            assert not material.next_page_token
            handle = here.records["a"].handle
            asked = pb.GetHandleRequest(application=APPLICATION, handle=handle)
            view = (await desk.stub.GetHandle(asked)).handle
            assert view.ciphertext == here.records["a"]
            assert view.public
            unknown = pb.GetHandleRequest(application=APPLICATION, handle=bytes(32))
            assert (await refused(desk.stub.GetHandle(unknown)))[0] == grpc.StatusCode.NOT_FOUND


async def test_requests_of_others_are_shown_too(tmp_path: Path) -> None:
    """A request that another account made: its view, without a submission."""
    async with world(tmp_path) as here:
        here.register("a")
        message = here.tx_message("a")
        raw = build(
            BOB,
            here.chain.chain_id,
            [message],
            expires_at_height=here.chain.height + 10,
            max_fee=100_000,
            nonce=NONCE,
        )
        made = here.chain.run(raw).request_id
        here.node.adopt()
        async with here.relay() as desk:
            found = (await desk.stub.GetRequest(pb.GetRequestRequest(request_id=made))).request
            assert found.state == pb.REQUEST_STATE_PENDING
            assert found.view.entry.requester == bytes(BOB.address)
            assert not found.HasField("submission")


async def test_numbers_that_nobody_can_pay_stop_no_relay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bounds and costs beyond what SQLite holds are refused; the largest that it holds add up after a restart."""
    async with world(tmp_path) as here:
        here.register("a")
        async with here.relay() as desk:
            code, found = await refused(
                desk.stub.Submit(here.submission("a", max_fee=2**63), timeout=20)
            )
            assert code == grpc.StatusCode.INVALID_ARGUMENT
            (violation,) = found["BadRequest"].field_violations
            assert violation.field == "max_fee"
            costly = (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_TOO_LARGE")
            for price in (2**63, 2**64):
                with monkeypatch.context() as patched:
                    patched.setattr(Pricing, "cost", lambda *_parts, price=price: Cost(1, price))
                    large = here.submission("a")
                    assert await reason(desk.stub.Submit(large, timeout=20)) == costly
                    prices = pb.GetPricesRequest(submission=large)
                    assert await reason(desk.stub.GetPrices(prices, timeout=20)) == costly
            for _ in range(3):
                most = here.submission("a", max_fee=2**63 - 1, verdict_timeout=Duration())
                made = (await desk.stub.Submit(most, timeout=20)).submission
                assert made.max_fee == 2**63 - 1
        # Another process with the same disk, on the same day.
        async with here.relay() as desk:
            info = await desk.stub.GetChainInfo(pb.GetChainInfoRequest())
            assert info.chain_id == here.chain.chain_id
            prices = await desk.stub.GetPrices(pb.GetPricesRequest(submission=here.submission("a")))
            assert prices.limits.units_today == 2**64 - 1
            assert not (await desk.stub.Submit(here.submission("a"))).duplicate
