"""Runs a protocol at all parties of one process, round by round: no delays, no time, no transcript.

For measurements and long runs; what adversaries do is tested with `tests/mpc/network.py`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from mpc.exchange import Exchange, Payloads, Setting, Steps
from wire.ids import PartyId

Value = TypeVar("Value")


@dataclass(slots=True)
class Meter:
    """What runs cost: CPU seconds and bytes sent of each party, rounds of the first."""

    seconds: dict[PartyId, float] = field(default_factory=lambda: defaultdict(float))
    sent: dict[PartyId, int] = field(default_factory=lambda: defaultdict(int))
    rounds: int = 0


@dataclass(slots=True)
class _Running(Generic[Value]):
    """A party's protocol: the exchange it is in, or its value."""

    steps: Steps[Value]
    exchange: Exchange | None = None
    value: list[Value] = field(default_factory=list)

    def go_on(self, received: Payloads | None) -> None:
        """Up to the next exchange or the end."""
        try:
            step = next(self.steps) if received is None else self.steps.send(received)
            while not isinstance(step, Exchange):
                step = self.steps.send({})
            self.exchange = step
        except StopIteration as end:
            self.value.append(end.value)
            self.exchange = None


def lockstep(
    parties: int,
    threshold: int,
    protocol: Callable[[Setting], Steps[Value]],
    meter: Meter | None = None,
) -> list[Value]:
    """Values of all parties, in order; all are honest and all must end with one."""
    meter = meter or Meter()
    numbers = [PartyId(number) for number in range(1, parties + 1)]
    running: dict[PartyId, _Running[Value]] = {}
    for party in numbers:
        started = time.thread_time()
        running[party] = _Running(protocol(Setting(parties, threshold, party)))
        running[party].go_on(None)
        meter.seconds[party] += time.thread_time() - started
    late: dict[PartyId, dict[PartyId, bytes]] = {}
    while any(party.exchange is not None for party in running.values()):
        meter.rounds += 1
        late = {number: {} for number in numbers}
        for number, party in running.items():
            if party.exchange is not None:
                for recipient, payload in party.exchange.sends.items():
                    late[recipient][number] = payload
                    meter.sent[number] += len(payload)
        for number, party in running.items():
            if party.exchange is None:
                continue
            awaited = party.exchange.awaited
            arrived = {p: late[number][p] for p in sorted(late[number]) if p in awaited}
            started = time.thread_time()
            if party.exchange.enough is not None:
                _ = party.exchange.enough(arrived)
            party.go_on(arrived)
            meter.seconds[number] += time.thread_time() - started
    return [party.value[0] for party in running.values()]
