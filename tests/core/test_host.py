"""Runs of protocols over a network that loses, delays and restarts."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core import early, host
from core.circles import Address
from core.early import EarlyMessages
from core.errors import RunAborted
from core.host import Host
from core.roster import UnknownEpochError
from core.vault import open_vault
from mpc.errors import UsageError
from mpc.exchange import Exchange, ProtocolAbort, Setting, Steps, others, to_others
from mpc.machine import MAX_AHEAD, RoundMessage
from mpc.names import session_id
from mpc.session import AbortReason, Blame, Fault
from tests.support.host_network import EPOCH, HostNetwork
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

NAME = b"a run"
ROUNDS = 4
WAIT_S = 20.0

Heard = list[dict[int, str]]


@pytest.fixture
async def network(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HostNetwork]:
    """Four parties that repair quickly."""
    monkeypatch.setattr(host, "_SOON_S", 0.02)
    monkeypatch.setattr(host, "_FIRST_ASK_S", 0.05)
    made = HostNetwork(4, 1)
    made.start_all()
    yield made
    await made.close()


def talk(setting: Setting) -> Steps[Heard]:
    """Everybody says in each round who it is; the value is all that was heard."""
    heard: Heard = []
    for number in range(ROUNDS):
        text = f"{setting.party} in {number}".encode()
        received = yield Exchange(to_others(setting, text), others(setting))
        heard.append({party: payload.decode() for party, payload in received.items()})
    return heard


def hasty(setting: Setting) -> Steps[int]:
    """Asynchronous: goes on with two others."""
    for _ in range(ROUNDS):
        yield Exchange(to_others(setting, b"x"), others(setting), lambda heard: len(heard) >= 2)
    return ROUNDS


def complete(party: int, without: tuple[int, ...] = ()) -> Heard:
    """What a party hears when nothing gets lost, except from some."""
    return [
        {p: f"{p} in {number}" for p in range(1, 5) if p != party and p not in without}
        for number in range(ROUNDS)
    ]


def begin(one: Host, **options: object) -> asyncio.Task[Heard]:
    """A run of `talk`."""
    return asyncio.create_task(one.run(NAME, EPOCH, talk, **options))  # type: ignore[arg-type]  # options of `run`


async def values(*tasks: asyncio.Task[Heard]) -> list[Heard]:
    """Values of runs, in time."""
    return list(await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S))


async def test_everybody_hears_everybody(
    network: HostNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without faults each message is sent once and nobody asks for anything."""
    monkeypatch.setattr(host, "_SOON_S", WAIT_S)
    tasks = [begin(one) for one in network.hosts.values()]
    assert await values(*tasks) == [complete(party) for party in range(1, 5)]
    assert len(network.log) == 4 * 3 * ROUNDS
    assert not any(message.round_message.again for _, _, message in network.log)


async def test_messages_before_the_begin_count(
    network: HostNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who begins last has the first rounds already, without asking."""
    monkeypatch.setattr(host, "_SOON_S", WAIT_S)
    first = [begin(network.hosts[PartyId(number)]) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    await asyncio.sleep(0.005)
    last = begin(network.hosts[PartyId(4)])
    assert await values(*first, last) == [complete(party) for party in range(1, 5)]
    assert not any(message.round_message.again for _, _, message in network.log)


async def test_restart_in_the_middle(network: HostNetwork) -> None:
    """Who lost everything replays the run with what its peers send again."""
    network.passes = lambda sender, _, message: sender != 4 or message.round_message.round < 2
    tasks = [begin(network.hosts[PartyId(number)]) for number in range(1, 5)]
    await asyncio.sleep(0.05)
    tasks[3].cancel()
    network.passes = lambda *_: True
    again = begin(network.start(4))
    assert await values(*tasks[:3], again) == [complete(party) for party in range(1, 5)]


async def test_restart_after_the_peers_ended(network: HostNetwork) -> None:
    """What a run sent outlives it."""
    tasks = [begin(one) for one in network.hosts.values()]
    await values(*tasks)
    assert await values(begin(network.start(2))) == [complete(2)]


async def test_durable_runs_outlive_the_process(network: HostNetwork, tmp_path: Path) -> None:
    """Everybody restarts after the end, and one party needs the run again."""
    vaults = {number: open_vault(tmp_path / str(number), "clear", None) for number in range(1, 5)}
    for number, vault in vaults.items():
        network.start(number, vault)
    await values(*(begin(one, durable=True) for one in network.hosts.values()))
    for number, vault in vaults.items():
        network.start(number, vault)
    assert await values(begin(network.hosts[PartyId(3)], durable=True)) == [complete(3)]
    await network.hosts[PartyId(1)].forget(NAME)
    assert not vaults[1].names("runs")
    assert vaults[2].names("runs")


async def test_lost_messages_are_asked_for(network: HostNetwork) -> None:
    """A full queue somewhere costs time only."""
    lost = {(1, 2, 1), (3, 4, 2), (4, 1, 0), (2, 3, 3)}

    def passes(sender: PartyId, recipient: PartyId, message: peer_pb2.Envelope) -> bool:
        key = (int(sender), int(recipient), message.round_message.round)
        if message.round_message.again or key not in lost:
            return True
        lost.discard(key)
        return False

    network.passes = passes
    tasks = [begin(one) for one in network.hosts.values()]
    assert await values(*tasks) == [complete(party) for party in range(1, 5)]
    assert not lost


async def test_silence_costs_one_timer(network: HostNetwork) -> None:
    """A dead party is waited for in one synchronous round only."""
    network.stop(4)
    clock = asyncio.get_running_loop().time
    before = clock()
    tasks = [begin(one, round_timeout_s=0.5) for one in network.hosts.values()]
    assert await values(*tasks) == [complete(party, without=(4,)) for party in (1, 2, 3)]
    assert clock() - before >= 0.5
    # One timer, not one a round.
    assert max(one.timeouts for one in network.hosts.values()) == 1


async def test_asynchronous_rounds_wait_for_nobody_in_particular(network: HostNetwork) -> None:
    """A dead party costs nothing, and no timer ends a round that has not enough."""
    network.stop(4)
    network.passes = lambda sender, _, message: sender != 3 or message.round_message.round < 2
    tasks = [
        asyncio.create_task(one.run(NAME, EPOCH, hasty, round_timeout_s=0.01))
        for one in network.hosts.values()
    ]
    done, _ = await asyncio.wait(tasks, timeout=0.3)
    assert not done
    network.passes = lambda *_: True
    await asyncio.wait_for(asyncio.gather(*tasks), WAIT_S)


async def test_early_ends_of_rounds_make_timers_longer(network: HostNetwork) -> None:
    """A slow honest party shows that a timer was too short."""
    rest = [begin(network.hosts[PartyId(number)], round_timeout_s=0.1) for number in (1, 2, 3)]
    heard = await values(*rest)
    assert heard == [complete(party, without=(4,)) for party in (1, 2, 3)]
    assert await values(begin(network.hosts[PartyId(4)])) == [complete(4)]
    assert network.hosts[PartyId(1)].patience > 1


async def test_aborts_and_blame_reach_the_caller(network: HostNetwork) -> None:
    """A run without value raises; every blame is awaited before."""
    blamed: list[Blame] = []

    async def accuse(blame: Blame) -> None:
        blamed.append(blame)

    def failing(setting: Setting) -> Steps[None]:
        yield Exchange()
        yield Blame(PartyId(2), Fault.WRONG_SHARE)
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "as planned")

    with pytest.raises(RunAborted, match="too-many-errors: as planned"):
        await network.hosts[PartyId(1)].run(NAME, EPOCH, failing, accuse=accuse)
    assert blamed == [Blame(PartyId(2), Fault.WRONG_SHARE)]


async def test_names_and_epochs_are_checked(network: HostNetwork) -> None:
    """A name runs once at a time, in an epoch that we know."""
    one = network.hosts[PartyId(1)]
    task = begin(one)
    await asyncio.sleep(0)
    with pytest.raises(UsageError, match="in progress"):
        await begin(one)
    with pytest.raises(UnknownEpochError):
        await one.run(b"another", 11, talk)
    assert one.online == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert one.online == 0


async def test_background_runs_compute_elsewhere(network: HostNetwork) -> None:
    """No step of a background run is computed by the event loop, and all step back."""
    threads: set[tuple[bool, int]] = set()

    def noting(setting: Setting) -> Steps[Heard]:
        steps = talk(setting)
        received = None
        while True:
            main = threading.current_thread() is threading.main_thread()
            threads.add((main, os.getpriority(os.PRIO_PROCESS, threading.get_native_id())))
            try:
                step = steps.send(received)  # type: ignore[arg-type]  # None begins
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]  # the value of `talk`
            received = yield step

    ones = network.hosts.values()
    await asyncio.gather(*(one.run(NAME, EPOCH, noting, background=True) for one in ones))
    assert threads == {(False, 5)}


def endless(setting: Setting) -> Steps[None]:
    """Somebody is served for as long as the test wants."""
    yield Exchange({}, others(setting), lambda heard: len(heard) > 3)


async def served(one: Host) -> asyncio.Task[None]:
    """An online run in progress."""
    task = asyncio.create_task(one.run(b"online", EPOCH, endless))
    await asyncio.sleep(0)
    assert one.online == 1
    return task


async def ended(task: asyncio.Task[None]) -> None:
    """Its end."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_background_runs_give_way(
    network: HostNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step is begun while somebody is served, nor in the moment after; then the run goes on."""
    monkeypatch.setattr(host, "_QUIET_S", 0.1)
    monkeypatch.setattr(host, "_QUIET_CHECKS", 1_000)
    one = network.hosts[PartyId(1)]
    begun: list[float] = []

    def noting(setting: Setting) -> Steps[Heard]:
        begun.append(time.monotonic())
        return (yield from talk(setting))

    online = await served(one)
    way = {"background": True, "gives_way": lambda: True}
    tasks = [begin(network.hosts[PartyId(party)], **way) for party in (2, 3, 4)]
    own = asyncio.create_task(one.run(NAME, EPOCH, noting, background=True, gives_way=lambda: True))
    await asyncio.sleep(0.3)
    assert not begun
    assert not any(task.done() for task in tasks)
    end = time.monotonic()
    await ended(online)
    assert await values(own, *tasks) == [complete(party) for party in range(1, 5)]
    assert begun[0] >= end + 0.09


@pytest.mark.parametrize("urgent", [False, True])
async def test_background_runs_do_not_stand_still(
    network: HostNetwork, monkeypatch: pytest.MonkeyPatch, urgent: bool
) -> None:
    """Under work without end they go on step by step, and at once when somebody waits for them."""
    # Long where nobody may wait for it, so that a busy machine is not taken for giving way.
    monkeypatch.setattr(host, "_QUIET_S", 2.0 if urgent else 0.01)
    online = await served(network.hosts[PartyId(1)])
    before = time.monotonic()
    options = {"background": True, "gives_way": lambda: not urgent}
    tasks = [begin(one, **options) for one in network.hosts.values()]
    assert await values(*tasks) == [complete(party) for party in range(1, 5)]
    took = time.monotonic() - before
    # Five checks for the start and for each round.
    assert took < 10.0 if urgent else took >= 0.05 * ROUNDS
    await ended(online)


async def test_a_peer_can_wake_an_expected_run(network: HostNetwork) -> None:
    """Policy begins a run at a peer's first message, once."""
    woken: list[asyncio.Task[Heard]] = []
    for one in network.hosts.values():
        one.expect(NAME, lambda one=one: woken.append(begin(one)))  # type: ignore[misc]  # binds
    first = begin(network.hosts[PartyId(1)])
    assert await values(first) == [complete(1)]
    assert len(woken) == 3
    await values(*woken)


async def test_a_liar_spoils_what_it_sends(network: HostNetwork) -> None:
    """The deliberate fault of test networks."""
    network.hosts[PartyId(4)].spoil = lambda payload: payload[::-1]
    tasks = [begin(one) for one in network.hosts.values()]
    heard = await values(*tasks)
    assert heard[0][0][4] == "0 ni 4"
    assert heard[0][0][3] == "3 in 0"


class TestHostilePeers:
    """A19, and who may be sent what again."""

    @staticmethod
    def again(session: bytes, epoch: int = EPOCH) -> peer_pb2.Envelope:
        """An ask."""
        message = peer_pb2.RoundMessage(session_id=session, again=True)
        return peer_pb2.Envelope(epoch_id=epoch, sender=2, round_message=message)

    async def test_asks_in_a_flood_are_one_answer(self, network: HostNetwork) -> None:
        """Asking often brings nothing, asking for made-up runs costs nothing."""
        await values(*(begin(one) for one in network.hosts.values()))
        network.log.clear()
        one = network.hosts[PartyId(1)]
        for number in range(5000):
            one.receive(PartyId(2), self.again(session_id(NAME)))
            one.receive(PartyId(2), self.again(session_id(str(number).encode())))
        async with asyncio.timeout(WAIT_S):
            while len(network.log) < ROUNDS:  # noqa: ASYNC110 - repeats are sent by a task
                await asyncio.sleep(0.005)
        # Were there more answers, they would come now.
        await asyncio.sleep(0.05)
        repeated = [message.round_message.repeated for _, _, message in network.log]
        assert repeated == [True] * ROUNDS

    async def test_another_epoch_is_not_told(
        self, network: HostNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Party 2 of another epoch is another person."""
        # What is repeated unasked would be taken for an answer.
        monkeypatch.setattr(host, "_SOON_S", WAIT_S)
        one = network.start(1, open_vault(tmp_path / "vault", "clear", None))
        tasks = [begin(end, durable=True) for end in network.hosts.values()]
        await values(*tasks)
        network.log.clear()
        one.receive(PartyId(2), self.again(session_id(NAME), epoch=2))
        network.start(1, open_vault(tmp_path / "vault", "clear", None))
        network.hosts[PartyId(1)].receive(PartyId(2), self.again(session_id(NAME), epoch=2))
        await asyncio.sleep(0.05)
        assert network.log == []

    async def test_another_epoch_has_no_say_before_the_begin(self, network: HostNetwork) -> None:
        """Nor does what waits for a run count under a number of another epoch."""
        one = network.hosts[PartyId(1)]
        message = peer_pb2.RoundMessage(session_id=session_id(NAME), round=0, payload=b"lie")
        one.receive(PartyId(2), peer_pb2.Envelope(epoch_id=2, sender=2, round_message=message))
        tasks = [begin(each) for each in network.hosts.values()]
        assert await values(*tasks) == [complete(party) for party in range(1, 5)]

    async def test_another_epoch_has_no_say(self, network: HostNetwork) -> None:
        """Messages of another epoch's parties do not reach a run."""
        one = network.hosts[PartyId(1)]
        task = begin(one)
        await asyncio.sleep(0)
        message = peer_pb2.RoundMessage(session_id=session_id(NAME), round=0, payload=b"lie")
        one.receive(PartyId(2), peer_pb2.Envelope(epoch_id=2, sender=2, round_message=message))
        assert one.dropped == 1
        rest = [begin(network.hosts[PartyId(number)]) for number in (2, 3, 4)]
        assert await values(task, *rest) == [complete(party) for party in range(1, 5)]

    async def test_far_rounds_and_short_sessions_are_dropped(self, network: HostNetwork) -> None:
        """Nothing of them is kept."""
        one = network.hosts[PartyId(1)]
        task = begin(one)
        await asyncio.sleep(0.01)
        for session, number in ((session_id(NAME), MAX_AHEAD + 2), (b"short", 0)):
            message = peer_pb2.RoundMessage(session_id=session, round=number)
            one.receive(PartyId(2), peer_pb2.Envelope(epoch_id=EPOCH, round_message=message))
        assert one.dropped == 2
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class TestEarlyMessages:
    """Bounds of what waits for its begin."""

    def test_a_flood_pushes_out_its_own_runs_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Runs and bytes are counted for each peer."""
        monkeypatch.setattr(early, "MAX_RUNS", 10)
        monkeypatch.setattr(early, "MAX_BYTES", 4000)
        box = EarlyMessages(lambda: 0.0)
        box.put(Address(EPOCH, PartyId(1)), b"good", RoundMessage(0, b"x" * 3000))
        for number in range(1000):
            box.put(Address(EPOCH, PartyId(2)), str(number).encode(), RoundMessage(0, b"y" * 140))
        assert box.take(b"good") == [(Address(EPOCH, PartyId(1)), RoundMessage(0, b"x" * 3000))]
        assert box.take(b"989") == []
        assert box.take(b"990") == [(Address(EPOCH, PartyId(2)), RoundMessage(0, b"y" * 140))]
        assert (
            box.dropped(Address(EPOCH, PartyId(1))),
            box.dropped(Address(EPOCH, PartyId(2))),
        ) == (0, 990)

    def test_first_of_a_round_counts_and_far_rounds_do_not(self) -> None:
        """As in the machine."""
        box = EarlyMessages(lambda: 0.0)
        for payload in (b"first", b"second"):
            box.put(Address(EPOCH, PartyId(1)), b"s", RoundMessage(1, payload))
        box.put(Address(EPOCH, PartyId(1)), b"s", RoundMessage(0, b"zero"))
        box.put(Address(EPOCH, PartyId(1)), b"s", RoundMessage(MAX_AHEAD + 1, b"far"))
        found = [message for _, message in box.take(b"s")]
        assert found == [RoundMessage(0, b"zero"), RoundMessage(1, b"first")]
        assert box.dropped(Address(EPOCH, PartyId(1))) == 1
        assert box.take(b"s") == []

    def test_old_runs_go(self) -> None:
        """What nobody begins is not kept."""
        now = [0.0]
        box = EarlyMessages(lambda: now[0])
        box.put(Address(EPOCH, PartyId(1)), b"old", RoundMessage(0, b""))
        now[0] = early.MAX_AGE_S + 1
        box.put(Address(EPOCH, PartyId(1)), b"new", RoundMessage(0, b""))
        assert box.take(b"old") == []
        assert len(box.take(b"new")) == 1
