"""Keys of pseudorandom secret sharing, agreed on whatever t parties do: PRSS.Init of eprint 2025/699.

For every set of n - t parties a key that exactly its members know, uniform and unknown to the others.

1. Every party shares ceil(C(n, t) / (n - t)) random elements of GR(2^64, 4) verifiably: 256 bits each.
2. From each batch of the dealers' sharings n - t sharings are extracted (Vandermonde matrix): with n - t
   honest dealers they are uniform and unknown. Disqualified dealers count as zeros.
3. The sharing of a set is opened to each of its members with error correction. The set's key is a hash
   of the value.

An honest party never lacks a key, and no honest party is named corrupt. A party that was silent in step 1
(crashed) is still sent its openings, so that its keys are there when it comes back.
"""

import math
from dataclasses import dataclass

import tkms_kernel as kernel

from mpc.exchange import Setting, Steps
from mpc.opening import element_bytes, open_privately
from mpc.prss_check import all_sets, own_sets
from mpc.verifiable_sharing import share_verifiably
from wire.digests import shake256
from wire.ids import PartyId

BITS = 64
"""Word size of the ring: an element has twice the bits of a key."""

KEY_BYTES = 16
SEED_BYTES = 32

_SECRETS = b"tkms/prss/setup/secrets/v1"
_POLYNOMIALS = b"tkms/prss/setup/polynomials/v1"
_KEY = b"tkms/prss/setup/key/v1"


@dataclass(frozen=True, slots=True)
class PrssSetup:
    """Our keys, and who is agreed to be corrupt."""

    keys: kernel.PrssKeys
    corrupt: frozenset[PartyId]


def key_of(setting: Setting, members: tuple[PartyId, ...], element: bytes) -> bytes:
    """Key of a set from the opened element."""
    return shake256(
        _KEY + bytes([setting.parties, setting.threshold, *members]) + element, KEY_BYTES
    )


def secrets_per_party(setting: Setting) -> int:
    """Elements that each party deals."""
    honest = setting.parties - setting.threshold
    return -(-math.comb(setting.parties, setting.threshold) // honest)


def set_up_prss(setting: Setting, seed: bytes) -> Steps[PrssSetup]:
    """Our keys; synchronous. The 32-byte seed is secret and used for one run only."""
    count = secrets_per_party(setting)
    size = element_bytes(BITS)
    secrets = shake256(_SECRETS + seed, count * size)
    dealt = yield from share_verifiably(setting, BITS, secrets, shake256(_POLYNOMIALS + seed))
    honest = setting.parties - setting.threshold
    vectors = [(int(dealer), share) for dealer, share in sorted(dealt.shares.items())]
    extracted = kernel.extract_random(BITS, vectors, honest)
    shares: dict[PartyId, list[bytes]] = {}
    for number, members in enumerate(all_sets(setting)):
        batch, row = divmod(number, honest)
        for party in members:
            part = extracted[row][batch * size : (batch + 1) * size]
            shares.setdefault(party, []).append(part)
    opened = yield from open_privately(
        setting, BITS, {party: b"".join(parts) for party, parts in shares.items()}
    )
    keys = [
        key_of(setting, members, opened[place * size : (place + 1) * size])
        for place, members in enumerate(own_sets(setting))
    ]
    prss = kernel.PrssKeys.from_keys(setting.parties, setting.threshold, setting.party, keys)
    return PrssSetup(prss, dealt.corrupt)
