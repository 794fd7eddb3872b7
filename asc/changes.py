"""Changes of the configuration that concern shares: who holds them, and what may be done with them."""

from __future__ import annotations

from typing import Final

from asc import epochs, key_states
from ledger.config.kinds import ChangeKind
from wire.pb.tkms.config.v1.config_pb2 import ROLE_ADMIN

CHANGES: Final = (
    ChangeKind("epoch", ROLE_ADMIN, epochs.check_change, epochs.apply_change),
    ChangeKind("key", ROLE_ADMIN, key_states.check_change, key_states.apply_change),
)
