"""Runs protocols of several rounds (`mpc/machine.py`) between this core and its peers.

Rules
1. One task a run feeds its machine, message after message. Online runs compute here or in the
   engine's threads; background runs in one thread of low priority, and on a stream of their own.
   A background run that gives way begins each step only once nobody has been served for a moment,
   or after a twentieth of a second: online runs meet few of its steps, and it never stands still.
2. Messages that come before their run begins wait in `EarlyMessages`. Who asks for a run that
   policy wants to begin at the first message of a peer says so with `expect`.
3. Who waits for a message for long asks its sender for everything: `again`, a message without
   payload. Whoever took part sends all that it had sent that party, marked `repeated`, at most once
   in a growing pause. So a party that restarts gets all that it lost, and a message that got lost
   anywhere is healed. A party that may have lost something (it started lately, or dropped messages
   of a peer) asks soon, others late.
4. A synchronous round ends by its timer when somebody stays silent (`mpc/pacing.py` says from when
   it runs). A message that comes after its round was ended shows that the timer was too short:
   timers of all later runs grow, and shrink again slowly.
5. What a run sent is kept for a while after its end; of a durable run it is sealed before it is sent.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import structlog

from core.circles import Address, Circle, of_epoch
from core.codec import again_envelope, round_envelope
from core.early import MESSAGE_BYTES, EarlyMessages
from core.errors import RunAborted
from core.repeats import Repeats
from core.sent import Sent, SentMessages
from core.threads import Threads
from mpc.errors import UsageError
from mpc.exchange import Setting, Steps, everybody
from mpc.machine import MAX_AHEAD, MAX_WAITING_BYTES, Machine, RoundMessage
from mpc.names import SESSION_ID_BYTES, session_id
from mpc.pacing import Pacing
from mpc.session import Abort, Blame, Done, Output, Send
from wire.ids import PartyId
from wire.pb.tkms.peer.v1 import peer_pb2

ROUND_TIMEOUT_S = 60.0
"""Default of a synchronous round: generous, because silence counts as a fault."""

_RESTARTED_S = 900.0
"""As long after our start, what peers sent before it may be lost with the process before."""

_QUIET_S = 0.01
"""As long nobody was served: runs that follow each other closely are not interrupted between them."""

_QUIET_CHECKS = 5
"""A twentieth of a second a step, far below the time of a round: giving way is not silence."""

_SOON_S = 0.5
_FIRST_ASK_S = 5.0
_LAST_ASK_S = 60.0
_INLINE_BYTES = 64 * 2**10
"""Up to this many received bytes, arithmetic is shorter than the way to a thread and back."""

_GRACE = 8.0
"""Rounds that a party may be behind: a timer by one that only catches up."""

_MAX_PATIENCE = 16.0
_MAX_CUT = 10_000

Value = TypeVar("Value")
StepsFactory = Callable[[Setting], Steps[Value]]
Accuse = Callable[[Blame], Awaitable[None]]

log = structlog.get_logger("core.host")


class Network(Protocol):
    """What a host needs of the transport. Delivery is ordered while both ends live."""

    def setting(self, epoch_id: int) -> Setting:
        """Number of parties, threshold and our own number in a proven epoch."""
        ...

    def connected(self, epoch_id: int) -> bool:
        """Whether all parties of an epoch can be reached now."""
        ...

    def send_to(
        self, recipient: Address, envelope: peer_pb2.Envelope, *, background: bool = False
    ) -> None:
        """Queue a message; never blocks."""
        ...


@dataclass(slots=True)
class _Run:
    """One run at this party."""

    session: bytes
    epoch_id: int
    circle: Circle
    machine: Machine[Any]  # each run has a value of its own type
    background: bool
    durable: bool
    pacing: Pacing
    accuse: Accuse | None
    gives_way: Callable[[], bool]
    queue: deque[tuple[PartyId, RoundMessage]] = field(default_factory=deque)
    queued: dict[PartyId, int] = field(default_factory=dict)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    seen: set[tuple[PartyId, int]] = field(default_factory=set)


class Host:
    """All runs of one core."""

    __slots__ = (
        "_clock",
        "_cut",
        "_early",
        "_expected",
        "_network",
        "_repeats",
        "_runs",
        "_sent",
        "_served",
        "_started",
        "_threads",
        "dropped",
        "patience",
        "spoil",
        "timeouts",
    )

    def __init__(
        self,
        network: Network,
        threads: Threads,
        sent: SentMessages,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives monotonic seconds."""
        self._network = network
        self._threads = threads
        self._sent = sent
        self._clock = clock
        self._early = EarlyMessages(clock)
        self._runs: dict[bytes, _Run] = {}
        self._expected: dict[bytes, Callable[[], None]] = {}
        self._repeats = Repeats(clock, self._repeat)
        # Messages that a timer did not wait for.
        self._cut: set[tuple[bytes, Address, int]] = set()
        # When an online run ended last.
        self._served = float("-inf")
        # What timers of synchronous rounds are multiplied by.
        self.patience = 1.0
        self._started = clock()
        self.dropped = 0
        # Rounds that ended because somebody was silent.
        self.timeouts = 0
        # A deliberate fault for tests: what every payload becomes before it leaves; None is silence.
        self.spoil: Callable[[bytes], bytes | None] | None = None

    @property
    def online(self) -> int:
        """Runs in progress that somebody waits for."""
        return sum(not run.background for run in self._runs.values())

    def connected(self, epoch_id: int) -> bool:
        """Whether all parties of an epoch can be reached now: else waiting for them is in vain."""
        return self._network.connected(epoch_id)

    async def run(  # noqa: PLR0913 - what makes a run, each by name
        self,
        name: bytes,
        epoch_id: int,
        steps: StepsFactory[Value],
        *,
        background: bool = False,
        gives_way: Callable[[], bool] = lambda: False,
        round_timeout_s: float = ROUND_TIMEOUT_S,
        durable: bool = False,
        accuse: Accuse | None = None,
        circle: Circle | None = None,
    ) -> Value:
        """Take part in one run and return its value; `accuse` is awaited for every blame.

        All parties of the epoch take part unless a `circle` says who does. A background run that
        `gives_way`, asked before each step, lets online runs go first. The same name again
        after a restart replays the run: `steps` must depend on nothing but the setting and what is
        stored.

        Raises
        ------
        RunAborted
            The protocol ended without a value.
        UnknownEpochError
            The epoch was not proven to us.
        UsageError
            The run is in progress already.
        """
        session = session_id(name)
        if session in self._runs:
            raise UsageError("this run is in progress already")
        circle = circle or of_epoch(epoch_id, self._network.setting(epoch_id))
        machine: Machine[Value] = Machine(circle.setting, steps(circle.setting))
        round_s = round_timeout_s * self.patience
        pacing = Pacing(machine, round_s, round_s / _GRACE)
        options = (background, durable, pacing, accuse, gives_way)
        run = _Run(session, epoch_id, circle, machine, *options)
        self._runs[session] = run
        self._expected.pop(session, None)
        try:
            return cast("Value", await self._drive(run))
        finally:
            del self._runs[session]
            if not background:
                self._served = self._clock()
            parties = everybody(circle.setting)
            sent = {circle.address(party): machine.sent(party) for party in parties}
            self._sent.keep(session, epoch_id, Sent(circle.own, sent))

    def expect(self, name: bytes, begin: Callable[[], None]) -> None:
        """Call `begin` once, at the first message of a peer for a run that has not begun here."""
        self._expected[session_id(name)] = begin

    async def forget(self, name: bytes) -> None:
        """Erase what a durable run sent: no peer can need it any more."""
        self._expected.pop(session_id(name), None)
        await asyncio.to_thread(self._sent.forget, session_id(name))

    def erase_epoch(self, epoch_id: int) -> None:
        """Erase what durable runs of an epoch sent. Writes the disk."""
        self._sent.forget_epoch(epoch_id)

    def receive(self, sender: PartyId, envelope: peer_pb2.Envelope) -> None:
        """Take a round message of a peer that the transport has authenticated."""
        message = envelope.round_message
        session = message.session_id
        if len(session) != SESSION_ID_BYTES:
            self.dropped += 1
            return
        address = Address(envelope.epoch_id, sender)
        run = self._runs.get(session)
        self._late(session, address, message)
        if run is not None and run.circle.number(address) is None:
            self.dropped += 1  # another epoch's party of that number
        elif message.again:
            if run is not None or self._sent.knows(session):
                self._repeats.ask(session, address)
        elif run is not None:
            self._enqueue(run, address, RoundMessage(message.round, message.payload))
        elif not self._sent.knows(session):
            self._early.put(address, session, RoundMessage(message.round, message.payload))
        if run is None and session in self._expected:
            self._expected.pop(session)()

    def taken_over(self) -> None:
        """Runs of another process may begin here now: what peers sent it before is lost."""
        self._started = self._clock()

    async def close(self) -> None:
        """End what the host itself began; runs end with their callers."""
        await self._repeats.close()

    def _late(self, session: bytes, address: Address, message: peer_pb2.RoundMessage) -> None:
        """Rule 4: a message that a timer did not wait for."""
        cut = (session, address, message.round)
        if cut in self._cut and not message.again:
            self._cut.discard(cut)
            self.patience = min(2 * self.patience, _MAX_PATIENCE)

    def _enqueue(self, run: _Run, address: Address, message: RoundMessage) -> None:
        """Queue for the machine: the first message of a round that hears it and is not far ahead."""
        sender = run.circle.number(address)
        if sender is None:
            return
        key = (sender, message.round)
        current = run.machine.round
        if key in run.seen or (message.round < current and not run.machine.hears_late(*key)):
            return
        size = run.queued.get(sender, 0) + len(message.payload) + MESSAGE_BYTES
        if message.round > current + MAX_AHEAD or size > MAX_WAITING_BYTES:
            self.dropped += 1
            return
        run.seen.add(key)
        run.queued[sender] = size
        run.queue.append((sender, message))
        run.arrived.set()

    async def _drive(self, run: _Run) -> object:
        """From begin to value."""
        outputs = await self._compute(run, run.machine.start, cost=_INLINE_BYTES + 1)
        for address, message in self._early.take(run.session):
            self._enqueue(run, address, message)
        value = await self._carry_out(run, outputs)
        while not run.machine.finished:
            before = run.machine.round
            arrived = await self._next(run)
            if arrived:
                cost = sum(len(message.payload) for _, message in arrived)
                outputs = await self._compute(run, partial(_feed, run.machine, arrived), cost)
            else:
                outputs = await self._compute(run, partial(run.machine.expire, before), 0)
            if run.machine.round != before:
                run.seen = {key for key in run.seen if key[1] >= run.machine.round}
            value = await self._carry_out(run, outputs)
        return value

    async def _compute(
        self, run: _Run, work: Callable[[], Sequence[Output[RoundMessage, Any]]], cost: int
    ) -> Sequence[Output[RoundMessage, Any]]:
        """Rule 1."""
        if not run.background and cost <= _INLINE_BYTES:
            return work()
        if run.background:
            await self._give_way(run)
        pool = self._threads.background if run.background else self._threads.online
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def _give_way(self, run: _Run) -> None:
        """Rule 1: while somebody is served or was a moment ago, but not for ever."""
        for _ in range(_QUIET_CHECKS):
            busy = self.online or self._clock() < self._served + _QUIET_S
            if not busy or not run.gives_way():
                return
            await asyncio.sleep(_QUIET_S)

    async def _next(self, run: _Run) -> list[tuple[PartyId, RoundMessage]]:
        """What arrived; nothing when the round's time is over. Asks while the round stalls."""
        missing = run.machine.missing
        pause = self._first_ask(run, missing)
        asked = self._clock()
        while not run.queue:
            now = self._clock()
            deadline = run.pacing.deadline(now)
            if deadline is not None and deadline <= now:
                self._gave_up(run, missing)
                return []
            if now >= asked + pause:
                self._ask(run, missing)
                pause = min(2 * pause, _LAST_ASK_S)
                asked = now
            wake = asked + pause if deadline is None else min(asked + pause, deadline)
            run.arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wake - now):
                    await run.arrived.wait()
        arrived = list(run.queue)
        run.queue.clear()
        run.queued.clear()
        return arrived

    def _first_ask(self, run: _Run, missing: frozenset[PartyId]) -> float:
        """Rule 3: how long a round may stall before we ask."""
        restarted = self._clock() - self._started < _RESTARTED_S
        lost = restarted or any(self._early.dropped(run.circle.address(p)) for p in missing)
        return _SOON_S if lost else _FIRST_ASK_S

    def _gave_up(self, run: _Run, missing: frozenset[PartyId]) -> None:
        """Remember who was silent, in case they were only slow."""
        self.timeouts += 1
        log.warning("round ended without", peers=sorted(missing), round=run.machine.round)
        if len(self._cut) < _MAX_CUT:
            addresses = (run.circle.address(party) for party in missing)
            self._cut |= {(run.session, address, run.machine.round) for address in addresses}

    async def _carry_out(self, run: _Run, outputs: Sequence[Output[RoundMessage, Any]]) -> object:
        """Do what the machine decided; returns the value when there is one."""
        sends = [(o.recipient, o.message) for o in outputs if isinstance(o, Send)]
        if self.spoil is not None:
            spoilt = [(r, m.round, self.spoil(m.payload)) for r, m in sends]
            sends = [(r, RoundMessage(number, p)) for r, number, p in spoilt if p is not None]
        addressed = [(run.circle.address(r), message) for r, message in sends if r is not None]
        if run.durable:
            for number in sorted({message.round for _, message in addressed}):
                of_round = [item for item in addressed if item[1].round == number]
                await asyncio.to_thread(
                    self._sent.seal, run.session, run.epoch_id, run.circle.own, of_round
                )
        for recipient, message in addressed:
            envelope = round_envelope(run.circle.own, run.session, message)
            self._network.send_to(recipient, envelope, background=run.background)
        value: object = None
        for output in outputs:
            if isinstance(output, Blame):
                if run.accuse is not None:
                    await run.accuse(output)
            elif isinstance(output, Abort):
                raise RunAborted(output.reason, output.detail)
            elif isinstance(output, Done):
                value = output.value
                self.patience = max(1.0, 0.98 * self.patience)
        return value

    def _ask(self, run: _Run, parties: frozenset[PartyId]) -> None:
        """Ask parties for everything that they sent us in this run."""
        envelope = again_envelope(run.circle.own, run.session)
        for party in sorted(parties - {run.circle.setting.party}):
            self._network.send_to(run.circle.address(party), envelope, background=run.background)

    async def _repeat(self, session: bytes, recipient: Address) -> None:
        """Send everything again that a peer was sent in a run."""
        run = self._runs.get(session)
        number = run.circle.number(recipient) if run is not None else None
        if run is not None and number is not None:
            own, messages, background = run.circle.own, run.machine.sent(number), run.background
        else:
            sent = await asyncio.to_thread(self._sent.of, session, recipient)
            if sent is None:
                return
            own, messages, background = sent.own, sent.messages[recipient], True
        for message in messages:
            envelope = round_envelope(own, session, message, repeated=True)
            self._network.send_to(recipient, envelope, background=background)


def _feed(
    machine: Machine[Value], arrived: Sequence[tuple[PartyId, RoundMessage]]
) -> list[Output[RoundMessage, Value]]:
    """Hand a machine several messages."""
    outputs: list[Output[RoundMessage, Value]] = []
    for sender, message in arrived:
        outputs.extend(machine.feed(sender, message))
    return outputs
