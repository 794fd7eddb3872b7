"""A network in memory for protocols of several rounds: seeded schedules, liars, silence, timeouts.

Every party runs a `Machine`. Corrupt parties run the protocol too, and a `Liar` decides what of it
leaves them, for each message and recipient. Time is a number in a heap: a seed gives one transcript,
which can be run again from the messages alone (`replay`).

Honest messages take at most `MAX_DELAY`; `Pacing` says when a synchronous round is over, as it
does in the host.
"""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mpc.exchange import Setting, Steps
from mpc.machine import Machine, RoundMessage
from mpc.pacing import Pacing
from mpc.session import Abort, Blame, Done, Output, Send
from wire.digests import sha3_256
from wire.ids import PartyId

Value = TypeVar("Value")

MAX_DELAY = 100
GRACE = 4 * MAX_DELAY
ROUND_TIME = 5 * GRACE
SLOWNESS = 1_000

Protocol = Callable[[Setting], Steps[Value]]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message on its way, as a liar sees it."""

    sender: PartyId
    recipient: PartyId
    round: int
    payload: bytes


Liar = Callable[[random.Random, Envelope], bytes | None]
"""What a corrupt party sends instead; None sends nothing. May keep state between calls."""


@dataclass(slots=True)
class Outcome(Generic[Value]):
    """What one honest party ended with."""

    value: Value | None = None
    done: bool = False
    aborted: Abort | None = None
    blamed: set[PartyId] = field(default_factory=set)
    ended: int = 0
    """Moment of the end."""
    round: int = 0
    """Rounds that were run, counting the one that ended it."""


@dataclass(slots=True)
class Network(Generic[Value]):
    """One run of a protocol among all parties."""

    parties: int
    threshold: int
    protocol: Protocol[Value]
    seed: int = 0
    liars: Mapping[PartyId, Liar] = field(default_factory=dict)
    slow: frozenset[PartyId] = frozenset()
    """Honest parties whose messages take `SLOWNESS` times as long: for asynchronous protocols."""
    duplicates: float = 0.1
    extra: list[tuple[int, Envelope]] = field(default_factory=list)
    """Frames that an attacker who can send as a corrupt party puts in, by moment."""
    machines: dict[PartyId, Machine[Value]] = field(default_factory=dict)
    outcomes: dict[PartyId, Outcome[Value]] = field(default_factory=dict)
    transcript: list[tuple[int, Envelope]] = field(default_factory=list)
    sent_bytes: dict[PartyId, int] = field(default_factory=dict)
    timeouts: int = 0
    _inputs: dict[PartyId, list[tuple[PartyId, RoundMessage] | int]] = field(default_factory=dict)
    _heap: list[tuple[int, int, PartyId, Envelope | int]] = field(default_factory=list)
    _pacing: dict[PartyId, Pacing] = field(default_factory=dict)
    _planned: dict[PartyId, tuple[int, int] | None] = field(default_factory=dict)
    _ticket: int = 0
    _rng: random.Random = field(default_factory=random.Random)

    @property
    def honest(self) -> tuple[PartyId, ...]:
        """Parties without a liar."""
        return tuple(p for p in self.machines if p not in self.liars)

    def run(self) -> "Network[Value]":
        """Deliver until nothing is on its way; honest parties that still wait have no outcome."""
        self._rng.seed(self.seed)
        for number in range(1, self.parties + 1):
            party = PartyId(number)
            setting = Setting(self.parties, self.threshold, party)
            self.machines[party] = Machine(setting, self.protocol(setting))
            self.outcomes[party] = Outcome()
            self._inputs[party] = []
            self._pacing[party] = Pacing(self.machines[party], ROUND_TIME, GRACE)
            self._planned[party] = None
            self.sent_bytes[party] = 0
        for moment, envelope in self.extra:
            self._push(moment, envelope.recipient, envelope)
        for party, machine in self.machines.items():
            self._act(0, party, machine.start())
        while self._heap:
            moment, _, party, event = heapq.heappop(self._heap)
            self._deliver(moment, party, event)
        return self

    def values(self) -> list[Value | None]:
        """Values of the honest parties, all of which must have ended with one."""
        results = [self.outcomes[party] for party in self.honest]
        assert all(result.done for result in results), results
        return [result.value for result in results]

    def digest(self) -> bytes:
        """Hash of the transcript."""
        return sha3_256(repr(self.transcript).encode())

    def replay(self, party: PartyId) -> Machine[Value]:
        """A machine that is given what the party was given, and must send the same."""
        setting = Setting(self.parties, self.threshold, party)
        machine = Machine(setting, self.protocol(setting))
        machine.start()
        for given in self._inputs[party]:
            if isinstance(given, int):
                machine.expire(given)
            else:
                machine.feed(*given)
        for number in self.machines:
            assert machine.sent(number) == self.machines[party].sent(number)
        return machine

    def _deliver(self, moment: int, party: PartyId, event: Envelope | int) -> None:
        """Hand a machine a message or tell it that a round's time is over."""
        machine = self.machines[party]
        outputs: tuple[Output[RoundMessage, Value], ...]
        if isinstance(event, int):
            # The plan may have changed since: earlier or for another round.
            if machine.round != event or self._pacing[party].deadline(moment) != moment:
                return
            self.timeouts += party not in self.liars
            self._inputs[party].append(event)
            outputs = machine.expire(event)
        else:
            self.transcript.append((moment, event))
            message = RoundMessage(event.round, event.payload)
            self._inputs[party].append((event.sender, message))
            outputs = machine.feed(event.sender, message)
        self._act(moment, party, outputs)

    def _act(
        self, moment: int, party: PartyId, outputs: tuple[Output[RoundMessage, Value], ...]
    ) -> None:
        """Carry out what a machine wants."""
        machine, outcome = self.machines[party], self.outcomes[party]
        for output in outputs:
            if isinstance(output, Send):
                assert output.recipient is not None
                self._post(moment, party, output.recipient, output.message)
            elif isinstance(output, Blame):
                assert output.party not in outcome.blamed
                outcome.blamed.add(output.party)
            elif isinstance(output, Done):
                outcome.value, outcome.done = output.value, True
            else:
                outcome.aborted = output
        outcome.round = machine.round
        if machine.finished:
            outcome.ended = outcome.ended or moment
        due = self._pacing[party].deadline(moment)
        plan = None if due is None else (int(due), machine.round)
        if plan is not None and self._planned[party] != plan:
            self._push(plan[0], party, plan[1])
        self._planned[party] = plan

    def _post(
        self, moment: int, sender: PartyId, recipient: PartyId, message: RoundMessage
    ) -> None:
        """Send, through the liar if the sender is corrupt; some messages come twice."""
        payload: bytes | None = message.payload
        envelope = Envelope(sender, recipient, message.round, message.payload)
        if sender in self.liars:
            payload = self.liars[sender](self._rng, envelope)
        if payload is None:
            return
        self.sent_bytes[sender] += len(payload)
        for _ in range(1 + (self._rng.random() < self.duplicates)):
            delay = self._rng.randrange(1, MAX_DELAY)
            there = moment + delay * (SLOWNESS if sender in self.slow else 1)
            self._push(there, recipient, Envelope(sender, recipient, message.round, payload))

    def _push(self, moment: int, party: PartyId, event: Envelope | int) -> None:
        """Plan an event."""
        self._ticket += 1
        heapq.heappush(self._heap, (moment, self._ticket, party, event))


def silent(_: random.Random, envelope: Envelope) -> None:
    """Nothing, ever."""


def silent_from(first: int) -> Liar:
    """Nothing from a round on."""
    return lambda _, envelope: envelope.payload if envelope.round < first else None


def silent_to(*recipients: int) -> Liar:
    """Nothing to some."""
    return lambda _, envelope: None if envelope.recipient in recipients else envelope.payload


def silent_in(*numbers: int) -> Liar:
    """Nothing in some rounds."""
    return lambda _, envelope: None if envelope.round in numbers else envelope.payload


def noise(rng: random.Random, envelope: Envelope) -> bytes:
    """Random bytes of the same length."""
    return rng.randbytes(len(envelope.payload))


def one_bit(rng: random.Random, envelope: Envelope) -> bytes:
    """One bit turned."""
    if not envelope.payload:
        return b"\x00"
    data = bytearray(envelope.payload)
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def short(_: random.Random, envelope: Envelope) -> bytes:
    """The last byte left out."""
    return envelope.payload[:-1]


def empty(_: random.Random, envelope: Envelope) -> bytes:
    """A message without content."""
    return b""


def moody(rng: random.Random, envelope: Envelope) -> bytes | None:
    """Any of the others, each time anew."""
    liars: tuple[Liar, ...] = (silent, noise, one_bit, short, empty, lambda _, e: e.payload)
    return rng.choice(liars)(rng, envelope)


def in_rounds(liar: Liar, *numbers: int) -> Liar:
    """A liar that is honest in other rounds."""
    return lambda rng, envelope: (
        liar(rng, envelope) if envelope.round in numbers else envelope.payload
    )


LIARS: dict[str, Liar] = {
    "silent": silent,
    "silent from round 1": silent_from(1),
    "silent to some": silent_to(1, 2, 3),
    "noise": noise,
    "one bit": one_bit,
    "short": short,
    "empty": empty,
    "moody": moody,
}


def everybody_but(network: Network[Any], *parties: int) -> tuple[PartyId, ...]:
    """Honest parties without some."""
    return tuple(party for party in network.honest if party not in parties)
