"""Who votes on blocks: the engine's validator set as the chain decides it.

The engine takes a change from the block's result and lets the new set vote two blocks later; the registry here is
the set after all changes that the engine was told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from ledger.config import keys, updates
from ledger.config import state as config
from ledger.config.text import is_plain
from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.signing import is_ed25519_key

MAX_VALIDATORS: Final = 100
# The engine refuses more, also while an update has added powers but not yet removed others.
MAX_TOTAL_POWER: Final = (2**63 - 1) // 8


def check_change(state: State, change: config_pb2.ValidatorChange) -> None:
    """Rules of the engine, whose consensus fails where one is broken, and of this chain."""
    _check_named_once(change.validators)
    powers = {voter.public_key: voter.power for voter in config.validators(state)}
    for voter in change.validators:
        _check_validator(voter)
        if voter.public_key not in powers:
            if not voter.power:
                raise _invalid(f"{voter.public_key.hex()} is not a validator")
            keys.check_validator(state, voter.public_key)
    # As the engine counts: first all new powers, then the removals.
    powers |= {voter.public_key: voter.power for voter in change.validators if voter.power}
    if sum(powers.values()) > MAX_TOTAL_POWER:
        raise _invalid(f"the total power would be above {MAX_TOTAL_POWER}")
    left = len(powers) - sum(not voter.power for voter in change.validators)
    if not 1 <= left <= MAX_VALIDATORS:
        raise _invalid(f"{left} validators would be left, not 1 to {MAX_VALIDATORS}")


def apply_change(state: State, change: config_pb2.ValidatorChange, context: Context) -> None:
    """Write the new validators and tell the engine with this block."""
    for voter in change.validators:
        before = config.validator(state, voter.public_key)
        config.set_validator(state, voter)
        power = 0 if before is None else before.power
        updates.add_power(state, context.height, voter.public_key, power, voter.power)


def load_genesis(state: State, validators: Sequence[config_pb2.Validator]) -> None:
    """Write the validators with which the engine begins; Rejection(VALIDATORS_INVALID)."""
    _check_named_once(validators)
    for voter in validators:
        _check_validator(voter)
        if not voter.power:
            raise _invalid("a validator of the genesis has no power")
        config.set_validator(state, voter)
    if len(validators) > MAX_VALIDATORS:
        raise _invalid(f"the genesis names more than {MAX_VALIDATORS} validators")
    if sum(voter.power for voter in validators) > MAX_TOTAL_POWER:
        raise _invalid(f"the total power is above {MAX_TOTAL_POWER}")


def _check_named_once(validators: Sequence[config_pb2.Validator]) -> None:
    names = [voter.public_key for voter in validators]
    if not names:
        raise _invalid("no validator is named")
    if len(frozenset(names)) != len(names):
        raise _invalid("a validator is named twice")


def _check_validator(voter: config_pb2.Validator) -> None:
    if not is_ed25519_key(voter.public_key):
        raise _invalid(f"{voter.public_key.hex()} is not an ed25519 key")
    if voter.power > MAX_TOTAL_POWER:
        raise _invalid(f"a power is above {MAX_TOTAL_POWER}")
    if not is_plain(voter.name):
        raise _invalid("a name is too long or has control characters")


def _invalid(detail: str) -> Rejection:
    return Rejection(Reason.VALIDATORS_INVALID, detail)
