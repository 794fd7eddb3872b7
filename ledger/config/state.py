"""All storage keys of the Config contract and their typed accessors. Numbers are 8-byte big endian.

config/epoch/<id>                       Epoch
config/epoch-current                    id of the current epoch
config/parameters, config/prices        Parameters, Prices
config/role/<role>                      RoleHolders
config/scheduled/<height>/<sequence>    ScheduleChange that waits for its height
config/scheduled-sequence               last sequence number given to a scheduled change
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ledger.errors import InvariantError
from ledger.state import State
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2

_PARAMETERS: Final = b"config/parameters"
_PRICES: Final = b"config/prices"
_CURRENT_EPOCH: Final = b"config/epoch-current"
_SCHEDULED: Final = b"config/scheduled/"
_SCHEDULED_SEQUENCE: Final = b"config/scheduled-sequence"


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def epoch_key(epoch_id: int) -> bytes:
    """Key of an epoch's record."""
    return b"config/epoch/" + _number(epoch_id)


def role_key(role: int) -> bytes:
    """Key of a role's holders."""
    return b"config/role/" + _number(role)


def epoch(state: State, epoch_id: int) -> config_pb2.Epoch | None:
    """Epoch of this id, or None."""
    raw = state.get(epoch_key(epoch_id))
    return None if raw is None else config_pb2.Epoch.FromString(raw)


def current_epoch(state: State) -> config_pb2.Epoch:
    """Epoch that new requests pin."""
    raw = state.get(_CURRENT_EPOCH)
    record = None if raw is None else epoch(state, int.from_bytes(raw, "big"))
    if record is None:
        raise InvariantError("the chain has no current epoch")
    return record


def set_current_epoch(state: State, record: config_pb2.Epoch) -> None:
    """Write an epoch and make it the current one."""
    state.set(epoch_key(record.id), record.SerializeToString(deterministic=True))
    state.set(_CURRENT_EPOCH, _number(record.id))


def parameters(state: State) -> config_pb2.Parameters:
    """Limits and switches in force."""
    raw = state.get(_PARAMETERS)
    if raw is None:
        raise InvariantError("the chain has no parameters")
    return config_pb2.Parameters.FromString(raw)


def set_parameters(state: State, record: config_pb2.Parameters) -> None:
    """Put parameters in force."""
    state.set(_PARAMETERS, record.SerializeToString(deterministic=True))


def prices(state: State) -> config_pb2.Prices:
    """Prices in force."""
    raw = state.get(_PRICES)
    if raw is None:
        raise InvariantError("the chain has no prices")
    return config_pb2.Prices.FromString(raw)


def set_prices(state: State, record: config_pb2.Prices) -> None:
    """Put prices in force."""
    state.set(_PRICES, record.SerializeToString(deterministic=True))


def role_holders(state: State, role: int) -> list[bytes]:
    """Addresses that hold a role, ascending."""
    raw = state.get(role_key(role))
    return [] if raw is None else list(config_pb2.RoleHolders.FromString(raw).accounts)


def has_role(state: State, role: int, address: Address) -> bool:
    """Whether the account holds the role."""
    return address.value in role_holders(state, role)


def set_role(state: State, role: int, account: bytes, *, granted: bool) -> None:
    """Give or take a role; giving twice and taking what is not held change nothing."""
    others = [holder for holder in role_holders(state, role) if holder != account]
    holders = sorted([*others, account]) if granted else others
    if holders:
        record = config_pb2.RoleHolders(accounts=holders)
        state.set(role_key(role), record.SerializeToString(deterministic=True))
    else:
        state.delete(role_key(role))


def add_scheduled(state: State, change: config_pb2.ScheduleChange) -> None:
    """File a change under its height, after those that were filed before."""
    raw = state.get(_SCHEDULED_SEQUENCE)
    sequence = 1 if raw is None else int.from_bytes(raw, "big") + 1
    state.set(_SCHEDULED_SEQUENCE, _number(sequence))
    key = _SCHEDULED + _number(change.activation_height) + b"/" + _number(sequence)
    state.set(key, change.SerializeToString(deterministic=True))


def scheduled(state: State) -> Iterator[tuple[bytes, config_pb2.ScheduleChange]]:
    """Waiting changes with their keys, in the order in which they take effect."""
    for key, raw in state.iterate(_SCHEDULED):
        yield key, config_pb2.ScheduleChange.FromString(raw)
