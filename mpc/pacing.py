"""When the time of a synchronous round is over: deadlines for a `Machine`, by the clock of its host.

A corrupt party that is silent to one honest party only makes that party enter the next round a whole
timeout after the others. Deadlines counted from a party's own entry would let the others take it
for silent. With D the longest time that a message takes:

1. `round_time` runs once n - t parties have come to the round (`Machine.attended`). At least t + 1
   honest ones of them show all others that they are behind, which rule 2 then hurries on.
2. A party that sees t + 1 others in later rounds (`Machine.overtaken`) has little to wait for: an
   honest one of them has left the round, so had heard every honest message of it; they arrive
   within D. It gets `grace`, at least 4 D.
3. When parties have left a sub-protocol early, fewer may come; then `PATIENCE` times `round_time` runs
   once all but t of those that the round waits for have come, so that a round always ends.

`round_time` is some times `grace`: rounds that a party may be behind.
"""

from typing import Any

from mpc.machine import Machine

PATIENCE = 3


class Pacing:
    """Deadlines of one machine; any unit of time, as long as it is the same everywhere."""

    __slots__ = ("_due", "_flags", "_grace", "_machine", "_round", "_time")

    def __init__(self, machine: Machine[Any], round_time: float, grace: float) -> None:
        """Prepare."""
        self._machine = machine
        self._time = round_time
        self._grace = grace
        self._round = -1
        self._due: float | None = None
        self._flags = (False, False, False)

    def deadline(self, now: float) -> float | None:
        """When to call `expire` for the current round, if nothing arrives before; ask after every event."""
        machine = self._machine
        if machine.finished or not machine.synchronous:
            return None
        if machine.round != self._round:
            self._round = machine.round
            self._due = None
            self._flags = (False, False, False)
        flags = (machine.timed, machine.attended, machine.overtaken)
        waits = (PATIENCE * self._time, self._time, self._grace)
        for new, old, wait in zip(flags, self._flags, waits, strict=True):
            if new and not old:
                self._due = now + wait if self._due is None else min(self._due, now + wait)
        self._flags = tuple(new or old for new, old in zip(flags, self._flags, strict=True))  # type: ignore[assignment]
        return self._due
