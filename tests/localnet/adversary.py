"""Steal the disks of some operators of a local network and try to decrypt with what is on them.

    python -m tests.localnet.adversary --home DIR --handle 0x... --disks 1
    python -m tests.localnet.adversary --home DIR --handle 0x... --operators 2 3

Every choice of so many operators (or the named ones) is tried. From each stolen disk the whole vault
is opened with the key file that lies beside it: key shares, mask keys, and what a dealer kept of other
parties. The chain and the storage are read as anybody can. Two outcomes for each choice:

recovered   t + 1 shares are there. The secret key is put together word by word (each must turn out to
            be a bit), and the ciphertext is opened with the shares.
cannot      at most t shares are there. For every candidate plaintext the script makes the shares that
            are missing so that all together open to exactly that candidate: whatever the value is, the
            stolen shares look the same. Likewise for the bits of the key.

One JSON line on stdout; exit code 0 when no choice recovers the value, 3 when one does.
"""

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import tkms_kernel as kernel

from cli.localnet import plan as localnet_plan
from cli.localnet.plan import APPLICATION, Plan
from cli.values.handles import registered
from client.chain import Chain
from client.rpc import ChainRpc
from core import dealer, settings, vault
from tests.support.reconstruct import RING_BITS, blocks_of, combine
from wire.fhe import FheType
from wire.ids import RequestId
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.peer.v1 import peer_pb2
from wire.pb.tkms.state.v1 import state_pb2

RECOVERED: Final = 3
ELEMENT_BYTES: Final = 64
# "tkms-key-share", version, parameter set, n, t, party; see `KeyShare.to_bytes`.
_HEADER_BYTES: Final = 20
_DELTA_LOG: Final = 123
_BLOCK_BITS: Final = 4
_BLOCKS_AN_ELEMENT: Final = 4
_SMALL_TYPE_BITS: Final = 8
# Bits of the key for which both values are shown to be possible.
_SHOWN_WORDS: Final = 32
_PAGE: Final = 100


@dataclass(frozen=True)
class Share:
    """One party's secrets of a key, as they lie in a vault."""

    party: int
    key_share: bytes = field(repr=False)
    mask_keys: bytes = field(repr=False)

    def partial(self, target: "Target") -> bytes:
        """This party's masked share of the ciphertext; the mask is the adversary's to choose."""
        share = kernel.KeyShare.from_bytes(self.key_share)
        masks = kernel.PrssKeys.from_bytes(self.mask_keys)
        named = target.ciphertext
        return share.partial_decrypt(target.data, named.fhe_type, named.format, masks, b"stolen")

    def words(self) -> bytes:
        """Shares of the words of the key that opens squashed ciphertexts, 64 bytes each."""
        parameters = kernel.KeyShare.from_bytes(self.key_share).parameters
        size = kernel.parameter_info(parameters)["squashed_dimension"] * ELEMENT_BYTES
        return self.key_share[_HEADER_BYTES : _HEADER_BYTES + size]


@dataclass(frozen=True)
class Target:
    """A registered ciphertext, its bytes, and how its key is shared."""

    ciphertext: isc_pb2.Ciphertext
    data: bytes
    parties: int
    threshold: int
    # Answers to requests for it that the chain shows: sealed for users, or published values.
    sealed_answers: int
    published: bool

    @property
    def fhe_type(self) -> int:
        """Type of the value."""
        return self.ciphertext.fhe_type


@dataclass(frozen=True)
class Finding:
    """What one choice of disks gives."""

    operators: tuple[int, ...]
    # Parties whose key share is on these disks; more than operators where a dealer kept others'.
    shares: tuple[int, ...]
    value: int | None = None
    key_bits: int = 0
    candidates: int = 0
    consistent: int = 0

    @property
    def verdict(self) -> str:
        """Whether the value was found."""
        return "cannot" if self.value is None else "recovered"

    def document(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "operators": list(self.operators),
            "key_shares_of": list(self.shares),
            "verdict": self.verdict,
            "value": self.value,
            "key_bits_recovered": self.key_bits,
            "candidates": self.candidates,
            "candidates_consistent": self.consistent,
        }


async def find_target(plan: Plan, handle: bytes) -> Target:
    """Read what chain and storage say to everybody."""
    trusted = bytes.fromhex(plan.validators_hash)
    async with ChainRpc(plan.operators[0].rpc_url) as rpc:
        chain = await Chain.connect(rpc, validators_hash=trusted, chain_id=plan.chain_id)
        ciphertext = (await registered(chain, APPLICATION, [handle]))[0]
        epoch = (await chain.config()).epoch
        results = await results_for(chain, handle)
    (path,) = (plan.home / "storage" / "blobs").rglob(ciphertext.digest.hex())
    return Target(
        ciphertext,
        path.read_bytes(),
        len(epoch.parties),
        epoch.threshold,
        results.count("user_decryption"),
        "public_decryption" in results,
    )


async def results_for(chain: Chain, handle: bytes) -> list[str | None]:
    """Kinds of the results that the chain shows of requests for a handle."""
    # Newest first; 0 stands for the newest and for the end.
    sequence, found = 0, list[str | None]()
    while True:
        page = sequence.to_bytes(8, "big") + _PAGE.to_bytes(4, "big")
        listed = state_pb2.RequestList.FromString(await chain.query("/asc/list", page))
        for item in listed.requests:
            if handle in {named.handle for named in item.entry.ciphertexts}:
                view = await chain.request(RequestId(item.entry.request_id))
                found += [answer.fulfil.WhichOneof("result") for answer in view.answers]
        sequence = listed.next_sequence
        if not sequence:
            return found


def stolen_shares(plan: Plan, operators: Iterable[int], key_id: bytes) -> dict[int, Share]:
    """Every share of a key on the disks of some operators, by party."""
    found: dict[int, Share] = {}
    for operator in operators:
        loaded = settings.load(plan.home / f"node{operator}" / "core")
        opened = vault.from_settings(loaded)
        for name in opened.names(f"keys/{key_id.hex()}"):
            _, _, sealed = opened.get(name).partition(b"\n")
            found[operator] = _share(operator, peer_pb2.Deal.FromString(sealed))
        if opened.has(f"deals/{key_id.hex()}"):
            kept = dealer._decode(opened.get(f"deals/{key_id.hex()}"))
            for party, envelope in kept.items():
                found.setdefault(int(party), _share(int(party), envelope.deal))
    return found


def attack(target: Target, operators: tuple[int, ...], shares: Mapping[int, Share]) -> Finding:
    """Put the shares together, or show that they say nothing."""
    partials = {party: share.partial(target) for party, share in shares.items()}
    parties = tuple(sorted(shares))
    if len(parties) > target.threshold:
        some = parties[: target.threshold + 1]
        value, _ = combine(
            target.parties,
            target.threshold,
            target.fhe_type,
            {party: partials[party] for party in some},
            0,
        )
        bits = recovered_bits({party: shares[party].words() for party in some})
        return Finding(operators, parties, value, bits)
    candidates = possible_values(target.fhe_type)
    consistent = sum(explains(target, partials, value) for value in candidates)
    require_open_key(target, {party: share.words() for party, share in shares.items()})
    return Finding(operators, parties, None, 0, len(candidates), consistent)


def recovered_bits(words: Mapping[int, bytes]) -> int:
    """Number of words of the reconstructed key; each must be a bit or the shares are not of a key."""
    opened = interpolated(words)
    elements = [opened[i : i + ELEMENT_BYTES] for i in range(0, len(opened), ELEMENT_BYTES)]
    if any(int.from_bytes(element, "little") not in {0, 1} for element in elements):
        raise ValueError("the reconstructed key has words that are no bits")
    return len(elements)


def interpolated(shares: Mapping[int, bytes]) -> bytes:
    """Secrets of a vector whose shares are all that is needed."""
    parties = sorted(shares)
    total = bytes(len(shares[parties[0]]))
    for party, factor in zip(parties, coefficients(parties), strict=True):
        total = kernel.ring_add(RING_BITS, total, scaled(factor, shares[party]))
    return total


def coefficients(parties: Sequence[int]) -> list[bytes]:
    """Lagrange coefficient at zero of each party, one element each."""
    joined = kernel.lagrange_at_zero(RING_BITS, list(parties))
    return [joined[i : i + ELEMENT_BYTES] for i in range(0, len(joined), ELEMENT_BYTES)]


def scaled(factor: bytes, vector: bytes) -> bytes:
    """One element times each of a vector."""
    return kernel.ring_mul(RING_BITS, factor * (len(vector) // ELEMENT_BYTES), vector)


def completed(shares: Mapping[int, bytes], parties: int, threshold: int, secret: bytes) -> Any:
    """These shares with missing ones of others that make them open to `secret`: t + 1 in all."""
    others = [party for party in range(1, parties + 1) if party not in shares]
    needed = others[: threshold + 1 - len(shares)]
    made = dict(shares) | {party: bytes(len(secret)) for party in needed}
    order = sorted(made)
    last = needed[-1]
    factor = dict(zip(order, coefficients(order), strict=True))[last]
    rest = kernel.ring_sub(RING_BITS, secret, interpolated(made))
    made[last] = scaled(kernel.ring_inverse(RING_BITS, factor), rest)
    return made


def explains(target: Target, partials: Mapping[int, bytes], value: int) -> bool:
    """Whether missing shares exist with which the stolen ones open to `value`."""
    blocks = [
        value >> _BLOCK_BITS * index & (1 << _BLOCK_BITS) - 1
        for index in range(blocks_of(target.fhe_type))
    ]
    blocks += [0] * (-len(blocks) % _BLOCKS_AN_ELEMENT)
    secret = b"".join((block << _DELTA_LOG).to_bytes(16, "little") for block in blocks)
    made = completed(partials, target.parties, target.threshold, secret)
    found = combine(target.parties, target.threshold, target.fhe_type, made, 0)
    return found == (value, [])


def require_open_key(target: Target, words: Mapping[int, bytes]) -> None:
    """Show that both values of bits of the key are possible with the stolen shares.

    Raises
    ------
    ValueError
        A value is excluded: the shares leak.
    """
    size = _SHOWN_WORDS * ELEMENT_BYTES
    some = {party: vector[:size] for party, vector in words.items()}
    for bit in (0, 1):
        secret = bit.to_bytes(ELEMENT_BYTES, "little") * _SHOWN_WORDS
        made = completed(some, target.parties, target.threshold, secret)
        if any(made[party] != vector for party, vector in some.items()):
            raise ValueError("a stolen share was changed")
        if interpolated(made) != secret:
            raise ValueError(f"no key with these bits {bit} fits the stolen shares")


def possible_values(fhe_type: int) -> list[int]:
    """All values of a small type; of a large one both ends and each power of two."""
    bits = FheType(fhe_type).bits
    if bits <= _SMALL_TYPE_BITS:
        return list(range(1 << bits))
    return sorted({0, (1 << bits) - 1, *(1 << exponent for exponent in range(bits))})


def run(home: Path, handle: bytes, choices: Sequence[tuple[int, ...]]) -> tuple[Target, list[Any]]:
    """Attack with each choice of operators."""
    plan = localnet_plan.load(home)
    target = asyncio.run(find_target(plan, handle))
    key_id = target.ciphertext.key_id
    findings = [
        attack(target, operators, stolen_shares(plan, operators, key_id)) for operators in choices
    ]
    return target, findings


def _share(party: int, deal: peer_pb2.Deal) -> Share:
    return Share(party, deal.key_share, deal.mask_keys)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, attack, say what came out."""
    parser = argparse.ArgumentParser(prog="adversary", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--home", type=Path, required=True, help="folder of the local network")
    parser.add_argument("--handle", required=True, help="registered handle, 0x and 64 digits")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--disks", type=int, help="how many disks; every choice is tried")
    which.add_argument("--operators", type=int, nargs="+", help="exactly these operators' disks")
    given = parser.parse_args(arguments)
    count = len(localnet_plan.load(given.home).operators)
    choices = (
        [tuple(given.operators)]
        if given.operators
        else list(itertools.combinations(range(1, count + 1), given.disks))
    )
    handle = bytes.fromhex(given.handle.removeprefix("0x"))
    target, findings = run(given.home, handle, choices)
    broken = any(finding.value is not None for finding in findings)
    document = {
        "handle": "0x" + handle.hex(),
        "type": FheType(target.fhe_type).label,
        "parties": target.parties,
        "threshold": target.threshold,
        "published": target.published,
        "sealed_answers": target.sealed_answers,
        "verdict": "recovered" if broken else "cannot",
        "choices": [finding.document() for finding in findings],
    }
    sys.stdout.write(json.dumps(document) + "\n")
    return RECOVERED if broken else 0


if __name__ == "__main__":
    sys.exit(main())
