"""Executing a block: open it, deliver its transactions one by one, close it. Pure over a state.

One branch a transaction: success commits it, Rejection discards it and keeps fee and replay mark. Any other
exception is a bug and leaves here as it is: the callers decide whether to refuse or to stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from abci_app.ante import AnteContext, KnownTransactions, ante_context, prune_seen, run_ante
from ledger.bank import state as bank
from ledger.context import Context
from ledger.module import Handler, Module
from ledger.state import State
from wire.events import Event
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.tx import REQUEST_KINDS, SignedTransaction


@dataclass(frozen=True, slots=True)
class Machine:
    """The state machine: its chain, its modules and what it remembers for speed."""

    chain_id: str
    modules: tuple[Module, ...]
    handlers: Mapping[str, Handler]
    known: KnownTransactions


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """What a block says about itself."""

    height: int
    time_ns: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one transaction; `reason` is None where it was executed."""

    reason: Reason | None
    detail: str = ""
    request_ids: tuple[bytes, ...] = ()
    events: tuple[Event, ...] = ()
    fee: int = 0
    escrow: int = 0
    # The checks refused it: it has paid nothing and does not belong into a block.
    refused: bool = False

    @property
    def code(self) -> int:
        """0 or the number of the reason."""
        return 0 if self.reason is None else int(self.reason)

    @property
    def log(self) -> str:
        """Words for people."""
        if self.reason is None:
            return ""
        return f"{self.reason.name}: {self.detail or self.reason.sentence}"

    @property
    def data(self) -> bytes:
        """TxData: the part of the result that the chain proves."""
        if self.reason is not None:
            return b""
        return tx_pb2.TxData(request_ids=self.request_ids).SerializeToString(deterministic=True)


@dataclass(frozen=True, slots=True)
class OpenBlock:
    """A block whose begin hooks have run."""

    machine: Machine
    info: BlockInfo
    state: State
    ante: AnteContext


@dataclass(frozen=True, slots=True)
class ExecutedBlock:
    """A block after its end hooks; nothing of it is stored."""

    info: BlockInfo
    transactions: tuple[bytes, ...]
    state: State
    outcomes: tuple[Outcome, ...]
    events: tuple[Event, ...]


def open_block(
    machine: Machine, state: State, info: BlockInfo, *, check_signatures: bool = True
) -> OpenBlock:
    """Forget expired replay marks and run the begin hooks on `state`."""
    prune_seen(state, info.height)
    context = Context(machine.chain_id, info.height, info.time_ns)
    for module in machine.modules:
        if module.begin_block is not None:
            module.begin_block(state, context)
    ante = ante_context(
        state, machine.chain_id, info.height, machine.known, check_signatures=check_signatures
    )
    return OpenBlock(machine, info, state, ante)


def execute_block(
    machine: Machine, state: State, info: BlockInfo, transactions: Sequence[bytes]
) -> ExecutedBlock:
    """Run a whole block on `state`."""
    block = open_block(machine, state, info)
    begin_events = state.take_events()
    outcomes = tuple(deliver(block, raw) for raw in transactions)
    # Events of transactions travel in their results.
    state.take_events()
    context = Context(machine.chain_id, info.height, info.time_ns)
    for module in machine.modules:
        if module.end_block is not None:
            module.end_block(state, context)
    events = begin_events + state.take_events()
    return ExecutedBlock(info, tuple(transactions), state, outcomes, events)


def deliver(block: OpenBlock, raw: bytes) -> Outcome:
    """Check and execute one transaction on the block's state."""
    branch = block.state.branch()
    try:
        transaction = block.ante.known.decode(raw, block.ante.parameters.max_transaction_bytes)
        fee = run_ante(branch, transaction, block.ante)
    except Rejection as rejection:
        return Outcome(rejection.reason, rejection.detail, refused=True)
    outcome = execute(block, branch, transaction, fee)
    branch.commit_into_parent()
    return outcome


def execute(block: OpenBlock, paid: State, transaction: SignedTransaction, fee: int) -> Outcome:
    """Run the messages on a branch over `paid`: all of them or none."""
    branch = paid.branch()
    try:
        request_ids, escrow = _run_messages(block, branch, transaction, fee)
    except Rejection as rejection:
        return Outcome(rejection.reason, rejection.detail, fee=fee)
    events = branch.events
    branch.commit_into_parent()
    return Outcome(None, request_ids=request_ids, events=events, fee=fee, escrow=escrow)


def _run_messages(
    block: OpenBlock, state: State, transaction: SignedTransaction, fee: int
) -> tuple[tuple[bytes, ...], int]:
    request_ids: list[bytes] = []
    left = transaction.body.max_fee - fee
    for index, message in enumerate(transaction.body.messages):
        kind = transaction.kind(index)
        context = Context(
            chain_id=block.machine.chain_id,
            height=block.info.height,
            time_ns=block.info.time_ns,
            transaction_hash=transaction.hash,
            body=transaction.body_bytes,
            message_index=index,
            sender=transaction.sender,
            max_fee_left=left,
        )
        request_id = block.machine.handlers[kind](state, getattr(message, kind), context)
        request_ids.append(request_id or b"")
        if kind in REQUEST_KINDS:
            held = bank.escrow(state, context.request_id)
            left -= 0 if held is None else held.amount
    return tuple(request_ids), transaction.body.max_fee - fee - left
