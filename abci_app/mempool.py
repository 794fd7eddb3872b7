"""What may wait for a block: CheckTx on a branch of its own, so that spent balances count."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Final

import structlog

from abci_app import replay
from abci_app.ante import seen_of
from abci_app.deliver import BlockInfo, Machine, OpenBlock, Outcome, deliver, open_block
from abci_app.lane import in_safety_lane
from ledger.bank import state as bank
from ledger.errors import VersionError
from ledger.state import State
from ledger.store import Store
from wire.digests import sha256
from wire.reasons import Reason, Rejection
from wire.tx import SignedTransaction

_NO_NEXT_BLOCK: Final = "the chain has not started, or its next block follows rules not known here"
_LOG: Final = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class MempoolLimits:
    """What may wait besides the safety lane; below the engine's mempool.max_txs_bytes and mempool.size."""

    max_bytes: int = 3 * 1024 * 1024
    max_count: int = 9_000


DEFAULT_LIMITS: Final = MempoolLimits()


class Mempool:
    """The check branch: the last committed state and the transactions that were let in since.

    A new transaction is checked and executed; whatever refuses it, nothing of it stays. A recheck asks only
    what a block can have changed for a transaction that was let in: expiry, inclusion, and whether the sender
    can still pay the fees of all that waits.

    The engine's mempool has no priorities: what is not of the safety lane is let in only up to its `limits`,
    which are below the engine's own, so that there is always room for the lane.
    """

    def __init__(self, store: Store, machine: Machine, limits: MempoolLimits) -> None:
        """Start without a branch; the first check opens it."""
        self._store = store
        self._machine = machine
        self._limits = limits
        self._block: OpenBlock | None = None
        # What waits, as far as it has been seen since the last block: the engine rechecks everything after one.
        self._waiting_bytes = 0
        self._waiting_count = 0
        # Fees of rechecked transactions by sender, and what the senders had at the last block.
        self._due: dict[bytes, int] = {}
        self._funds: dict[bytes, int] = {}
        # Held during a check and, by the consensus side, while a block is written.
        self.lock = Lock()

    def reset(self, time_ns: int) -> None:
        """Start again from the state that was just committed; the caller holds the lock."""
        self._waiting_bytes = self._waiting_count = 0
        self._due.clear()
        self._funds.clear()
        height = self._store.height
        if height is None:
            self._block = None
            return
        try:
            self._block = open_block(
                self._machine, State(self._store), BlockInfo(height + 1, time_ns)
            )
        except VersionError:
            # The block that was just committed is kept; FinalizeBlock says why the next one cannot be executed.
            self._block = None

    def check(self, raw: bytes, *, again: bool) -> Outcome:
        """Verdict about a transaction, new or `again` after a block."""
        with self.lock:
            if self._block is None:
                self.reset(0)
            block = self._block
            if block is None:
                return Outcome(Reason.INTERNAL, _NO_NEXT_BLOCK, refused=True)
            before = block.state.checkpoint()
            try:
                outcome = self._recheck(block, raw) if again else self._check(block, raw)
            except Exception:  # noqa: BLE001 - a bug must not get into a block
                _LOG.exception("bug in a transaction, refused", transaction=sha256(raw).hex())
                outcome = Outcome(Reason.INTERNAL, refused=True)
            if outcome.reason is not None:
                block.state.revert(before)
            else:
                self._waiting_bytes += len(raw)
                self._waiting_count += 1
            block.state.take_events()
            return outcome

    def _check(self, block: OpenBlock, raw: bytes) -> Outcome:
        if self._is_full(raw):
            # Asked first: who is told to come later must not cost what executing it would.
            try:
                transaction = block.ante.known.decode(
                    raw, block.ante.parameters.max_transaction_bytes
                )
            except Rejection as rejection:
                return Outcome(rejection.reason, rejection.detail, refused=True)
            if not in_safety_lane(block.state, transaction):
                waiting = f"{self._waiting_count} transactions wait"
                return Outcome(Reason.BUSY, waiting, refused=True)
        return deliver(block, raw)

    def _is_full(self, raw: bytes) -> bool:
        return (
            self._waiting_bytes + len(raw) > self._limits.max_bytes
            or self._waiting_count >= self._limits.max_count
        )

    def _recheck(self, block: OpenBlock, raw: bytes) -> Outcome:
        try:
            self._check_again(block, raw)
        except Rejection as rejection:
            return Outcome(rejection.reason, rejection.detail, refused=True)
        return Outcome(None)

    def _check_again(self, block: OpenBlock, raw: bytes) -> None:
        context = block.ante
        transaction = context.known.decode(raw, context.parameters.max_transaction_bytes)
        if transaction.body.expires_at_height < context.height:
            raise Rejection(Reason.EXPIRED, f"the height is {context.height}")
        if replay.is_marked(block.state, seen_of(transaction)):
            raise Rejection(Reason.REPLAYED)
        if not in_safety_lane(block.state, transaction):
            self._check_funds(block, transaction)

    def _check_funds(self, block: OpenBlock, transaction: SignedTransaction) -> None:
        """Whether the sender can pay the fees of all that was rechecked so far, this one included."""
        sender = transaction.sender
        if sender.value not in self._funds:
            self._funds[sender.value] = bank.balance(block.state, sender)
        due = self._due.get(sender.value, 0) + block.ante.prices.fee_of(transaction)
        if due > self._funds[sender.value] and transaction.kinds != ("faucet",):
            raise Rejection(Reason.INSUFFICIENT_FUNDS, f"{due} units of fees wait")
        self._due[sender.value] = due
