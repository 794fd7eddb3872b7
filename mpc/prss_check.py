"""Who lied about pseudorandom values: PRSS.Check and PRZS.Check of eprint 2025/699.

Used only when shares that were broadcast do not fit together. Every party broadcasts what each of its
sets contributes to the disputed values; n - t parties know each contribution, at most t of them lie, so
what t + 1 say is true. From the truth every share can be computed again: who broadcast another one is
corrupt, and who named another contribution as well. All parties see the same broadcasts and come to
the same verdict. At least one party is convicted, since honest shares fit together.

The disputed values are public afterwards: they are thrown away, and nothing else may have used them.
The same steps serve psi (PRSS), chi (PRZS) and anything else that all members of a set can compute.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from mpc.broadcast import broadcast
from mpc.errors import UsageError
from mpc.exchange import ProtocolAbort, Setting, Steps, everybody
from mpc.session import AbortReason
from wire.ids import PartyId


@dataclass(frozen=True, slots=True)
class Verdict:
    """The true contributions of all sets, in lexicographic order, and who deviated."""

    contributions: tuple[bytes, ...] = field(repr=False)
    corrupt: frozenset[PartyId]


def all_sets(setting: Setting) -> tuple[tuple[PartyId, ...], ...]:
    """Sets of n - t parties in lexicographic order."""
    return tuple(combinations(everybody(setting), setting.parties - setting.threshold))


def own_sets(setting: Setting) -> tuple[tuple[PartyId, ...], ...]:
    """Those of them that we are a member of."""
    return tuple(members for members in all_sets(setting) if setting.party in members)


def check_contributions(
    setting: Setting, own: Sequence[bytes], excluded: frozenset[PartyId] = frozenset()
) -> Steps[Verdict]:
    """The truth about contributions of equal length, one a set of ours in lexicographic order.

    Raises
    ------
    UsageError
        When there is not one a set, or their lengths differ.
    """
    size = len(own[0]) if own else 0
    if len(own) != len(own_sets(setting)) or any(len(part) != size for part in own):
        raise UsageError("there is one contribution a set, all of one length")
    total = size * len(own)
    outcome = yield from broadcast(
        setting, b"".join(own), excluded=excluded, acceptable=lambda _, said: len(said) == total
    )
    said = {party: message for party, message in outcome.items() if message is not None}
    corrupt = set(outcome) - set(said)
    places = dict.fromkeys(said, 0)
    truth = []
    for members in all_sets(setting):
        claims = {}
        for party in members:
            if party in said:
                claims[party] = said[party][places[party] : places[party] + size]
                places[party] += size
        value, times = _most(claims)
        if times <= setting.threshold:
            raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "no contribution has t + 1 witnesses")
        truth.append(value)
        corrupt |= {party for party, claim in claims.items() if claim != value}
    return Verdict(tuple(truth), frozenset(corrupt))


def _most(claims: Mapping[PartyId, bytes]) -> tuple[bytes, int]:
    """What most claim, and how many do."""
    return max(
        Counter(claims.values()).items(), key=lambda item: (item[1], item[0]), default=(b"", 0)
    )


def convicted(
    verdict: Verdict,
    shares: Mapping[PartyId, bytes],
    expected: Callable[[PartyId, tuple[bytes, ...]], bytes],
) -> frozenset[PartyId]:
    """All that deviated: in the contributions, or by a share other than `expected` computes from them.

    `shares` are those of the disputed values as they were broadcast.
    """
    return verdict.corrupt | {
        party for party, share in shares.items() if share != expected(party, verdict.contributions)
    }
