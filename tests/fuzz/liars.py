"""Corrupt parties whose every message is the fuzzer's."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from tests.fuzz.choices import Choices
from tests.fuzz.spoil import spoil
from tests.mpc.network import Envelope, Liar
from wire.ids import PartyId

_MOST_EXTRA: Final = 6
_LARGE: Final = 20_000
_MOST_SEEN: Final = 50


@dataclass(slots=True)
class Corruption:
    """Who is corrupt in one run, and what they do."""

    choices: Choices
    parties: int
    threshold: int
    _seen: list[bytes] = field(default_factory=list)
    """What corrupt parties would have sent honestly: to be sent elsewhere."""

    _told: dict[tuple[PartyId, int, bytes], bytes | None] = field(default_factory=dict)
    _alike: bool | None = None

    def liars(self) -> dict[PartyId, Liar]:
        """At most t corrupt parties."""
        first = self.choices.below(self.parties)
        corrupt = {
            PartyId(1 + (first + step * (1 + self.choices.below(2))) % self.parties)
            for step in range(self.threshold)
        }
        return dict.fromkeys(sorted(corrupt), self._lie)

    def frames(self, corrupt: frozenset[PartyId]) -> list[tuple[int, Envelope]]:
        """Frames that belong to no round: too early, far ahead, twice."""
        found = []
        for _ in range(self.choices.below(_MOST_EXTRA)):
            sender = self.choices.pick(sorted(corrupt))
            honest = [n for n in range(1, self.parties + 1) if n not in corrupt]
            number = self.choices.pick((0, 1, 2, 3, 4, 5, 9, 17, 4096, 4097, 2**32 - 1))
            moment = self.choices.pick((0, 1, 150, 3000))
            payload = self._anything(b"")
            recipient = PartyId(self.choices.pick(honest))
            found.append((moment, Envelope(sender, recipient, number, payload)))
        return found

    def _lie(self, _: random.Random, envelope: Envelope) -> bytes | None:
        """What goes out instead of an honest message."""
        honest = envelope.payload
        if len(self._seen) < _MOST_SEEN:
            self._seen.append(honest)
        # Who tells different parties different things is soon found out; one lie for all goes deeper.
        if self._alike is None:
            self._alike = self.choices.chance(128)
        if not self._alike:
            return self._other(honest)
        key = (envelope.sender, envelope.round, honest)
        if key not in self._told:
            self._told[key] = self._other(honest)
        return self._told[key]

    def _other(self, honest: bytes) -> bytes | None:
        action = self.choices.below(10)
        if action < 3:
            return honest
        if action == 3:
            return None
        if action < 7:
            return self._flipped(honest)
        if action < 9:
            return spoil(honest, self.choices, self._seen)
        return self._anything(honest)

    def _flipped(self, honest: bytes) -> bytes:
        """Some bits: of the right length, so that it is looked at."""
        changed = bytearray(honest)
        for _ in range(1 + self.choices.below(3) if changed else 0):
            changed[self.choices.below(65536) % len(changed)] ^= 1 << self.choices.below(8)
        return bytes(changed)

    def _anything(self, honest: bytes) -> bytes:
        """Bytes that have nothing to do with the round."""
        action = self.choices.below(5)
        if action == 0:
            return b""
        if action == 1:
            return self.choices.pick(self._seen) if self._seen else b"\x00"
        if action == 2:
            return bytes([self.choices.byte()]) * len(honest)
        if action == 3:
            return bytes([self.choices.byte()]) * self.choices.below(_LARGE)
        return self.choices.some(200)
