"""Light client: believe nothing but headers and proofs."""

from light.errors import LightError, Malformed, NotEnoughTrust, Unverified
from light.headers import LightBlock, Policy, TrustedHeader, verify_genesis, verify_next
from light.proofs import verify_absent, verify_value

__all__ = [
    "LightBlock",
    "LightError",
    "Malformed",
    "NotEnoughTrust",
    "Policy",
    "TrustedHeader",
    "Unverified",
    "verify_absent",
    "verify_genesis",
    "verify_next",
    "verify_value",
]
