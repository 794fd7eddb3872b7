"""Errors of the light client.

LightError
├── Malformed       the bytes are not what a node serves
└── Unverified      well formed, but not proved
    └── NotEnoughTrust   too few known signers; a header in between may help
"""

from __future__ import annotations


class LightError(ValueError):
    """A header or proof that must not be believed."""


class Malformed(LightError):  # noqa: N818 - named by what the input is
    """The bytes are not what a node serves."""


class Unverified(LightError):  # noqa: N818 - named by what the input is
    """The header or proof does not hold."""


class NotEnoughTrust(Unverified):
    """A skipping step to a header that too few of the known validators signed.

    The header may be right all the same: fetch one between the two heights and try again.
    """
