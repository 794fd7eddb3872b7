"""The table by which the node knows the Config contract."""

from __future__ import annotations

from typing import Final

from ledger.config import state as config
from ledger.config import validation
from ledger.config.schedule import activate_due, schedule_change
from ledger.errors import LedgerError
from ledger.module import Module
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection


def load_genesis(state: State, genesis: state_pb2.Genesis) -> None:
    """Write the first configuration; LedgerError when it is not valid."""
    try:
        validation.check_epoch(genesis.epoch)
        validation.check_prices(genesis.prices)
        validation.check_parameters(genesis.parameters)
        for role in genesis.roles:
            validation.check_role_change(role)
    except Rejection as rejection:
        raise LedgerError(f"the genesis configuration is not valid: {rejection}") from rejection
    config.set_current_epoch(state, genesis.epoch)
    config.set_prices(state, genesis.prices)
    config.set_parameters(state, genesis.parameters)
    for role in genesis.roles:
        config.set_role(state, role.role, role.account, granted=role.granted)
    if not config.role_holders(state, config_pb2.ROLE_ADMIN):
        raise LedgerError("the genesis names no administrator")


def config_view(state: State, data: bytes) -> bytes:
    """Answer `/config`: no data to ConfigView."""
    if data:
        raise Rejection(Reason.UNKNOWN_QUERY, "the query takes no data")
    return state_pb2.ConfigView(
        epoch=config.current_epoch(state),
        prices=config.prices(state),
        parameters=config.parameters(state),
    ).SerializeToString(deterministic=True)


MODULE: Final = Module(
    name="config",
    handlers={"schedule_change": schedule_change},
    begin_block=activate_due,
    genesis=load_genesis,
    queries={"/config": config_view},
)
