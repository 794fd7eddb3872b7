"""A state-machine module: a frozen table of functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.state.v1 import state_pb2

# Returns the id of the request that the message made, if it made one; raises Rejection to refuse.
# The message is the one inside the oneof of tx.Message, whose type is the kind's.
Handler = Callable[[State, Any, Context], bytes | None]
Hook = Callable[[State, Context], None]
Derivation = Callable[[State], None]
GenesisHook = Callable[[State, state_pb2.Genesis], None]
# Data of the query to the bytes of its answer; raises Rejection for what it does not understand.
Query = Callable[[State, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Module:
    """One row of the node: message kinds to handlers, hooks of the block, genesis, queries by path."""

    name: str
    handlers: Mapping[str, Handler] = field(default_factory=dict)
    begin_block: Hook | None = None
    end_block: Hook | None = None
    genesis: GenesisHook | None = None
    queries: Mapping[str, Query] = field(default_factory=dict)
    # Computes the derived keys of the module (`ledger.state.is_derived`) anew from its other keys, none of
    # them being there: after a restore or an import. Must give what the handlers would have written.
    derive: Derivation | None = None
