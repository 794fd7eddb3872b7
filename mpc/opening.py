"""Opening a shared vector: everybody sends its share, wrong ones are corrected or at least noticed.

Source: eprint 2025/699 (NIST draft of the same system), RobustOpen; online error correction as in
eprint 2023/815. The condition for detecting e wrong shares among m is m >= degree + 1 + e, for
correcting them m >= degree + 1 + 2e.

Rules
1. Degree t: every party sends its share once and unconditionally; a vector is taken when at least
   2t + 1 shares lie on its polynomials, so on those of t + 1 honest parties. Nobody waits for time:
   n - t >= 2t + 1 honest shares arrive in the end.
2. Degree 2t can be corrected in the same way only for n >= 4t + 1 (then 3t + 1 shares must agree).
3. For n = 3t + 1 and degree 2t wrong shares are detected and never corrected: t liars reach within
   t / 2 of another codeword, so correcting would give a wrong value. The shares travel by reliable
   broadcast, so all parties come to the same decision and can find the liars (`prss_check.py`).
4. A vector is opened as a whole; packed and unpacked vectors are the same to this file.
5. A message of another length counts as an absent share.
6. A share that comes after the vector was taken is still compared with it, and its sender named: else a
   liar that is always the last would never be.

`excluded` are parties that all agree to be corrupt: they are neither sent to nor heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import tkms_kernel as kernel

from mpc.broadcast import broadcast
from mpc.errors import UsageError
from mpc.exchange import Exchange, Payloads, ProtocolAbort, Setting, Steps, others
from mpc.session import AbortReason, Blame, Fault
from wire.ids import PartyId

NOBODY: frozenset[PartyId] = frozenset()


def element_bytes(bits: int) -> int:
    """Bytes of an element of GR(2^bits, 4)."""
    return bits // 2


class Collector:
    """Shares of one vector: the `enough` of an exchange, which holds the values once it says so."""

    __slots__ = (
        "_code",
        "_excluded",
        "_own",
        "_right",
        "_size",
        "_tried",
        "liars",
        "malformed",
        "values",
    )

    def __init__(
        self,
        bits: int,
        code: tuple[int, int, int],
        size: int,
        own: Mapping[PartyId, bytes] | None = None,
        excluded: frozenset[PartyId] = NOBODY,
    ) -> None:
        """Prepare for vectors of `size` bytes of the code (holders, threshold, degree)."""
        self._code = (bits, *code)
        self._size = size
        self._own = dict(own or {})
        self._excluded = excluded
        self._tried: frozenset[int] | None = None
        # degree + 1 shares that lie on the opened polynomials.
        self._right: list[tuple[int, bytes]] = []
        self.values: bytes | None = None
        self.liars: tuple[PartyId, ...] = ()
        self.malformed: frozenset[PartyId] = NOBODY

    def __call__(self, received: Payloads) -> bool:
        """Whether what is here determines the values."""
        shares: dict[int, bytes] = {
            party: share for party, share in received.items() if len(share) == self._size
        }
        self.malformed = frozenset(party for party in received if party not in shares)
        if self.values is not None or frozenset(shares) == self._tried:
            return self.values is not None
        self._tried = frozenset(shares)
        shares |= {int(party): share for party, share in self._own.items()}
        out = sorted(map(int, self._excluded))
        try:
            opened = kernel.online_open(*self._code, sorted(shares.items()), out)
        except kernel.TooManyErrors:
            # Everybody has answered; the exchange ends without a value.
            return True
        if opened is None:
            return False
        self.values = opened[0]
        self.liars = tuple(PartyId(party) for party in opened[1])
        right = [item for item in sorted(shares.items()) if item[0] not in {*opened[1], *out}]
        self._right = right[: self._code[3] + 1]
        return True

    def late(self, party: PartyId, share: bytes) -> Blame | None:
        """Rule 6: whether a share that came too late lies on the polynomials."""
        if self.values is None:
            return None
        if len(share) != self._size:
            return Blame(party, Fault.MALFORMED)
        bits, holders, _, degree = self._code
        columns = sorted([*self._right, (int(party), share)])
        try:
            kernel.decode_shares(bits, holders, degree, columns, 0)
        except kernel.TooManyErrors:
            return Blame(party, Fault.WRONG_SHARE)
        return None

    def result(self) -> Steps[bytes]:
        """Name the liars, return the values."""
        for party in self.liars:
            yield Blame(party, Fault.WRONG_SHARE)
        for party in sorted(self.malformed):
            yield Blame(party, Fault.MALFORMED)
        if self.values is None:
            raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "all shares are here, none agree")
        return self.values


def open_robustly(
    setting: Setting, bits: int, own: bytes, excluded: frozenset[PartyId] = NOBODY
) -> Steps[bytes]:
    """Vector of degree t, opened to everybody; asynchronous."""
    recipients = others(setting) - excluded
    return _open(setting, bits, dict.fromkeys({*recipients, setting.party}, own), 1, excluded)


def open_products(
    setting: Setting, bits: int, own: bytes, excluded: frozenset[PartyId] = NOBODY
) -> Steps[bytes]:
    """Vector of degree 2t, opened to everybody with correction; asynchronous, n >= 4t + 1 only.

    Raises
    ------
    UsageError
        With fewer parties, where correcting is not sound.
    """
    if setting.parties < 4 * setting.threshold + 1:
        raise UsageError("degree 2t is corrected only among 4t + 1 parties or more")
    recipients = others(setting) - excluded
    return _open(setting, bits, dict.fromkeys({*recipients, setting.party}, own), 2, excluded)


def open_privately(
    setting: Setting,
    bits: int,
    shares: Mapping[PartyId, bytes],
    excluded: frozenset[PartyId] = NOBODY,
) -> Steps[bytes]:
    """Our own vector of degree t, when each party is sent the shares of a vector of its own.

    `shares` has our share of each recipient's vector, ourselves included; all parties know the
    length of ours. Who has no entry is sent nothing.
    """
    return _open(setting, bits, shares, 1, excluded)


def _open(
    setting: Setting,
    bits: int,
    shares: Mapping[PartyId, bytes],
    degree: int,
    excluded: frozenset[PartyId],
) -> Steps[bytes]:
    """One exchange; `degree` in multiples of t."""
    own = shares[setting.party]
    code = (setting.parties, setting.threshold, degree * setting.threshold)
    collector = Collector(bits, code, len(own), {setting.party: own}, excluded)
    heard = others(setting) - excluded
    sends = {p: share for p, share in shares.items() if p in heard}
    collector((yield Exchange(sends, heard, collector, late=collector.late)))
    return (yield from collector.result())


@dataclass(frozen=True, slots=True)
class Detection:
    """Outcome of a detect-only opening, the same at all honest parties.

    `values` is None when the shares do not fit together. `shares` are those that were broadcast;
    `silent` parties broadcast none, so all agree that they are corrupt.
    """

    values: bytes | None = field(repr=False)
    shares: Mapping[PartyId, bytes] = field(repr=False)
    silent: frozenset[PartyId]


def open_detecting(
    setting: Setting, bits: int, own: bytes, excluded: frozenset[PartyId] = NOBODY
) -> Steps[Detection]:
    """Vector of degree 2t by reliable broadcast of its shares; synchronous, n >= 3t + 1."""
    outcome = yield from broadcast(
        setting, own, excluded=excluded, acceptable=lambda _, share: len(share) == len(own)
    )
    shares = {party: share for party, share in outcome.items() if share is not None}
    silent = frozenset(outcome) - frozenset(shares)
    if len(excluded | silent) > setting.threshold:
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "too few parties broadcast a share")
    return Detection(detect(setting, bits, shares, 2 * setting.threshold), shares, silent)


def detect(
    setting: Setting, bits: int, shares: Mapping[PartyId, bytes], degree: int
) -> bytes | None:
    """Values if all shares fit together.

    With n - s shares of which t - s may be wrong and degree 2t, any wrong one is noticed.
    """
    columns = [(int(party), share) for party, share in sorted(shares.items())]
    try:
        values, _ = kernel.decode_shares(bits, setting.parties, degree, columns, 0)
    except kernel.TooManyErrors:
        return None
    return values


def first_inconsistent(
    setting: Setting, bits: int, shares: Mapping[PartyId, bytes], degree: int
) -> int:
    """Index of the first element whose shares do not fit together.

    Raises
    ------
    UsageError
        When all of them fit.
    """
    size = element_bytes(bits)
    low, high = 0, len(next(iter(shares.values()))) // size
    if detect(setting, bits, shares, degree) is not None:
        raise UsageError("all shares fit together")
    while high - low > 1:
        middle = (low + high) // 2
        part = {party: share[low * size : middle * size] for party, share in shares.items()}
        if detect(setting, bits, part, degree) is None:
            high = middle
        else:
            low = middle
    return low
