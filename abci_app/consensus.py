"""The life of a block: InitChain, PrepareProposal, ProcessProposal, FinalizeBlock, Commit.

FinalizeBlock computes and stores nothing; Commit writes all of the block in one batch. A block that
ProcessProposal ran is not run again: its result waits under the block's hash until one is committed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import RLock
from typing import Final

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app import proposal
from abci_app.deliver import BlockInfo, ExecutedBlock, Machine, execute_block
from abci_app.errors import GenesisError, ProtocolError
from abci_app.genesis import load_genesis, parse_genesis
from abci_app.mempool import Mempool
from abci_app.results import event_message, result_message
from ledger import tree
from ledger.state import State
from ledger.store import Block, Store
from wire.pb.tkms.comet.v1 import abci_pb2

_LOG: Final = structlog.get_logger(__name__)
# Proposals of one height beyond this many are run again when one of them is decided.
_CANDIDATES: Final = 2


class Consensus:
    """The block that is being made; one call at a time."""

    def __init__(self, store: Store, machine: Machine, mempool: Mempool) -> None:
        """Continue from what the store holds."""
        self._store = store
        self._machine = machine
        self._mempool = mempool
        self._candidates: OrderedDict[bytes, ExecutedBlock] = OrderedDict()
        self._pending: tuple[Block, BlockInfo] | None = None
        self.lock = RLock()

    def init_chain(self, request: abci_pb2.RequestInitChain) -> abci_pb2.ResponseInitChain:
        """Write the genesis state, again if the engine asks again before block 1."""
        if request.chain_id != self._machine.chain_id:
            raise GenesisError(
                f"the genesis is of {request.chain_id}, this node of {self._machine.chain_id}"
            )
        if request.initial_height not in (0, 1):
            raise GenesisError("the first block of this chain has height 1")
        # Over the present content, which the write replaces: nothing of it may be read.
        state = State(_Nothing())
        genesis = parse_genesis(request.app_state_bytes)
        load_genesis(state, self._machine.modules, genesis, request.chain_id)
        changes = state.changes()
        update = tree.create(changes)
        block = Block(0, update.root, changes, update.nodes, update.stale)
        with self._mempool.lock:
            self._store.write_genesis(request.chain_id, block)
            self._mempool.reset(_nanoseconds(request.time))
        self._candidates.clear()
        _LOG.info("genesis", chain_id=request.chain_id, app_hash=update.root.hex())
        return abci_pb2.ResponseInitChain(app_hash=update.root)

    def prepare(self, request: abci_pb2.RequestPrepareProposal) -> abci_pb2.ResponsePrepareProposal:
        """Choose the transactions of a block."""
        info = BlockInfo(request.height, _nanoseconds(request.time))
        chosen = proposal.prepare(
            self._machine, State(self._store), info, request.txs, request.max_tx_bytes
        )
        return abci_pb2.ResponsePrepareProposal(txs=chosen)

    def process(self, request: abci_pb2.RequestProcessProposal) -> abci_pb2.ResponseProcessProposal:
        """Judge another's choice, and keep the result for FinalizeBlock."""
        info = BlockInfo(request.height, _nanoseconds(request.time))
        executed = proposal.process(self._machine, State(self._store), info, request.txs)
        if executed is None:
            return abci_pb2.ResponseProcessProposal(status=abci_pb2.PROPOSAL_STATUS_REJECT)
        self._candidates[request.hash] = executed
        if len(self._candidates) > _CANDIDATES:
            self._candidates.popitem(last=False)
        return abci_pb2.ResponseProcessProposal(status=abci_pb2.PROPOSAL_STATUS_ACCEPT)

    def finalize(self, request: abci_pb2.RequestFinalizeBlock) -> abci_pb2.ResponseFinalizeBlock:
        """Run the decided block; any exception here must stop the process."""
        height = self._store.height
        if height is None or request.height != height + 1:
            raise ProtocolError(f"block {request.height} does not follow {height}")
        info = BlockInfo(request.height, _nanoseconds(request.time))
        executed = self._executed(request.hash, info, tuple(request.txs))
        changes = executed.state.changes()
        update = tree.update(self._store, info.height, changes)
        block = Block(info.height, update.root, changes, update.nodes, update.stale)
        self._pending = (block, info)
        return abci_pb2.ResponseFinalizeBlock(
            events=[event_message(event) for event in executed.events],
            tx_results=[result_message(outcome) for outcome in executed.outcomes],
            app_hash=update.root,
        )

    def commit(self) -> abci_pb2.ResponseCommit:
        """Write the block and start the check branch anew."""
        if self._pending is None:
            raise ProtocolError("there is no block to commit")
        block, info = self._pending
        with self._mempool.lock:
            self._store.write_block(block)
            self._mempool.reset(info.time_ns)
        self._pending = None
        self._candidates.clear()
        _LOG.debug("committed", height=block.height, app_hash=block.app_hash.hex())
        # Blocks are not pruned.
        return abci_pb2.ResponseCommit(retain_height=0)

    def _executed(
        self, block_hash: bytes, info: BlockInfo, transactions: tuple[bytes, ...]
    ) -> ExecutedBlock:
        candidate = self._candidates.get(block_hash)
        if candidate is not None and (candidate.info, candidate.transactions) == (
            info,
            transactions,
        ):
            return candidate
        return execute_block(self._machine, State(self._store), info, transactions)


class _Nothing:
    """What lies below genesis."""

    def get(self, _key: bytes) -> None:
        """No value."""
        return

    def iterate(self, _prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """No keys."""
        return iter(())


def _nanoseconds(time: Timestamp) -> int:
    """Nanoseconds since 1970 UTC."""
    return int(time.seconds) * 1_000_000_000 + int(time.nanos)
