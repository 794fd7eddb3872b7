"""Executing a block: open it, deliver its transactions one by one, close it. Pure over a state.

What a transaction wrote stays, or a Rejection takes it back and leaves fee and replay mark. Any other
exception is a bug and leaves here as it is: the callers decide whether to refuse or to stop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from abci_app import lane, replay
from abci_app.ante import AnteContext, Passed, ante_context, run_ante, seen_of
from abci_app.fees import pays_from_claim
from abci_app.known import KnownTransactions
from ledger.bank import state as bank
from ledger.context import Context
from ledger.migrations import MIGRATIONS, Migrations
from ledger.module import Handler, Module
from ledger.state import State
from wire.events import Event
from wire.ids import RequestId
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
    migrations: Migrations = field(default_factory=lambda: MIGRATIONS)


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """What a block says about itself."""

    height: int
    time_ns: int


class Outcome(NamedTuple):
    """What became of one transaction; `reason` is None where it was executed."""

    reason: Reason | None
    detail: str = ""
    request_ids: tuple[bytes, ...] = ()
    events: tuple[Event, ...] = ()
    fee: int = 0
    escrow: int = 0
    gas: int = 0
    # It belongs to the safety lane.
    safety: bool = False
    # What the replay protection has to remember.
    seen: replay.Seen | None = None
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
        return _transaction_data(self.request_ids)


@lru_cache(maxsize=64)
def _transaction_data(request_ids: tuple[bytes, ...]) -> bytes:
    """TxData; most transactions make no request and share theirs."""
    return tx_pb2.TxData(request_ids=request_ids).SerializeToString(deterministic=True)


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
    """Run the begin hooks on `state`; VersionError where the block follows rules that are not known here."""
    context = Context(machine.chain_id, info.height, info.time_ns, migrations=machine.migrations)
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
    outcomes = [deliver(block, raw) for raw in transactions]
    return close_block(block, begin_events, transactions, outcomes)


def close_block(
    block: OpenBlock,
    begin_events: tuple[Event, ...],
    transactions: Sequence[bytes],
    outcomes: Sequence[Outcome],
) -> ExecutedBlock:
    """Run the end hooks after the last transaction."""
    state, info = block.state, block.info
    # Events of transactions travel in their results.
    state.take_events()
    lane.clear(state)
    replay.record(
        state, info.height, [outcome.seen for outcome in outcomes if outcome.seen is not None]
    )
    context = Context(block.machine.chain_id, info.height, info.time_ns)
    for module in block.machine.modules:
        if module.end_block is not None:
            module.end_block(state, context)
    events = begin_events + state.take_events()
    return ExecutedBlock(info, tuple(transactions), state, tuple(outcomes), events)


def deliver(block: OpenBlock, raw: bytes) -> Outcome:
    """Check and execute one transaction on the block's state; any exception but Rejection is a bug."""
    state = block.state
    before = state.checkpoint()
    try:
        transaction = block.ante.known.decode(raw, block.ante.parameters.max_transaction_bytes)
        passed = run_ante(state, transaction, block.ante)
    except Rejection as rejection:
        state.revert(before)
        return Outcome(rejection.reason, rejection.detail, refused=True)
    return _execute(block, transaction, passed)


def _execute(block: OpenBlock, transaction: SignedTransaction, passed: Passed) -> Outcome:
    """Run the messages of a transaction that has passed the checks: all of them or none."""
    state = block.state
    paid = state.checkpoint()
    reason, detail = None, ""
    request_ids: tuple[bytes, ...] = ()
    escrow = 0
    try:
        request_ids, escrow = _run_messages(block, state, transaction, passed.fee)
    except Rejection as rejection:
        state.revert(paid)
        reason, detail = rejection.reason, rejection.detail
    return Outcome(
        reason,
        detail,
        request_ids=request_ids,
        events=state.events_since(paid),
        fee=passed.fee,
        escrow=escrow,
        gas=passed.gas,
        safety=passed.safety,
        seen=seen_of(transaction),
    )


def _run_messages(
    block: OpenBlock, state: State, transaction: SignedTransaction, fee: int
) -> tuple[tuple[bytes, ...], int]:
    request_ids: list[bytes] = []
    left = transaction.body.max_fee - fee
    claim_fee = fee if pays_from_claim(transaction) else 0
    for index, (kind, message) in enumerate(
        zip(transaction.kinds, transaction.body.messages, strict=True)
    ):
        context = Context(
            chain_id=block.machine.chain_id,
            height=block.info.height,
            time_ns=block.info.time_ns,
            transaction_hash=transaction.hash,
            body=transaction.body_bytes,
            message_index=index,
            sender=transaction.sender,
            max_fee_left=left,
            claim_fee=claim_fee,
        )
        request_id = block.machine.handlers[kind](state, getattr(message, kind), context)
        request_ids.append(request_id or b"")
        if request_id and kind in REQUEST_KINDS:
            held = bank.escrow(state, RequestId(request_id))
            left -= 0 if held is None else held.amount
    return tuple(request_ids), transaction.body.max_fee - fee - left
