"""What may wait for a block: CheckTx on a branch of its own, so that spent balances count."""

from __future__ import annotations

from dataclasses import replace
from threading import Lock
from typing import Final

import structlog

from abci_app.ante import run_ante
from abci_app.deliver import BlockInfo, Machine, OpenBlock, Outcome, deliver, open_block
from ledger.state import State
from ledger.store import Store
from wire.digests import sha256
from wire.reasons import Reason, Rejection

_LOG: Final = structlog.get_logger(__name__)


class Mempool:
    """The check branch: the last committed state and the transactions that were let in since.

    A new transaction is checked and executed; whatever refuses it, nothing of it stays. A recheck runs
    the cheap checks only, without the signature.
    """

    def __init__(self, store: Store, machine: Machine) -> None:
        """Start without a branch; the first check opens it."""
        self._store = store
        self._machine = machine
        self._block: OpenBlock | None = None
        # Held during a check and, by the consensus side, while a block is written.
        self.lock = Lock()

    def reset(self, time_ns: int) -> None:
        """Start again from the state that was just committed; the caller holds the lock."""
        height = self._store.height
        if height is None:
            self._block = None
            return
        self._block = open_block(self._machine, State(self._store), BlockInfo(height + 1, time_ns))

    def check(self, raw: bytes, *, again: bool) -> Outcome:
        """Verdict about a transaction, new or `again` after a block."""
        with self.lock:
            if self._block is None:
                self.reset(0)
            block = self._block
            if block is None:
                return Outcome(Reason.INTERNAL, "the chain has not started", refused=True)
            branch = block.state.branch()
            try:
                outcome = _recheck(block, branch, raw) if again else _check(block, branch, raw)
            except Exception:  # noqa: BLE001 - a bug must not get into a block
                _LOG.exception("bug in a transaction, refused", transaction=sha256(raw).hex())
                return Outcome(Reason.INTERNAL, refused=True)
            if outcome.reason is None:
                branch.commit_into_parent()
                block.state.take_events()
            return outcome


def _check(block: OpenBlock, branch: State, raw: bytes) -> Outcome:
    return deliver(replace(block, state=branch), raw)


def _recheck(block: OpenBlock, branch: State, raw: bytes) -> Outcome:
    try:
        transaction = block.ante.known.decode(raw, block.ante.parameters.max_transaction_bytes)
        run_ante(branch, transaction, replace(block.ante, check_signatures=False))
    except Rejection as rejection:
        return Outcome(rejection.reason, rejection.detail, refused=True)
    return Outcome(None)
