"""A seeded network in memory: delay, reorder, duplicate, loss with resend; liars by strategy.

Time is a number in a heap. Nothing depends on the real clock, so a seed gives one transcript.
"""

import heapq
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import tkms_kernel as kernel

from mpc.exchange import Setting
from mpc.public_decryption import Item, PublicDecryption
from mpc.session import Abort, Blame, Done, MaskedShare, MaskedShares, Send
from wire.digests import sha3_256
from wire.ids import PartyId

DELTA_LOG = 123
NOISE_LOG = 70
Strategy = Callable[[random.Random, PartyId, MaskedShares], MaskedShares | None]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is to be opened: items, right values, everybody's right shares."""

    parties: int
    threshold: int
    items: tuple[Item, ...]
    values: tuple[int, ...]
    shares: Mapping[PartyId, tuple[bytes, ...]]


def problem(
    rng: random.Random, parties: int, threshold: int, plaintexts: list[tuple[int, int, int]]
) -> Problem:
    """Share (type, blocks, value) triples as masked phases: Delta m + noise, packed by four."""
    items, shares = [], {PartyId(p): [] for p in range(1, parties + 1)}
    for fhe_type, blocks, value in plaintexts:
        words = b"".join(
            (((value >> 4 * index) % 16 << DELTA_LOG) + rng.getrandbits(NOISE_LOG)).to_bytes(
                16, "little"
            )
            for index in range(blocks)
        )
        columns = kernel.shamir_share(128, words, parties, threshold, rng.randbytes(32))
        for party, column in enumerate(columns, start=1):
            shares[PartyId(party)].append(kernel.ring_pack4(128, column))
        items.append(Item(sha3_256(words), fhe_type, blocks))
    values = tuple(value for _, _, value in plaintexts)
    held = {party: tuple(columns) for party, columns in shares.items()}
    return Problem(parties, threshold, tuple(items), values, held)


@dataclass(slots=True)
class Outcome:
    """What one honest party ended with."""

    values: list[tuple[int, ...]] = field(default_factory=list)
    blamed: list[PartyId] = field(default_factory=list)
    aborted: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Simulation:
    """One run of an opening among honest and corrupt parties."""

    problem: Problem
    corrupt: Mapping[PartyId, Strategy]
    rng: random.Random
    outcomes: dict[PartyId, Outcome] = field(default_factory=dict)
    transcript: list[tuple[int, int, int, bytes]] = field(default_factory=list)
    tampered: dict[PartyId, set[PartyId]] = field(default_factory=dict)
    _sessions: dict[PartyId, PublicDecryption] = field(default_factory=dict)
    _heap: list[tuple[int, int, PartyId, PartyId, MaskedShares]] = field(default_factory=list)
    _ticket: int = 0

    def run(self) -> dict[PartyId, Outcome]:
        """Deliver everything; returns the honest parties' outcomes."""
        given = self.problem
        for party in given.shares:
            if party not in self.corrupt:
                self.outcomes[party] = Outcome()
                self.tampered[party] = set()
        for party in given.shares:
            setting = Setting(given.parties, given.threshold, party)
            session = PublicDecryption(setting, given.items, given.shares[party])
            if party not in self.corrupt:
                self._sessions[party] = session
            self._act(0, party, session.start())
        while self._heap:
            moment, _, sender, recipient, message = heapq.heappop(self._heap)
            digest = sha3_256(b"".join(share.elements for share in message.shares))
            self.transcript.append((moment, sender, recipient, digest))
            self._act(moment, recipient, self._sessions[recipient].feed(sender, message))
        return self.outcomes

    def _act(self, moment: int, party: PartyId, outputs: tuple[object, ...]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                for recipient in self.problem.shares:
                    if recipient != party and recipient not in self.corrupt:
                        self._post(moment, party, recipient, output.message)
                continue
            if party in self.corrupt:
                continue
            outcome = self.outcomes[party]
            if isinstance(output, Done):
                outcome.values.append(output.value)
            elif isinstance(output, Blame):
                outcome.blamed.append(output.party)
            elif isinstance(output, Abort):
                outcome.aborted.append(output.reason.value)

    def _post(
        self, moment: int, sender: PartyId, recipient: PartyId, message: MaskedShares
    ) -> None:
        """Delay every message, lose some (sent again later), duplicate some."""
        if sender in self.corrupt:
            changed = self.corrupt[sender](self.rng, recipient, message)
            if changed is None:
                return
            if changed != message:
                self.tampered[recipient].add(sender)
            message = changed
        copies = 1 + (self.rng.random() < 0.3)
        for _ in range(copies):
            moment_there = moment + self.rng.randrange(1, 1000)
            if self.rng.random() < 0.2:
                moment_there += 5000
            self._ticket += 1
            heapq.heappush(self._heap, (moment_there, self._ticket, sender, recipient, message))


def changed(message: MaskedShares, change: Callable[[bytes], bytes]) -> MaskedShares:
    """A message with changed elements."""
    return MaskedShares(
        tuple(MaskedShare(s.ciphertext_digest, change(s.elements)) for s in message.shares)
    )


def silent(rng: random.Random, recipient: PartyId, message: MaskedShares) -> None:
    """Send nothing."""


def noise(rng: random.Random, recipient: PartyId, message: MaskedShares) -> MaskedShares:
    """Send other random elements to everybody."""
    return changed(message, lambda data: rng.randbytes(len(data)))


def one_bit(rng: random.Random, recipient: PartyId, message: MaskedShares) -> MaskedShares:
    """Turn one bit of the whole vector."""
    position = rng.randrange(8 * len(message.shares[0].elements))
    share = message.shares[0]
    data = bytearray(share.elements)
    data[position // 8] ^= 1 << position % 8
    first = MaskedShare(share.ciphertext_digest, bytes(data))
    return MaskedShares((first, *message.shares[1:]))


def high_bit(rng: random.Random, recipient: PartyId, message: MaskedShares) -> MaskedShares:
    """Add 2^127 to every coefficient."""
    return changed(
        message,
        lambda data: bytes(b ^ 0x80 if i % 16 == 15 else b for i, b in enumerate(data)),
    )


def other_digest(rng: random.Random, recipient: PartyId, message: MaskedShares) -> MaskedShares:
    """Claim to have worked on other ciphertexts."""
    return MaskedShares(tuple(MaskedShare(bytes(32), s.elements) for s in message.shares))


def short(rng: random.Random, recipient: PartyId, message: MaskedShares) -> MaskedShares:
    """Leave out an element."""
    return changed(message, lambda data: data[64:])


def selective(rng: random.Random, recipient: PartyId, message: MaskedShares) -> MaskedShares | None:
    """Be silent to some, lie to some, and be honest to the rest."""
    return (silent, noise, lambda _r, _p, m: m)[recipient % 3](rng, recipient, message)


STRATEGIES: tuple[Strategy, ...] = (
    silent,
    noise,
    one_bit,
    high_bit,
    other_digest,
    short,
    selective,
)
