"""What a block tells the engine: collected while changes take effect, read when the block is answered.

The record stays in the state until another block replaces it, so that everybody can prove what the engine was told.
"""

from __future__ import annotations

from ledger.config import state as config
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2


def of_block(state: State, height: int) -> config_pb2.EngineUpdates:
    """What block `height` tells the engine, by the state after it.

    A validator whose power two changes of one block gave and took back is left out: to the engine, removing
    whom it never knew is a failure of consensus.
    """
    record = config.engine_updates(state)
    if record.height != height:
        return config_pb2.EngineUpdates(height=height)
    changed = [voter for voter in record.validators if voter.power != voter.power_before]
    del record.validators[:]
    record.validators.extend(changed)
    return record


def add_power(state: State, height: int, public_key: bytes, before: int, after: int) -> None:
    """Tell a validator's new power; `before` counts only for the first change in a block."""
    record = _begun(state, height)
    for voter in record.validators:
        if voter.public_key == public_key:
            voter.power = after
            break
    else:
        record.validators.add(public_key=public_key, power_before=before, power=after)
    config.set_engine_updates(state, record)


def add_consensus(state: State, height: int, change: config_pb2.ConsensusParameters) -> None:
    """Tell new consensus parameters, part by part."""
    record = _begun(state, height)
    if change.HasField("block"):
        record.consensus.block.CopyFrom(change.block)
    if change.HasField("evidence"):
        record.consensus.evidence.CopyFrom(change.evidence)
    config.set_engine_updates(state, record)


def add_version(state: State, height: int, app_version: int) -> None:
    """Tell the version of the application's rules."""
    record = _begun(state, height)
    record.app_version = app_version
    config.set_engine_updates(state, record)


def _begun(state: State, height: int) -> config_pb2.EngineUpdates:
    record = config.engine_updates(state)
    return record if record.height == height else config_pb2.EngineUpdates(height=height)
