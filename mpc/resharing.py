"""Resharing: a secret key shared by one set of parties becomes shared by another, or anew by the same.

Source: Reshare of eprint 2025/699. The sets are `old` (n1, t1) and `new` (n2, t2); the run has all
parties of both, and who is in both plays both parts. The public key stays; old and new shares have
nothing to do with each other.

Rounds
1. Each new party sends each old party its share of that party's random mask (pseudorandom sharing
   of the new set). The old party corrects up to t2 wrong or missing ones.
2. Each old party sends all new parties its key share plus its mask. Its part ends here.
3. The new parties broadcast the hashes of what they got from each old party. What n2 - t2 of them
   name is taken, so it is what at least t2 + 1 honest ones have; who lacks it is sent it by those
   who said first that they have it (this round is left out if nobody lacks anything). An old party without
   such a hash was silent or told different parties different things: all agree on its absence.
4. A coin is opened, now that nothing can change any more, and chooses 20 combinations of all elements;
   their syndromes are opened. They are zero but for what wrong shares add, so they show no more
   than the errors. At most t1 old parties may be absent or wrong; an error escapes with
   probability 2^-80.
5. The new share is computed from t1 + 1 good ones.

All honest new parties end with the same digest of everything that became public. Differing digests
mean that more parties were faulty than the thresholds allow, so shares are used only when
n2 - t2 parties have answered with the same one.

The name of a run is used once: two runs with one name and different key shares would show their difference.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import tkms_kernel as kernel

from mpc.broadcast import broadcast
from mpc.committee import Committee, within
from mpc.errors import UsageError
from mpc.exchange import Exchange, ProtocolAbort, Setting, Steps
from mpc.names import run_name
from mpc.opening import open_robustly
from mpc.session import AbortReason, Blame, Fault
from wire.digests import sha3_256
from wire.ids import PartyId

DIGEST_BYTES = 32

ABSENT = bytes(DIGEST_BYTES)
"""Reported instead of a hash by who got nothing well formed."""

COIN = "resharing/coin"
TRANSCRIPT = "resharing/transcript"


@dataclass(frozen=True, slots=True)
class Plan:
    """What all parties of a resharing know. `name` is the run's (`names.run_name`)."""

    name: bytes
    parameters: str
    old: Committee
    new: Committee

    @property
    def length(self) -> int:
        """Bytes of a mask share and of a masked share."""
        return kernel.resharing_length(self.parameters)

    @property
    def everybody(self) -> frozenset[PartyId]:
        """Parties of the run."""
        return frozenset(self.old.members) | frozenset(self.new.members)

    @property
    def threshold(self) -> int:
        """How many parties of the whole run may be faulty: no more than of a set that has them all."""
        whole = [c.threshold for c in (self.old, self.new) if self.everybody == set(c.members)]
        return min(whole, default=self.old.threshold + self.new.threshold)


@dataclass(frozen=True, slots=True)
class Reshared:
    """Outcome at one party. Who is not in the new set has neither share nor digest.

    `absent` and `wrong` are old parties that contributed nothing or something wrong; both are part
    of the digest.
    """

    share: kernel.KeyShare | None = field(default=None, repr=False)
    digest: bytes = b""
    absent: tuple[PartyId, ...] = ()
    wrong: tuple[PartyId, ...] = ()


def reshare(
    plan: Plan, party: PartyId, share: kernel.KeyShare | None, prss: kernel.PrssKeys | None
) -> Steps[Reshared]:
    """Take part as `party`: with a key share if in the old set, with keys if in the new one.

    An old party without a share (lost, or never there) gives None and is counted as absent.

    Raises
    ------
    UsageError
        When the share or the keys are those of another party or set.
    """
    _check(plan, party, share, prss)
    masked = yield from _exchange_masks(plan, party, share, prss)
    received = yield from _exchange_masked(plan, party, masked)
    if prss is None:
        return Reshared()
    setting = plan.new.setting(party)
    steps = _agree(plan, setting, {plan.old.number(p): data for p, data in received.items()})
    digests, vectors = yield from within(plan.new, steps)
    return (yield from _recover(plan, party, prss, digests, vectors))


def _check(
    plan: Plan, party: PartyId, share: kernel.KeyShare | None, prss: kernel.PrssKeys | None
) -> None:
    """Refuse secrets that do not fit the plan: using them would only look like a fault of ours."""
    if (prss is not None) != (party in plan.new):
        raise UsageError("exactly the new parties have keys for pseudorandom sharing")
    if prss is not None:
        own = (len(plan.new.members), plan.new.threshold, plan.new.number(party))
        if (prss.parties, prss.threshold, prss.party) != own:
            raise UsageError("the keys are those of another party or set")
    if share is not None:
        if party not in plan.old:
            raise UsageError("a share of a party that is not in the old set")
        own = (len(plan.old.members), plan.old.threshold, plan.old.number(party))
        if (share.parties, share.threshold, share.party) != own:
            raise UsageError("the share is that of another party or set")
        if share.parameters != plan.parameters:
            raise UsageError("the share is that of another parameter set")


def _exchange_masks(
    plan: Plan, party: PartyId, share: kernel.KeyShare | None, prss: kernel.PrssKeys | None
) -> Steps[bytes | None]:
    """Round 1: our masked key share, if we can make one."""
    masks: dict[PartyId, bytes] = {}
    if prss is not None:
        for number, receiver in enumerate(plan.old.members, 1):
            masks[receiver] = kernel.resharing_mask_share(prss, plan.name, plan.parameters, number)
    received = yield from _exchange(plan, party, masks)
    if share is None:
        return None
    shares: list[tuple[int, bytes]] = []
    for sender in (member for member in plan.new.members if member in received):
        if len(received[sender]) == plan.length:
            shares.append((plan.new.number(sender), received[sender]))
        else:
            yield Blame(sender, Fault.MALFORMED)
    try:
        masked, wrong = kernel.resharing_masked(
            share, len(plan.new.members), plan.new.threshold, shares
        )
    except (kernel.TooManyErrors, kernel.InvalidInput):
        # More than t2 new parties failed us: we are silent rather than wrong.
        return None
    for number in wrong:
        yield Blame(plan.new.members[number - 1], Fault.WRONG_SHARE)
    return masked


def _exchange_masked(
    plan: Plan, party: PartyId, masked: bytes | None
) -> Steps[dict[PartyId, bytes]]:
    """Round 2: masked key shares by old party, of the right length."""
    sums = {} if masked is None else dict.fromkeys(plan.new.members, masked)
    received = yield from _exchange(plan, party, sums)
    taken: dict[PartyId, bytes] = {}
    for sender in (member for member in plan.old.members if received.get(member)):
        if len(received[sender]) == plan.length:
            taken[sender] = received[sender]
        elif party in plan.new:
            yield Blame(sender, Fault.MALFORMED)
    return taken


def _exchange(
    plan: Plan, party: PartyId, payloads: Mapping[PartyId, bytes]
) -> Steps[dict[PartyId, bytes]]:
    """One round among all parties of the run, with what we sent ourselves.

    Everybody sends everybody something, if only nothing, so that all go from round to round together.
    """
    others = plan.everybody - {party}
    sends = {other: payloads.get(other, b"") for other in others}
    received = dict((yield Exchange(sends, others)))
    return {**received, party: payloads.get(party, b"")}


def _agree(
    plan: Plan, setting: Setting, received: Mapping[PartyId, bytes]
) -> Steps[tuple[tuple[bytes, ...], dict[int, bytes]]]:
    """Round 3: hash of each old party's vector (or ABSENT), and the vectors."""
    count = len(plan.old.members)
    found = {number: sha3_256(data) for number, data in received.items()}
    report = b"".join(found.get(PartyId(number), ABSENT) for number in range(1, count + 1))
    reports = yield from broadcast(
        setting, report, acceptable=lambda _, data: len(data) == count * DIGEST_BYTES
    )
    named = {party: _split(data) for party, data in reports.items() if data is not None}
    quorum = setting.parties - setting.threshold
    agreed = tuple(
        _most([given[slot] for given in named.values()], quorum) for slot in range(count)
    )
    vectors = {
        int(number): received[number]
        for number, digest in found.items()
        if agreed[number - 1] == digest
    }
    vectors.update((yield from _fetch(plan, setting, agreed, named, vectors)))
    if len(vectors) + plan.old.threshold < count:
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "more than t1 old parties are absent")
    return agreed, vectors


def _split(report: bytes) -> tuple[bytes, ...]:
    """Hashes of a report."""
    return tuple(report[i : i + DIGEST_BYTES] for i in range(0, len(report), DIGEST_BYTES))


def _most(digests: list[bytes], quorum: int) -> bytes:
    """The hash that a quorum names, or ABSENT."""
    digest, times = max(Counter(digests).items(), key=lambda item: (item[1], item[0]))
    return digest if times >= quorum else ABSENT


def _fetch(
    plan: Plan,
    setting: Setting,
    agreed: tuple[bytes, ...],
    named: Mapping[PartyId, tuple[bytes, ...]],
    vectors: Mapping[int, bytes],
) -> Steps[dict[int, bytes]]:
    """Vectors that we lack, from those who broadcast that they have them."""
    slots = [slot for slot, digest in enumerate(agreed) if digest != ABSENT]
    lacking = {
        party: [slot for slot in slots if given[slot] != agreed[slot]]
        for party, given in named.items()
    }
    if not any(lacking.values()):
        return {}
    givers = {
        slot: [party for party, given in sorted(named.items()) if given[slot] == agreed[slot]][
            : setting.threshold + 1
        ]
        for slot in slots
    }
    sends = {
        party: b"".join(vectors[slot + 1] for slot in wanted if setting.party in givers[slot])
        for party, wanted in lacking.items()
        if party != setting.party
    }
    own = lacking.get(setting.party, [])
    awaited = frozenset(party for slot in own for party in givers[slot])
    received = yield Exchange({p: data for p, data in sends.items() if data}, awaited)
    fetched: dict[int, bytes] = {}
    for giver, payload in received.items():
        mine = [slot for slot in own if giver in givers[slot]]
        parts = [payload[i : i + plan.length] for i in range(0, len(payload), plan.length)]
        for slot, part in zip(mine, parts, strict=False):
            if slot + 1 not in fetched and sha3_256(part) == agreed[slot]:
                fetched[slot + 1] = part
    if len(fetched) < len(own):
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, "nobody has what was agreed on")
    return fetched


def _recover(
    plan: Plan,
    party: PartyId,
    prss: kernel.PrssKeys,
    digests: tuple[bytes, ...],
    vectors: Mapping[int, bytes],
) -> Steps[Reshared]:
    """Rounds 4 and 5."""
    setting = plan.new.setting(party)
    resharing = kernel.Resharing(
        prss,
        plan.name,
        plan.parameters,
        len(plan.old.members),
        plan.old.threshold,
        sorted(vectors.items()),
    )
    own_coin = prss.session(run_name(COIN, 0, plan.name)).next(128, 0, 1)
    coin = yield from within(plan.new, open_robustly(setting, 128, own_coin))
    own_wide, own_narrow = resharing.syndromes(coin)
    wide = yield from within(plan.new, open_robustly(setting, 128, own_wide))
    narrow = yield from within(plan.new, open_robustly(setting, 64, own_narrow))
    try:
        share, wrong = resharing.finish(wide, narrow)
    except kernel.TooManyErrors as error:
        raise ProtocolAbort(
            AbortReason.TOO_MANY_ERRORS, "more than t1 old parties are absent or wrong"
        ) from error
    wrong_parties = tuple(plan.old.members[number - 1] for number in wrong)
    absent = tuple(
        member for member, digest in zip(plan.old.members, digests, strict=True) if digest == ABSENT
    )
    for liar in wrong_parties:
        yield Blame(liar, Fault.WRONG_SHARE)
    public = (*digests, coin, wide, narrow, bytes(wrong))
    return Reshared(share, _transcript(plan, public), absent, wrong_parties)


def _transcript(plan: Plan, public: tuple[bytes, ...]) -> bytes:
    """Digest of the plan and of everything that became public."""
    sets = bytes(
        (
            len(plan.old.members),
            plan.old.threshold,
            len(plan.new.members),
            plan.new.threshold,
        )
    )
    return sha3_256(
        run_name(TRANSCRIPT, 0, plan.name, plan.parameters.encode("ascii"), sets, *public)
    )
