"""State at height 0, from the application part of genesis.json."""

from __future__ import annotations

from google.protobuf import json_format

from abci_app.errors import GenesisError
from ledger.errors import LedgerError, SnapshotError
from ledger.export import check_exported
from ledger.module import Module
from ledger.state import State
from wire.limits import MAX_CHAIN_ID_BYTES
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Rejection


def parse_genesis(app_state: bytes) -> state_pb2.Genesis:
    """Read the JSON form of Genesis; GenesisError for anything else, unknown fields included."""
    try:
        return json_format.Parse(app_state, state_pb2.Genesis())
    except (json_format.ParseError, UnicodeDecodeError) as error:
        raise GenesisError(f"app_state is not the JSON form of a genesis: {error}") from error


def genesis_height(genesis: state_pb2.Genesis, initial_height: int) -> int:
    """Height whose state the genesis is: the one before the first block; GenesisError for another first block."""
    height = genesis.exported.height if genesis.HasField("exported") else 0
    # The engine sends 0 for a document without the field, and means 1.
    if max(initial_height, 1) != height + 1:
        raise GenesisError(f"the first block of this chain has height {height + 1}")
    return height


def load_genesis(
    state: State, modules: tuple[Module, ...], genesis: state_pb2.Genesis, chain_id: str
) -> None:
    """Let every module write its part, or take over an exported state; GenesisError when that is not possible."""
    if not 0 < len(chain_id.encode()) <= MAX_CHAIN_ID_BYTES:
        raise GenesisError("the chain id is empty or too long")
    if genesis.HasField("exported"):
        _load_exported(state, modules, genesis)
        return
    try:
        for module in modules:
            if module.genesis is not None:
                module.genesis(state, genesis)
    except (LedgerError, Rejection, ValueError) as error:
        raise GenesisError(str(error)) from error


def _load_exported(state: State, modules: tuple[Module, ...], genesis: state_pb2.Genesis) -> None:
    if genesis != state_pb2.Genesis(exported=genesis.exported):
        raise GenesisError("an exported state is the whole genesis: nothing may stand beside it")
    try:
        entries = check_exported(genesis.exported)
    except SnapshotError as error:
        raise GenesisError(f"the exported state is damaged: {error}") from error
    for key, value in entries:
        state.set(key, value)
    for module in modules:
        if module.derive is not None:
            module.derive(state)
