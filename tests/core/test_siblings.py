"""Messages of peers find the core that works on their run, whoever received them."""

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from core.frames import frame
from core.seats import Seat
from core.siblings import Siblings
from wire.ids import PartyId
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.peer.v1 import peer_pb2

WAIT_S = 30.0


class Core:
    """One of three cores, and what it was given."""

    def __init__(self, folder: Path, number: int) -> None:
        """Not started."""
        self.taken: list[tuple[int, bytes]] = []
        self.siblings = Siblings(folder, Seat(number, 3), self._take)

    def _take(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        self.taken.append((sender, envelope.round_message.payload))


def message(run: bytes, payload: bytes) -> peer_pb2.Envelope:
    """A round message of party 4."""
    return peer_pb2.Envelope(
        epoch_id=1, sender=4, round_message=peer_pb2.RoundMessage(session_id=run, payload=payload)
    )


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that comes by itself."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - other processes and tasks decide
            await asyncio.sleep(0.01)


@pytest.fixture
async def cores(tmp_path: Path) -> AsyncIterator[dict[int, Core]]:
    """Three cores that know each other."""
    made = {number: Core(tmp_path, number) for number in (1, 2, 3)}
    for core in made.values():
        await core.siblings.start()
    await until(lambda: all(len(core.siblings._writers) == 2 for core in made.values()))
    yield made
    for core in made.values():
        await core.siblings.stop()


async def test_an_announced_run_gets_its_messages(cores: dict[int, Core], tmp_path: Path) -> None:
    """From every core, each once and in order; nobody else has them."""
    cores[2].siblings.own(b"run")
    cores[2].siblings.own(b"run")
    await until(lambda: all(core.siblings._owners.get(b"run") == 2 for core in cores.values()))
    for number in (1, 2, 3):
        for index in range(20):
            payload = b"%d/%d" % (number, index)
            cores[number].siblings.receive(PartyId(4), message(b"run", payload))
    await until(lambda: len(cores[2].taken) == 60)
    assert cores[1].taken == cores[3].taken == []
    for number in (1, 2, 3):
        prefix = b"%d/" % number
        own = [payload for _, payload in cores[2].taken if payload.startswith(prefix)]
        assert own == [b"%d/%d" % (number, index) for index in range(20)]
    assert {sender for sender, _ in cores[2].taken} == {4}
    for number in (1, 2, 3):
        mode = (tmp_path / f"sibling-{number}.sock").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


async def test_a_run_that_nobody_announced_is_kept_by_all(cores: dict[int, Core]) -> None:
    """Whoever begins it has what came before."""
    cores[3].siblings.receive(PartyId(4), message(b"early", b"first"))
    await until(lambda: all(core.taken == [(4, b"first")] for core in cores.values()))


@pytest.mark.parametrize(
    "body", [b"O", b"H", b"H" + bytes(11), b"H" + bytes(13), b"M\xff", b"E\xff"]
)
async def test_a_frame_that_makes_no_sense_ends_its_stream_only(
    cores: dict[int, Core], tmp_path: Path, body: bytes
) -> None:
    """The stream is closed, and no error is left for the loop."""
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
    reader, writer = await asyncio.open_unix_connection(tmp_path / "sibling-1.sock")
    writer.write(frame(body))
    assert await reader.read() == b""
    writer.close()
    cores[2].siblings.own(b"run")
    cores[1].siblings.receive(PartyId(4), message(b"run", b"x"))
    await until(lambda: (4, b"x") in cores[2].taken)
    assert problems == []


async def test_a_core_that_ends_owns_nothing(cores: dict[int, Core]) -> None:
    """Its runs are anybody's again; who takes one over announces it."""
    cores[2].siblings.own(b"run")
    await until(lambda: cores[1].siblings._owners.get(b"run") == 2)
    await cores[2].siblings.stop()
    await until(lambda: b"run" not in cores[1].siblings._owners)
    cores[1].siblings.receive(PartyId(4), message(b"run", b"after"))
    assert cores[1].taken == [(4, b"after")]
    cores[3].siblings.own(b"run")
    await until(lambda: cores[1].siblings._owners.get(b"run") == 3)


async def test_epochs_and_peers_are_made_known(cores: dict[int, Core], tmp_path: Path) -> None:
    """What one has proof of, and whom one has heard: to all, also to who comes later."""
    learned: list[int] = []
    heard: list[tuple[int, int]] = []
    cores[2].siblings.on_epoch = lambda epoch: learned.append(epoch.id)
    cores[2].siblings.on_heard = lambda epoch_id, party: heard.append((epoch_id, party))
    cores[1].siblings.learned(config_pb2.Epoch(id=7))
    cores[1].siblings.learned(config_pb2.Epoch(id=7))
    cores[1].siblings.heard(7, PartyId(4))
    await until(lambda: heard == [(7, 4)])
    assert learned == [7]
    await cores[3].siblings.stop()
    again = cores[3] = Core(tmp_path, 3)
    again.siblings.on_epoch = lambda epoch: learned.append(epoch.id)
    await again.siblings.start()
    await until(lambda: learned == [7, 7])


async def test_a_core_that_comes_later_is_told(cores: dict[int, Core], tmp_path: Path) -> None:
    """What the others have announced before."""
    await cores[2].siblings.stop()
    cores[1].siblings.own(b"run")
    again = cores[2] = Core(tmp_path, 2)
    await again.siblings.start()
    await until(lambda: again.siblings._owners.get(b"run") == 1)
    again.siblings.receive(PartyId(4), message(b"run", b"x"))
    await until(lambda: (4, b"x") in cores[1].taken)
    assert again.taken == []
