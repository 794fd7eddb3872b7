"""Changes of roles: who holds one, and how many holders decide.

There is always an administrator, and a quorum is never above the number of its holders: what the roles
decide can always be decided.
"""

from __future__ import annotations

from typing import Final

from ledger.config import keys
from ledger.config import state as config
from ledger.config.validation import check_role, check_role_change
from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection

# Counting approvals reads all holders.
_MAX_HOLDERS: Final = 256


def check_grant(state: State, change: config_pb2.RoleChange) -> None:
    """Rules of giving and taking a role."""
    check_role_change(change)
    record = config.role(state, change.role)
    holders, quorum = list(record.accounts), record.quorum
    if change.granted:
        keys.check_holder(state, change.role, change.account)
        if len(holders) >= _MAX_HOLDERS and change.account not in holders:
            raise Rejection(Reason.CHANGE_INVALID, f"a role has at most {_MAX_HOLDERS} holders")
        return
    left = len(holders) - (change.account in holders)
    if change.role == config_pb2.ROLE_ADMIN and left == 0:
        raise Rejection(Reason.LAST_ADMIN)
    # Any other role may become empty: an administrator can give it again.
    if left < quorum and (left, quorum) != (0, 1):
        raise Rejection(Reason.QUORUM_INVALID, f"{left} holders would be left for {quorum}")


def apply_grant(state: State, change: config_pb2.RoleChange, _context: Context) -> None:
    """Give or take the role."""
    config.set_role(state, change.role, change.account, granted=change.granted)


def check_quorum(state: State, change: config_pb2.RoleQuorum) -> None:
    """A quorum is from 1 to the number of holders."""
    check_role(change.role)
    holders = len(config.role_holders(state, change.role))
    if not 1 <= change.quorum <= holders:
        raise Rejection(Reason.QUORUM_INVALID, f"the role has {holders} holders")


def apply_quorum(state: State, change: config_pb2.RoleQuorum, _context: Context) -> None:
    """Ask so many approvals from now on, also for proposals that are open or scheduled."""
    config.set_quorum(state, change.role, change.quorum)


def count(state: State, role: int, approvers: list[bytes]) -> int:
    """How many of these accounts hold the role now."""
    holders = config.role_holders(state, role)
    return sum(account in holders for account in approvers)
