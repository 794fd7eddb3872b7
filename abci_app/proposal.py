"""Which transactions enter a block.

The proposer keeps the order of its mempool, runs every transaction and leaves out what the checks refuse and
what meets a bug. A validator runs the block the same way and refuses it for the same two causes, so that a
transaction that would stop the chain does not get into a block at all. What fails in its messages stays: it
pays, and its sender learns why.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import structlog

from abci_app.deliver import BlockInfo, ExecutedBlock, Machine, deliver, execute_block, open_block
from abci_app.framing import encode_length
from ledger.state import State
from wire.digests import sha256

_LOG: Final = structlog.get_logger(__name__)


def prepare(
    machine: Machine, state: State, info: BlockInfo, transactions: Sequence[bytes], max_bytes: int
) -> list[bytes]:
    """Choose transactions that fit `max_bytes` in the protobuf form of a block."""
    block = open_block(machine, state, info)
    chosen: list[bytes] = []
    used = 0
    for raw in transactions:
        size = proposal_bytes(raw)
        if used + size > max_bytes:
            continue
        try:
            outcome = deliver(block, raw)
        except Exception:  # noqa: BLE001 - a bug must not get into a block
            _LOG.exception("bug in a transaction, left out", transaction=sha256(raw).hex())
            continue
        if not outcome.refused:
            chosen.append(raw)
            used += size
    return chosen


def process(
    machine: Machine, state: State, info: BlockInfo, transactions: Sequence[bytes]
) -> ExecutedBlock | None:
    """Run a proposed block; None when it must be refused."""
    try:
        executed = execute_block(machine, state, info, transactions)
    except Exception:  # noqa: BLE001 - a bug must not get into a block
        _LOG.exception("bug in a proposed block, refused", height=info.height)
        return None
    for raw, outcome in zip(transactions, executed.outcomes, strict=True):
        if outcome.refused:
            _LOG.warning(
                "proposed block refused",
                height=info.height,
                transaction=sha256(raw).hex(),
                reason=outcome.log,
            )
            return None
    return executed


def proposal_bytes(raw: bytes) -> int:
    """Size of a transaction inside a block: field tag, length, bytes."""
    return 1 + len(encode_length(len(raw))) + len(raw)
