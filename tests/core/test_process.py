"""The real process: TOML, sockets, signals, and kill -9 in the middle of work."""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from core.settings import Settings
from tests.core.test_network import PUBLIC, require_public_answer
from tests.support.core_network import WAIT_S, Client, Network
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

ROOT = Path(__file__).parents[2]
PROGRAM = "import sys, pathlib, core.main; core.main.run(pathlib.Path(sys.argv[1]))"
REQUESTS = 24


def write_toml(settings: Settings) -> None:
    """The settings file of a home."""
    lines = [
        f'chain_id = "{settings.chain_id}"',
        f"party = {settings.party}",
        f'peer_listen = "{settings.peer_listen}"',
        f'trusted_validators_hash = "{settings.trusted_validators_hash.hex()}"',
        "developer_mode = true",
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


async def test_kill_in_a_burst_loses_and_repeats_nothing(tmp_path: Path) -> None:
    """Two cores are killed while requests pour in; every core answers every request once."""
    network = Network(tmp_path, 4)
    key = network.deal()
    values = [(4, 1000 + number) for number in range(REQUESTS)]
    entries = []
    for value in values:
        pair = key.ciphertext(*value)
        entry = network.chain.entry(
            PUBLIC, network.epoch, ciphertexts=[pair[0]], key_id=key.key_id.value
        )
        network.chain.log(entry)
        entries.append((entry, pair[1]))
    network.chain.commit()
    submissions = [network.chain.submission(entry, [data]) for entry, data in entries]
    for settings in network.settings.values():
        write_toml(settings)
    logs = {number: tmp_path / f"log{number}" for number in network.settings}
    async with AsyncExitStack() as stack:
        clients = {n: Client(s.service_socket) for n, s in network.settings.items()}
        running = {
            n: await stack.enter_async_context(process(s, logs[n]))
            for n, s in network.settings.items()
        }
        feeding = [asyncio.create_task(submit_all(clients[n], submissions)) for n in (1, 2)]
        for victim, after in ((3, 4), (4, 10)):
            await submit_all(clients[victim], submissions[: after + 4])
            await clients[victim].results(after)
            running[victim].kill()
            await running[victim].wait()
            settings = network.settings[victim]
            running[victim] = await stack.enter_async_context(process(settings, logs[victim]))
            await clients[victim].close()
            clients[victim] = Client(settings.service_socket)
            await submit_all(clients[victim], submissions)
        await asyncio.gather(*feeding)
        for number, client in clients.items():
            results = await client.results(REQUESTS)
            assert [result.cursor for result in results] == list(range(1, REQUESTS + 1))
            by_id = {result.request_id: result for result in results}
            assert len(by_id) == REQUESTS
            for (entry, _), value in zip(entries, values, strict=True):
                require_public_answer(by_id[entry.request_id], entry, number, [value])
            status = await client.status()
            assert (status.accepted, status.answered) == (REQUESTS, REQUESTS)
            await client.close()


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
