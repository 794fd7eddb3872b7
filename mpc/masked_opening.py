"""Opening masked values of degree 2t: what random bits, triples and products are made of.

Source: eprint 2025/699, triples with PRSS (its figure 58, but detecting instead of correcting), and
docs/protocols/random-bits.md for four values in one masked element.

Rules
1. Every party's share goes by reliable broadcast and wrong ones are only detected. With degree 2t and
   n = 3t + 1, t liars reach within t / 2 of another codeword: correcting would give a wrong value.
2. When the shares do not fit together, all parties reveal what their sets of pseudorandom keys contribute
   to the first group that does not fit, and who deviated is corrupt (`prss_check.py`).
3. The attempt is over then: a revealed value must not be used, and one attempt has one session of
   pseudorandom values. The next attempt is made without the corrupt parties, so there are at most
   t + 1 attempts.
4. With n >= 4t + 1 the shares can be corrected online instead (`open_products`): no broadcast, no
   timers, no attempts.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

import tkms_kernel as kernel

from mpc.exchange import ProtocolAbort, Setting, Steps
from mpc.opening import (
    NOBODY,
    element_bytes,
    first_inconsistent,
    open_detecting,
    open_products,
)
from mpc.prss_check import check_contributions, convicted
from mpc.session import AbortReason, Blame, Fault
from wire.ids import PartyId

IN_GROUP = 4
"""Values in one masked element."""


class Values(Enum):
    """What a vector is made of; the kernel's names."""

    BITS = "bits"
    TRIPLES = "triples"
    PRODUCTS = "products"


@dataclass(frozen=True, slots=True)
class Section:
    """A vector that is opened with others in one attempt: our share, of degree 2t, four values an element.

    `factors` gives the numbers of the eight bits that a group multiplies, and their opened words.
    """

    values: Values
    share: bytes = field(repr=False)
    factors: Callable[[int], tuple[list[int], bytes]] = lambda _group: ([], b"")


@dataclass(frozen=True, slots=True)
class Opened:
    """What was opened of each section, or None; and who is corrupt, the same at all honest parties."""

    sections: tuple[bytes, ...] | None = field(repr=False)
    corrupt: frozenset[PartyId]


def open_masked(
    setting: Setting,
    bits: int,
    session: kernel.PrssSession,
    sections: Sequence[Section],
    excluded: frozenset[PartyId] = NOBODY,
) -> Steps[Opened]:
    """Rules 1 to 3, one attempt; synchronous."""
    own = b"".join(section.share for section in sections)
    detection = yield from open_detecting(setting, bits, own, excluded)
    corrupt = excluded | detection.silent
    if detection.values is not None:
        return Opened(_split(sections, detection.values), corrupt)
    found = yield from _find_liars(setting, bits, session, sections, detection.shares, corrupt)
    for party in sorted(found):
        yield Blame(party, Fault.WRONG_SHARE)
    corrupt |= found
    if not found or len(corrupt) > setting.threshold:
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "shares do not fit, too few liars found")
    return Opened(None, corrupt)


def open_masked_online(setting: Setting, bits: int, sections: Sequence[Section]) -> Steps[Opened]:
    """Rule 4; asynchronous."""
    own = b"".join(section.share for section in sections)
    values = yield from open_products(setting, bits, own)
    return Opened(_split(sections, values), NOBODY)


def _split(sections: Sequence[Section], values: bytes) -> tuple[bytes, ...]:
    """Opened words of each section; an element that was opened is four words."""
    ends = list(itertools.accumulate(len(section.share) for section in sections))
    return tuple(values[end - len(s.share) : end] for s, end in zip(sections, ends, strict=True))


def _find_liars(
    setting: Setting,
    bits: int,
    session: kernel.PrssSession,
    sections: Sequence[Section],
    shares: Mapping[PartyId, bytes],
    excluded: frozenset[PartyId],
) -> Steps[frozenset[PartyId]]:
    """Rule 2: parties that lie about the first group that does not fit."""
    size = element_bytes(bits)
    index = first_inconsistent(setting, bits, shares, 2 * setting.threshold)
    section, group = _group_at(sections, index, size)
    numbers, squares = section.factors(group)
    own = kernel.revealed_group(session, bits, section.values.value, group, numbers)
    verdict = yield from check_contributions(setting, own, excluded)

    def expected(party: PartyId, truth: tuple[bytes, ...]) -> bytes:
        access = (setting.parties, setting.threshold, party)
        return kernel.expected_group_share(bits, access, section.values.value, list(truth), squares)

    said = {p: share[index * size : (index + 1) * size] for p, share in shares.items()}
    return convicted(verdict, said, expected) - excluded


def _group_at(sections: Sequence[Section], index: int, size: int) -> tuple[Section, int]:
    """Section and number of its group, for an element of the whole vector."""
    for section in sections:
        groups = len(section.share) // size
        if index < groups:
            return section, index
        index -= groups
    raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "an element beyond the vector")
