"""The visible table of proof kinds: an application names one, and it decides what is allowed.

A kind answers two questions about one handle: may this requester have it decrypted for
everybody, and may it be re-encrypted to this user?
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from isc.kinds import acl
from ledger.state import State
from wire.ids import Address, HandleId
from wire.pb.tkms.isc.v1 import isc_pb2

Allows = Callable[[State, str, HandleId, Address], bool]


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind decides; arguments are state, application id, handle and account."""

    allows_public: Allows
    allows_user: Allows


KINDS: Final[Mapping[int, Kind]] = {
    isc_pb2.KIND_ACL: Kind(allows_public=acl.allows_public, allows_user=acl.allows_user),
}
