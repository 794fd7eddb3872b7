"""Requests while the disk fails, and tasks that end before they began."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from core import runner as module
from core.authorize import _SEAL, PUBLIC_DECRYPTION, Permission
from core.inbox import Inbox
from core.journal import ACCEPTED, DONE, EXPIRED, Journal, Record
from core.parts import Limits
from core.runner import Runner
from wire.ids import Height, PartyId, RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2
from wire.pb.tkms.isc.v1 import isc_pb2

WAIT_S = 20.0
ID = RequestId(b"r" * RequestId.LENGTH)
FULL = sqlite3.OperationalError("database or disk is full")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes by itself."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - any condition
            await asyncio.sleep(0.005)


def permission() -> Permission:
    """For a decryption whose ciphertext never comes."""
    entry = asc_pb2.LogEntry(
        request_id=ID.value,
        kind=PUBLIC_DECRYPTION,
        ciphertexts=[isc_pb2.Ciphertext(digest=b"d" * 32)],
    )
    record = Record(ID, 1, Height(100), 1, entry.SerializeToString(), "test")
    epoch = config_pb2.Epoch(id=1)
    return Permission(record, epoch.SerializeToString(), b"", PartyId(1), b"", _SEAL)


class World:
    """A runner on a real journal, with one accepted request and nobody around."""

    def __init__(self, path: Path) -> None:
        """Nothing runs."""
        self.journal = Journal(path, "chain", 1)
        self.permission = permission()
        assert self.journal.accept(self.permission.record) == ACCEPTED
        self.ended: list[RequestId] = []
        self.recorded = 0
        self.flow: Callable[[Permission], Any] | None = None
        parts = SimpleNamespace(
            journal=self.journal,
            peers=SimpleNamespace(learn=lambda _: None),
            inbox=Inbox(lambda: 0.0),
            flows=SimpleNamespace(of=lambda _: self.flow),
            ordinary=SimpleNamespace(accepted=lambda _: None, ended=self._ended),
            signer=SimpleNamespace(
                failure=lambda _, code: core_pb2.Result(
                    request_id=ID.value, failure=asc_pb2.ReportFailure(code=code)
                )
            ),
        )
        self._parts = parts
        self.runner = self.start(Limits())

    def start(self, limits: Limits) -> Runner:
        """A runner."""
        self.runner = Runner(cast("Any", self._parts), limits, self._record)
        return self.runner

    def pages(self, bound: int) -> None:
        """Bound the size of the journal, as a full disk does."""
        with self.journal._lock:
            self.journal._connection.execute(f"PRAGMA max_page_count={bound}")

    async def _ended(self, ended: Permission) -> None:
        self.ended.append(ended.request_id)

    def _record(self) -> None:
        self.recorded += 1


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A journal that is tried again soon."""
    monkeypatch.setattr(module, "_JOURNAL_RETRY_S", 0.01)
    made = World(tmp_path / "journal.db")
    yield made
    await made.runner.close()
    made.journal.close()


async def test_a_full_disk_loses_no_result(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was computed once is recorded when there is room again."""
    answer = core_pb2.Result(request_id=ID.value, fulfil=asc_pb2.Fulfil(signature=bytes(500_000)))
    computed = tried = 0
    finish = Journal.finish

    async def flow(_: Permission) -> core_pb2.Result:
        nonlocal computed
        computed += 1
        await asyncio.sleep(0)
        return answer

    def finishing(journal: Journal, request_id: RequestId, result: core_pb2.Result) -> bool:
        nonlocal tried
        tried += 1
        return finish(journal, request_id, result)

    monkeypatch.setattr(Journal, "finish", finishing)
    world.flow = flow
    # SQLite takes the number of pages that there are for a bound below it.
    world.pages(1)
    world.runner.take(world.permission)
    await until(lambda: tried >= 3)
    assert world.journal.state(ID) == ACCEPTED
    assert len(world.runner.running) == 1
    world.pages(2**20)
    await until(lambda: not world.runner.running)
    assert (world.journal.state(ID), computed, world.recorded) == (DONE, 1, 1)
    (result,) = world.journal.results_after(0)
    assert result.fulfil == answer.fulfil
    assert world.ended == [ID]


async def test_a_request_is_given_up_when_the_journal_can_say_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time runs out on a full disk: it ends, and does not stay accepted with nobody at it."""
    expire, failures = Journal.expire, [FULL, FULL]

    def expiring(journal: Journal, request_id: RequestId) -> bool:
        if failures:
            raise failures.pop()
        return expire(journal, request_id)

    monkeypatch.setattr(Journal, "expire", expiring)
    world.start(Limits(request_timeout_s=0.01)).take(world.permission)
    await until(lambda: not world.runner.running)
    assert world.journal.state(ID) == EXPIRED
    assert world.ended == [ID]


async def test_a_task_that_is_cancelled_before_its_first_step(world: World) -> None:
    """The request is forgotten like any other; the same again is a new one."""
    world.runner.take(world.permission)
    # No turn of the loop between: the task has not begun.
    await world.runner.end([ID])
    assert not world.runner.running
    assert world.journal.state(ID) == EXPIRED
    world.runner.take(world.permission)
    (again,) = world.runner.running
    assert again.task is not None
    assert not again.task.done()
