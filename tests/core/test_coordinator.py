"""A party of several cores in front of parties of one: one answer whatever fails."""

import asyncio
import dataclasses
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from core.coordinator import Coordinator
from core.errors import SettingsError
from core.main import door_of, read_identity
from core.settings import Settings
from tests.core.test_network import PUBLIC, require_public_answer
from tests.core.test_process import write_toml
from tests.support.core_network import WAIT_S, Client, Network
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

ROOT = Path(__file__).parents[2]
CORES = 3
REQUESTS = 18


@pytest.fixture(autouse=True)
def _our_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cores are processes of their own: they import what we import."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *sys.path]))


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes by itself."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - other processes and tasks decide
            await asyncio.sleep(0.02)


@asynccontextmanager
async def coordinating(network: Network, number: int) -> AsyncIterator[Coordinator]:
    """A party's coordinator with all its cores there."""
    settings = dataclasses.replace(network.settings[number], cores=CORES)
    write_toml(settings)
    with (settings.home / "core.toml").open("a") as file:
        file.write(f"\ncores = {CORES}\n")
    coordinator = Coordinator(settings, door_of(settings, read_identity(settings)))
    await coordinator.start()
    try:
        await until(lambda: len(coordinator.processes) == CORES)
        yield coordinator
    finally:
        await coordinator.stop()


async def test_one_answer_a_request_while_cores_are_killed(tmp_path: Path) -> None:
    """Requests spread; each core is killed while it has some; every request is answered once."""
    network = Network(tmp_path, 4)
    key = network.deal()
    values = [(4, 1000 + number) for number in range(REQUESTS)]
    requests = [network.request(PUBLIC, [key.ciphertext(*value)]) for value in values]
    spread: Counter[int] = Counter()
    async with network.running(2, 3, 4) as clients, coordinating(network, 1) as coordinator:
        client = Client(network.settings[1].service_socket)
        for index, (entry, submission) in enumerate(requests):
            # The peers come later: the requests are open when their core ends.
            await client.submit(submission)
            owners = [n for n, c in coordinator._cores.items() if entry.request_id in c.requests]
            assert len(owners) == 1
            spread.update(owners)
            if index in {5, 11, 17}:
                victim = owners[0]
                before = dict(coordinator.processes)
                os.kill(before[victim], signal.SIGKILL)
                await until(lambda v=victim, b=before: coordinator.processes.get(v) != b[v])
        for _, submission in requests:
            await asyncio.gather(*(peer.submit(submission) for peer in clients.values()))
        await until(lambda: len(coordinator.processes) == CORES)
        results = await client.results(REQUESTS)
        assert [result.cursor for result in results] == list(range(1, REQUESTS + 1))
        by_id = {result.request_id: result for result in results}
        for (entry, _), value in zip(requests, values, strict=True):
            require_public_answer(by_id[entry.request_id], entry, 1, [value])
        # The same again is no new work, at whatever core it is.
        for _, submission in requests:
            assert await client.submit(submission) == core_pb2.WORK_STATE_DONE
        status = await client.status()
        assert (status.party, status.accepted, status.answered) == (1, REQUESTS, REQUESTS)
        await client.close()
        for peer in clients.values():
            await peer.results(REQUESTS)
    assert len(spread) == CORES


async def test_material_of_the_pool_is_shared(tmp_path: Path) -> None:
    """The first core makes keys and batches, the others use them; its end is borne by all.

    Ordinary values, so that every request needs blocks of the pool that the chain gave to it alone.
    """
    network = Network(tmp_path, 4)
    key = network.deal()
    values = [(5, 2**60 + number) for number in range(12)]
    requests = [network.request(PUBLIC, [key.ordinary(*value)]) for value in values]
    spread: Counter[int] = Counter()
    async with network.running(2, 3, 4) as clients, coordinating(network, 1) as coordinator:
        client = Client(network.settings[1].service_socket)
        for index, (entry, submission) in enumerate(requests):
            await asyncio.gather(*(peer.submit(submission) for peer in clients.values()))
            await client.submit(submission)
            owners = [n for n, c in coordinator._cores.items() if entry.request_id in c.requests]
            spread.update(owners)
            if index == 7:
                os.kill(coordinator.processes[1], signal.SIGKILL)
        results = await client.results(len(requests))
        by_id = {result.request_id: result for result in results}
        for (entry, _), value in zip(requests, values, strict=True):
            require_public_answer(by_id[entry.request_id], entry, 1, [value])
        await client.close()
    assert len(by_id) == len(requests)
    assert len(spread) > 1
    home = network.settings[1].home
    made = [path for path in (home / "records").rglob("*") if path.is_file()]
    assert made
    logs = {path.name for path in (home / "vault" / "epochs").rglob("*")}
    assert any(name.startswith("prss") for name in logs)


async def test_a_coordinator_that_starts_over_goes_on(tmp_path: Path) -> None:
    """Requests that were accepted before it ended are given out again; its cores ended with it."""
    network = Network(tmp_path, 4)
    key = network.deal()
    value = (4, 77)
    entry, submission = network.request(PUBLIC, [key.ciphertext(*value)])
    async with coordinating(network, 1) as coordinator:
        client = Client(network.settings[1].service_socket)
        await client.submit(submission)
        processes = list(coordinator.processes.values())
        await client.close()
    for process in processes:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    async with coordinating(network, 1), network.running(2, 3, 4) as clients:
        for peer in clients.values():
            await peer.submit(submission)
        client = Client(network.settings[1].service_socket)
        require_public_answer((await client.results(1))[0], entry, 1, [value])
        await client.close()


async def test_what_is_for_the_first_core_waits_for_it(tmp_path: Path) -> None:
    """A refusal comes in the core's own words; without the first core nobody makes keys."""
    network = Network(tmp_path, 4)
    entry, submission = network.request(
        asc_pb2.REQUEST_KIND_KEY_GENERATION, parameters="test", dealer=False
    )
    async with coordinating(network, 1) as coordinator:
        client = Client(network.settings[1].service_socket)
        broken = core_pb2.SubmitRequest.FromString(submission.SerializeToString())
        broken.entry.proof = b""
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await client.submit(broken)
        assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
        assert (refused.value.details() or "").startswith("proof")
        coordinator._cores[1].ready = False
        with pytest.raises(grpc.aio.AioRpcError) as away:
            await client.submit(submission)
        assert away.value.code() is grpc.StatusCode.UNAVAILABLE
        coordinator._cores[1].ready = True
        await client.submit(submission)
        assert (await client.results(1))[0].request_id == entry.request_id
        await client.close()


def test_one_core_needs_no_coordinator(tmp_path: Path) -> None:
    """Nor are there more than eight."""
    settings: Settings = Network(tmp_path, 1).settings[1]
    for cores in (1, 9):
        changed = dataclasses.replace(settings, cores=cores)
        with pytest.raises(SettingsError, match="2 to 8"):
            Coordinator(changed, door_of(changed, read_identity(changed)))
