"""The visible table of proof kinds: an application names one, and it decides what is allowed.

A kind answers two questions about one handle: may this requester have it decrypted for
everybody, and may it be re-encrypted to this user? The answer says why, for the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from isc.kinds import acl
from ledger.state import State
from wire.ids import Address, HandleId
from wire.pb.tkms.isc.v1 import isc_pb2

# Why the claim is allowed, or None where it is not.
Allows = Callable[[State, str, HandleId, Address], isc_pb2.Allowance | None]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind decides; arguments are state, application id, handle and account."""

    public_allowance: Allows
    user_allowance: Allows


KINDS: Final[Mapping[int, Kind]] = {
    isc_pb2.KIND_ACL: Kind(
        public_allowance=acl.public_allowance, user_allowance=acl.user_allowance
    ),
}
