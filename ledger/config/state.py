"""All storage keys of the Config contract and their typed accessors. Numbers are 8-byte big endian.

config/epoch/<id>                   Epoch
config/epoch-current                id of the current epoch
config/epoch-last                   last id given to an epoch
config/epoch-pending                PendingEpoch, while a change of epochs is under way
config/epoch-since                  height at which the last change of epochs ended, well or not
config/parameters, config/prices    Parameters, Prices
config/role/<role>                  RoleHolders
config/validator/<public key>       Validator, as the engine's next block has it
config/consensus                    ConsensusParameters in force
config/genesis-allowed              GenesisAllowed
config/engine-updates               EngineUpdates of the last block that had some
config/proposal/<id>                Proposal that is open or scheduled
config/proposal-last                last id given to a proposal
config/due/<height>/<id>            marks the block in which an open or scheduled proposal closes
config/closed/<id>                  sequence of the ConfigRecord of a closed proposal
config/history/<sequence>           ConfigRecord
config/history-last                 last sequence given to a record
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from google.protobuf.message import Message

from ledger.errors import InvariantError
from ledger.state import State
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2

PROPOSAL_PREFIX: Final = b"config/proposal/"
HISTORY_PREFIX: Final = b"config/history/"
VALIDATOR_PREFIX: Final = b"config/validator/"

_PARAMETERS: Final = b"config/parameters"
_PRICES: Final = b"config/prices"
_CURRENT_EPOCH: Final = b"config/epoch-current"
_LAST_EPOCH: Final = b"config/epoch-last"
_PENDING_EPOCH: Final = b"config/epoch-pending"
_EPOCH_SINCE: Final = b"config/epoch-since"
_CONSENSUS: Final = b"config/consensus"
_GENESIS_ALLOWED: Final = b"config/genesis-allowed"
_ENGINE_UPDATES: Final = b"config/engine-updates"
_LAST_PROPOSAL: Final = b"config/proposal-last"
_DUE: Final = b"config/due/"
_LAST_RECORD: Final = b"config/history-last"
# The state holds no empty values.
_MARK: Final = b"\x01"
_NUMBER_BYTES: Final = 8


def epoch_key(epoch_id: int) -> bytes:
    """Key of an epoch's record."""
    return b"config/epoch/" + _number(epoch_id)


def role_key(role: int) -> bytes:
    """Key of a role's holders."""
    return b"config/role/" + _number(role)


def validator_key(public_key: bytes) -> bytes:
    """Key of a validator's record."""
    return VALIDATOR_PREFIX + public_key


def proposal_key(proposal_id: int) -> bytes:
    """Key of a proposal that is not closed."""
    return PROPOSAL_PREFIX + _number(proposal_id)


def closed_key(proposal_id: int) -> bytes:
    """Key of the pointer from a closed proposal to its record."""
    return b"config/closed/" + _number(proposal_id)


def history_key(sequence: int) -> bytes:
    """Key of a record of the history."""
    return HISTORY_PREFIX + _number(sequence)


# Almost every message reads these records and nobody changes them in place, so equal bytes are parsed once.
_parse_epoch = lru_cache(maxsize=64)(config_pb2.Epoch.FromString)
_parse_parameters = lru_cache(maxsize=8)(config_pb2.Parameters.FromString)
_parse_prices = lru_cache(maxsize=8)(config_pb2.Prices.FromString)


def epoch(state: State, epoch_id: int) -> config_pb2.Epoch | None:
    """Epoch of this id, or None; shared with other readers, not to be changed."""
    raw = state.get(epoch_key(epoch_id))
    return None if raw is None else _parse_epoch(raw)


def current_epoch(state: State) -> config_pb2.Epoch:
    """Epoch that new requests pin; shared with other readers, not to be changed."""
    record = epoch(state, _count(state, _CURRENT_EPOCH))
    if record is None:
        raise InvariantError("the chain has no current epoch")
    return record


def set_current_epoch(state: State, record: config_pb2.Epoch) -> None:
    """Write an epoch and make it the current one."""
    add_epoch(state, record)
    state.set(_CURRENT_EPOCH, _number(record.id))


def add_epoch(state: State, record: config_pb2.Epoch) -> None:
    """Write an epoch, which stays for ever; its id was given by `next_epoch_id` or is known already."""
    _put(state, epoch_key(record.id), record)
    if record.id > _count(state, _LAST_EPOCH):
        state.set(_LAST_EPOCH, _number(record.id))


def next_epoch_id(state: State) -> int:
    """Id of the next epoch: never one that was given before, even where that change failed."""
    return _count(state, _LAST_EPOCH) + 1


def pending_epoch(state: State) -> config_pb2.PendingEpoch | None:
    """The change of epochs that is under way, or None."""
    raw = state.get(_PENDING_EPOCH)
    return None if raw is None else config_pb2.PendingEpoch.FromString(raw)


def set_pending_epoch(state: State, record: config_pb2.PendingEpoch) -> None:
    """A change of epochs is under way."""
    _put(state, _PENDING_EPOCH, record)


def end_epoch_change(state: State, height: int) -> None:
    """None is under way any more: the last one ended at this height."""
    state.delete(_PENDING_EPOCH)
    state.set(_EPOCH_SINCE, _number(height))


def epoch_since(state: State) -> int:
    """Height at which the last change of epochs ended; 0 where there was none."""
    return _count(state, _EPOCH_SINCE)


def epochs_in_use(state: State) -> list[config_pb2.Epoch]:
    """The current epoch and the pending one; shared with other readers, not to be changed."""
    pending = pending_epoch(state)
    following = None if pending is None else epoch(state, pending.epoch_id)
    current = current_epoch(state)
    return [current] if following is None else [current, following]


def parameters(state: State) -> config_pb2.Parameters:
    """Limits and switches in force; shared with other readers, not to be changed."""
    raw = state.get(_PARAMETERS)
    if raw is None:
        raise InvariantError("the chain has no parameters")
    return _parse_parameters(raw)


def set_parameters(state: State, record: config_pb2.Parameters) -> None:
    """Put parameters in force."""
    _put(state, _PARAMETERS, record)


def prices(state: State) -> config_pb2.Prices:
    """Prices in force; shared with other readers, not to be changed."""
    raw = state.get(_PRICES)
    if raw is None:
        raise InvariantError("the chain has no prices")
    return _parse_prices(raw)


def price(state: State, message: str) -> config_pb2.Price | None:
    """Price of a message kind, or None; every request asks for it."""
    raw = state.get(_PRICES)
    return None if raw is None else _price_table(raw).get(message)


@lru_cache(maxsize=8)
def _price_table(raw: bytes) -> Mapping[str, config_pb2.Price]:
    return {entry.message: entry for entry in config_pb2.Prices.FromString(raw).messages}


def set_prices(state: State, record: config_pb2.Prices) -> None:
    """Put prices in force."""
    _put(state, _PRICES, record)


def role(state: State, role_number: int) -> config_pb2.RoleHolders:
    """Holders of a role, ascending, and its quorum; one approval where nothing was decided."""
    raw = state.get(role_key(role_number))
    empty = config_pb2.RoleHolders(quorum=1)
    return empty if raw is None else config_pb2.RoleHolders.FromString(raw)


def role_holders(state: State, role_number: int) -> list[bytes]:
    """Addresses that hold a role, ascending."""
    return list(role(state, role_number).accounts)


def has_role(state: State, role_number: int, address: Address) -> bool:
    """Whether the account holds the role."""
    return address.value in role_holders(state, role_number)


def set_role(state: State, role_number: int, account: bytes, *, granted: bool) -> None:
    """Give or take a role; giving twice and taking what is not held change nothing."""
    record = role(state, role_number)
    others = [holder for holder in record.accounts if holder != account]
    holders = sorted([*others, account]) if granted else others
    _put_role(state, role_number, holders, record.quorum)


def set_quorum(state: State, role_number: int, quorum: int) -> None:
    """Change how many holders must approve."""
    _put_role(state, role_number, role_holders(state, role_number), quorum)


def validators(state: State) -> list[config_pb2.Validator]:
    """All validators, ascending by key."""
    return [config_pb2.Validator.FromString(raw) for _, raw in state.iterate(VALIDATOR_PREFIX)]


def validator(state: State, public_key: bytes) -> config_pb2.Validator | None:
    """Validator of this key, or None."""
    raw = state.get(validator_key(public_key))
    return None if raw is None else config_pb2.Validator.FromString(raw)


def set_validator(state: State, record: config_pb2.Validator) -> None:
    """Write a validator; one without power is removed."""
    if record.power:
        _put(state, validator_key(record.public_key), record)
    else:
        state.delete(validator_key(record.public_key))


def consensus(state: State) -> config_pb2.ConsensusParameters:
    """Engine's parameters in force; a part is unset where the genesis left it to the engine."""
    raw = state.get(_CONSENSUS)
    empty = config_pb2.ConsensusParameters()
    return empty if raw is None else config_pb2.ConsensusParameters.FromString(raw)


def set_consensus(state: State, record: config_pb2.ConsensusParameters) -> None:
    """Remember the engine's parameters."""
    if record.ByteSize():
        _put(state, _CONSENSUS, record)


def genesis_allowed(state: State) -> config_pb2.GenesisAllowed:
    """Switches that the genesis had on."""
    raw = state.get(_GENESIS_ALLOWED)
    empty = config_pb2.GenesisAllowed()
    return empty if raw is None else config_pb2.GenesisAllowed.FromString(raw)


def set_genesis_allowed(state: State, record: config_pb2.GenesisAllowed) -> None:
    """Remember the switches of the genesis; nothing is written where all were off."""
    if record.ByteSize():
        _put(state, _GENESIS_ALLOWED, record)


def engine_updates(state: State) -> config_pb2.EngineUpdates:
    """What the last block with changes for the engine told it; height 0 where there was none."""
    raw = state.get(_ENGINE_UPDATES)
    empty = config_pb2.EngineUpdates()
    return empty if raw is None else config_pb2.EngineUpdates.FromString(raw)


def set_engine_updates(state: State, record: config_pb2.EngineUpdates) -> None:
    """Write what this block tells the engine."""
    _put(state, _ENGINE_UPDATES, record)


def proposal(state: State, proposal_id: int) -> config_pb2.Proposal | None:
    """Open or scheduled proposal, or None."""
    raw = state.get(proposal_key(proposal_id))
    return None if raw is None else config_pb2.Proposal.FromString(raw)


def proposals(state: State) -> list[config_pb2.Proposal]:
    """All open and scheduled proposals, oldest first."""
    return [config_pb2.Proposal.FromString(raw) for _, raw in state.iterate(PROPOSAL_PREFIX)]


def next_proposal_id(state: State) -> int:
    """Take the next id."""
    return _take_number(state, _LAST_PROPOSAL)


def put_proposal(state: State, record: config_pb2.Proposal) -> None:
    """Write a proposal and move its mark to the block in which it now closes."""
    _forget_due(state, record.id)
    _put(state, proposal_key(record.id), record)
    state.set(_due_key(due_height(record), record.id), _MARK)


def due_height(record: config_pb2.Proposal) -> int:
    """Block at whose beginning a proposal closes: in force when scheduled, expired when open."""
    if record.decided_height:
        return record.activation_height
    return min(record.expires_height + 1, record.activation_height)


def due_proposals(state: State, height: int) -> list[int]:
    """Ids of proposals that close at or before a height, by height and then by id."""
    found: list[int] = []
    for key, _ in state.iterate(_DUE):
        due, proposal_id = _due_numbers(key)
        if due > height:
            break
        found.append(proposal_id)
    return found


def close_proposal(state: State, record: config_pb2.ConfigRecord) -> None:
    """Replace a proposal by its record in the history, which gets the next sequence."""
    _forget_due(state, record.proposal_id)
    state.delete(proposal_key(record.proposal_id))
    record.sequence = _take_number(state, _LAST_RECORD)
    _put(state, history_key(record.sequence), record)
    state.set(closed_key(record.proposal_id), _number(record.sequence))


def record(state: State, sequence: int) -> config_pb2.ConfigRecord | None:
    """Record of the history, or None."""
    raw = state.get(history_key(sequence))
    return None if raw is None else config_pb2.ConfigRecord.FromString(raw)


def record_of(state: State, proposal_id: int) -> config_pb2.ConfigRecord | None:
    """Record of a closed proposal, or None."""
    raw = state.get(closed_key(proposal_id))
    return None if raw is None else record(state, int.from_bytes(raw, "big"))


def last_record(state: State) -> int:
    """Sequence of the newest record, 0 where there is none."""
    return _count(state, _LAST_RECORD)


def _number(value: int) -> bytes:
    return value.to_bytes(_NUMBER_BYTES, "big")


def _count(state: State, key: bytes) -> int:
    return int.from_bytes(state.get(key) or b"", "big")


def _take_number(state: State, key: bytes) -> int:
    number = _count(state, key) + 1
    state.set(key, _number(number))
    return number


def _due_key(height: int, proposal_id: int) -> bytes:
    return _DUE + _number(height) + b"/" + _number(proposal_id)


def _due_numbers(key: bytes) -> tuple[int, int]:
    numbers = key[len(_DUE) :]
    height, proposal_id = numbers[:_NUMBER_BYTES], numbers[_NUMBER_BYTES + 1 :]
    return int.from_bytes(height, "big"), int.from_bytes(proposal_id, "big")


def _forget_due(state: State, proposal_id: int) -> None:
    old = proposal(state, proposal_id)
    if old is not None:
        state.delete(_due_key(due_height(old), proposal_id))


def _put_role(state: State, role_number: int, holders: list[bytes], quorum: int) -> None:
    if holders:
        found = config_pb2.RoleHolders(accounts=holders, quorum=quorum)
        _put(state, role_key(role_number), found)
    else:
        state.delete(role_key(role_number))


def _put(state: State, key: bytes, value: Message) -> None:
    state.set(key, value.SerializeToString(deterministic=True))
