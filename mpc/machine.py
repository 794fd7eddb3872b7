"""Drives one protocol (`exchange.py`) message by message: the `Session` of a process or a simulator.

Rules
1. A message belongs to the round that it names. One of a past round is ignored and counted, unless it is
   one of the last `LATE_ROUNDS` and the round says what to do with the first late message of a party
   (`Exchange.late`): a liar that is always the last is named too. One of a future round waits; more than `MAX_AHEAD` rounds or `MAX_WAITING_BYTES` a sender ahead are dropped and
   counted. Who has dropped messages asks their senders for all they sent (`sent`).
2. The first message of a sender and round counts. Other bytes later are counted and not blamed: an
   honest party that restarts may have seen other silences than before its restart.
3. What was sent stays readable (`sent`), so that a peer that lost everything can be sent it again.
4. A party that let the time of a round run out is not waited for again in a synchronous round of
   this run: it costs one timeout. What it sends still counts when it is here in time.
5. `timed`, `attended` and `overtaken` say when the time of a synchronous round runs; `pacing.py`
   makes deadlines of them.
"""

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mpc.errors import UsageError
from mpc.exchange import (
    Among,
    Exchange,
    Payloads,
    ProtocolAbort,
    Setting,
    Steps,
    everybody,
)
from mpc.session import Abort, Blame, Done, Output, Send
from wire.ids import PartyId

MAX_AHEAD = 4096
"""Rounds that a peer may be ahead of us: asynchronous rounds do not wait for the slowest."""

MAX_WAITING_BYTES = 256 * 2**20
"""Bytes of one sender that wait for later rounds."""

LATE_ROUNDS = 4
"""Rounds that are over and still look at late messages; each keeps the shares that decided it."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class RoundMessage:
    """One party's message to another in one round, counted from 0."""

    round: int
    payload: bytes = field(repr=False)


class Machine(Generic[Value]):
    """One run of one protocol at one party. See `mpc.session.Session`."""

    __slots__ = (
        "_blamed",
        "_exchange",
        "_past",
        "_sent",
        "_setting",
        "_silent",
        "_steps",
        "_waiting",
        "_waiting_bytes",
        "dropped",
        "equivocations",
        "finished",
        "ignored",
        "round",
    )

    def __init__(self, setting: Setting, steps: Steps[Value]) -> None:
        """Prepare; nothing of the protocol runs before `start`."""
        self._setting = setting
        self._steps = steps
        self._exchange: Exchange | None = None
        self._waiting: dict[int, dict[PartyId, bytes]] = {}
        self._waiting_bytes: dict[PartyId, int] = {}
        self._sent: dict[PartyId, list[RoundMessage]] = {}
        self._blamed: set[PartyId] = set()
        # By round: its exchange and those who may still be heard late.
        self._past: dict[int, tuple[Exchange, set[PartyId]]] = {}
        self._silent: set[PartyId] = set()
        self.round = 0
        self.finished = False
        self.dropped = 0
        self.ignored = 0
        self.equivocations = 0

    @property
    def synchronous(self) -> bool:
        """Whether the current round ends by `expire` when somebody stays silent."""
        exchange = self._exchange
        return exchange is not None and (exchange.enough is None or exchange.synchronous)

    @property
    def missing(self) -> frozenset[PartyId]:
        """Parties that the current round waits for."""
        if self._exchange is None:
            return frozenset()
        unheard = self._exchange.awaited - set(self._waiting.get(self.round, ()))
        return unheard - self._silent if self.synchronous else unheard

    @property
    def present(self) -> frozenset[PartyId]:
        """Parties that have come to this round or a later one."""
        return frozenset(p for waiting in self._waiting.values() for p in waiting)

    @property
    def timed(self) -> bool:
        """Whether time runs: of those that the round waits for, at most t have not come to it.

        Before that we may be ahead of honest parties, which are then not late.
        """
        return self.synchronous and len(self.missing - self.present) <= self._among.threshold

    @property
    def attended(self) -> bool:
        """Whether n - t parties, with us, have come to this round."""
        absent = len(self._among.members) - 1 - len(self.present & self._among.members)
        return self.timed and absent <= self._among.threshold

    @property
    def overtaken(self) -> bool:
        """Whether t + 1 parties, so an honest one, are in a later round than we."""
        return self.synchronous and self._many_ahead(1)

    def _many_ahead(self, distance: int) -> bool:
        """Whether t + 1 parties are at least so many rounds ahead."""
        first = self.round + distance
        ahead = {p for number, heard in self._waiting.items() if number >= first for p in heard}
        return len(ahead & self._among.members) > self._among.threshold

    @property
    def _among(self) -> Among:
        """Those who take part in the current round."""
        if self._exchange is not None and self._exchange.among is not None:
            return self._exchange.among
        return Among(frozenset(everybody(self._setting)), self._setting.threshold)

    def sent(self, recipient: PartyId) -> tuple[RoundMessage, ...]:
        """All messages to one party so far, in order of rounds."""
        return tuple(self._sent.get(recipient, ()))

    def start(self) -> tuple[Output[RoundMessage, Value], ...]:
        """Run to the first round that waits."""
        if self._exchange is not None or self.finished:
            raise UsageError("a session starts once")
        outputs: list[Output[RoundMessage, Value]] = []
        if self._resume(None, outputs):
            self._advance(outputs)
        return tuple(outputs)

    def feed(
        self, sender: PartyId, message: RoundMessage
    ) -> tuple[Output[RoundMessage, Value], ...]:
        """Take an authenticated message; see the rules above."""
        if self._exchange is None and not self.finished:
            raise UsageError("a session starts before it is fed")
        known = 1 <= sender <= self._setting.parties and sender != self._setting.party
        if self.hears_late(sender, message.round):
            return self._late(sender, message)
        if self.finished or message.round < self.round:
            self.ignored += 1
            return ()
        if not known or message.round > self.round + MAX_AHEAD:
            self.dropped += 1
            return ()
        waiting = self._waiting.setdefault(message.round, {})
        if sender in waiting:
            self.equivocations += waiting[sender] != message.payload
            return ()
        size = self._waiting_bytes.get(sender, 0) + len(message.payload)
        if size > MAX_WAITING_BYTES:
            self.dropped += 1
            return ()
        self._waiting_bytes[sender] = size
        waiting[sender] = message.payload
        outputs: list[Output[RoundMessage, Value]] = []
        self._advance(outputs)
        return tuple(outputs)

    def hears_late(self, sender: PartyId, round_number: int) -> bool:
        """Whether a party's message of a past round would still be looked at."""
        past = self._past.get(round_number)
        return past is not None and sender in past[1]

    def _late(
        self, sender: PartyId, message: RoundMessage
    ) -> tuple[Output[RoundMessage, Value], ...]:
        """Ask the round whom a late message convicts."""
        exchange, unheard = self._past[message.round]
        unheard.discard(sender)
        blame = None if exchange.late is None else exchange.late(sender, message.payload)
        if blame is None or blame.party in self._blamed:
            return ()
        self._blamed.add(blame.party)
        return (blame,)

    def expire(self, round_number: int) -> tuple[Output[RoundMessage, Value], ...]:
        """End a synchronous round whose time is over; ignored for another or asynchronous round."""
        outputs: list[Output[RoundMessage, Value]] = []
        if round_number == self.round and self.synchronous and not self.finished:
            self._silent |= self.missing - self.present
            self._next(outputs)
            self._advance(outputs)
        return tuple(outputs)

    def _advance(self, outputs: list[Output[RoundMessage, Value]]) -> None:
        """Go on as long as the current round is complete."""
        while not self.finished and self._complete(outputs):
            self._next(outputs)

    def _complete(self, outputs: list[Output[RoundMessage, Value]]) -> bool:
        """Whether the current round has what it waits for."""
        exchange = self._exchange
        if exchange is None:
            return False
        if exchange.leap is not None and self._many_ahead(exchange.leap):
            return True
        if exchange.enough is None:
            return not self.missing
        try:
            received = _of(exchange, self._waiting.get(self.round, {}))
            return exchange.enough(received) or not self.missing
        except ProtocolAbort as abort:
            self._end(outputs, Abort(abort.reason, abort.detail))
            return False

    def _next(self, outputs: list[Output[RoundMessage, Value]]) -> None:
        """Hand the protocol what arrived and send its next round."""
        received = self._waiting.pop(self.round, {})
        for sender, payload in received.items():
            self._waiting_bytes[sender] -= len(payload)
        exchange = self._exchange
        if exchange is not None and exchange.late is not None:
            self._past[self.round] = (exchange, set(exchange.awaited - received.keys()))
        self._past.pop(self.round - LATE_ROUNDS, None)
        self.round += 1
        self._resume({} if exchange is None else _of(exchange, received), outputs)

    def _resume(
        self, received: Payloads | None, outputs: list[Output[RoundMessage, Value]]
    ) -> bool:
        """Run the protocol to its next exchange; whether there is one."""
        try:
            step = next(self._steps) if received is None else self._steps.send(received)
            while isinstance(step, Blame):
                if step.party not in self._blamed:
                    self._blamed.add(step.party)
                    outputs.append(step)
                step = self._steps.send({})
        except StopIteration as end:
            self._end(outputs, Done(end.value))
            return False
        except ProtocolAbort as abort:
            self._end(outputs, Abort(abort.reason, abort.detail))
            return False
        if self._setting.party in step.awaited or self._setting.party in step.sends:
            raise UsageError("a party exchanges messages with others only")
        self._exchange = step
        for recipient, payload in sorted(step.sends.items()):
            message = RoundMessage(self.round, payload)
            self._sent.setdefault(recipient, []).append(message)
            outputs.append(Send(message, recipient))
        return True

    def _end(
        self, outputs: list[Output[RoundMessage, Value]], outcome: Done[Value] | Abort
    ) -> None:
        """Finish; what was sent stays."""
        self._exchange = None
        self._waiting.clear()
        self._past.clear()
        self.finished = True
        outputs.append(outcome)


def _of(exchange: Exchange, received: Payloads) -> Payloads:
    """Messages of the awaited parties, in ascending order: nobody else has a say in the round."""
    return {party: received[party] for party in sorted(received) if party in exchange.awaited}
