"""Keys of pseudorandom sharing by coin tossing: AgreeRandom with abort of eprint 2025/699.

Cheaper than `prss_setup.py` (three rounds, no sharing), but one party can end it without keys. For places
where a failed start is repeated by people: tests, developers' networks. All sets run in parallel.

1. Each member of a set commits to a contribution: a hash that binds the run, the set and the party, so that
   a commitment copied from another party cannot be opened.
2. All open. The key is a hash of the sum of the contributions: uniform as long as one member is honest,
   because contributions were fixed before any was seen.
3. All confirm the key by a hash, because an opening goes to each member separately and may differ. Who
   sees another confirmation ends without keys. An honest member with another key is always noticed.

Who gives up says so by empty messages, so that the others end as well.
"""

import tkms_kernel as kernel

from mpc.exchange import Exchange, Payloads, ProtocolAbort, Setting, Steps, others
from mpc.prss_check import own_sets
from mpc.session import AbortReason, Blame, Fault
from wire.digests import shake256
from wire.ids import PartyId

ROUNDS = 3

CONTRIBUTION_BYTES = 32
OPENING_BYTES = 64
"""Contribution and blinding."""
COMMITMENT_BYTES = 32
KEY_BYTES = 16
CONFIRMATION_BYTES = 16

_CONTRIBUTION = b"tkms/agree/contribution/v1"
_COMMITMENT = b"tkms/agree/commitment/v1"
_KEY = b"tkms/agree/key/v1"
_CONFIRMATION = b"tkms/agree/confirmation/v1"

Members = tuple[PartyId, ...]


class _Run:
    """One party's part: the run's name, bound into every hash, and the sets it shares with others."""

    def __init__(self, setting: Setting, name: bytes, seed: bytes) -> None:
        """Draw our openings from the seed."""
        self.setting = setting
        self.name = name
        self.left = ROUNDS
        self.sets = own_sets(setting)
        self.openings = {
            members: shake256(self._bound(_CONTRIBUTION, members, seed), OPENING_BYTES)
            for members in self.sets
        }

    def _bound(self, domain: bytes, members: Members, data: bytes) -> bytes:
        """Injective encoding of the run, the set and data of a fixed length a domain."""
        head = bytes([self.setting.parties, self.setting.threshold, *members])
        return domain + len(self.name).to_bytes(8, "big") + self.name + head + data

    def shared_with(self, party: PartyId) -> list[Members]:
        """Our sets that a party belongs to."""
        return [members for members in self.sets if party in members]

    def commitment(self, members: Members, party: PartyId, opening: bytes) -> bytes:
        """A party's commitment to its opening for a set."""
        return shake256(
            self._bound(_COMMITMENT, members, bytes([party]) + opening), COMMITMENT_BYTES
        )

    def key(self, members: Members, contributions: bytes) -> bytes:
        """Key of a set."""
        return shake256(self._bound(_KEY, members, contributions), KEY_BYTES)

    def confirmation(self, members: Members, party: PartyId, key: bytes) -> bytes:
        """A party's confirmation of a key."""
        return shake256(
            self._bound(_CONFIRMATION, members, bytes([party]) + key), CONFIRMATION_BYTES
        )

    def swap(
        self, parts: dict[PartyId, list[bytes]], size: int
    ) -> Steps[dict[PartyId, list[bytes]]]:
        """Send each party a list and take as long a one from each; anything else ends the run."""
        sends = {party: b"".join(part) for party, part in parts.items()}
        self.left -= 1
        arrived: Payloads = yield Exchange(sends, others(self.setting))
        for party, payload in sends.items():
            got = arrived.get(party, b"")
            if len(got) != len(payload):
                if got:
                    yield Blame(party, Fault.MALFORMED)
                yield from self.give_up(f"nothing usable from party {party}")
        return {
            party: [data[start : start + size] for start in range(0, len(data), size)]
            for party, data in arrived.items()
        }

    def give_up(self, detail: str) -> Steps[None]:
        """End without keys, and let the others end too instead of waiting for us."""
        for _ in range(self.left):
            yield Exchange(dict.fromkeys(others(self.setting), b""))
        raise ProtocolAbort(AbortReason.TOO_MANY_ERRORS, detail)


def agree_on_keys(setting: Setting, name: bytes, seed: bytes) -> Steps[kernel.PrssKeys]:
    """Our keys, the same at all honest members of a set; synchronous, ends without keys at any fault.

    `name` is that of the run. The 32-byte seed is secret and used for one run only.
    """
    run = _Run(setting, name, seed)
    peers = sorted(others(setting))
    mine = {
        members: run.commitment(members, setting.party, opening)
        for members, opening in run.openings.items()
    }
    commitments = yield from run.swap(
        {party: [mine[members] for members in run.shared_with(party)] for party in peers},
        COMMITMENT_BYTES,
    )
    openings = yield from run.swap(
        {party: [run.openings[members] for members in run.shared_with(party)] for party in peers},
        OPENING_BYTES,
    )
    sums = yield from _added(run, commitments, openings)
    keys = {
        members: run.key(members, total.to_bytes(CONTRIBUTION_BYTES, "big"))
        for members, total in sums.items()
    }
    confirmations = yield from run.swap(
        {
            party: [run.confirmation(m, setting.party, keys[m]) for m in run.shared_with(party)]
            for party in peers
        },
        CONFIRMATION_BYTES,
    )
    for party in peers:
        expected = [run.confirmation(m, party, keys[m]) for m in run.shared_with(party)]
        if confirmations[party] != expected:
            yield from run.give_up(f"party {party} has another key")
    return kernel.PrssKeys.from_keys(
        setting.parties, setting.threshold, setting.party, list(keys.values())
    )


def _added(
    run: _Run, commitments: dict[PartyId, list[bytes]], openings: dict[PartyId, list[bytes]]
) -> Steps[dict[Members, int]]:
    """Sum of the contributions to each set, if all fit their commitments."""
    sums = {m: int.from_bytes(o[:CONTRIBUTION_BYTES], "big") for m, o in run.openings.items()}
    for party in sorted(openings):
        for place, members in enumerate(run.shared_with(party)):
            opening = openings[party][place]
            if run.commitment(members, party, opening) != commitments[party][place]:
                yield Blame(party, Fault.EQUIVOCATION)
                yield from run.give_up(f"party {party} opens another value")
            sums[members] ^= int.from_bytes(opening[:CONTRIBUTION_BYTES], "big")
    return sums
