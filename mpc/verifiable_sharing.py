"""Verifiable secret sharing: every party deals a vector, honest parties end with shares that fit together.

Source: eprint 2025/699, VSS (Gennaro, Ishai, Kushilevitz, Rabin, STOC 2001), with one change: cross
points are compared privately and only complaints are broadcast, so that nothing is broadcast but an
empty list when all is well. A cross point is sent to the one party that knows it already.

F(X, Y) has degree t in each variable. Row i is F(X, point i), column i is F(point i, Y); row i at
point j is column j at point i. Our share is our row at 0.

1. The dealer sends each party its row and column. None, or a malformed one, counts as zeros.
2. All send each other the values of their rows and columns at the other's point.
3. Complaints are broadcast: dealer, other party, number of a secret where the values differ. Without
   complaints the sharing is done.
4. For each complaint the dealer and both parties broadcast the two values in question. Who contradicts
   the dealer is unhappy. More than t unhappy parties, or silence, disqualify the dealer.
5. The dealer broadcasts the rows of the unhappy, all happy parties their columns' values there. A row
   on which 2t + 1 happy parties (the dealer is one) agree replaces the unhappy party's; otherwise the dealer
   is disqualified.

An honest dealer is never disqualified: only corrupt parties contradict it, and what is broadcast about
its sharing the adversary knew before. Who is agreed to be corrupt is heard no more, and goes on as long as
there are no complaints. A dealer that stays has at least t + 1 honest happy parties, which
fit together (or a complaint would have made one unhappy) and determine F.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import tkms_kernel as kernel

from mpc.broadcast import broadcast
from mpc.exchange import Exchange, Payloads, ProtocolAbort, Setting, Steps, everybody, others
from mpc.opening import element_bytes
from mpc.session import AbortReason
from wire.ids import PartyId


@dataclass(frozen=True, slots=True)
class Dealt:
    """Our shares of each dealer's vector, without the disqualified, and who is agreed to be corrupt."""

    shares: Mapping[PartyId, bytes] = field(repr=False)
    corrupt: frozenset[PartyId]


class Complaint(NamedTuple):
    """A party's values and another's differ for one secret of a dealer."""

    party: PartyId
    dealer: PartyId
    peer: PartyId
    secret: int


class _Slices(NamedTuple):
    """Our row and column of one dealer: coefficients of all its secrets."""

    row: bytes
    column: bytes


@dataclass(slots=True)
class _Run:
    """What one party knows."""

    setting: Setting
    bits: int
    count: int
    dealt: list[tuple[bytes, bytes]] = field(repr=False)
    corrupt: set[PartyId] = field(default_factory=set)
    slices: dict[PartyId, _Slices] = field(default_factory=dict, repr=False)

    @property
    def dealers(self) -> tuple[PartyId, ...]:
        """Parties whose sharing is still good."""
        return tuple(p for p in everybody(self.setting) if p not in self.corrupt)

    @property
    def length(self) -> int:
        """Coefficients of a polynomial."""
        return self.setting.threshold + 1

    def values(self, polynomials: bytes, party: int) -> bytes:
        """Values of a batch of polynomials at a party's point."""
        return kernel.polynomials_at(self.bits, polynomials, self.length, [party])[0]

    def value(self, polynomials: bytes, secret: int, party: int) -> bytes:
        """Value of one of them."""
        size = self.length * element_bytes(self.bits)
        return self.values(polynomials[secret * size : (secret + 1) * size], party)

    def agree(self, outcome: Mapping[PartyId, bytes | None]) -> Payloads:
        """What was broadcast; who broadcast nothing acceptable is corrupt."""
        self.corrupt |= {party for party, message in outcome.items() if message is None}
        if len(self.corrupt) > self.setting.threshold:
            raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "too many parties deviated")
        return {party: message for party, message in outcome.items() if message is not None}

    def tell(self, own: bytes, acceptable: Callable[[PartyId, bytes], bool]) -> Steps[Payloads]:
        """Broadcast by all that are not corrupt."""
        outcome = yield from broadcast(
            self.setting, own, excluded=frozenset(self.corrupt), acceptable=acceptable
        )
        return self.agree(outcome)


def share_verifiably(
    setting: Setting,
    bits: int,
    secrets: bytes,
    seed: bytes,
    excluded: frozenset[PartyId] = frozenset(),
) -> Steps[Dealt]:
    """Every party's vector of ring elements, shared with degree t; synchronous.

    All parties deal vectors of the same length. The 32-byte seed is as secret as the elements.
    """
    dealt = kernel.bivariate_deal(bits, secrets, setting.parties, setting.threshold, seed)
    run = _Run(setting, bits, len(secrets) // element_bytes(bits), dealt, set(excluded))
    yield from _deal(run)
    complaints = yield from _compare(run)
    if complaints:
        if setting.party in run.corrupt:
            raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "we were silent for too long")
        unhappy = yield from _answer(run, complaints)
        if unhappy:
            yield from _reveal(run, unhappy)
    shares = {dealer: run.values(run.slices[dealer].row, 0) for dealer in run.dealers}
    return Dealt(shares, frozenset(run.corrupt))


def _deal(run: _Run) -> Steps[None]:
    """Step 1."""
    heard = others(run.setting) - run.corrupt
    sends = {party: b"".join(run.dealt[party - 1]) for party in heard}
    arrived = dict((yield Exchange(sends, heard)))
    arrived[run.setting.party] = b"".join(run.dealt[run.setting.party - 1])
    half = run.count * run.length * element_bytes(run.bits)
    for dealer in run.dealers:
        data = arrived.get(dealer, b"")
        if len(data) != 2 * half:
            data = bytes(2 * half)
        run.slices[dealer] = _Slices(data[:half], data[half:])


def _compare(run: _Run) -> Steps[tuple[Complaint, ...]]:
    """Steps 2 and 3: the complaints of all, in order."""
    heard = others(run.setting) - run.corrupt
    sends = {
        party: b"".join(
            run.values(polynomials, party)
            for dealer in run.dealers
            for polynomials in run.slices[dealer]
        )
        for party in heard
    }
    arrived = yield Exchange(sends, heard)
    own = bytearray()
    for party, data in sorted(arrived.items()):
        if len(data) == len(sends[party]):
            for dealer, secret in _differences(run, party, data, sends[party]):
                own += bytes([dealer, party]) + secret.to_bytes(2, "big")
    dealers = frozenset(run.dealers)
    said = yield from run.tell(
        bytes(own),
        lambda party, data: _complaints(dealers, run.count, party, data) is not None,
    )
    listed = (_complaints(dealers, run.count, p, data) or () for p, data in sorted(said.items()))
    return tuple(c for some in listed for c in some if not {c.dealer, c.peer} & run.corrupt)


def _differences(
    run: _Run, party: PartyId, theirs: bytes, ours: bytes
) -> list[tuple[PartyId, int]]:
    """Dealers, other than us two, for whom a party's values differ from ours, with the first secret."""
    size, found = element_bytes(run.bits), []
    block = 2 * run.count * size
    for place, dealer in enumerate(run.dealers):
        if dealer in {party, run.setting.party}:
            continue
        mine, other = (data[place * block : (place + 1) * block] for data in (ours, theirs))
        # Our row meets their column and our column their row.
        other = other[block // 2 :] + other[: block // 2]
        if mine != other:
            first = next(
                i for i in range(0, block, size) if mine[i : i + size] != other[i : i + size]
            )
            found.append((dealer, first // size % run.count))
    return found


def _complaints(
    dealers: frozenset[PartyId], count: int, party: PartyId, data: bytes
) -> tuple[Complaint, ...] | None:
    """A party's complaints, or None when they are no list of such: one a dealer and peer, all distinct."""
    if len(data) % 4:
        return None
    found = tuple(
        Complaint(
            party,
            PartyId(data[start]),
            PartyId(data[start + 1]),
            int.from_bytes(data[start + 2 : start + 4], "big"),
        )
        for start in range(0, len(data), 4)
    )
    good = all(
        len({c.party, c.dealer, c.peer}) == 3 and {c.dealer, c.peer} <= dealers and c.secret < count
        for c in found
    )
    return found if good and len({(c.dealer, c.peer) for c in found}) == len(found) else None


def _answer(
    run: _Run, complaints: tuple[Complaint, ...]
) -> Steps[tuple[tuple[PartyId, PartyId], ...]]:
    """Step 4: dealers and the parties that are unhappy with them, in order."""
    size = 2 * element_bytes(run.bits)
    involved = {
        party: [c for c in complaints if party in {c.party, c.dealer, c.peer}]
        for party in run.dealers
    }
    own = b"".join(_two_values(run, complaint) for complaint in involved[run.setting.party])
    said = yield from run.tell(own, lambda party, data: len(data) == size * len(involved[party]))
    told = {
        (party, complaint): data[place * size : (place + 1) * size]
        for party, data in said.items()
        for place, complaint in enumerate(involved[party])
    }
    unhappy: set[tuple[PartyId, PartyId]] = set()
    for complaint in complaints:
        if complaint.dealer in said:
            right = told[complaint.dealer, complaint]
            unhappy |= {
                (complaint.dealer, party)
                for party in (complaint.party, complaint.peer)
                if party in said and told[party, complaint] != right
            }
    _disqualify(run, unhappy)
    return tuple(
        sorted((d, u) for d, u in unhappy if d not in run.corrupt and u not in run.corrupt)
    )


def _two_values(run: _Run, complaint: Complaint) -> bytes:
    """F(peer, party) and F(party, peer), as we know them."""
    party, peer, secret = complaint.party, complaint.peer, complaint.secret
    if run.setting.party == complaint.dealer:
        row, column = run.dealt[party - 1]
        return run.value(row, secret, peer) + run.value(column, secret, peer)
    row, column = run.slices[complaint.dealer]
    if run.setting.party == party:
        return run.value(row, secret, peer) + run.value(column, secret, peer)
    return run.value(column, secret, party) + run.value(row, secret, party)


def _disqualify(run: _Run, unhappy: set[tuple[PartyId, PartyId]]) -> None:
    """Dealers with more than t unhappy or corrupt parties."""
    corrupt = frozenset(run.corrupt)
    for dealer in run.dealers:
        against = {party for other, party in unhappy if other == dealer} | corrupt
        if len(against) > run.setting.threshold:
            run.corrupt.add(dealer)
    run.agree({})


def _reveal(run: _Run, unhappy: tuple[tuple[PartyId, PartyId], ...]) -> Steps[None]:
    """Step 5."""
    element = run.count * element_bytes(run.bits)

    def size_of(party: PartyId, dealer: PartyId) -> int:
        if party == dealer:
            return run.length * element
        return 0 if (dealer, party) in unhappy else element

    own = b""
    for dealer, party in unhappy:
        if run.setting.party == dealer:
            own += run.dealt[party - 1][0]
        elif (dealer, run.setting.party) not in unhappy:
            own += run.values(run.slices[dealer].column, party)
    said = yield from run.tell(
        own, lambda party, data: len(data) == sum(size_of(party, dealer) for dealer, _ in unhappy)
    )
    places = dict.fromkeys(said, 0)
    for dealer, party in unhappy:
        parts = {}
        for other, data in said.items():
            size = size_of(other, dealer)
            parts[other] = data[places[other] : places[other] + size]
            places[other] += size
        row = parts.pop(dealer, None)
        agreeing = 1 + sum(
            bool(row) and values == run.values(row or b"", other)
            for other, values in parts.items()
            if values
        )
        if row is None or agreeing < 2 * run.setting.threshold + 1:
            run.corrupt.add(dealer)
        elif party == run.setting.party:
            run.slices[dealer] = run.slices[dealer]._replace(row=row)
    run.agree({})
