"""Public decryption: open masked shares (eprint 2025/699 RobustOpen; eprint 2023/815 flooding).

Rules
1. Every party sends its masked shares to all others once, at the start and unconditionally. There
   is nothing to agree on afterwards and a party that has its result keeps nothing open.
2. A message counts when it names exactly our ciphertexts with exactly our lengths. Other digests
   mean that the sender worked on other bytes: that is said so and is not a decoding failure.
3. All ciphertexts open as one vector by online error correction with degree t: a value is taken
   when at least 2t + 1 shares lie on its polynomial, whoever was blamed before. For n = 4 three consistent shares suffice
   and one liar among them makes the party wait for the fourth.
4. After rounding, noise outside the bound proves a malformed ciphertext or a wrong key: no value.
5. Late shares are compared with the opened polynomials so that a liar is named even when it was
   not needed. The first message of a sender is the one that counts.

More than t liars are outside the model: t + 1 of them that collude can move the result.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import tkms_kernel as kernel

from mpc.errors import UsageError
from mpc.exchange import Setting
from mpc.session import (
    Abort,
    AbortReason,
    Blame,
    Done,
    Fault,
    MaskedShare,
    MaskedShares,
    Output,
    Send,
)
from wire.ids import PartyId

RING_BITS = 128
"""Squashed ciphertexts live modulo 2^128."""

ELEMENT_BYTES = 64
"""An element of GR(2^128, 4): four little-endian words of 16 bytes."""

BLOCKS_IN_ELEMENT = 4

Outputs = tuple[Output[MaskedShares, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Item:
    """One ciphertext of the request: digest (32 bytes), type number, squashed blocks."""

    digest: bytes
    fhe_type: int
    blocks: int

    @property
    def size(self) -> int:
        """Bytes of one party's masked share."""
        return -(-self.blocks // BLOCKS_IN_ELEMENT) * ELEMENT_BYTES


class PublicDecryption:
    """One opening of the ciphertexts of one request."""

    __slots__ = (
        "_blamed",
        "_items",
        "_opened",
        "_own",
        "_received",
        "_setting",
        "_started",
        "finished",
        "ignored",
    )

    def __init__(self, setting: Setting, items: Sequence[Item], own: Sequence[bytes]) -> None:
        """Prepare with our own masked shares, one a ciphertext.

        Raises
        ------
        UsageError
            When there is no ciphertext or a share has not the length its block count demands.
        """
        if not items or [len(share) for share in own] != [item.size for item in items]:
            msg = "own shares do not fit the ciphertexts"
            raise UsageError(msg)
        self._setting = setting
        self._items = tuple(items)
        self._own = tuple(own)
        self._received: dict[PartyId, bytes] = {}
        self._blamed: set[PartyId] = set()
        self._started = False
        self._opened = False
        self.finished = False
        self.ignored = 0

    @property
    def complete(self) -> bool:
        """Whether nothing that a party may still send can change the outputs."""
        return len(self._received) == self._setting.parties

    @property
    def unanimous(self) -> bool:
        """Whether every party has sent a share, and all of them fit the opened value."""
        return self.complete and self._opened and not self._blamed

    def start(self) -> Outputs:
        """Send our masked shares to everybody, and open at once when alone."""
        if self._started:
            msg = "a session starts once"
            raise UsageError(msg)
        self._started = True
        message = MaskedShares(
            tuple(
                MaskedShare(item.digest, share)
                for item, share in zip(self._items, self._own, strict=True)
            )
        )
        self._received[self._setting.party] = b"".join(self._own)
        return (Send(message), *self._advance())

    def feed(self, sender: PartyId, message: MaskedShares) -> Outputs:
        """Take a party's masked shares; late ones are checked against the opened value."""
        if not self._started:
            msg = "a session starts before it is fed"
            raise UsageError(msg)
        if not 1 <= sender <= self._setting.parties or sender in self._received:
            self.ignored += 1
            return ()
        fault = self._fault_of(message)
        # A message that cannot be right is kept as an absent share: it counts as received.
        self._received[sender] = b"" if fault else b"".join(s.elements for s in message.shares)
        blame = self._blame((sender,), fault) if fault else ()
        if not self.finished:
            return (*blame, *self._advance())
        return blame or self._compare(sender)

    def _fault_of(self, message: MaskedShares) -> Fault | None:
        """Rule 2."""
        digests = [share.ciphertext_digest for share in message.shares]
        if digests != [item.digest for item in self._items]:
            return Fault.DIFFERENT_CIPHERTEXTS
        if [len(share.elements) for share in message.shares] != [i.size for i in self._items]:
            return Fault.MALFORMED
        return None

    def _shares(self) -> list[tuple[int, bytes]]:
        """Shares of senders that are not known to lie, by number."""
        known = sorted(self._received.items())
        return [(party, data) for party, data in known if party not in self._blamed]

    def _advance(self) -> Outputs:
        """Rule 3: one attempt of the online error correction with what is here."""
        setting = self._setting
        needed = 2 * setting.threshold + 1
        if setting.parties - len(self._blamed) < needed:
            return self._abort(AbortReason.TOO_MANY_ERRORS, "too few parties are left")
        try:
            opened = kernel.online_open(
                RING_BITS,
                setting.parties,
                setting.threshold,
                setting.threshold,
                self._shares(),
                # Blamed parties are not counted as liars that are out of the way: that would lower
                # the support a value needs, and a different squashing is no proof of malice.
                [],
            )
        except kernel.TooManyErrors as error:
            return self._abort(AbortReason.TOO_MANY_ERRORS, str(error))
        if opened is not None:
            values, liars = opened
            blame = self._blame(liars, Fault.WRONG_SHARE)
            return (*blame, *self._finish(values))
        if self.complete:
            return self._abort(AbortReason.TOO_MANY_ERRORS, "all shares are here, none agree")
        return ()

    def _finish(self, opened: bytes) -> Outputs:
        """Rule 4: round, check the noise, recompose."""
        values = []
        start = 0
        for item in self._items:
            part = opened[start : start + item.size]
            start += item.size
            try:
                blocks = kernel.round_squashed(
                    part, item.blocks, self._setting.parties, self._setting.threshold
                )
            except kernel.OutOfRange as error:
                return self._abort(AbortReason.NOISE_OUT_OF_RANGE, str(error))
            except kernel.VerificationFailed as error:
                return self._abort(AbortReason.TOO_MANY_ERRORS, str(error))
            try:
                values.append(kernel.plaintext_from_blocks(blocks, item.fhe_type))
            except kernel.KernelError as error:
                return self._abort(AbortReason.PLAINTEXT_OUT_OF_RANGE, str(error))
        self.finished = True
        self._opened = True
        return (Done(tuple(values)),)

    def _compare(self, sender: PartyId) -> Outputs:
        """Rule 5: whether a late share lies on the polynomials that the others fixed."""
        if sender in self._blamed or not self._opened:
            return ()
        try:
            _, liars = kernel.decode_shares(
                RING_BITS, self._setting.parties, self._setting.threshold, self._shares(), 1
            )
        except kernel.TooManyErrors:
            return ()
        return self._blame(liars, Fault.WRONG_SHARE)

    def _blame(self, parties: Sequence[int], fault: Fault) -> tuple[Blame, ...]:
        """Name each party once; ourselves too, which the runner reports as a defect of ours."""
        new = sorted(set(parties) - self._blamed)
        self._blamed.update(PartyId(party) for party in new)
        return tuple(Blame(PartyId(party), fault) for party in new)

    def _abort(self, reason: AbortReason, detail: str) -> Outputs:
        """End without a value."""
        self.finished = True
        return (Abort(reason, detail),)
