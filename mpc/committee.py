"""Some of the parties of a run, with numbers of their own: 1 to n in the order of the members.

A protocol of such a set is written for a `Setting` like any other; `within` gives its messages the
numbers of the run.
"""

from dataclasses import dataclass, replace

from mpc.errors import UsageError
from mpc.exchange import Among, Exchange, Payloads, Setting, Steps, Value
from mpc.session import Blame
from wire.ids import PartyId


@dataclass(frozen=True, slots=True)
class Committee:
    """Members by their numbers in the run, and how many of them may be faulty."""

    members: tuple[PartyId, ...]
    threshold: int

    def __post_init__(self) -> None:
        """Refuse a party that is listed twice.

        Raises
        ------
        UsageError
            For a list with repetitions.
        """
        if len(set(self.members)) != len(self.members):
            raise UsageError("a committee lists each member once")

    def __contains__(self, party: PartyId) -> bool:
        """Whether a party of the run is a member."""
        return party in self.members

    def number(self, party: PartyId) -> PartyId:
        """Number of a member within the set."""
        return PartyId(self.members.index(party) + 1)

    def setting(self, party: PartyId) -> Setting:
        """Setting of a member for protocols of the set alone."""
        return Setting(len(self.members), self.threshold, self.number(party))


def within(committee: Committee, steps: Steps[Value]) -> Steps[Value]:
    """Run a protocol of the committee in a run with more parties."""
    answer: Payloads | None = None
    while True:
        try:
            step = next(steps) if answer is None else steps.send(answer)
        except StopIteration as end:
            value: Value = end.value
            return value
        if isinstance(step, Blame):
            yield _named(committee, step)
            answer = {}
        else:
            answer = _inward(committee, (yield _outward(committee, step)))


def _outward(committee: Committee, exchange: Exchange) -> Exchange:
    """The exchange with the numbers of the run."""
    enough, convicts = exchange.enough, exchange.late

    def late(party: PartyId, payload: bytes) -> Blame | None:
        found = None if convicts is None else convicts(committee.number(party), payload)
        return None if found is None else _named(committee, found)

    return replace(
        exchange,
        sends={committee.members[p - 1]: payload for p, payload in exchange.sends.items()},
        awaited=frozenset(committee.members[p - 1] for p in exchange.awaited),
        among=Among(frozenset(committee.members), committee.threshold),
        enough=None if enough is None else lambda received: enough(_inward(committee, received)),
        late=None if convicts is None else late,
    )


def _named(committee: Committee, blame: Blame) -> Blame:
    """The blame with the number of the run."""
    return Blame(committee.members[blame.party - 1], blame.fault)


def _inward(committee: Committee, received: Payloads) -> Payloads:
    """What arrived, by the numbers within the committee, in ascending order."""
    numbered = {committee.number(party): payload for party, payload in received.items()}
    return dict(sorted(numbered.items()))
