"""The kinds of changes that the Config contract decides and applies by itself.

Others need what lies above it: `asc.changes` has epochs and the states of keys, `isc.changes` applications.
"""

from __future__ import annotations

from typing import Final

from ledger.config import consensus, limits, roles, upgrade, validators
from ledger.config.kinds import ChangeKind
from wire.pb.tkms.config.v1.config_pb2 import ROLE_ADMIN

CHANGES: Final = (
    ChangeKind("prices", ROLE_ADMIN, limits.check_price_change, limits.apply_prices),
    ChangeKind("parameters", ROLE_ADMIN, limits.check_parameter_change, limits.apply_parameters),
    ChangeKind("role", ROLE_ADMIN, roles.check_grant, roles.apply_grant),
    ChangeKind("quorum", ROLE_ADMIN, roles.check_quorum, roles.apply_quorum),
    ChangeKind("validators", ROLE_ADMIN, validators.check_change, validators.apply_change),
    ChangeKind("consensus", ROLE_ADMIN, consensus.check_change, consensus.apply_change),
    ChangeKind("upgrade", ROLE_ADMIN, upgrade.check_change, upgrade.apply_change),
)
