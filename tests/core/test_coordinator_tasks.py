"""What keeps a core goes on whatever fails: no result is missed, no core is given up."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

import grpc
import pytest

from core import coordinator as module
from core.coordinator import Coordinator, _Core
from core.journal import Record
from core.main import door_of, read_identity
from tests.support.core_network import Network
from wire.ids import Height, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

WAIT_S = 20.0


def request(number: int) -> RequestId:
    """An id."""
    return RequestId(number.to_bytes(RequestId.LENGTH, "big"))


def result(number: int) -> core_pb2.Result:
    """Its answer."""
    failure = asc_pb2.ReportFailure(request_id=request(number).value)
    return core_pb2.Result(request_id=request(number).value, failure=failure)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes by itself."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


@pytest.fixture
async def coordinator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Coordinator]:
    """Not started: its cores are ours."""
    monkeypatch.setattr(module, "_AGAIN_S", 0.01)
    settings = dataclasses.replace(Network(tmp_path, 1).settings[1], cores=2)
    made = Coordinator(settings, door_of(settings, read_identity(settings)))
    yield made
    # They have no channels to close.
    made._cores.clear()
    await made.stop()


class Stub:
    """A core that has the coordinator's journal; it answers what it takes at once, if it is quick."""

    def __init__(self, coordinator: Coordinator, *, quick: bool = False) -> None:
        """Nobody has asked."""
        self._coordinator = coordinator
        self._quick = quick
        self.cursors: list[int] = []
        self.breaks = 0

    async def Status(self, _: core_pb2.StatusRequest, *, timeout: float) -> core_pb2.StatusReply:  # noqa: N802, ASYNC109 - the name in the schema, grpc's form
        """It is there."""
        assert timeout
        return core_pb2.StatusReply()

    async def Take(self, taken: core_pb2.TakeRequest, *, timeout: float) -> core_pb2.TakeReply:  # noqa: N802, ASYNC109 - as above
        """Begin, and with luck end."""
        assert timeout
        for request_id in taken.request_ids if self._quick else ():
            number = int.from_bytes(request_id, "big")
            self._coordinator._journal.finish(RequestId(request_id), result(number))
        return core_pb2.TakeReply()

    async def Results(self, asked: core_pb2.ResultsRequest) -> AsyncIterator[core_pb2.Result]:  # noqa: N802 - as above
        """As a core does, until the stream breaks."""
        self.cursors.append(asked.after_cursor)
        cursor = asked.after_cursor
        before = self.breaks
        while self.breaks == before:
            for found in self._coordinator._journal.results_after(cursor):
                cursor = found.cursor
                yield found
            await asyncio.sleep(0.005)
        raise grpc.aio.AioRpcError(
            grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata()
        )


def accept(coordinator: Coordinator, *numbers: int) -> None:
    """Requests of the journal."""
    for number in numbers:
        entry = asc_pb2.LogEntry(
            request_id=request(number).value, kind=asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
        )
        record = Record(request(number), number, Height(100), 1, entry.SerializeToString(), "test")
        coordinator._journal.accept(record)


def core_of(coordinator: Coordinator, stub: Stub) -> _Core:
    """The one core of a coordinator."""
    core = _Core(1, cast("Any", None), cast("Any", stub))
    coordinator._cores[1] = core
    return core


async def listening(coordinator: Coordinator, core: _Core) -> asyncio.Task[None]:
    """Listen to a core that answers, until the test ends."""
    task = asyncio.create_task(coordinator._listen(core))
    await until(lambda: core.ready)
    return task


async def cancelled(task: asyncio.Task[None]) -> None:
    """It went on until now."""
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()


async def test_what_is_answered_while_requests_are_given_out(coordinator: Coordinator) -> None:
    """A result that comes before we listen is heard of: the core has that request no more."""
    accept(coordinator, 1, 2)
    stub = Stub(coordinator, quick=True)
    core = core_of(coordinator, stub)
    changed = coordinator._results._changed
    task = await listening(coordinator, core)
    await until(lambda: coordinator._journal.last_cursor() == 2)
    await until(lambda: bool(stub.cursors) and not core.requests)
    assert stub.cursors == [0]
    assert changed.is_set()
    await cancelled(task)


async def test_results_that_break_off_go_on(coordinator: Coordinator) -> None:
    """From the last one that was seen, as often as it happens."""
    accept(coordinator, 1, 2, 3)
    stub = Stub(coordinator)
    core = core_of(coordinator, stub)
    task = await listening(coordinator, core)
    for number in (1, 2, 3):
        await until(lambda n=number: len(stub.cursors) == n)
        await until(lambda n=number: request(n).value in core.requests)
        coordinator._journal.finish(request(number), result(number))
        await until(lambda n=number: request(n).value not in core.requests)
        stub.breaks += 1
    await until(lambda: len(stub.cursors) == 4)
    assert stub.cursors == [0, 1, 2, 3]
    await cancelled(task)


async def test_a_core_that_cannot_be_started_is_tried_again(
    coordinator: Coordinator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that has ended: a machine without room for a process has some later."""
    tries = 0

    async def starting(*_: object, **__: object) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise BlockingIOError("Resource temporarily unavailable")
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "_FIRST_BACK_OFF_S", 0.005)
    monkeypatch.setattr(asyncio, "create_subprocess_exec", starting)
    core = core_of(coordinator, Stub(coordinator))
    task = asyncio.create_task(coordinator._keep(core))
    await until(lambda: tries == 3)
    await cancelled(task)
