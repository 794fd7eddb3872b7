"""Reading the committed state: `/store` with proof, `/simulate`, and the queries of the modules.

A query takes one snapshot of the database at entry, so that its value, its proof and its height belong
together, and never waits for consensus. It may ask for any height that the node keeps (`keep_versions`). It
answers; it never raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import structlog
from google.protobuf.message import DecodeError

from abci_app.deliver import BlockInfo, Machine, deliver, open_block
from abci_app.results import CODESPACE
from ledger import tree
from ledger.clock.state import clock
from ledger.module import Query
from ledger.state import State, is_derived
from ledger.store import Snapshot, Store, View
from wire.limits import MAX_TRANSACTION_BYTES
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection

# data of this op: the raw ics23.CommitmentProof; its root is the app hash of header height + 1.
PROOF_TYPE: Final = "tkms:ics23"

_LOG: Final = structlog.get_logger(__name__)
_NO_SIGNATURE: Final = bytes(65)


def answer_query(
    store: Store, machine: Machine, paths: Mapping[str, Query], request: abci_pb2.RequestQuery
) -> abci_pb2.ResponseQuery:
    """Answer one query."""
    with store.snapshot() as snapshot:
        try:
            view = _view(snapshot, request.height)
            response = _route(view, machine, paths, request)
            response.height = view.height or 0
        except Rejection as rejection:
            response = _refusal(rejection.reason, str(rejection))
            response.height = snapshot.height or 0
        except Exception:  # noqa: BLE001 - the engine dies of an exception here; a query must not do that
            _LOG.exception("bug in a query", path=request.path)
            response = _refusal(Reason.INTERNAL, "see the node's log")
            response.height = snapshot.height or 0
        return response


def _view(snapshot: Snapshot, height: int) -> View:
    """State of the height that a query asks for; 0 is the last one."""
    last = snapshot.height
    if last is None:
        raise Rejection(Reason.NOT_FOUND, "the chain has not started")
    first = snapshot.first_height
    if height != 0 and not first <= height <= last:
        raise Rejection(Reason.NOT_FOUND, f"this node keeps heights {first} to {last}")
    return snapshot.at(height or last)


def _route(
    view: View,
    machine: Machine,
    paths: Mapping[str, Query],
    request: abci_pb2.RequestQuery,
) -> abci_pb2.ResponseQuery:
    if request.path == "/store":
        return _store(view, request)
    if request.path == "/simulate":
        value = simulate(machine, State(view), view.height or 0, request.data)
        return abci_pb2.ResponseQuery(value=value.SerializeToString(deterministic=True))
    query = paths.get(request.path)
    if query is None:
        raise Rejection(Reason.UNKNOWN_QUERY, request.path)
    return abci_pb2.ResponseQuery(value=query(State(view), request.data))


def _store(view: View, request: abci_pb2.RequestQuery) -> abci_pb2.ResponseQuery:
    """Value of a raw key, empty where there is none (no stored value is empty)."""
    if not request.data:
        raise Rejection(Reason.UNKNOWN_QUERY, "the data is the key")
    if request.prove and is_derived(request.data):
        # The tree does not hold it: what it could prove is that, and somebody might read it as absence.
        raise Rejection(Reason.UNKNOWN_QUERY, "a derived key has no proof")
    response = abci_pb2.ResponseQuery(key=request.data, value=view.get(request.data) or b"")
    if request.prove:
        proof = tree.prove(view, view.height or 0, request.data)
        response.proof_ops.ops.add(type=PROOF_TYPE, key=request.data, data=proof)
    return response


def simulate(machine: Machine, state: State, height: int, raw: bytes) -> state_pb2.Simulation:
    """Run a transaction, whose signature may be missing, as the next block would."""
    info = BlockInfo(height + 1, clock(state).last_block_time_ns)
    block = open_block(machine, state, info, check_signatures=False)
    outcome = deliver(block, _with_signature(raw))
    return state_pb2.Simulation(
        code=outcome.code,
        detail=outcome.log,
        fee=outcome.fee,
        escrow=outcome.escrow,
        request_ids=outcome.request_ids,
        gas=outcome.gas,
    )


def _with_signature(raw: bytes) -> bytes:
    """Give an unsigned transaction a signature of the right length, so that its fee is right."""
    if len(raw) > MAX_TRANSACTION_BYTES:
        return raw
    try:
        transaction = tx_pb2.Tx.FromString(raw)
    except DecodeError:
        # Strict decoding says what is wrong with it.
        return raw
    if transaction.signature:
        return raw
    filled = tx_pb2.Tx(
        body=transaction.body, scheme=tx_pb2.SCHEME_SECP256K1, signature=_NO_SIGNATURE
    )
    return filled.SerializeToString(deterministic=True)


def _refusal(reason: Reason, words: str) -> abci_pb2.ResponseQuery:
    return abci_pb2.ResponseQuery(code=int(reason), log=words, codespace=CODESPACE)
