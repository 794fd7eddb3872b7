"""The engine's consensus parameters that the chain governs: sizes of blocks and the age of evidence."""

from __future__ import annotations

from typing import Final

from ledger.config import state as config
from ledger.config import updates
from ledger.config.validation import MAX_BLOCK_BYTES
from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection

# Bounds of the engine; it stops at parameters beyond them.
MAX_ENGINE_BLOCK_BYTES: Final = 100 * 1024 * 1024
_UNLIMITED: Final = -1
# Header, commit of a hundred validators and the largest evidence around a block's transactions.
_BLOCK_OVERHEAD_BYTES: Final = 64 * 1024
# A forger could wait out less; the hundred years above it are only a bound.
_MIN_EVIDENCE_BLOCKS: Final = 10
_MAX_EVIDENCE_BLOCKS: Final = 1 << 40
_MIN_EVIDENCE_SECONDS: Final = 10
_MAX_EVIDENCE_SECONDS: Final = 100 * 365 * 24 * 3600


def check_change(state: State, change: config_pb2.ConsensusParameters) -> None:
    """Ranges of the engine, and our own limits below them."""
    if not change.HasField("block") and not change.HasField("evidence"):
        raise _invalid("nothing is set")
    merged = _merged(state, change)
    if change.HasField("block"):
        _check_block(change.block, config.parameters(state))
        # A proposer must see all that waits in a mempool (docs/adr/0007), and mempools may hold that much.
        if change.block.max_bytes != _UNLIMITED and change.block.max_bytes <= MAX_BLOCK_BYTES:
            raise _invalid(f"block.max_bytes is not above {MAX_BLOCK_BYTES}")
    if merged.HasField("evidence"):
        _check_evidence(merged)


def apply_change(state: State, change: config_pb2.ConsensusParameters, context: Context) -> None:
    """Remember the parts that are set and tell them to the engine with this block."""
    config.set_consensus(state, _merged(state, change))
    updates.add_consensus(state, context.height, change)


def check_fits(state: State, parameters: config_pb2.Parameters) -> None:
    """Our block limits against the engine's; Rejection(PARAMETERS_INVALID)."""
    present = config.consensus(state)
    try:
        if present.HasField("block"):
            _check_block(present.block, parameters)
    except Rejection as rejection:
        raise Rejection(Reason.PARAMETERS_INVALID, rejection.detail) from rejection


def _merged(state: State, change: config_pb2.ConsensusParameters) -> config_pb2.ConsensusParameters:
    merged = config.consensus(state)
    if change.HasField("block"):
        merged.block.CopyFrom(change.block)
    if change.HasField("evidence"):
        merged.evidence.CopyFrom(change.evidence)
    return merged


def _check_block(block: config_pb2.BlockLimits, parameters: config_pb2.Parameters) -> None:
    lowest = parameters.max_block_bytes + _BLOCK_OVERHEAD_BYTES
    if block.max_bytes != _UNLIMITED and not lowest <= block.max_bytes <= MAX_ENGINE_BLOCK_BYTES:
        raise _invalid(f"block.max_bytes is neither -1 nor in {lowest}..{MAX_ENGINE_BLOCK_BYTES}")
    # The engine would leave out what our own gas limit lets in.
    if block.max_gas != _UNLIMITED and block.max_gas < parameters.max_block_gas:
        raise _invalid(f"block.max_gas is neither -1 nor at least {parameters.max_block_gas}")


def _check_evidence(merged: config_pb2.ConsensusParameters) -> None:
    evidence = merged.evidence
    for name, lowest, highest in (
        ("max_age_blocks", _MIN_EVIDENCE_BLOCKS, _MAX_EVIDENCE_BLOCKS),
        ("max_age_seconds", _MIN_EVIDENCE_SECONDS, _MAX_EVIDENCE_SECONDS),
        ("max_bytes", 0, _evidence_room(merged)),
    ):
        if not lowest <= getattr(evidence, name) <= highest:
            raise _invalid(f"evidence.{name} is not in {lowest}..{highest}")


def _evidence_room(merged: config_pb2.ConsensusParameters) -> int:
    """Evidence lies inside the block."""
    if not merged.HasField("block") or merged.block.max_bytes == _UNLIMITED:
        return MAX_ENGINE_BLOCK_BYTES
    return int(merged.block.max_bytes)


def _invalid(detail: str) -> Rejection:
    return Rejection(Reason.CONSENSUS_INVALID, detail)
