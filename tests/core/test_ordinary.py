"""Whole cores and ordinary ciphertexts: material from the pool, rounded values, readable shares."""

import asyncio
from pathlib import Path

import pytest
import tkms_kernel as kernel

from core import epoch_keys, pool
from core.settings import FaultMode
from tests.core.test_network import ACCEPTED, PUBLIC, USER, require_public_answer
from tests.support.core_network import Client, Network
from tests.support.reconstruct import combine_ordinary, open_answer
from wire.digests import sha3_256
from wire.payload import wrap_user_key
from wire.pb.tkms.core.v1 import core_pb2

VALUES = [(0, 1), (5, 2**63 + 12345), (2, 200)]


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Network:
    """Four cores that do not wait long for a silent one."""
    monkeypatch.setattr(pool, "_LONG_ROUND_S", 1.0)
    monkeypatch.setattr(epoch_keys, "_ROUND_S", 1.0)
    return Network(tmp_path, 4)


async def fulfilled(client: Client) -> core_pb2.Result:
    """The answer, whoever is accused before it."""
    results = await client.results(1)
    while results[-1].WhichOneof("answer") == "accusation":
        results = await client.results(1, results[-1].cursor)
    return results[-1]


async def test_ordinary_and_squashed_in_one_request(network: Network) -> None:
    """Both kinds of ciphertext in any order, request after request."""
    key = network.deal()
    pairs = [key.ordinary(*VALUES[0]), key.ciphertext(*VALUES[1]), key.ordinary(*VALUES[2])]
    first, one = network.request(PUBLIC, pairs)
    second, two = network.request(PUBLIC, [key.ordinary(*VALUES[1])])
    async with network.running() as clients:
        for client in clients.values():
            assert await client.submit(one) == ACCEPTED
            assert await client.submit(two) == ACCEPTED
        for party, client in clients.items():
            results = await client.results(2)
            by_id = {result.fulfil.request_id: result for result in results}
            require_public_answer(by_id[first.request_id], first, party, VALUES)
            require_public_answer(by_id[second.request_id], second, party, VALUES[1:2])


@pytest.mark.parametrize("mode", [FaultMode.WRONG_SHARES, FaultMode.SILENT])
async def test_one_party_is_faulty(network: Network, mode: FaultMode) -> None:
    """In the making of material and in the rounding: the others answer rightly."""
    network.misbehave(2, mode)
    key = network.deal()
    entry, submission = network.request(PUBLIC, [key.ordinary(*pair) for pair in VALUES])
    async with network.running() as clients:
        for client in clients.values():
            await client.submit(submission)
        for party in (1, 3, 4):
            require_public_answer(await fulfilled(clients[party]), entry, party, VALUES)


async def test_user_decryption(network: Network) -> None:
    """A user opens four sealed answers; two message bits lie in each block."""
    key = network.deal()
    pairs = [key.ordinary(*pair) for pair in VALUES]
    public, secret = kernel.mlkem512_generate(bytes(64))
    user = bytes(range(20, 40))
    entry, submission = network.request(
        USER, pairs, user=user, user_public_key=wrap_user_key(public)
    )
    shares: list[dict[int, bytes]] = [{} for _ in VALUES]
    async with network.running() as clients:
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        for party, client in clients.items():
            (result,) = await client.results(1)
            answer = result.fulfil.user_decryption
            payload = answer.payload or result.uploads[0].data
            for found, share in zip(
                shares, open_answer(entry, result.fulfil, payload, secret), strict=True
            ):
                found[party] = share
    for (fhe_type, value), found in zip(VALUES, shares, strict=True):
        assert combine_ordinary(4, 1, fhe_type, found, 1) == (value, [])


async def test_malformed_and_foreign_slices(network: Network) -> None:
    """Bytes that are no ciphertext fail, and so does a slice that another request has."""
    key = network.deal()
    good, submission = network.request(PUBLIC, [key.ordinary(*VALUES[2])])
    ciphertext, data = key.ordinary(*VALUES[2])
    broken = key.ordinary(*VALUES[0])[1]
    wrong_type = type(ciphertext).FromString(ciphertext.SerializeToString())
    wrong_type.digest, wrong_type.size = sha3_256(broken), len(broken)
    _, malformed = network.request(PUBLIC, [(wrong_type, broken)])
    _, overlapping = network.request(PUBLIC, [(ciphertext, data)], first_block=good.first_block)
    async with network.running() as clients:
        for client in clients.values():
            for each in (submission, malformed, overlapping):
                await client.submit(each)
        for client in clients.values():
            results = await client.results(3)
            kinds = sorted(str(result.WhichOneof("answer")) for result in results)
            assert kinds == ["failure", "failure", "fulfil"]


async def test_restarts_in_a_burst(network: Network) -> None:
    """One core goes down with requests in progress and comes back: all are answered by all."""
    key = network.deal()
    requests = [network.request(PUBLIC, [key.ordinary(5, number)]) for number in range(40)]
    async with network.running(1, 2, 3) as clients:
        async with network.running(4) as fourth:
            for _, submission in requests[:25]:
                for client in (*clients.values(), *fourth.values()):
                    await client.submit(submission)
            await fourth[4].results(5)
        for _, submission in requests[25:]:
            for client in clients.values():
                await client.submit(submission)
        for party in (1, 2, 3):
            assert len(await clients[party].results(40)) == 40
        async with network.running(4) as fourth:
            for _, submission in requests[25:]:
                await fourth[4].submit(submission)
            results = await asyncio.wait_for(fourth[4].results(40), 60)
    expected = {entry.request_id: number for number, (entry, _) in enumerate(requests)}
    for result in results:
        entry, _ = requests[expected[result.fulfil.request_id]]
        number = expected[result.fulfil.request_id]
        require_public_answer(result, entry, 4, [(5, number)])
