"""kill -9 of the process: no accepted submission is lost, none takes effect twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from tests.connector.relay.world import World, world
from tests.support.ports import free_port
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.pb.tkms.gateway.v1 import gateway_pb2_grpc

ROOT = Path(__file__).resolve().parents[3]
SUBMISSIONS = 40
KILLS = 2


class Process:
    """`tkms relay` as a process that can be killed."""

    def __init__(self, settings: Path, port: int) -> None:
        """Nothing runs yet."""
        self.settings = settings
        self.address = f"127.0.0.1:{port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with (self.settings.parent / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "cli", "relay", "--config", str(self.settings)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stderr=log,
            )

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(20)

    @contextlib.asynccontextmanager
    async def stub(self) -> AsyncIterator[Any]:
        """A client that waits until the process listens."""
        async with grpc.aio.insecure_channel(self.address) as channel:
            async with asyncio.timeout(30):
                await channel.channel_ready()
            yield gateway_pb2_grpc.GatewayServiceStub(channel)


async def submit(stub: Any, here: World, number: int) -> bytes | None:
    """One submission under its own nonce; None where nobody answered."""
    request = here.submission("a", nonce=number.to_bytes(16, "big"))
    try:
        response = await stub.Submit(request, timeout=30)
    except grpc.aio.AioRpcError:
        return None
    return bytes(response.submission.request_id)


async def test_kill_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Killed in the middle of submissions, again and again; callers repeat what was not answered."""
    async with world(tmp_path, lose_every=7) as here:
        here.register("a")
        port = free_port()
        process = Process(here.write_settings(listen=f"127.0.0.1:{port}"), port)
        accepted: dict[int, bytes] = {}
        process.start()
        try:
            for turn in range(KILLS):
                async with process.stub() as stub:
                    share = range(turn, SUBMISSIONS, KILLS)
                    calls = [asyncio.create_task(submit(stub, here, number)) for number in share]
                    await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
                    process.end(signal.SIGKILL)
                    made = zip(share, await asyncio.gather(*calls), strict=True)
                    accepted |= {number: found for number, found in made if found is not None}
                process.start()
            async with process.stub() as stub:
                for number in range(SUBMISSIONS):
                    again = await submit(stub, here, number)
                    assert again is not None
                    # What was answered before a kill is what the disk has after it.
                    assert accepted.setdefault(number, again) == again
                for made in accepted.values():
                    wait = pb.WaitRequestRequest(request_id=made, until=pb.WAIT_UNTIL_INCLUDED)
                    found = await stub.WaitRequest(wait, timeout=30)
                    assert found.request.state == pb.REQUEST_STATE_PENDING
            assert process.end(signal.SIGTERM) == 0
        finally:
            if process.process is not None and process.process.poll() is None:
                process.end(signal.SIGKILL)
        assert sorted(here.requests()) == sorted(set(accepted.values()))
        assert len(set(accepted.values())) == SUBMISSIONS
