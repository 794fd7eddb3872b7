"""The table by which the node knows the Config contract."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ledger.config import keys, limits, proposals, queries, roles, validation
from ledger.config import state as config
from ledger.config.changes import CHANGES
from ledger.config.kinds import ChangeKind, table
from ledger.errors import LedgerError
from ledger.module import Module
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Rejection


def config_module(more_changes: Sequence[ChangeKind]) -> Module:
    """The module with its own kinds of changes and those that modules above it bring."""
    kinds = table([*CHANGES, *more_changes])
    return Module(
        name="config",
        handlers={
            "propose_change": partial(proposals.propose, kinds),
            "approve_change": partial(proposals.approve, kinds),
            "withdraw_change": partial(proposals.withdraw, kinds),
        },
        begin_block=partial(proposals.begin_block, kinds),
        genesis=load_genesis,
        queries=queries.table(kinds),
    )


def load_genesis(state: State, genesis: state_pb2.Genesis) -> None:
    """Write the first configuration; LedgerError when it is not valid."""
    try:
        _load(state, genesis)
    except Rejection as rejection:
        raise LedgerError(f"the genesis configuration is not valid: {rejection}") from rejection
    if not config.role_holders(state, config_pb2.ROLE_ADMIN):
        raise LedgerError("the genesis names no administrator")


def _load(state: State, genesis: state_pb2.Genesis) -> None:
    validation.check_epoch(genesis.epoch)
    validation.check_prices(genesis.prices)
    validation.check_parameters(genesis.parameters)
    config.set_current_epoch(state, genesis.epoch)
    config.set_prices(state, genesis.prices)
    config.set_parameters(state, genesis.parameters)
    config.set_genesis_allowed(state, limits.switches(genesis.parameters))
    for role in genesis.roles:
        roles.check_grant(state, role)
        config.set_role(state, role.role, role.account, granted=role.granted)
    for quorum in genesis.role_quorums:
        roles.check_quorum(state, quorum)
        config.set_quorum(state, quorum.role, quorum.quorum)
    keys.check_epoch(state, genesis.epoch)
