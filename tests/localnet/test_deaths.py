"""Cores die during generation, ceremony and a burst of decryptions, on real processes: all of it ends well."""

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from cli.localnet import life
from client.chain import Chain
from client.requests import Decided, Requests, watch
from client.rpc import ChainRpc
from client.settings import read_secret_hex
from client.storage import StorageClient
from tests.localnet.harness import Network
from wire.ids import RequestId
from wire.signing import Secp256k1Signer

pytestmark = [pytest.mark.localnet, pytest.mark.slow]

BURST = 200
VALUE = 201


@pytest.fixture(scope="module")
def network(start_network: Callable[..., Network]) -> Network:
    """Four honest operators."""
    return start_network()


def _pending_kinds(network: Network) -> set[str]:
    rows = network.tkms("request", "list", "--limit", "100")["requests"]
    return {str(row["kind"]) for row in rows if row["status"] == "pending"}


@pytest.fixture(scope="module")
def handle(network: Network) -> str:
    """A public value under a key during whose making a core died in every phase that the chain shows."""
    killed: dict[str, int] = {}
    with ThreadPoolExecutor(1) as pool:
        work: Future[object] = pool.submit(network.tkms, "keygen", "--crs-bits", "256")
        while not work.done():
            for kind in _pending_kinds(network) - killed.keys():
                killed[kind] = len(killed) + 2
                life.ask(network.home, "kill", [f"core{killed[kind]}"])
        work.result()
    assert {"preprocessing", "key", "reference-string"} <= killed.keys()
    encrypted = network.tkms("encrypt", "--type", "euint8", "--value", str(VALUE))
    found = str(encrypted["handles"][0]["handle"])
    network.tkms("prepare", found)
    network.tkms("public", found)
    return found


def test_a_burst_while_cores_die(network: Network, handle: str) -> None:
    """Two hundred decryptions, a core killed after every twentieth: each is answered, right, once."""
    values = asyncio.run(_burst(network, bytes.fromhex(handle.removeprefix("0x"))))
    assert values == [VALUE] * BURST


async def _burst(network: Network, handle: bytes) -> list[int]:
    chance = random.Random(5)
    plan = network.plan
    payer = Secp256k1Signer(read_secret_hex(plan.home / "coprocessor" / "account.key"))
    root = bytes.fromhex(plan.validators_hash)
    async with ChainRpc(plan.operators[0].rpc_url) as rpc, StorageClient([plan.storage_url]) as s:
        requests = Requests(await Chain.connect(rpc, validators_hash=root), s, "demo", payer)
        sent: list[RequestId] = []
        for number in range(BURST):
            sent += (await requests.submit_public([handle])).request_ids
            if number % 20 == 19:
                victim = f"core{chance.choice((2, 3, 4))}"
                await asyncio.to_thread(life.ask, plan.home, "kill", [victim])

        async def value(request: RequestId) -> int:
            async with asyncio.timeout(300):
                async for event in watch(requests.chain, request):
                    if isinstance(event, Decided):
                        return (await requests.public_result(request)).values[0]
            raise AssertionError("not decided")

        return [await value(request) for request in sent]
