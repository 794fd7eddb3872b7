"""What a relay counts about itself."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import grpc
import pytest

from tests.connector.relay.world import world
from tests.support.chain import ALICE
from tests.support.scrape import Scraped, scrape
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb

ROOT = Path(__file__).resolve().parents[3]


async def test_numbers_of_a_running_relay(tmp_path: Path) -> None:
    """Every number is documented and moves; a payer is named by its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    async with world(tmp_path) as here, here.relay(metrics_listen=address) as desk:

        async def scraped() -> Scraped:
            return await asyncio.to_thread(scrape, f"http://{address}")

        here.register("one")
        await desk.stub.Submit(here.submission("one"))
        with pytest.raises(grpc.aio.AioRpcError):
            await desk.stub.Submit(pb.SubmitRequest())
        here.node.make_block()
        # The relay reads balances and counts its rows every second.
        async with asyncio.timeout(20):
            while True:
                found = await scraped()
                followed = found.samples.get("tkms_relay_followed_height_blocks", {})
                rows = found.samples.get("tkms_relay_submissions", {})
                paid = found.samples.get("tkms_relay_payer_balance_units", {})
                if paid and here.chain.height in followed.values() and sum(rows.values()) == 1:
                    break
                await asyncio.sleep(0.1)
        names = [name for name in found.forms if name.startswith("tkms_")]
        assert len(names) == 12
        page = (ROOT / "docs" / "monitoring.md").read_text()
        for name in names:
            assert f"`{name}`" in page
            assert found.helps[name].endswith("."), name
        assert found.value("tkms_relay_submissions_total", outcome="accepted") == 1
        assert found.value("tkms_relay_offers_total", word="taken") == 1
        assert found.value("tkms_relay_chain_height_blocks") == here.chain.height
        payer = f"0x{bytes(ALICE.address).hex()}"
        assert found.value("tkms_relay_payer_balance_units", payer=payer) == here.balance(ALICE)
        assert found.value("tkms_relay_payer_balance_low") == 0
        # Known before the first stream: a panel that is empty says nothing.
        assert found.value("tkms_relay_streams") == 0
        for labels in found.samples["tkms_relay_calls_total"]:
            assert all(re.fullmatch(r"[A-Za-z_]{1,40}", value) for _, value in labels), labels
