"""A core is killed (kill -9) in every phase of a change of epoch; each change ends right, without mixtures."""

import asyncio
import copy
from contextlib import AsyncExitStack
from pathlib import Path

from core.vault import from_settings
from tests.core.test_network import PUBLIC, require_public_answer
from tests.core.test_process import process, write_toml
from tests.support.core_network import WAIT_S, Client, Network
from wire.pb.tkms.core.v1 import core_pb2

VICTIM = 2
VALUE = (4, 54321)

# What the victim's log says at the moment of its death. The first is death right after acceptance.
PHASES = [
    "",
    'event="pseudorandom keys are made"',
    'event="key is reshared"',
    'event="request answered"',
    'event="epoch is current"',
]


class Operators:
    """Four core processes, one of which dies and is started again."""

    def __init__(self, root: Path, stack: AsyncExitStack) -> None:
        """A network with one dealt key."""
        self.network = Network(root, 4)
        self.key = self.network.deal()
        self.root = root
        self.stack = stack
        self.processes: dict[int, asyncio.subprocess.Process] = {}
        self.clients: dict[int, Client] = {}
        self.seen = dict.fromkeys(self.network.settings, 0)
        for settings in self.network.settings.values():
            write_toml(settings)

    def log(self, number: int) -> Path:
        """The log of a core over all its lives."""
        return self.root / f"log{number}"

    async def start(self, number: int) -> None:
        """Start a core that does not run."""
        settings = self.network.settings[number]
        self.processes[number] = await self.stack.enter_async_context(
            process(settings, self.log(number))
        )
        self.clients[number] = Client(settings.service_socket)

    async def kill(self, number: int) -> None:
        """Kill -9 and a new process."""
        self.processes[number].kill()
        await self.processes[number].wait()
        await self.clients[number].close()
        await self.start(number)

    async def said(self, number: int, text: str, since: int) -> None:
        """Wait until a core's log has a text behind a place."""
        async with asyncio.timeout(WAIT_S):
            while text.encode() not in self.log(number).read_bytes()[since:]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def result(self, number: int) -> core_pb2.Result:
        """The next result of a core."""
        (found,) = await self.clients[number].results(1, after=self.seen[number])
        self.seen[number] = found.cursor
        return found

    async def refresh(self, phase: str) -> None:
        """One change of epoch with a death in it."""
        network, key_id = self.network, self.key.key_id
        following = copy.deepcopy(network.epoch)
        following.id += 1
        _, submission = network.change_epoch(following, key_id)
        since = len(self.log(VICTIM).read_bytes())
        await self.clients[VICTIM].submit(submission)
        if not phase:
            await self.kill(VICTIM)
        for number, client in self.clients.items():
            if number != VICTIM:
                await client.submit(submission)
        informs = phase.endswith('current"')
        if phase and not informs:
            await self.said(VICTIM, phase, since)
            await self.kill(VICTIM)
        found = [(await self.result(n)).fulfil.generation.digests[0].digest for n in self.clients]
        assert len(set(found)) == 1
        inform = network.make_current(following, key_id, done=True)
        if informs:
            task = asyncio.create_task(self.clients[VICTIM].inform(inform))
            await self.said(VICTIM, phase, since)
            await self.kill(VICTIM)
            await asyncio.gather(task, return_exceptions=True)
        for client in self.clients.values():
            await client.inform(inform)
        await self.decrypt()
        for settings in network.settings.values():
            assert from_settings(settings).names("keys") == [f"keys/{key_id.hex}/{following.id}"]

    async def decrypt(self) -> None:
        """All four answer a new request right."""
        entry, submission = self.network.request(PUBLIC, [self.key.ciphertext(*VALUE)])
        for client in self.clients.values():
            await client.submit(submission)
        for number in self.clients:
            require_public_answer(await self.result(number), entry, number, [VALUE])


async def test_death_in_every_phase_of_a_refresh(tmp_path: Path) -> None:
    """Five changes one after the other, a death in another phase of each."""
    async with AsyncExitStack() as stack:
        operators = Operators(tmp_path, stack)
        for number in operators.network.settings:
            await operators.start(number)
        for phase in PHASES:
            await operators.refresh(phase)
        for client in operators.clients.values():
            await client.close()
