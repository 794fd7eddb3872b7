"""The life of a block: InitChain, PrepareProposal, ProcessProposal, FinalizeBlock, Commit.

FinalizeBlock computes and stores nothing; Commit writes all of the block in one batch. A block that was run for a
proposal, to make it or to judge it, is not run again: its result waits until a block is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from threading import RLock
from typing import Final

import structlog
from google.protobuf.timestamp_pb2 import Timestamp

from abci_app import proposal
from abci_app.deliver import BlockInfo, ExecutedBlock, Machine, execute_block
from abci_app.engine_updates import (
    check_engine_genesis,
    check_engine_import,
    consensus_updates,
    load_engine_genesis,
    validator_updates,
)
from abci_app.errors import GenesisError, ProtocolError
from abci_app.genesis import genesis_height, load_genesis, parse_genesis
from abci_app.mempool import Mempool
from abci_app.results import event_message, result_message
from ledger import migrations, tree
from ledger.state import State
from ledger.store import Block, Store
from wire.pb.tkms.comet.v1 import abci_pb2

_LOG: Final = structlog.get_logger(__name__)
# Proposals of one height beyond this many are run again when one of them is decided.
_CANDIDATES: Final = 2
Timed = Callable[[str], AbstractContextManager[None]]


class Consensus:
    """The block that is being made; one call at a time."""

    def __init__(
        self,
        store: Store,
        machine: Machine,
        mempool: Mempool,
        after_commit: Callable[[int], int],
        timed: Timed = lambda _phase: nullcontext(),
    ) -> None:
        """Continue from what the store holds.

        `after_commit` learns a height and says from which blocks must stay; `timed` measures phases for people, no
        result depends on it.
        """
        self._after_commit = after_commit
        self._timed = timed
        self._store = store
        self._machine = machine
        self._mempool = mempool
        # Blocks of the coming height that were run, newest last.
        self._candidates: list[ExecutedBlock] = []
        self._pending: tuple[Block, BlockInfo] | None = None
        self.lock = RLock()

    def init_chain(self, request: abci_pb2.RequestInitChain) -> abci_pb2.ResponseInitChain:
        """Write the genesis state, again if the engine asks again before block 1."""
        if request.chain_id != self._machine.chain_id:
            raise GenesisError(
                f"the genesis is of {request.chain_id}, this node of {self._machine.chain_id}"
            )
        # Over the present content, which the write replaces: nothing of it may be read.
        state = State(_Nothing())
        genesis = parse_genesis(request.app_state_bytes)
        height = genesis_height(genesis, request.initial_height)
        if genesis.HasField("exported"):
            load_genesis(state, self._machine.modules, genesis, request.chain_id)
            check_engine_import(state, request)
        else:
            load_engine_genesis(state, request)
            load_genesis(state, self._machine.modules, genesis, request.chain_id)
            check_engine_genesis(state)
        version = migrations.version(state)
        migrations.check_known(version, self._machine.migrations, height + 1)
        changes = state.changes()
        update = tree.create(changes, height)
        block = Block(height, update.root, changes, update.nodes, update.stale)
        with self._mempool.lock:
            self._store.write_genesis(request.chain_id, block)
            self._mempool.reset(_nanoseconds(request.time))
        self._candidates.clear()
        _LOG.info("genesis", chain_id=request.chain_id, app_hash=update.root.hex())
        # Into every header from the first one on, whatever Info said before there was a state.
        params = abci_pb2.ConsensusParams(version=abci_pb2.VersionParams(app=version))
        return abci_pb2.ResponseInitChain(app_hash=update.root, consensus_params=params)

    def prepare(self, request: abci_pb2.RequestPrepareProposal) -> abci_pb2.ResponsePrepareProposal:
        """Choose the transactions of a block."""
        info = BlockInfo(request.height, _nanoseconds(request.time))
        with self._timed("execution"):
            executed = proposal.prepare(
                self._machine, State(self._store), info, request.txs, request.max_tx_bytes
            )
        self._keep(executed)
        return abci_pb2.ResponsePrepareProposal(txs=executed.transactions)

    def process(self, request: abci_pb2.RequestProcessProposal) -> abci_pb2.ResponseProcessProposal:
        """Judge another's choice, and keep the result for FinalizeBlock; an own choice was judged when made."""
        info = BlockInfo(request.height, _nanoseconds(request.time))
        transactions = tuple(request.txs)
        if self._find(info, transactions) is None:
            with self._timed("execution"):
                self._machine.known.verify_many(transactions, self._machine.chain_id)
                executed = proposal.process(self._machine, State(self._store), info, transactions)
            if executed is None:
                return abci_pb2.ResponseProcessProposal(status=abci_pb2.PROPOSAL_STATUS_REJECT)
            self._keep(executed)
        return abci_pb2.ResponseProcessProposal(status=abci_pb2.PROPOSAL_STATUS_ACCEPT)

    def finalize(self, request: abci_pb2.RequestFinalizeBlock) -> abci_pb2.ResponseFinalizeBlock:
        """Run the decided block; any exception here must stop the process."""
        height = self._store.height
        if height is None or request.height != height + 1:
            raise ProtocolError(f"block {request.height} does not follow {height}")
        info = BlockInfo(request.height, _nanoseconds(request.time))
        transactions = tuple(request.txs)
        executed = self._find(info, transactions)
        if executed is None:
            with self._timed("execution"):
                self._machine.known.verify_many(transactions, self._machine.chain_id)
                executed = execute_block(self._machine, State(self._store), info, transactions)
        changes = executed.state.changes()
        with self._timed("tree"):
            update = tree.update(self._store, info.height, changes)
        block = Block(info.height, update.root, changes, update.nodes, update.stale)
        self._pending = (block, info)
        return abci_pb2.ResponseFinalizeBlock(
            events=[event_message(event) for event in executed.events],
            tx_results=[result_message(outcome) for outcome in executed.outcomes],
            validator_updates=validator_updates(executed.state, info.height),
            consensus_param_updates=consensus_updates(executed.state, info.height),
            app_hash=update.root,
        )

    def commit(self) -> abci_pb2.ResponseCommit:
        """Write the block and start the check branch anew."""
        if self._pending is None:
            raise ProtocolError("there is no block to commit")
        block, info = self._pending
        with self._mempool.lock:
            with self._timed("write"):
                self._store.write_block(block)
            self._mempool.reset(info.time_ns)
        self._pending = None
        self._candidates.clear()
        _LOG.debug("committed", height=block.height, app_hash=block.app_hash.hex())
        return abci_pb2.ResponseCommit(retain_height=self._after_commit(block.height))

    def _keep(self, executed: ExecutedBlock) -> None:
        self._candidates = [*self._candidates[1 - _CANDIDATES :], executed]

    def _find(self, info: BlockInfo, transactions: tuple[bytes, ...]) -> ExecutedBlock | None:
        for executed in self._candidates:
            if executed.info == info and executed.transactions == transactions:
                return executed
        return None


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
