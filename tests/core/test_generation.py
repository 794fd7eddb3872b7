"""A key that nobody ever had, over whole cores: preprocessing, generation, decryption, refresh, decryption."""

from pathlib import Path

import tkms_kernel as kernel

from core.vault import from_settings
from tests.core.test_epoch_change import refreshed
from tests.core.test_network import PUBLIC, require_public_answer
from tests.support.core_network import Client, MemoryStorage, Network, describe
from wire.digests import sha3_256
from wire.ids import KeyId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

ACCEPTED = core_pb2.WORK_STATE_ACCEPTED
VALUE = (3, 54321)


class Work:
    """Requests one after the other at all cores."""

    def __init__(self, network: Network, clients: dict[int, Client]) -> None:
        """No result was taken yet."""
        self.network = network
        self.clients = clients
        self.seen = dict.fromkeys(clients, 0)
        # Each request has blocks of its own of the pool.
        self.first_block = 0

    async def generation(
        self, submission: core_pb2.SubmitRequest
    ) -> dict[str, asc_pb2.MaterialDigest]:
        """Hand a request to all; what all answer with, by kind."""
        for client in self.clients.values():
            assert await client.submit(submission) == ACCEPTED
        found = set()
        for number in self.clients:
            fulfil = (await self.result(number)).fulfil
            digests = {digest.kind: digest for digest in fulfil.generation.digests}
            found.add(tuple(sorted((kind, d.digest, d.size) for kind, d in digests.items())))
        assert len(found) == 1
        return digests

    async def result(self, number: int) -> core_pb2.Result:
        """The next result of a core."""
        (found,) = await self.clients[number].results(1, after=self.seen[number])
        self.seen[number] = found.cursor
        return found

    async def decrypt(self, key_id: KeyId, data: bytes) -> None:
        """All answer a request for an ordinary ciphertext right."""
        ciphertext = describe(key_id, data, VALUE[0], 1)
        entry, submission = self.network.request(
            PUBLIC, [(ciphertext, data)], first_block=self.first_block
        )
        self.first_block += 8
        for client in self.clients.values():
            assert await client.submit(submission) == ACCEPTED
        for number in self.clients:
            require_public_answer(await self.result(number), entry, number, [VALUE])


def preprocessing(network: Network) -> tuple[asc_pb2.LogEntry, core_pb2.SubmitRequest]:
    """The request for bits and triples."""
    return network.request(asc_pb2.REQUEST_KIND_PREPROCESSING, parameters="test")


def generation(
    network: Network, preprocessing_id: bytes
) -> tuple[asc_pb2.LogEntry, core_pb2.SubmitRequest]:
    """The request for the key, to which the chain gives the preprocessing."""
    entry = network.chain.entry(
        asc_pb2.REQUEST_KIND_KEY_GENERATION,
        network.epoch,
        parameters="test",
        preprocessing_id=preprocessing_id,
    )
    record = asc_pb2.MaterialRecord(
        id=preprocessing_id,
        parameters="test",
        epoch_id=network.epoch.id,
        consumed_by=entry.request_id,
        status=asc_pb2.KEY_STATUS_CONSUMED,
    )
    network.chain.put(b"asc/preprocessing/" + preprocessing_id, record.SerializeToString())
    network.chain.log(entry)
    network.chain.commit()
    return entry, network.chain.submission(entry)


def activate(network: Network, key_id: KeyId, digests: dict[str, asc_pb2.MaterialDigest]) -> None:
    """What the chain does at n - t equal answers."""
    network.chain.set_key(
        asc_pb2.MaterialRecord(
            id=key_id.value,
            status=asc_pb2.KEY_STATUS_ACTIVE,
            parameters="test",
            epoch_id=network.epoch.id,
            digests=digests.values(),
        )
    )
    network.chain.commit()


async def test_from_nothing_to_a_refreshed_key(tmp_path: Path) -> None:
    """Also: the check ciphertext is decrypted under the new shares before anybody answers."""
    network = Network(tmp_path, 4)
    token = tmp_path / "token"
    token.write_text("token")
    async with MemoryStorage().serve() as storage:
        for number in network.settings:
            network.change(number, storage_url=storage.url, storage_token_file=token)
        async with network.running() as clients:
            work = Work(network, clients)
            entry, submission = preprocessing(network)
            assert set(await work.generation(submission)) == {"preprocessing"}
            phases = {report.phase for client in clients.values() for report in client.progress}
            assert "bits-and-triples" in phases
            entry, submission = generation(network, entry.request_id)
            digests = await work.generation(submission)
            assert set(digests) == {"public-key", "server-key", "check"}
            key_id = KeyId(entry.request_id)
            activate(network, key_id, digests)
            material = {kind: storage.blobs[d.digest.hex()] for kind, d in digests.items()}
            assert all(sha3_256(data) == digests[kind].digest for kind, data in material.items())
            server = kernel.ServerKey.load(material["server-key"])
            data = encrypted(material, server)
            await work.decrypt(key_id, data)
            following = refreshed(network)
            _, submission = network.change_epoch(following, key_id)
            assert set(await work.generation(submission)) == {"resharing"}
            inform = network.make_current(following, key_id, done=True)
            for client in clients.values():
                await client.inform(inform)
            await work.decrypt(key_id, data)
    for settings in network.settings.values():
        assert from_settings(settings).names("keys") == [f"keys/{key_id.hex}/2"]


def encrypted(material: dict[str, bytes], server: kernel.ServerKey) -> bytes:
    """The value as a user sends it, expanded as the coprocessor does."""
    crs = kernel.Crs.generate("test", 64)
    public = kernel.CompactPublicKey.load(material["public-key"])
    proven = public.encrypt_list([VALUE], crs, b"who")
    ((_, data),) = server.expand(proven, public, crs, b"who")
    return data
