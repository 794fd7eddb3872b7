"""The version of the chain's rules: raised by a change, followed by the nodes that know the next one."""

from __future__ import annotations

from ledger.config import updates
from ledger.context import Context
from ledger.migrations import MIGRATIONS, upgrade, version
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection


def check_change(state: State, change: config_pb2.Upgrade) -> None:
    """Versions follow each other: each has one migration. Whether this node knows it is asked at its height."""
    following = version(state) + 1
    if change.app_version != following:
        raise Rejection(Reason.UPGRADE_INVALID, f"the next version is {following}")


def apply_change(state: State, change: config_pb2.Upgrade, context: Context) -> None:
    """Migrate the state and tell the engine; VersionError when this program does not know the version."""
    known = MIGRATIONS if context.migrations is None else context.migrations
    upgrade(state, change.app_version, known, context.height)
    updates.add_version(state, context.height, change.app_version)
