"""How a protocol of several rounds is written: a generator of exchanges.

A protocol yields an `Exchange` (what it sends in this round, whose messages it waits for) and gets
back what arrived, by sender. It may yield a `Blame`, returns its value, and ends without one by
raising `ProtocolAbort`. Sub-protocols are called with `yield from`. It has no socket, clock or
randomness: secret coins come in as a seed, so a run can be replayed. `machine.py` drives it.

    def greet(setting: Setting) -> Steps[int]:
        received = yield Exchange(to_others(setting, b"hello"), others(setting))
        return len(received)

Two ways to end a round
- synchronous: all awaited parties were heard, or the host says that the round's time is over;
  who is missing in the answer was silent;
- asynchronous (`enough` is given): as soon as `enough` says so or everybody awaited was heard; time
  plays no part, and a protocol that waits for at most n - t parties needs none.
A round may be both: it ends by whichever comes first.

Payloads come from peers and may be anything: a protocol checks lengths before it uses them, and
treats what cannot be right like silence.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from mpc.session import AbortReason, Blame
from wire.ids import PartyId

Payloads = Mapping[PartyId, bytes]
"""What each party sent in a round."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Setting:
    """Who takes part: n parties numbered from 1, threshold t, our own number."""

    parties: int
    threshold: int
    party: PartyId


@dataclass(frozen=True, slots=True)
class Among:
    """Those who take part in a round of a run with more parties, and how many of them may be faulty."""

    members: frozenset[PartyId]
    threshold: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """One round. Who is not in `sends` is sent nothing; nobody awaited ends the round at once."""

    sends: Payloads = field(default_factory=dict, repr=False)
    awaited: frozenset[PartyId] = frozenset()
    # Asked after every arrival in this round, and once before the first.
    enough: Callable[[Payloads], bool] | None = field(default=None, repr=False)
    # With `enough`: whether time ends the round as well.
    synchronous: bool = False
    # The round ends as well when t + 1 parties, so an honest one, are so many rounds ahead.
    leap: int | None = None
    # All parties of the run unless given.
    among: Among | None = None
    # Asked about a message that came after the round was over: whom it convicts, if anybody.
    late: Callable[[PartyId, bytes], Blame | None] | None = field(default=None, repr=False)


Steps = Generator[Exchange | Blame, Payloads, Value]
"""A running protocol. What is sent into it after a `Blame` is an empty mapping."""


class ProtocolAbort(Exception):  # noqa: N818 - an outcome of the protocol, not a mistake of the caller
    """The protocol ends without a value."""

    def __init__(self, reason: AbortReason, detail: str) -> None:
        """`detail` names no secret."""
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail


def everybody(setting: Setting) -> tuple[PartyId, ...]:
    """All parties in ascending order."""
    return tuple(PartyId(number) for number in range(1, setting.parties + 1))


def others(setting: Setting) -> frozenset[PartyId]:
    """All parties but ourselves."""
    return frozenset(party for party in everybody(setting) if party != setting.party)


def to_others(setting: Setting, payload: bytes) -> dict[PartyId, bytes]:
    """The same bytes for every other party."""
    return {party: payload for party in everybody(setting) if party != setting.party}
