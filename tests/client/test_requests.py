"""The life of a request as a program sees it: estimate, events, values, and what ends it without any."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from client.chain import Chain
from client.errors import NoMaterial, RejectedByChain, RequestExpired, RequestFailed, Timeout
from client.material import newest_material, newest_reference_string
from client.requests import (
    Answered,
    Decided,
    Event,
    Phase,
    Requests,
    phase_of,
    registered,
    watch,
)
from client.rpc import ChainRpc
from client.storage import StorageClient
from tests.connector.relay.world import VALUE, World, world
from tests.support.chain import ALICE, message, party_account
from tests.support.shop import APPLICATION, generate_crs
from wire.ids import KeyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[tuple[World, Requests]]:
    """A chain with a registered ciphertext, and ALICE's requests."""
    async with world(folder) as made:
        made.register("x")
        async with ChainRpc(made.node.url) as rpc, StorageClient(["http://127.0.0.1:1"]) as storage:
            chain = await Chain.connect(rpc, validators_hash=made.node.validators_hash)
            yield made, Requests(chain, storage, APPLICATION, ALICE)


async def test_the_whole_life_of_a_public_decryption(tmp_path: Path) -> None:
    """The estimate is what is taken, every answer is told, the value is verified."""
    events: list[Event] = []
    async with shop(tmp_path) as (made, requests):
        handle = made.records["x"].handle
        estimate = await requests.estimate_public([handle])
        before = made.balance(ALICE)
        work = asyncio.create_task(requests.decrypt([handle], progress=events.append))
        while not made.requests():  # noqa: ASYNC110 - the node makes blocks by itself
            await asyncio.sleep(0.02)
        request = made.requests()[-1]
        made.answer(request)
        revealed = await work
        assert made.balance(ALICE) == before - estimate.fee - estimate.price
    assert revealed.values == (VALUE,)
    assert bytes(revealed.request) == request
    assert revealed.handles == (handle,)
    assert set(revealed.parties) <= {1, 2, 3, 4}
    assert len(revealed.parties) >= 2
    assert isinstance(events[-1], Decided)
    answered = [event for event in events if isinstance(event, Answered)]
    assert [len(event.parties) for event in answered] == sorted(len(e.parties) for e in answered)
    assert all(event.of == 4 for event in answered)


async def test_a_request_that_the_parties_cannot_answer(tmp_path: Path) -> None:
    """Failed and expired are told apart, and carry the status."""
    async with shop(tmp_path) as (made, requests):
        handle = made.records["x"].handle
        sent = await requests.submit_public([handle])
        await requests.chain.wait(sent)
        request = sent.request_ids[0]
        for party in (1, 2, 3):
            report = asc_pb2.ReportFailure(
                request_id=bytes(request), party=party, code=asc_pb2.FAILURE_CODE_UNKNOWN_KEY
            )
            made.node.put(made.chain.build(party_account(party), message(report_failure=report)))
        with pytest.raises(RequestFailed, match=request.hex) as failed:
            async for _ in watch(requests.chain, request):
                pass
        assert failed.value.status.failure == asc_pb2.FAILURE_CODE_UNKNOWN_KEY
        expired = asc_pb2.RequestStatus(status=asc_pb2.STATUS_EXPIRED)
        assert "expired" in str(RequestExpired(request, expired))


async def test_nothing_is_sent_that_the_chain_refuses(tmp_path: Path) -> None:
    """Unknown handles and none at all; a request that nobody answers times out and keeps its hash."""
    async with shop(tmp_path) as (made, requests):
        with pytest.raises(RejectedByChain):
            await requests.estimate_public([bytes(32)])
        with pytest.raises(ValueError, match="one handle or more"):
            await registered(requests.chain, APPLICATION, [])
        with pytest.raises(Timeout) as late:
            await requests.decrypt([made.records["x"].handle], timeout_s=0.5)
        assert len(late.value.transaction_hash) == 32


async def test_the_newest_material(tmp_path: Path) -> None:
    """A key without a reference string is of no use for encryption."""
    async with shop(tmp_path) as (made, requests):
        key = KeyId(made.key_id)
        with pytest.raises(NoMaterial, match="no reference string"):
            await newest_material(requests.chain)
        crs = generate_crs(made.chain, made.key_id, 64, b"crs")
        made.node.adopt()
        assert await newest_material(requests.chain) == (key, KeyId(crs))
        with pytest.raises(NoMaterial):
            await newest_reference_string(requests.chain, KeyId(bytes(20)))


def test_the_phase_told_is_the_one_of_most_parties() -> None:
    """And in it the party that is last."""

    def report(party: int, phase: str, done: int, total: int = 10) -> asc_pb2.Progress:
        return asc_pb2.Progress(party=party, phase=phase, done=done, total=total)

    reports = [report(1, "bits", 9), report(2, "bits", 4), report(3, "triples", 1)]
    assert phase_of(reports) == Phase("bits", 2, 3, 4, 10)
    assert phase_of([report(1, "start", 0, 0)]) == Phase("start", 1, 1, 0, 0)
    assert phase_of([]) is None


def test_ids_are_those_of_the_chain() -> None:
    """What is told names the request as everybody does."""
    request = RequestId(bytes(range(20)))
    status = asc_pb2.RequestStatus(status=asc_pb2.STATUS_FAILED)
    assert str(request) in str(RequestFailed(request, status))


async def test_the_time_bounds_the_collecting_of_answers_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decided, but storage serves no answer: the caller is told in time, with the transaction."""
    never = asyncio.Event()

    async def waits(_: RequestId) -> None:
        await never.wait()

    async with shop(tmp_path) as (made, requests):
        monkeypatch.setattr(requests, "public_result", waits)
        work = asyncio.create_task(requests.decrypt([made.records["x"].handle], timeout_s=2.0))
        while not made.requests():  # noqa: ASYNC110 - the node makes blocks by itself
            await asyncio.sleep(0.02)
        made.answer(made.requests()[-1])
        with pytest.raises(Timeout, match="has no result") as late:
            await asyncio.wait_for(work, 8.0)
        assert len(late.value.transaction_hash) == 32
