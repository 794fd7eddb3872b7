"""Messages of runs that have not begun here: few, young, and never trusted.

A peer that is faster than us sends its first rounds before our request is authorised. What one
peer sends can push out only its own messages, and that it did is remembered, so that the run asks
for them again when it begins.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from core.circles import Address
from mpc.machine import MAX_AHEAD, RoundMessage

MAX_RUNS = 2000
"""Runs of one peer that wait for their begin."""

MAX_BYTES = 64 * 2**20
"""Bytes of one peer that wait."""

MESSAGE_BYTES = 256
"""What keeping even an empty message costs."""

MAX_AGE_S = 900.0
"""How long a message waits for the begin of its run."""


@dataclass(slots=True)
class _Run:
    """What one peer sent for one run."""

    since: float
    size: int = 0
    messages: dict[int, RoundMessage] = field(default_factory=dict)


@dataclass(slots=True)
class _Sender:
    """What one peer sent: runs in the order of their first message."""

    runs: OrderedDict[bytes, _Run] = field(default_factory=OrderedDict)
    size: int = 0
    dropped: int = 0


class EarlyMessages:
    """Bounded for each peer by runs, rounds, bytes and age; over a bound the oldest run goes."""

    __slots__ = ("_clock", "_senders")

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock` gives monotonic seconds."""
        self._clock = clock
        self._senders: dict[Address, _Sender] = {}

    def put(self, sender: Address, session: bytes, message: RoundMessage) -> None:
        """Keep a message until its run begins; the first of a round counts."""
        now = self._clock()
        box = self._senders.setdefault(sender, _Sender())
        run = box.runs.setdefault(session, _Run(now))
        if message.round > MAX_AHEAD or message.round in run.messages:
            box.dropped += message.round > MAX_AHEAD
        else:
            run.messages[message.round] = message
            run.size += len(message.payload) + MESSAGE_BYTES
            box.size += len(message.payload) + MESSAGE_BYTES
        while box.runs and self._over(box, now):
            _, gone = box.runs.popitem(last=False)
            box.size -= gone.size
            box.dropped += len(gone.messages)

    def take(self, session: bytes) -> list[tuple[Address, RoundMessage]]:
        """Remove and return what waits for a run, by sender and round."""
        found: list[tuple[Address, RoundMessage]] = []
        for sender, box in sorted(self._senders.items()):
            run = box.runs.pop(session, None)
            if run is not None:
                box.size -= run.size
                found.extend((sender, run.messages[number]) for number in sorted(run.messages))
        return found

    def dropped(self, sender: Address) -> int:
        """Messages of a peer that were pushed out."""
        box = self._senders.get(sender)
        return box.dropped if box else 0

    @staticmethod
    def _over(box: _Sender, now: float) -> bool:
        """Whether a peer has more here than it may."""
        oldest = next(iter(box.runs.values())).since
        return len(box.runs) > MAX_RUNS or box.size > MAX_BYTES or oldest < now - MAX_AGE_S
