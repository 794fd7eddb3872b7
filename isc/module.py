"""The table by which the node knows isc."""

from __future__ import annotations

from typing import Final

from isc import queries, registry
from isc.kinds import acl
from ledger.module import Module

MODULE: Final = Module(
    name="isc",
    handlers={
        "register_application": registry.register_application,
        "set_delegate": registry.set_delegate,
        "register_ciphertexts": registry.register_ciphertexts,
        "grant_access": acl.grant_access,
        "revoke_access": acl.revoke_access,
        "set_public": acl.set_public,
    },
    genesis=registry.load_genesis,
    queries={
        "/isc/application": queries.application,
        "/isc/handle": queries.handle,
    },
)
