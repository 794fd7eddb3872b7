"""Light client: believe nothing but headers and proofs."""

from light.attack import Attack, AttackKind, Validator, accuse
from light.errors import LightError, Malformed, NotEnoughTrust, Unverified
from light.headers import (
    LightBlock,
    PinnedHeader,
    PinnedValidators,
    Policy,
    TrustedHeader,
    TrustRoot,
    VerifiedBlock,
    last_block_hash,
    verify_genesis,
    verify_next,
    verify_own,
    verify_previous,
    verify_root,
)
from light.proofs import verify_absent, verify_value
from light.walks import Divergence, Supplied, Walk, back, compare, skip

__all__ = [
    "Attack",
    "AttackKind",
    "Divergence",
    "LightBlock",
    "LightError",
    "Malformed",
    "NotEnoughTrust",
    "PinnedHeader",
    "PinnedValidators",
    "Policy",
    "Supplied",
    "TrustRoot",
    "TrustedHeader",
    "Unverified",
    "Validator",
    "VerifiedBlock",
    "Walk",
    "accuse",
    "back",
    "compare",
    "last_block_hash",
    "skip",
    "verify_absent",
    "verify_genesis",
    "verify_next",
    "verify_own",
    "verify_previous",
    "verify_root",
    "verify_value",
]
