"""The ABCI application: every method of the engine, and who answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from abci_app import snapshot
from abci_app.ante import KnownTransactions
from abci_app.consensus import Consensus
from abci_app.deliver import Machine
from abci_app.errors import ProtocolError
from abci_app.mempool import Mempool
from abci_app.modules import MODULES, handlers, queries
from abci_app.query import answer_query
from abci_app.results import check_message
from ledger.module import Module
from ledger.store import Store
from wire.pb.tkms.comet.v1 import abci_pb2

# Version of the rules; goes into every header. Raise it when old blocks would give other results.
APP_VERSION: Final = 1
# InsertTx: this node keeps no mempool of its own.
_UNSUPPORTED: Final = 1

Handler = Callable[[Any], Any]


class Application:
    """State machine, store and mempool branch behind the engine's methods.

    Threads may call `handle` at the same time: block methods wait for each other, transaction checks wait
    for each other and for a commit, queries for nobody.
    """

    def __init__(self, store: Store, chain_id: str, modules: tuple[Module, ...] = MODULES) -> None:
        """Continue the chain that the store holds; ProtocolError when it is another one."""
        if store.chain_id not in (None, chain_id):
            raise ProtocolError(f"the database belongs to chain {store.chain_id}")
        machine = Machine(chain_id, modules, handlers(modules), KnownTransactions())
        self._store = store
        self._machine = machine
        self._queries = queries(modules)
        self._mempool = Mempool(store, machine)
        self._consensus = Consensus(store, machine, self._mempool)
        self._handlers: Mapping[str, Handler] = {
            "echo": lambda request: abci_pb2.ResponseEcho(message=request.message),
            "flush": lambda _request: abci_pb2.ResponseFlush(),
            "info": self._info,
            "query": self._query,
            "check_tx": self._check_tx,
            "init_chain": self._locked(self._consensus.init_chain),
            "prepare_proposal": self._locked(self._consensus.prepare),
            "process_proposal": self._locked(self._consensus.process),
            "finalize_block": self._locked(self._consensus.finalize),
            "commit": self._locked(lambda _request: self._consensus.commit()),
            "extend_vote": lambda _request: abci_pb2.ResponseExtendVote(),
            "verify_vote_extension": self._verify_vote_extension,
            "list_snapshots": snapshot.list_snapshots,
            "offer_snapshot": snapshot.offer_snapshot,
            "load_snapshot_chunk": snapshot.load_chunk,
            "apply_snapshot_chunk": snapshot.apply_chunk,
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
        answer = self._handlers[name](getattr(request, name))
        return abci_pb2.Response(**{name: answer})

    def close(self) -> None:
        """Wait for the block method that is running, then close the store for good."""
        with self._consensus.lock, self._mempool.lock:
            self._store.close()

    def _locked(self, method: Handler) -> Handler:
        def call(request: Any) -> Any:
            with self._consensus.lock:
                return method(request)

        return call

    def _info(self, _request: abci_pb2.RequestInfo) -> abci_pb2.ResponseInfo:
        """Height and app hash as one batch wrote them."""
        with self._store.snapshot() as view:
            return abci_pb2.ResponseInfo(
                data="tkms",
                version=str(APP_VERSION),
                app_version=APP_VERSION,
                last_block_height=view.height or 0,
                last_block_app_hash=view.app_hash,
            )

    def _query(self, request: abci_pb2.RequestQuery) -> abci_pb2.ResponseQuery:
        return answer_query(self._store, self._machine, self._queries, request)

    def _check_tx(self, request: abci_pb2.RequestCheckTx) -> abci_pb2.ResponseCheckTx:
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
