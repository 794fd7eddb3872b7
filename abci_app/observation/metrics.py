"""What a node counts about itself, as plain numbers beside consensus.

`Application.handle` shows each question of the engine with its answer to a `NodeMeter`, after the answer
is made and before it leaves. Nothing flows back: the meter changes no answer, and an exception of its own
is logged and counted, never raised. What a block did is counted when it is committed: a proposal that is
run and dropped leaves no number.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, Final

import structlog

from abci_app.known import KnownTransactions
from abci_app.observation.requests import RequestsWatch
from telemetry.instruments import OTHER, Histogram, Instruments
from wire.limits import MAX_TRANSACTION_BYTES
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.reasons import Reason, Rejection
from wire.tx import SAFETY_KINDS

_LOG: Final = structlog.get_logger(__name__)
_OK: Final = "OK"
_MIXED: Final = "mixed"
# Whether it is a recheck, whether the transaction is good.
_POOL_EVENTS: Final = {
    (False, True): "admitted",
    (False, False): "refused",
    (True, True): "kept",
    (True, False): "dropped",
}
# Reason by its number, so that a hot path looks it up once.
_REASONS: Final[Mapping[int, str]] = {0: _OK} | {int(reason): reason.name for reason in Reason}


class NodeMeter:
    """Counts what passes between engine and application."""

    def __init__(
        self,
        known: KnownTransactions,
        paths: frozenset[str] = frozenset(),
        now: Callable[[], float] = time.time,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        """`known` decodes what the node has decoded before; `paths` are the queries that exist."""
        self.instruments = Instruments()
        self._known = known
        self._paths = paths
        self._now = now
        self._ticks = ticks
        self._decided: tuple[abci_pb2.RequestFinalizeBlock, abci_pb2.ResponseFinalizeBlock] | None
        self._decided = None
        # Kind of check and code to how often.
        self._verdicts: dict[tuple[int, int], int] = {}
        self._lock = Lock()
        self._make_instruments()
        self.instruments.before_reading(self._say_verdicts)
        self.requests = RequestsWatch(self.instruments)
        # What health is judged by.
        self.engine_seen = False
        self.state_sync = False
        # The state came from a snapshot, not from blocks: what is open must be read again.
        self.restored = False
        self.height = 0
        self.block_time = 0.0
        self.committed_at: float | None = None
        self._seers: Mapping[str, Callable[[Any, Any, float], None]] = {
            "info": self._info,
            "query": self._query,
            "init_chain": self._init_chain,
            "finalize_block": self._finalize,
            "commit": self._commit,
            "offer_snapshot": self._offer_snapshot,
        }

    def handled(self, method: str, request: Any, response: Any, seconds: float) -> None:
        """Take note of one question and its answer."""
        try:
            self._method_seconds.observe(seconds, method)
            if method == "check_tx":
                # By far the most frequent call: counted by number, put into words when somebody reads.
                verdict = (request.type, response.code)
                with self._lock:
                    self._verdicts[verdict] = self._verdicts.get(verdict, 0) + 1
                return
            see = self._seers.get(method)
            if see is not None:
                see(request, response, seconds)
        except Exception:  # noqa: BLE001 - a number that cannot be counted must not stop a chain
            self._errors.add()
            _LOG.exception("metrics lost", method=method)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Measure a phase of a block: `execution`, `tree` or `write`."""
        started = time.perf_counter()
        yield
        self._phases[phase].observe(time.perf_counter() - started)

    def _make_instruments(self) -> None:
        self._make_of_calls()
        self._make_of_time()
        self._make_of_blocks()

    def _make_of_calls(self) -> None:
        add = self.instruments
        self._errors = add.counter(
            "tkms_node_metrics_errors_total", "Calls that could not be counted; a bug."
        )
        self._method_seconds = add.histogram(
            "tkms_node_abci_method_seconds", "Time to answer a call of the engine.", "method"
        )
        self._checks = add.counter(
            "tkms_node_check_tx_total", "Verdicts of CheckTx, by kind of check.", "type", "reason"
        )
        self._pool = add.counter(
            "tkms_node_mempool_transactions_total",
            "Transactions admitted to the mempool or refused by it; rechecked and kept, or dropped.",
            "event",
        )
        self._queries = add.counter(
            "tkms_node_queries_total", "Queries answered.", "path", "reason"
        )
        self._query_seconds = add.histogram(
            "tkms_node_query_seconds", "Time to answer a query.", "path"
        )

    def _make_of_time(self) -> None:
        add = self.instruments
        self._phases: dict[str, Histogram] = {
            "execution": add.histogram(
                "tkms_node_block_execution_seconds", "Time to run a block's transactions."
            ),
            "tree": add.histogram(
                "tkms_node_tree_update_seconds", "Time to compute the state tree of a block."
            ),
            "write": add.histogram(
                "tkms_node_commit_seconds", "Time to write a block, synced to the disk."
            ),
        }
        self._height = add.gauge("tkms_node_height_blocks", "Height of the last committed block.")
        self._block_time = add.gauge(
            "tkms_node_last_block_timestamp_seconds", "Time that the last committed block states."
        )
        self._commit_time = add.gauge(
            "tkms_node_last_commit_timestamp_seconds", "This machine's time at the last commit."
        )
        self._skew = add.gauge(
            "tkms_node_block_time_behind_seconds",
            "This machine's time less the block's, at the last commit: round trips, catching up or skew.",
        )

    def _make_of_blocks(self) -> None:
        add = self.instruments
        self._transactions = add.counter(
            "tkms_node_transactions_total",
            "Transactions in committed blocks, by the kind of their messages.",
            "kind",
            "reason",
        )
        self._messages = add.counter(
            "tkms_node_messages_total", "Messages executed in committed blocks.", "kind"
        )
        self._lane = add.counter(
            "tkms_node_safety_lane_messages_total",
            "Messages executed that may have come first and free of fee, in the safety lane.",
            "kind",
        )
        for kind in SAFETY_KINDS:
            self._lane.start(kind)
        self._bytes = add.counter(
            "tkms_node_transaction_bytes_total", "Bytes of transactions in committed blocks."
        )
        self._evidence = add.counter(
            "tkms_node_evidence_total", "Misbehaviour of validators that blocks report.", "type"
        )
        for number in abci_pb2.MisbehaviorType.values():
            if number:
                self._evidence.start(_misbehavior(number))
        self._validators = add.gauge(
            "tkms_node_validators", "Validators of the last committed block's commit."
        )
        self._absent = add.gauge(
            "tkms_node_absent_validators", "Of these, who did not sign the block before it."
        )

    # --- single calls

    def _info(self, _request: Any, response: abci_pb2.ResponseInfo, _seconds: float) -> None:
        self.engine_seen = True
        self.height = max(self.height, response.last_block_height)
        self._height.set(self.height)

    def _say_verdicts(self) -> None:
        """Verdicts of CheckTx by their reason, and what they mean for the mempool."""
        with self._lock:
            verdicts = sorted(self._verdicts.items())
        checks: dict[tuple[str, str], int] = {}
        pool: dict[str, int] = {}
        for (kind, code), count in verdicts:
            again = kind == abci_pb2.CHECK_TX_TYPE_RECHECK
            labels = ("recheck" if again else "new", _REASONS.get(code, OTHER))
            checks[labels] = checks.get(labels, 0) + count
            event = _POOL_EVENTS[again, code == 0]
            pool[event] = pool.get(event, 0) + count
        for labels, count in checks.items():
            self._checks.replace(count, *labels)
        for event, count in pool.items():
            self._pool.replace(count, event)

    def _query(
        self, request: abci_pb2.RequestQuery, response: abci_pb2.ResponseQuery, seconds: float
    ) -> None:
        path = request.path if request.path in self._paths else OTHER
        self._queries.add(path, _REASONS.get(response.code, OTHER))
        self._query_seconds.observe(seconds, path)

    def _init_chain(self, _request: Any, _response: Any, _seconds: float) -> None:
        self.height = 0
        self._height.set(0)

    def _offer_snapshot(
        self, _request: Any, response: abci_pb2.ResponseOfferSnapshot, _seconds: float
    ) -> None:
        if response.result == abci_pb2.OFFER_SNAPSHOT_RESULT_ACCEPT:
            self.state_sync = True

    # --- blocks

    def _finalize(
        self,
        request: abci_pb2.RequestFinalizeBlock,
        response: abci_pb2.ResponseFinalizeBlock,
        _seconds: float,
    ) -> None:
        self._decided = (request, response)

    def _commit(self, _request: Any, _response: Any, _seconds: float) -> None:
        if self._decided is None:
            return
        (request, response), self._decided = self._decided, None
        self.restored = self.restored or self.state_sync
        self.state_sync = False
        self.height = request.height
        self.block_time = request.time.seconds + request.time.nanos / 1e9
        self.committed_at = self._ticks()
        now = self._now()
        self._height.set(self.height)
        self._block_time.set(self.block_time)
        self._commit_time.set(now)
        self._skew.set(now - self.block_time)
        self._count_votes(request)
        self.requests.block_begins(self.block_time)
        self._count_transactions(request.txs, response.tx_results)
        self.requests.see_events(response.events)

    def _count_votes(self, request: abci_pb2.RequestFinalizeBlock) -> None:
        votes = request.decided_last_commit.votes
        if votes:
            absent = sum(vote.block_id_flag == abci_pb2.BLOCK_ID_FLAG_ABSENT for vote in votes)
            self._validators.set(len(votes))
            self._absent.set(absent)
        for misbehavior in request.misbehavior:
            self._evidence.add(_misbehavior(misbehavior.type))

    def _count_transactions(
        self, transactions: Sequence[bytes], results: Sequence[abci_pb2.ExecTxResult]
    ) -> None:
        """Count a block: one addition a series, however many transactions."""
        counted: Counter[tuple[str, str]] = Counter()
        messages: Counter[str] = Counter()
        lane: Counter[str] = Counter()
        for raw, result in zip(transactions, results, strict=True):
            reason = _REASONS.get(result.code, OTHER)
            try:
                transaction = self._known.decode(raw, MAX_TRANSACTION_BYTES)
            except Rejection:
                counted["undecodable", reason] += 1
                continue
            kinds = transaction.kinds
            counted[kinds[0] if len(set(kinds)) == 1 else _MIXED, reason] += 1
            if result.code:
                continue
            messages.update(kinds)
            if all(kind in SAFETY_KINDS for kind in kinds):
                lane.update(kinds)
            for kind, message in zip(kinds, transaction.body.messages, strict=True):
                self.requests.see_message(kind, message)
            self.requests.see_events(result.events)
        self._bytes.add(count=sum(map(len, transactions)))
        for labels, count in counted.items():
            self._transactions.add(*labels, count=count)
        for kind, count in messages.items():
            self._messages.add(kind, count=count)
        for kind, count in lane.items():
            self._lane.add(kind, count=count)


def _misbehavior(number: int) -> str:
    """Short name of a kind of misbehaviour."""
    try:
        name = abci_pb2.MisbehaviorType.Name(number)
    except ValueError:
        return OTHER
    return name.removeprefix("MISBEHAVIOR_TYPE_").lower()
