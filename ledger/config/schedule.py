"""Changing the configuration: decided by an administrator now, in force at a height in the future."""

from __future__ import annotations

from ledger.config import state as config
from ledger.config import validation
from ledger.context import Context
from ledger.state import State
from wire.events import event
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection


def schedule_change(state: State, message: config_pb2.ScheduleChange, context: Context) -> None:
    """File a valid change.

    Raises:
        Rejection: MISSING_ROLE, ACTIVATION_PAST, CHANGE_INVALID, EPOCH_INVALID, PRICES_INVALID,
            PARAMETERS_INVALID, LAST_ADMIN, BAD_ADDRESS.
    """
    if not config.has_role(state, config_pb2.ROLE_ADMIN, context.sender):
        raise Rejection(Reason.MISSING_ROLE, "ROLE_ADMIN")
    if message.activation_height <= context.height:
        raise Rejection(Reason.ACTIVATION_PAST, f"the height is {context.height}")
    # State keys hold heights in 64 bits; CometBFT's are signed.
    if message.activation_height >= 1 << 63:
        raise Rejection(Reason.CHANGE_INVALID, "activation height")
    check_change(state, message)
    config.add_scheduled(state, message)
    state.emit(
        event(
            "config_scheduled",
            change=str(message.WhichOneof("change")),
            activation_height=message.activation_height,
        )
    )


def check_change(state: State, message: config_pb2.ScheduleChange) -> None:
    """Check a change against the present state: when it is filed, and again when it takes effect."""
    match message.WhichOneof("change"):
        case "epoch":
            validation.check_epoch(message.epoch)
            current = config.current_epoch(state).id
            if message.epoch.id <= current:
                raise Rejection(Reason.EPOCH_INVALID, f"epoch {current} is not older")
        case "prices":
            validation.check_prices(message.prices)
        case "parameters":
            validation.check_parameters(message.parameters)
        case "role":
            validation.check_role_change(message.role)
            _check_admin_stays(state, message.role)
        case _:
            raise Rejection(Reason.CHANGE_INVALID, "no change is set")


def activate_due(state: State, context: Context) -> None:
    """Begin of a block: put in force what is due, in the order in which it was filed.

    A change that earlier ones made impossible (the last administrator, an epoch's id) is dropped.
    """
    due: list[tuple[bytes, config_pb2.ScheduleChange]] = []
    for key, change in config.scheduled(state):
        if change.activation_height > context.height:
            break
        due.append((key, change))
    for key, change in due:
        state.delete(key)
        kind = str(change.WhichOneof("change"))
        try:
            check_change(state, change)
        except Rejection as rejection:
            state.emit(event("config_dropped", change=kind, reason=rejection.reason.name))
            continue
        _apply(state, change)
        state.emit(event("config_activated", change=kind))


def _apply(state: State, change: config_pb2.ScheduleChange) -> None:
    match change.WhichOneof("change"):
        case "epoch":
            config.set_current_epoch(state, change.epoch)
        case "prices":
            config.set_prices(state, change.prices)
        case "parameters":
            config.set_parameters(state, change.parameters)
        case "role":
            role = change.role
            config.set_role(state, role.role, role.account, granted=role.granted)


def _check_admin_stays(state: State, change: config_pb2.RoleChange) -> None:
    if change.role != config_pb2.ROLE_ADMIN or change.granted:
        return
    if config.role_holders(state, config_pb2.ROLE_ADMIN) == [change.account]:
        raise Rejection(Reason.LAST_ADMIN)
