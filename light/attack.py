"""What a divergence is by the rules of the engine, who is to blame, and the evidence a node accepts.

Rules: CometBFT specification, light client attacks, and ``LightClientAttackEvidence`` of the engine.

lunatic        a header that no execution of the chain gives: validators, parameters, state or results
               are invented. To blame: whoever signed it and was a validator at the common height.
equivocation   a possible header, signed in the same round as the real one. To blame: whoever signed both.
amnesia        a possible header of another round. Who is to blame cannot be told from the headers.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from light.headers import VerifiedBlock
from light.walks import Divergence

_COMMIT = 2
# Fields that follow from executing the chain: a header that differs in one was never possible.
_DETERMINED = (
    "validators_hash",
    "next_validators_hash",
    "consensus_hash",
    "app_hash",
    "last_results_hash",
)
_NUMBER = re.compile(r"-?[0-9]{1,19}")
_EVIDENCE_TYPE = "tendermint/LightClientAttackEvidence"

_Json = dict[str, Any]


class AttackKind(StrEnum):
    """How the conflicting header came to be signed."""

    LUNATIC = "lunatic"
    EQUIVOCATION = "equivocation"
    AMNESIA = "amnesia"


@dataclass(frozen=True, slots=True)
class Validator:
    """A validator that is proven to have signed what it must not."""

    address: bytes
    public_key: bytes
    """Ed25519, 32 bytes."""
    power: int


@dataclass(frozen=True, slots=True)
class Attack:
    """Accusation of a conflicting header, with the trusted one held to be right."""

    kind: AttackKind
    common_height: int
    """Last height without dispute; that of the dispute itself unless the attack is lunatic."""
    conflicting: VerifiedBlock
    trusted: VerifiedBlock
    byzantine: tuple[Validator, ...]
    total_power: int
    """Voting power of the whole validator set at ``common_height``."""
    evidence: bytes
    """JSON of the argument ``evidence`` of the RPC method ``broadcast_evidence``."""


def accuse(divergence: Divergence) -> Attack:
    """Accuse the conflicting header of a divergence; the trusted one is taken to be right.

    Which of the two really is right cannot be told from the headers: accuse in both directions, a node
    on the real chain accepts only the evidence against the other.
    """
    common, conflicting, trusted = divergence.common, divergence.conflicting, divergence.trusted
    kind = _kind(conflicting, trusted)
    if kind is not AttackKind.LUNATIC:
        # Nothing was invented, so the validators of the height itself are known to both sides.
        common = trusted
    validators = _validators(common)
    guilty = _byzantine(kind, conflicting, trusted, validators)
    total_power = sum(_power(validator) for validator in validators)
    return Attack(
        kind=kind,
        common_height=common.height,
        conflicting=conflicting,
        trusted=trusted,
        byzantine=tuple(_validator(entry) for entry in guilty),
        total_power=total_power,
        evidence=_evidence(conflicting, common, guilty, total_power),
    )


def _kind(conflicting: VerifiedBlock, trusted: VerifiedBlock) -> AttackKind:
    lie, truth = _signed(conflicting), _signed(trusted)
    # Also where the heights differ: a header above the end of the chain was invented as a whole, but
    # the engine judges by the fields alone.
    if any(_hash(lie, name) != _hash(truth, name) for name in _DETERMINED):
        return AttackKind.LUNATIC
    if lie["commit"]["round"] == truth["commit"]["round"]:
        return AttackKind.EQUIVOCATION
    return AttackKind.AMNESIA


def _byzantine(
    kind: AttackKind, conflicting: VerifiedBlock, trusted: VerifiedBlock, validators: list[_Json]
) -> list[_Json]:
    """Validators to blame, strongest first, as the engine orders them."""
    if kind is AttackKind.AMNESIA:
        return []
    guilty = _signers(conflicting)
    if kind is AttackKind.EQUIVOCATION:
        guilty &= _signers(trusted)
    return sorted(
        (entry for entry in validators if _address(entry) in guilty),
        key=lambda entry: (-_power(entry), _address(entry)),
    )


def _evidence(
    conflicting: VerifiedBlock, common: VerifiedBlock, guilty: list[_Json], total_power: int
) -> bytes:
    validators = _validators(conflicting)
    value = {
        "ConflictingBlock": {
            "signed_header": _signed(conflicting),
            "validator_set": {"validators": validators, "proposer": _proposer(validators)},
        },
        "CommonHeight": str(common.height),
        # An empty list is not the same to the engine.
        "ByzantineValidators": guilty or None,
        "TotalVotingPower": str(total_power),
        "Timestamp": _signed(common)["header"]["time"],
    }
    return json.dumps({"type": _EVIDENCE_TYPE, "value": value}, separators=(",", ":")).encode()


def _proposer(validators: list[_Json]) -> _Json:
    """The member whose turn it is; the engine's JSON of a set demands one, no rule looks at it."""
    return min(
        validators,
        key=lambda entry: (-_priority(entry), _address(entry)),
    )


# The kernel has read and verified these texts before; here they are only taken apart.


def _signed(verified: VerifiedBlock) -> _Json:
    document: _Json = json.loads(verified.block.signed_header)
    return document


def _validators(verified: VerifiedBlock) -> list[_Json]:
    entries: list[_Json] = json.loads(verified.block.validators)
    return entries


def _signers(verified: VerifiedBlock) -> set[bytes]:
    entries = _signed(verified)["commit"]["signatures"]
    return {
        bytes.fromhex(entry["validator_address"])
        for entry in entries
        if entry["block_id_flag"] == _COMMIT
    }


def _hash(signed: _Json, name: str) -> bytes:
    # Null and nothing are the same hash to the kernel.
    return bytes.fromhex(signed["header"][name] or "")


def _priority(entry: _Json) -> int:
    """Proposer priority; it is in no hash, so it may be anything, and then it is nothing."""
    text = str(entry.get("proposer_priority"))
    return int(text) if _NUMBER.fullmatch(text) else 0


def _address(entry: _Json) -> bytes:
    return bytes.fromhex(entry["address"])


def _power(entry: _Json) -> int:
    return int(entry["voting_power"])


def _validator(entry: _Json) -> Validator:
    return Validator(
        address=_address(entry),
        public_key=b64decode(entry["pub_key"]["value"]),
        power=_power(entry),
    )
