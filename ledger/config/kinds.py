"""What a kind of change is: who decides it, when it is possible, what it does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection

# The record is the member of Change's oneof that is named like the kind.
# Raises Rejection when the change is not possible in this state: asked when it is proposed and when it takes effect.
Check = Callable[[State, Any], None]
# Puts a change that was just checked in force.
Apply = Callable[[State, Any, Context], None]


@dataclass(frozen=True, slots=True)
class ChangeKind:
    """One row of the table of changes."""

    name: str
    # Whose holders decide.
    role: config_pb2.Role
    check: Check
    apply: Apply


Kinds = Mapping[str, ChangeKind]


def table(kinds: Sequence[ChangeKind]) -> Kinds:
    """Kinds by name; ValueError unless each member of Change has exactly one."""
    found = {kind.name: kind for kind in kinds}
    names = [field.name for field in config_pb2.Change.DESCRIPTOR.fields]
    if len(found) != len(kinds) or sorted(found) != sorted(names):
        raise ValueError("every kind of change needs exactly one row")
    return found


def kind_of(kinds: Kinds, change: config_pb2.Change) -> ChangeKind:
    """Kind of a change; Rejection(CHANGE_INVALID) when none is set."""
    name = change.WhichOneof("kind")
    if name is None:
        raise Rejection(Reason.CHANGE_INVALID, "no change is set")
    return kinds[name]


def content(change: config_pb2.Change) -> Any:
    """Record inside a change of which one is set."""
    return getattr(change, str(change.WhichOneof("kind")))
