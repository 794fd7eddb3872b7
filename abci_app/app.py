"""The ABCI application: every method of the engine, and who answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import BoundedSemaphore, Event
from time import perf_counter
from typing import Any, Final

import structlog

from abci_app.consensus import Consensus
from abci_app.deliver import Machine
from abci_app.errors import HaltError, ProtocolError
from abci_app.history.retention import KEEP_ALL, Keeping, retain_height
from abci_app.history.snapshots import SnapshotFolder, SnapshotWriter
from abci_app.history.state_sync import StateSync
from abci_app.known import KnownTransactions
from abci_app.mempool import DEFAULT_LIMITS, Mempool, MempoolLimits
from abci_app.modules import MODULES, handlers, queries
from abci_app.observation.metrics import NodeMeter
from abci_app.query import answer_query
from abci_app.results import CODESPACE, check_message
from ledger import migrations
from ledger.module import Module
from ledger.store import Store
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.reasons import Reason

# Newest version of the rules that this program knows; the one in force is in the state and in every header.
APP_VERSION: Final = migrations.newest(migrations.MIGRATIONS)
# Folder of snapshots, beside the database.
SNAPSHOTS: Final = "snapshots"
# InsertTx: this node keeps no mempool of its own.
_UNSUPPORTED: Final = 1

# The engine asks one at a time; whoever else may open the socket gets no more of this processor.
_QUERIES_AT_ONCE: Final = 2
# Above every page that a query gives, below what would stop the node as a broken contract.
MAX_QUERY_BYTES: Final = 32 * 1024 * 1024

_LOG: Final = structlog.get_logger(__name__)

Handler = Callable[[Any], Any]


class Application:
    """State machine, store and mempool branch behind the engine's methods.

    Threads may call `handle` at the same time: block methods wait for each other, transaction checks wait
    for each other and for a commit, queries for nobody.
    """

    def __init__(
        self,
        store: Store,
        chain_id: str,
        modules: tuple[Module, ...] = MODULES,
        limits: MempoolLimits = DEFAULT_LIMITS,
        *,
        halt_height: int = 0,
        keeping: Keeping = KEEP_ALL,
        known_migrations: migrations.Migrations = migrations.MIGRATIONS,
    ) -> None:
        """Continue the chain that the store holds. No block above `halt_height` is executed, if that is not 0.

        Raises:
            ProtocolError: it is another chain.
            VersionError: it follows rules that this program does not know.
        """
        if store.chain_id not in (None, chain_id):
            raise ProtocolError(f"the database belongs to chain {store.chain_id}")
        if store.height is not None:
            migrations.check_known(migrations.version(store), known_migrations, store.height + 1)
        machine = Machine(
            chain_id, modules, handlers(modules), KnownTransactions(), known_migrations
        )
        self._store = store
        self._halt_height = halt_height
        self._query_slots = BoundedSemaphore(_QUERIES_AT_ONCE)
        self._machine = machine
        # Set while no block method runs.
        self._quiet = Event()
        self._quiet.set()
        self._queries = queries(modules)
        self.meter = NodeMeter(machine.known, frozenset({"/store", "/simulate", *self._queries}))
        self._mempool = Mempool(store, machine, limits)
        self._keeping = keeping
        self.snapshots = self._folder = SnapshotFolder(store.path.with_name(SNAPSHOTS))
        self._folder.clean(store.height or 0)
        self.snapshot_writer = self._writer = SnapshotWriter(
            store, self._folder, keeping.snapshot_interval, keeping.snapshot_keep
        )
        derivations = [module.derive for module in modules if module.derive is not None]
        self._sync = StateSync(store, chain_id, self._folder, derivations, known_migrations)
        self._consensus = Consensus(
            store, machine, self._mempool, self._committed, self.meter.timed
        )
        self._handlers: Mapping[str, Handler] = {
            "echo": lambda request: abci_pb2.ResponseEcho(message=request.message),
            "flush": lambda _request: abci_pb2.ResponseFlush(),
            "info": self._info,
            "query": self._query,
            "check_tx": self._check_tx,
            "init_chain": self._locked(self._consensus.init_chain),
            "prepare_proposal": self._locked(self._consensus.prepare),
            "process_proposal": self._locked(self._consensus.process),
            "finalize_block": self._locked(self._finalize),
            "commit": self._locked(lambda _request: self._consensus.commit()),
            "extend_vote": lambda _request: abci_pb2.ResponseExtendVote(),
            "verify_vote_extension": self._verify_vote_extension,
            "list_snapshots": self._sync.list_snapshots,
            "offer_snapshot": self._locked(self._sync.offer_snapshot),
            "load_snapshot_chunk": self._sync.load_chunk,
            "apply_snapshot_chunk": self._locked(self._apply_chunk),
            "insert_tx": lambda _request: abci_pb2.ResponseInsertTx(code=_UNSUPPORTED),
            "reap_txs": lambda _request: abci_pb2.ResponseReapTxs(),
        }

    def handle(self, request: abci_pb2.Request) -> abci_pb2.Response:
        """Answer one request of the engine.

        Raises:
            ProtocolError: the request is empty or comes at a wrong moment.
            Exception: anything else is a bug; the process must stop rather than guess.
        """
        name = request.WhichOneof("value")
        if name is None:
            raise ProtocolError("a request without content: another ABCI version?")
        question, started = getattr(request, name), perf_counter()
        answer = self._handlers[name](question)
        self.meter.handled(name, question, answer, perf_counter() - started)
        return abci_pb2.Response(**{name: answer})

    def foresee(self, requests: Sequence[abci_pb2.Request]) -> None:
        """Do together what requests that arrived together have in common: signatures, on all cores."""
        fresh = [
            request.check_tx.tx
            for request in requests
            if request.WhichOneof("value") == "check_tx"
            and request.check_tx.type == abci_pb2.CHECK_TX_TYPE_NEW
        ]
        if len(fresh) > 1:
            self._machine.known.verify_many(fresh, self._machine.chain_id)

    def close(self) -> None:
        """Wait for the block method that is running, then close the store for good."""
        with self._consensus.lock, self._mempool.lock:
            self._writer.close()
            self._store.close()

    def wait_for_snapshot(self) -> None:
        """Return when no snapshot is being written."""
        self._writer.wait()

    def _locked(self, method: Handler) -> Handler:
        def call(request: Any) -> Any:
            with self._consensus.lock:
                # Checks wait instead of fighting for the interpreter: every read of the database lets go of it, and
                # two threads would hand it to and fro at each.
                self._quiet.clear()
                try:
                    return method(request)
                finally:
                    self._quiet.set()

        return call

    def _info(self, _request: abci_pb2.RequestInfo) -> abci_pb2.ResponseInfo:
        """Height and app hash as one batch wrote them."""
        with self._store.snapshot() as view:
            return abci_pb2.ResponseInfo(
                data="tkms",
                version=str(APP_VERSION),
                app_version=migrations.version(view),
                # Before the first block the engine must ask for genesis again, whatever its height.
                last_block_height=0 if view.height == view.genesis_height else view.height,
                last_block_app_hash=view.app_hash,
            )

    def _finalize(self, request: abci_pb2.RequestFinalizeBlock) -> abci_pb2.ResponseFinalizeBlock:
        """Refused before anything is computed: a halt between a write and its answer would confuse."""
        if 0 < self._halt_height < request.height:
            raise HaltError(
                f"halt_height is {self._halt_height}: block {request.height} is not executed"
            )
        self._store.reach("before-finalize")
        response = self._consensus.finalize(request)
        self._store.reach("after-finalize")
        return response

    def _committed(self, height: int) -> int:
        """Take a snapshot if it is time, and say from which block on the engine must keep them."""
        self._writer.committed(height)
        return retain_height(self._store, self._keeping, self._folder.heights())

    def _apply_chunk(
        self, request: abci_pb2.RequestApplySnapshotChunk
    ) -> abci_pb2.ResponseApplySnapshotChunk:
        """The last chunk puts another state below the mempool."""
        with self._mempool.lock:
            answer = self._sync.apply_chunk(request)
            self._mempool.reset(0)
        return answer

    def _query(self, request: abci_pb2.RequestQuery) -> abci_pb2.ResponseQuery:
        """An answer whatever happens: the engine would die of an exception."""
        with self._query_slots:
            try:
                response = answer_query(self._store, self._machine, self._queries, request)
            except Exception:  # noqa: BLE001 - see above
                _LOG.exception("bug in a query", path=request.path)
                return _refused_query("see the node's log")
        if response.ByteSize() > MAX_QUERY_BYTES:
            return _refused_query(f"the answer has more than {MAX_QUERY_BYTES} bytes")
        return response

    def _check_tx(self, request: abci_pb2.RequestCheckTx) -> abci_pb2.ResponseCheckTx:
        self._quiet.wait()
        again = request.type == abci_pb2.CHECK_TX_TYPE_RECHECK
        return check_message(self._mempool.check(request.tx, again=again))

    def _verify_vote_extension(
        self, request: abci_pb2.RequestVerifyVoteExtension
    ) -> abci_pb2.ResponseVerifyVoteExtension:
        """Only the empty extension is ever made."""
        status = abci_pb2.VERIFY_STATUS_REJECT
        if not request.vote_extension:
            status = abci_pb2.VERIFY_STATUS_ACCEPT
        return abci_pb2.ResponseVerifyVoteExtension(status=status)


def _refused_query(words: str) -> abci_pb2.ResponseQuery:
    return abci_pb2.ResponseQuery(code=int(Reason.INTERNAL), log=words, codespace=CODESPACE)
