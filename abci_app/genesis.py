"""State at height 0, from the application part of genesis.json."""

from __future__ import annotations

from google.protobuf import json_format

from abci_app.errors import GenesisError
from ledger.errors import LedgerError
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


def load_genesis(
    state: State, modules: tuple[Module, ...], genesis: state_pb2.Genesis, chain_id: str
) -> None:
    """Let every module write its part; GenesisError when one refuses."""
    if not 0 < len(chain_id.encode()) <= MAX_CHAIN_ID_BYTES:
        raise GenesisError("the chain id is empty or too long")
    try:
        for module in modules:
            if module.genesis is not None:
                module.genesis(state, genesis)
    except (LedgerError, Rejection, ValueError) as error:
        raise GenesisError(str(error)) from error
