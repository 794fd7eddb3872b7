"""Decryption of ordinary ciphertexts: rounding on Z/2^64 with prepared bits, products and triples.

Source: "Improved primitives for secure multiparty integer computation" (Catrina, de Hoogh, SCN 2010)
for the comparison; the formulas and the tree are in `kernel/src/ring/rounding.rs`, the whole of it in
docs/protocols/rounding.md. All openings have degree t and are corrected online, so n - t honest
parties end with the right values, whatever the others do, and nobody waits for time.

Rules
1. Before anything that depends on the key is sent, n - t parties (ourselves included) must have named the
   same ciphertexts. Two such quorums share an honest party, and an honest party names one
   list for a slice of the pool, ever. So a slice never serves two lists, even if the chain or a
   store shows parties different things: that would give away the difference of their phases.
2. The ciphertexts of a request are rounded as one vector of blocks.
3. A party whose wrong share was seen in time is not heard again in this run; one that was late is named.
4. For a user decryption the last opening is left out: our share of 2^59 times each message, lifted
   to GR(2^128, 4), is the answer, readable by whoever reads those of squashed ciphertexts.
5. A rounded block with a carry or the padding bit comes of a malformed ciphertext or a wrong key: no value. Noise
   that is too large is not seen: hiding is perfect, so nothing but the message is known.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import tkms_kernel as kernel

from mpc.errors import UsageError
from mpc.exchange import Exchange, Payloads, ProtocolAbort, Setting, Steps, others, to_others
from mpc.opening import NOBODY, Collector
from mpc.preprocessing import ROUNDING_RING, Material
from mpc.session import AbortReason, Blame, Fault
from wire.ids import PartyId

_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True)
class OrdinaryCiphertext:
    """A ciphertext of format 1 and its type number."""

    data: bytes = field(repr=False)
    fhe_type: int


def blocks_of(fhe_types: Sequence[int]) -> int:
    """Blocks of the pool that ciphertexts of these types take."""
    return sum(kernel.ordinary_blocks(fhe_type) for fhe_type in fhe_types)


def decrypt_publicly(
    setting: Setting,
    key: kernel.KeyShare,
    ciphertexts: Sequence[OrdinaryCiphertext],
    material: Material,
) -> Steps[tuple[int, ...]]:
    """Plaintexts of the ciphertexts of one request; all honest parties get them."""
    run = _Run(setting, key, ciphertexts, material)
    yield from run.agree()
    yield from run.round()
    opened = yield from run.open()
    try:
        blocks = run.rounding.blocks(opened)
    except kernel.VerificationFailed as error:
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, str(error)) from None
    try:
        return tuple(
            kernel.plaintext_from_ordinary_blocks(part, ciphertext.fhe_type)
            for part, ciphertext in zip(blocks, ciphertexts, strict=True)
        )
    except kernel.OutOfRange as error:
        raise ProtocolAbort(AbortReason.PLAINTEXT_OUT_OF_RANGE, str(error)) from None


def decrypt_for_user(
    setting: Setting,
    key: kernel.KeyShare,
    ciphertexts: Sequence[OrdinaryCiphertext],
    material: Material,
) -> Steps[tuple[bytes, ...]]:
    """Our share of each plaintext: elements of GR(2^128, 4), four blocks each (rule 4)."""
    run = _Run(setting, key, ciphertexts, material)
    yield from run.agree()
    yield from run.round()
    return tuple(run.rounding.lifted())


class _Run:
    """What one party knows in one run."""

    __slots__ = ("_digest", "_liars", "_setting", "rounding")

    def __init__(
        self,
        setting: Setting,
        key: kernel.KeyShare,
        ciphertexts: Sequence[OrdinaryCiphertext],
        material: Material,
    ) -> None:
        """Begin.

        Raises
        ------
        UsageError
            When the material is not for exactly the blocks of the ciphertexts, or one is malformed.
        """
        if material.blocks != blocks_of([each.fhe_type for each in ciphertexts]):
            raise UsageError("the material is not what the ciphertexts take")
        try:
            self.rounding = kernel.Rounding(
                key,
                [(each.data, each.fhe_type) for each in ciphertexts],
                material.bits,
                material.pairs,
                material.triples,
            )
        except kernel.InvalidInput as error:
            raise UsageError(str(error)) from None
        hashed = hashlib.blake2b(b"tkms/rounding/v1", digest_size=_DIGEST_BYTES)
        for each in ciphertexts:
            hashed.update(each.fhe_type.to_bytes(1, "big") + len(each.data).to_bytes(8, "big"))
            hashed.update(each.data)
        self._digest = hashed.digest()
        self._setting = setting
        self._liars: frozenset[PartyId] = NOBODY

    def agree(self) -> Steps[None]:
        """Rule 1."""
        setting, digest = self._setting, self._digest
        quorum = setting.parties - setting.threshold

        def enough(received: Payloads) -> bool:
            same = 1 + sum(payload == digest for payload in received.values())
            # With too many others a quorum cannot come any more.
            return same >= quorum or len(received) - (same - 1) > setting.threshold

        received = yield Exchange(to_others(setting, digest), others(setting), enough)
        for party in sorted(received):
            if received[party] != digest:
                yield Blame(party, Fault.DIFFERENT_CIPHERTEXTS)
        if 1 + sum(payload == digest for payload in received.values()) < quorum:
            raise ProtocolAbort(
                AbortReason.DIFFERENT_CIPHERTEXTS, "parties work on different ciphertexts"
            )

    def round(self) -> Steps[None]:
        """All openings but the last."""
        while not self.rounding.last:
            opened = yield from self.open()
            try:
                self.rounding.advance(opened)
            except kernel.VerificationFailed as error:
                raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, str(error)) from None

    def open(self) -> Steps[bytes]:
        """Open the current vector, without the liars of earlier ones (rule 3)."""
        setting, own = self._setting, self.rounding.message()
        code = (setting.parties, setting.threshold, setting.threshold)
        collector = Collector(ROUNDING_RING, code, len(own), {setting.party: own}, self._liars)
        heard = others(setting) - self._liars
        # Liars are sent what everybody is: being ignored is no reason to starve them.
        sends = to_others(setting, own)
        collector((yield Exchange(sends, heard, collector, late=collector.late)))
        values = yield from collector.result()
        self._liars |= frozenset(collector.liars)
        return values
