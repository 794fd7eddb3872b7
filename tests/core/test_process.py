"""The real process: TOML, sockets, signals, and kill -9 in the middle of work."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.settings import Settings
from tests.core.test_network import PUBLIC, require_public_answer
from tests.support.core_network import WAIT_S, Client, Network
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys, pathlib, core.main; core.main.run(pathlib.Path(sys.argv[1]))"


def write_toml(settings: Settings) -> None:
    """The settings file of a home."""
    lines = [
        f'chain_id = "{settings.chain_id}"',
        f"party = {settings.party}",
        f'peer_listen = "{settings.peer_listen}"',
        f'trusted_validators_hash = "{settings.trusted_validators_hash.hex()}"',
        "developer_mode = true",
        f"pool_blocks = {settings.pool_blocks}",
    ]
    (settings.home / "core.toml").write_text("\n".join(lines))


@asynccontextmanager
async def process(settings: Settings, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running core; killed at the end if it still runs."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with log.open("ab") as output:
        running = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            str(settings.home),
            env=environment,
            stderr=output,
            stdout=output,
        )
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.wait()


async def submit_all(client: Client, submissions: list[core_pb2.SubmitRequest]) -> None:
    """Hand in everything, as a connector does after any break."""
    for submission in submissions:
        await client.submit(submission)


async def test_sigterm_ends_cleanly_and_secrets_stay_out_of_the_log(tmp_path: Path) -> None:
    """Exit code 0, a `ready` line, loud warnings, a private socket, no secret in the log."""
    network = Network(tmp_path, 4)
    settings = network.settings[1]
    write_toml(settings)
    log = tmp_path / "log"
    async with process(settings, log) as running:
        client = Client(settings.service_socket)
        async with asyncio.timeout(WAIT_S):
            while (  # noqa: ASYNC110 - another process writes the file
                not log.exists() or b"event=ready" not in log.read_bytes()
            ):
                await asyncio.sleep(0.05)
        assert stat.S_IMODE(settings.service_socket.stat().st_mode) == 0o600
        assert (await client.status()).party == 1
        await client.close()
        running.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.wait(), WAIT_S) == 0
    text = log.read_text()
    assert "DEVELOPER MODE" in text
    assert "VAULT IS CLEAR TEXT" in text
    from tests.support.core_network import signing_secret

    assert signing_secret(1).hex() not in text


@dataclass(frozen=True)
class Burst:
    """Many requests at once, and when which core is killed: after so many of its answers."""

    ordinary: bool
    requests: int
    kills: tuple[tuple[int, int], ...]


@pytest.mark.parametrize(
    "burst",
    [
        Burst(ordinary=False, requests=24, kills=((3, 4), (4, 10))),
        Burst(ordinary=True, requests=24, kills=((3, 0), (4, 8))),
        pytest.param(
            Burst(ordinary=True, requests=200, kills=((3, 0), (3, 20), (4, 60), (4, 120))),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["squashed", "ordinary", "ordinary-200"],
)
async def test_kill_in_a_burst_loses_and_repeats_nothing(tmp_path: Path, burst: Burst) -> None:
    """Cores are killed while requests pour in; every core answers every request once."""
    network = Network(tmp_path, 4)
    key = network.deal()
    values = [(5, 2**63 + number) for number in range(burst.requests)]
    entries = []
    for number, value in enumerate(values):
        pair = key.ordinary(*value) if burst.ordinary else key.ciphertext(*value)
        entry = network.chain.entry(
            PUBLIC,
            network.epoch,
            ciphertexts=[pair[0]],
            key_id=key.key_id.value,
            first_block=32 * number if burst.ordinary else 0,
        )
        network.chain.log(entry)
        entries.append((entry, pair[1]))
    network.chain.commit()
    submissions = [network.chain.submission(entry, [data]) for entry, data in entries]
    for settings in network.settings.values():
        write_toml(settings)
    async with AsyncExitStack() as stack:
        clients = await _through_kills(stack, network, burst, submissions)
        for number, client in clients.items():
            results = await client.results(burst.requests)
            assert [result.cursor for result in results] == list(range(1, burst.requests + 1))
            by_id = {result.request_id: result for result in results}
            assert len(by_id) == burst.requests
            for (entry, _), value in zip(entries, values, strict=True):
                require_public_answer(by_id[entry.request_id], entry, number, [value])
            status = await client.status()
            assert (status.accepted, status.answered) == (burst.requests, burst.requests)
            await client.close()


async def _through_kills(
    stack: AsyncExitStack,
    network: Network,
    burst: Burst,
    submissions: list[core_pb2.SubmitRequest],
) -> dict[int, Client]:
    """Start everybody, hand in everything, kill and start again."""
    folder = network.root
    clients = {n: Client(s.service_socket) for n, s in network.settings.items()}
    running = {
        n: await stack.enter_async_context(process(s, folder / f"log{n}"))
        for n, s in network.settings.items()
    }
    victims = {victim for victim, _ in burst.kills}
    feeding = [
        asyncio.create_task(submit_all(clients[n], submissions))
        for n in network.settings
        if n not in victims
    ]
    for victim, after in burst.kills:
        await submit_all(clients[victim], submissions[: after + 20])
        if after:
            await clients[victim].results(after)
        running[victim].kill()
        await running[victim].wait()
        settings = network.settings[victim]
        log = folder / f"log{victim}"
        running[victim] = await stack.enter_async_context(process(settings, log))
        await clients[victim].close()
        clients[victim] = Client(settings.service_socket)
        await submit_all(clients[victim], submissions)
    await asyncio.gather(*feeding)
    return clients


async def test_results_survive_a_kill_right_after_the_answer(tmp_path: Path) -> None:
    """What a connector has seen comes again, byte for byte, from the next process."""
    network = Network(tmp_path, 4)
    _, submission = network.request(
        asc_pb2.REQUEST_KIND_KEY_GENERATION, parameters="test", dealer=False
    )
    settings = network.settings[1]
    write_toml(settings)
    seen = []
    for _ in range(2):
        async with process(settings, tmp_path / "log"):
            client = Client(settings.service_socket)
            await client.submit(submission)
            seen.append(await client.results(1))
            await client.close()
    assert seen[0] == seen[1]
    assert seen[0][0].failure.code == asc_pb2.FAILURE_CODE_INTERNAL
