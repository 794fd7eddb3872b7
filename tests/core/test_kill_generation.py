"""A core is killed (kill -9) again and again while a key is made; the key comes out once and right."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import tkms_kernel as kernel

from tests.core.test_generation import VALUE, activate, encrypted, generation, preprocessing
from tests.core.test_kill_refresh import VICTIM, Operators
from tests.core.test_network import PUBLIC, require_public_answer
from tests.support.core_network import WAIT_S, MemoryStorage, describe
from wire.ids import KeyId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2


class Makers(Operators):
    """Operators that make a key."""

    async def recorded(self, count: int) -> None:
        """Wait until the victim has so many records of epoch 1."""
        folder = self.network.settings[VICTIM].home / "records" / "1"
        async with asyncio.timeout(WAIT_S):
            while sum(1 for _ in folder.glob("*")) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    def records(self) -> int:
        """Records of epoch 1 that the victim has."""
        return sum(1 for _ in (self.network.settings[VICTIM].home / "records" / "1").glob("*"))

    async def submit(self, submission: core_pb2.SubmitRequest) -> None:
        """Hand a request to all."""
        for client in self.clients.values():
            await client.submit(submission)

    async def agreed(self) -> dict[str, asc_pb2.MaterialDigest]:
        """What all four answer with."""
        answers = [(await self.result(number)).fulfil.generation for number in self.clients]
        assert all(answer == answers[0] for answer in answers)
        return {digest.kind: digest for digest in answers[0].digests}


async def test_death_in_every_phase_of_a_generation(tmp_path: Path) -> None:
    """At acceptance, with new keys, between batches, with the seed, between chunks, and with the share."""
    token = tmp_path / "token"
    token.write_text("token")
    async with MemoryStorage().serve() as storage, AsyncExitStack() as stack:
        makers = Makers(tmp_path, stack)
        network = makers.network
        for settings in network.settings.values():
            with (settings.home / "core.toml").open("a") as file:
                file.write(f'\nstorage_url = "{storage.url}"\nstorage_token_file = "{token}"\n')
        for number in network.settings:
            await makers.start(number)
        entry, submission = preprocessing(network)
        await makers.submit(submission)
        await makers.kill(VICTIM)
        await makers.said(VICTIM, 'event="pseudorandom keys are made"', 0)
        await makers.kill(VICTIM)
        for more in (2, 3):
            await makers.recorded(makers.records() + more)
            await makers.kill(VICTIM)
        assert set(await makers.agreed()) == {"preprocessing"}
        await makers.kill(VICTIM)
        made, submission = generation(network, entry.request_id)
        before = makers.records()
        await makers.submit(submission)
        for more in (1, 5):
            await makers.recorded(before + more)
            await makers.kill(VICTIM)
        await makers.said(VICTIM, 'event="key is made"', 0)
        await makers.kill(VICTIM)
        digests = await makers.agreed()
        key_id = KeyId(made.request_id)
        activate(network, key_id, digests)
        material = {kind: storage.blobs[d.digest.hex()] for kind, d in digests.items()}
        data = encrypted(material, kernel.ServerKey.load(material["server-key"]))
        entry, submission = network.request(PUBLIC, [(describe(key_id, data, VALUE[0], 1), data)])
        await makers.submit(submission)
        for number in makers.clients:
            require_public_answer(await makers.result(number), entry, number, [VALUE])
        for client in makers.clients.values():
            await client.close()
