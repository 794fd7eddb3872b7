"""Refresh and rotation over whole cores: new shares decrypt, old ones are gone, mixtures are worthless."""

import copy
from pathlib import Path

import grpc
import pytest
import tkms_kernel as kernel

from core import keystore
from core.vault import from_settings
from tests.core.test_network import PUBLIC, require_public_answer
from tests.support.core_network import Network, TestKey
from tests.support.reconstruct import combine
from wire.answers import destruction_statement
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.core.v1 import core_pb2

ACCEPTED = core_pb2.WORK_STATE_ACCEPTED
VALUE = (5, 2**63 + 77)


def refreshed(network: Network) -> config_pb2.Epoch:
    """The next epoch of the same parties."""
    following = copy.deepcopy(network.epoch)
    following.id += 1
    return following


def share(network: Network, number: int, key: TestKey, epoch_id: int) -> keystore.PartyKey:
    """A party's share as its vault holds it."""
    return keystore.load(from_settings(network.settings[number]), key.key_id, epoch_id)


async def test_refresh(tmp_path: Path) -> None:
    """All answer with one digest; the key decrypts in the next epoch; the old epoch is erased."""
    network = Network(tmp_path, 4)
    key = network.deal()
    following = refreshed(network)
    old = {number: share(network, number, key, 1) for number in network.settings}
    async with network.running() as clients:
        entry, submission = network.change_epoch(following, key.key_id)
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        answers = [(await client.results(1))[0].fulfil for client in clients.values()]
        digests = {answer.generation.digests[0].digest for answer in answers}
        assert len(digests) == 1
        assert {answer.generation.digests[0].kind for answer in answers} == {"resharing"}
        status = await clients[1].status()
        assert (status.current_epoch_id, list(status.held_epoch_ids)) == (1, [1, 2])
        assert status.change_request == entry.request_id
        inform = network.make_current(following, key.key_id, done=True)
        for client in clients.values():
            await client.inform(inform)
            status = await client.status()
            assert (status.current_epoch_id, list(status.held_epoch_ids)) == (2, [2])
        pair = key.ciphertext(*VALUE)
        entry, submission = network.request(PUBLIC, [pair])
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        for number, client in clients.items():
            (result,) = await client.results(1, after=1)
            require_public_answer(result, entry, number, [VALUE])
    for number, settings in network.settings.items():
        vault = from_settings(settings)
        assert vault.names("keys") == [f"keys/{key.key_id.hex}/2"]
        assert {name.split("/")[1] for name in vault.names("epochs")} == {"2"}
        assert {int(name.split("/")[1]) for name in vault.names("runs")} <= {2}
        assert share(network, number, key, 2).share.to_bytes() != old[number].share.to_bytes()
    _require_worthless_mixture(network, key, old)


def _require_worthless_mixture(
    network: Network, key: TestKey, old: dict[int, keystore.PartyKey]
) -> None:
    """One old and one new vault, which with two of one epoch would do, open nothing."""
    new = {number: share(network, number, key, 2) for number in network.settings}
    ciphertext, data = key.ciphertext(*VALUE)

    def partial(held: keystore.PartyKey, mask: keystore.PartyKey) -> bytes:
        return held.share.partial_decrypt(
            data, ciphertext.fhe_type, ciphertext.format, mask.mask_keys, b"info"
        )

    right = {number: partial(new[number], new[number]) for number in (1, 2)}
    assert combine(4, 1, VALUE[0], right, 0) == (VALUE[1], [])
    # With masks of one epoch, so that only the shares differ in age.
    mixed = {1: partial(old[1], new[1]), 2: partial(new[2], new[2])}
    try:
        found = combine(4, 1, VALUE[0], mixed, 0)
    except kernel.KernelError:
        return
    assert found[0] != VALUE[1]


async def test_refresh_without_one(tmp_path: Path) -> None:
    """Three of four suffice; the fourth comes back later and gets its new share."""
    silent = 3
    network = Network(tmp_path, 4)
    key = network.deal()
    following = refreshed(network)
    others = [number for number in network.settings if number != silent]
    _, submission = network.change_epoch(following, key.key_id)
    async with network.running(*others) as clients:
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        found = {
            (await client.results(1))[0].fulfil.generation.digests[0].digest
            for client in clients.values()
        }
        assert len(found) == 1
        inform = network.make_current(following, key.key_id)
        for client in clients.values():
            await client.inform(inform)
    async with network.running() as clients:
        assert await clients[silent].submit(submission) == ACCEPTED
        (result,) = await clients[silent].results(1)
        assert result.fulfil.generation.digests[0].digest in found
        done = network.make_current(following, key.key_id, done=True)
        for client in clients.values():
            await client.inform(done)
        entry, submission = network.request(PUBLIC, [key.ciphertext(*VALUE)])
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        for number, client in clients.items():
            (result,) = await client.results(1, after=1)
            require_public_answer(result, entry, number, [VALUE])


async def test_rotation(tmp_path: Path) -> None:
    """Party 4 gives its place to another operator; the old four together cannot decrypt any more."""
    network = Network(tmp_path / "old", 4)
    key = network.deal()
    newcomer = Network(tmp_path / "new", 4, network.chain)
    following = refreshed(network)
    following.parties[3].CopyFrom(newcomer.epoch.parties[3])
    network.chain.set_epoch(network.epoch)
    leaving = network.settings[4]
    _, submission = network.change_epoch(following, key.key_id)
    async with network.running() as clients, newcomer.running(4) as others:
        for client in (*clients.values(), others[4]):
            assert await client.submit(submission) == ACCEPTED
        staying = {**{number: clients[number] for number in (1, 2, 3)}, 4: others[4]}
        found = [
            (await client.results(1))[0].fulfil.generation.digests[0].digest
            for client in staying.values()
        ]
        assert len(set(found)) == 1
        inform = network.make_current(following, key.key_id, done=True)
        for client in (*staying.values(), clients[4]):
            await client.inform(inform)
        entry, submission = network.request(PUBLIC, [key.ciphertext(*VALUE)])
        for client in staying.values():
            assert await client.submit(submission) == ACCEPTED
        for number, client in staying.items():
            (result,) = await client.results(1, after=1)
            require_public_answer(result, entry, number, [VALUE])
    assert from_settings(leaving).names("keys") == []
    assert from_settings(newcomer.settings[4]).names("keys") == [f"keys/{key.key_id.hex}/2"]


async def test_a_destroyed_key_is_gone_everywhere(tmp_path: Path) -> None:
    """Every core erases its share and says the same; the key decrypts nothing any more."""
    network = Network(tmp_path, 4)
    key, other = network.deal(), network.deal(b"other")
    record = asc_pb2.MaterialRecord.FromString(network.chain.values[b"asc/key/" + key.key_id.value])
    record.status = asc_pb2.KEY_STATUS_DESTROYED
    network.chain.set_key(record)
    entry, submission = network.request(
        asc_pb2.REQUEST_KIND_KEY_DESTRUCTION, key_id=key.key_id.value
    )
    _, decryption = network.request(PUBLIC, [key.ciphertext(*VALUE)])
    async with network.running() as clients:
        for client in clients.values():
            assert await client.submit(submission) == ACCEPTED
        for client in clients.values():
            (result,) = await client.results(1)
            (digest,) = result.fulfil.generation.digests
            assert (digest.kind, digest.digest) == ("destruction", destruction_statement(entry))
            with pytest.raises(grpc.aio.AioRpcError, match="state"):
                await client.submit(decryption)
    for settings in network.settings.values():
        assert from_settings(settings).names("keys") == [f"keys/{other.key_id.hex}/1"]
