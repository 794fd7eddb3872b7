"""Which transactions enter a block, and in which order.

The safety lane comes first, within its reserved bytes; everything else follows, each lane in the order of the
mempool. The proposer runs every transaction and leaves out what the checks refuse and what meets a bug. A
validator runs the block the same way and refuses it for the same two causes, for another order of lanes, and for
more bytes or gas than Config allows; so a transaction that would stop the chain does not get into a block at all.
What fails in its messages stays: it pays, and its sender learns why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from abci_app.deliver import (
    BlockInfo,
    ExecutedBlock,
    Machine,
    OpenBlock,
    Outcome,
    close_block,
    deliver,
    execute_block,
    open_block,
)
from abci_app.framing import encode_length
from abci_app.lane import in_safety_lane
from ledger.config import state as config
from ledger.config.validation import MAX_BLOCK_BYTES
from ledger.state import State
from wire.digests import sha256
from wire.pb.tkms.config.v1 import config_pb2

_LOG: Final = structlog.get_logger(__name__)
# Less than any transaction: a signature alone has 64 bytes.
_SMALLEST_TRANSACTION: Final = 64


@dataclass(slots=True)
class _Chosen:
    """The block that is being filled."""

    transactions: list[bytes] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    used_bytes: int = 0
    used_gas: int = 0


def prepare(
    machine: Machine, state: State, info: BlockInfo, transactions: Sequence[bytes], max_bytes: int
) -> ExecutedBlock:
    """Choose the transactions of a block of at most `max_bytes` in protobuf form, and run it on `state`."""
    block = open_block(machine, state, info)
    begin_events = state.take_events()
    parameters = block.ante.parameters
    limit = min(max_bytes, parameters.max_block_bytes)
    chosen = _Chosen()
    safety, others = _lanes(block, transactions)
    _fill(block, chosen, safety, min(limit, parameters.safety_lane_bytes), safety=True)
    _fill(block, chosen, others, limit, safety=False)
    return close_block(block, begin_events, chosen.transactions, chosen.outcomes)


def _lanes(block: OpenBlock, transactions: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
    safety: list[bytes] = []
    others: list[bytes] = []
    for raw in transactions:
        try:
            transaction = block.ante.known.decode(raw, block.ante.parameters.max_transaction_bytes)
            lane = safety if in_safety_lane(block.state, transaction) else others
        except Exception:  # noqa: BLE001 - told when it is run: refused or a bug
            lane = others
        lane.append(raw)
    return safety, others


def _fill(
    block: OpenBlock, chosen: _Chosen, transactions: Iterable[bytes], limit: int, *, safety: bool
) -> None:
    """Run what fits, up to `limit` bytes of the block, and keep what the checks let pass."""
    for raw in transactions:
        size = proposal_bytes(raw)
        if chosen.used_bytes + size > limit:
            if chosen.used_bytes + _SMALLEST_TRANSACTION > limit:
                return
            continue
        before = block.state.checkpoint()
        try:
            outcome = deliver(block, raw)
        except Exception:  # noqa: BLE001 - a bug must not get into a block
            block.state.revert(before)
            _LOG.exception("bug in a transaction, left out", transaction=sha256(raw).hex())
            continue
        too_much = chosen.used_gas + outcome.gas > block.ante.parameters.max_block_gas
        # A party may have lost or gained its standing by what ran before: the next block sorts it anew.
        if outcome.refused or too_much or outcome.safety != safety:
            block.state.revert(before)
            continue
        chosen.transactions.append(raw)
        chosen.outcomes.append(outcome)
        chosen.used_bytes += size
        chosen.used_gas += outcome.gas


def process(
    machine: Machine, state: State, info: BlockInfo, transactions: Sequence[bytes]
) -> ExecutedBlock | None:
    """Run a proposed block; None when it must be refused."""
    sizes = [proposal_bytes(raw) for raw in transactions]
    try:
        if sum(sizes) > MAX_BLOCK_BYTES:
            _refuse(info, "it has more bytes than any configuration allows")
            return None
        executed = execute_block(machine, state, info, transactions)
        parameters = config.parameters(state)
    except Exception:  # noqa: BLE001 - a bug must not get into a block
        _LOG.exception("bug in a proposed block, refused", height=info.height)
        return None
    flaw = _flaw(parameters, sizes, executed)
    if flaw is not None:
        _refuse(info, flaw)
        return None
    return executed


def _flaw(
    parameters: config_pb2.Parameters, sizes: Sequence[int], executed: ExecutedBlock
) -> str | None:
    """What is wrong with a block that ran, or None."""
    gas = lane_bytes = 0
    others_began = False
    for raw, size, outcome in zip(executed.transactions, sizes, executed.outcomes, strict=True):
        name = sha256(raw).hex()
        if outcome.refused:
            return f"{name} does not belong into a block: {outcome.log}"
        if outcome.safety and others_began:
            return f"{name} is of the safety lane and comes after others"
        others_began = others_began or not outcome.safety
        lane_bytes += size if outcome.safety else 0
        gas += outcome.gas
    if sum(sizes) > parameters.max_block_bytes:
        return "it has more bytes than Config allows"
    if lane_bytes > parameters.safety_lane_bytes:
        return "its safety lane has more bytes than Config allows"
    if gas > parameters.max_block_gas:
        return f"it needs {gas} gas"
    return None


def _refuse(info: BlockInfo, flaw: str) -> None:
    _LOG.warning("proposed block refused", height=info.height, why=flaw)


def proposal_bytes(raw: bytes) -> int:
    """Size of a transaction inside a block: field tag, length, bytes."""
    return 1 + len(encode_length(len(raw))) + len(raw)
