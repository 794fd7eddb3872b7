"""The commands of examples/gateway/json/README.md, typed as they stand there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

from tests.connector.relay.world import world
from tests.support.chain import CHAIN_ID
from tests.support.node import buf
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "examples" / "gateway" / "json" / "README.md"


async def test_the_commands_of_the_page(tmp_path: Path) -> None:
    """By reflection alone: every method of the service, and the chain's name."""
    tool = await asyncio.to_thread(buf)
    (block,) = re.findall(r"^```sh$(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    commands = block.strip().splitlines()
    assert len(commands) == 2
    async with world(tmp_path) as here, here.relay(reflection=True) as desk:

        def typed(command: str) -> str:
            path = f"{tool.parent}:{os.environ['PATH']}"
            environment = os.environ | {"RELAY": desk.address, "PATH": path}
            done = subprocess.run(
                ["bash", "-c", command],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=30,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        listed, info = [await asyncio.to_thread(typed, command) for command in commands]
    service = pb.DESCRIPTOR.services_by_name["GatewayService"]
    names = {f"{service.full_name}/{method.name}" for method in service.methods}
    assert names <= set(listed.split())
    assert json.loads(info)["chainId"] == CHAIN_ID
