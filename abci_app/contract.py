"""What the engine demands of an answer, checked before it leaves.

An answer that breaks one of these rules does not kill the engine: it stops making blocks and goes on serving,
half dead, or it silently loses a turn, or the indexer stops. So such an answer is never sent: ResponseError
ends the process with the rule in its words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final

from abci_app.errors import ResponseError
from abci_app.framing import MAX_MESSAGE_BYTES
from abci_app.proposal import proposal_bytes
from ledger.config import consensus, validators
from wire.pb.tkms.comet.v1 import abci_pb2

APP_HASH_BYTES: Final = 32
MAX_SNAPSHOTS: Final = 10
# Of its messages between peers: a snapshot's description and a chunk, each with its envelope.
MAX_SNAPSHOT_BYTES: Final = 4_000_000
MAX_CHUNK_BYTES: Final = 16_000_000
_ENVELOPE_BYTES: Final = 1024
MAX_CHUNKS: Final = 100_000
MAX_EXTENSION_BYTES: Final = 1024 * 1024
_MAX_AUTHORITY: Final = 256
_ED25519_BYTES: Final = 32
# An event of the application under one of these would stop the index of its block.
RESERVED_KEYS: Final = frozenset({"tx.hash", "tx.height", "tm.event", "block.height"})
# What a query of the index can name.
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+", re.ASCII)


def check_response(request: abci_pb2.Request, response: abci_pb2.Response) -> None:
    """Raise ResponseError where the engine would stop working at this answer."""
    kind = request.WhichOneof("value")
    if kind is None or response.WhichOneof("value") != kind:
        raise ResponseError(f"the answer to {kind} is of another kind")
    if response.ByteSize() > MAX_MESSAGE_BYTES:
        raise ResponseError(f"the answer to {kind} is too large")
    check = _CHECKS.get(kind)
    if check is None:
        return
    try:
        check(getattr(request, kind), getattr(response, kind))
    except _BrokenError as broken:
        raise ResponseError(f"the answer to {kind} breaks its contract: {broken}") from None


class _BrokenError(Exception):
    """The rule that an answer breaks."""


def _require(condition: object, rule: str) -> None:
    if not condition:
        raise _BrokenError(rule)


def _echo(asked: abci_pb2.RequestEcho, given: abci_pb2.ResponseEcho) -> None:
    _require(given.message == asked.message, "an echo says the same")


def _info(_asked: abci_pb2.RequestInfo, given: abci_pb2.ResponseInfo) -> None:
    _require(given.last_block_height >= 0, "no height is negative")
    if given.last_block_height:
        _app_hash(given.last_block_app_hash)


def _init_chain(_asked: abci_pb2.RequestInitChain, given: abci_pb2.ResponseInitChain) -> None:
    _app_hash(given.app_hash)
    _validators(given.validators)
    _require(
        all(update.power > 0 for update in given.validators), "the first validators have power"
    )
    if given.HasField("consensus_params"):
        _parameters(given.consensus_params)


def _query(asked: abci_pb2.RequestQuery, given: abci_pb2.ResponseQuery) -> None:
    _require(given.height >= 0, "no height is negative")
    if given.code:
        _require(given.codespace, "a code has a codespace")
        _require(not given.value and not given.proof_ops.ops, "a refusal has no value and no proof")
    elif asked.height:
        _require(given.height == asked.height, "the answer is of the height that was asked for")


def _check_tx(_asked: abci_pb2.RequestCheckTx, given: abci_pb2.ResponseCheckTx) -> None:
    _result(given)


def _insert_tx(_asked: abci_pb2.RequestInsertTx, given: abci_pb2.ResponseInsertTx) -> None:
    _require(given.code, "this node keeps no mempool of its own")


def _reap_txs(_asked: abci_pb2.RequestReapTxs, given: abci_pb2.ResponseReapTxs) -> None:
    _require(not given.txs, "this node keeps no mempool of its own")


def _prepare(
    asked: abci_pb2.RequestPrepareProposal, given: abci_pb2.ResponsePrepareProposal
) -> None:
    used = sum(proposal_bytes(raw) for raw in given.txs)
    _require(used <= asked.max_tx_bytes, f"{used} bytes of at most {asked.max_tx_bytes}")
    _require(all(given.txs), "no transaction is empty")


def _process(
    _asked: abci_pb2.RequestProcessProposal, given: abci_pb2.ResponseProcessProposal
) -> None:
    known = (abci_pb2.PROPOSAL_STATUS_ACCEPT, abci_pb2.PROPOSAL_STATUS_REJECT)
    _require(given.status in known, f"the status is {given.status}")


def _extend(_asked: abci_pb2.RequestExtendVote, given: abci_pb2.ResponseExtendVote) -> None:
    _require(len(given.vote_extension) <= MAX_EXTENSION_BYTES, "the extension is too large")


def _verify(
    _asked: abci_pb2.RequestVerifyVoteExtension, given: abci_pb2.ResponseVerifyVoteExtension
) -> None:
    known = (abci_pb2.VERIFY_STATUS_ACCEPT, abci_pb2.VERIFY_STATUS_REJECT)
    _require(given.status in known, f"the status is {given.status}")


def _finalize(asked: abci_pb2.RequestFinalizeBlock, given: abci_pb2.ResponseFinalizeBlock) -> None:
    results, transactions = len(given.tx_results), len(asked.txs)
    _require(results == transactions, f"{results} results of {transactions} transactions")
    _app_hash(given.app_hash)
    for result in given.tx_results:
        _result(result)
    _events(given.events)
    _validators(given.validator_updates)
    if given.HasField("consensus_param_updates"):
        _parameters(given.consensus_param_updates)
        # Of this chain: the engine would keep the old version, and the headers too.
        _require(
            given.consensus_param_updates.version.app, "a change names the version of the rules"
        )


def _commit(_asked: abci_pb2.RequestCommit, given: abci_pb2.ResponseCommit) -> None:
    _require(given.retain_height >= 0, "no height is negative")


def _list_snapshots(
    _asked: abci_pb2.RequestListSnapshots, given: abci_pb2.ResponseListSnapshots
) -> None:
    _require(len(given.snapshots) <= MAX_SNAPSHOTS, f"more than {MAX_SNAPSHOTS} snapshots")
    for snapshot in given.snapshots:
        _require(snapshot.height and snapshot.hash, "a snapshot has a height and a hash")
        _require(0 < snapshot.chunks <= MAX_CHUNKS, f"a snapshot has {snapshot.chunks} chunks")
        size = snapshot.ByteSize() + _ENVELOPE_BYTES
        _require(size <= MAX_SNAPSHOT_BYTES, "a snapshot's description is too large")


def _load_chunk(
    _asked: abci_pb2.RequestLoadSnapshotChunk, given: abci_pb2.ResponseLoadSnapshotChunk
) -> None:
    _require(len(given.chunk) + _ENVELOPE_BYTES <= MAX_CHUNK_BYTES, "the chunk is too large")


def _offer(_asked: abci_pb2.RequestOfferSnapshot, given: abci_pb2.ResponseOfferSnapshot) -> None:
    known = abci_pb2.OfferSnapshotResult.values()
    _require(given.result in known and given.result, f"the result is {given.result}")


def _apply_chunk(
    _asked: abci_pb2.RequestApplySnapshotChunk, given: abci_pb2.ResponseApplySnapshotChunk
) -> None:
    known = abci_pb2.ApplySnapshotChunkResult.values()
    _require(given.result in known and given.result, f"the result is {given.result}")


def _app_hash(app_hash: bytes) -> None:
    _require(len(app_hash) == APP_HASH_BYTES, f"an app hash of {len(app_hash)} bytes")


def _result(result: abci_pb2.ExecTxResult | abci_pb2.ResponseCheckTx) -> None:
    _require(result.gas_wanted >= 0 and result.gas_used >= 0, "no gas is negative")
    _require(not result.code or result.codespace, "a code has a codespace")
    _events(result.events)


def _events(events: Iterable[abci_pb2.Event]) -> None:
    """Names that the index can hold; that texts are UTF-8 is already true of the message."""
    for event in events:
        kind = event.type
        _require(_is_name(kind), f"an event of type {kind!r}")
        for attribute in event.attributes:
            if not _is_free(kind, attribute.key):
                raise _BrokenError(f"an attribute {kind}.{attribute.key!r}")


# Thousands of events a block have a few dozen names.
@lru_cache(maxsize=1024)
def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


@lru_cache(maxsize=4096)
def _is_free(kind: str, key: str) -> bool:
    return _is_name(key) and f"{kind}.{key}" not in RESERVED_KEYS


def _validators(updates: Iterable[abci_pb2.ValidatorUpdate]) -> None:
    """Keys and powers; whether a removed validator exists only the engine knows."""
    seen: set[bytes] = set()
    total = 0
    for update in updates:
        kind = update.pub_key.WhichOneof("sum")
        _require(kind == "ed25519", f"a validator's key of kind {kind}")
        key = update.pub_key.ed25519
        _require(len(key) == _ED25519_BYTES, f"a validator's key of {len(key)} bytes")
        _require(key not in seen, "a validator is there twice")
        _require(update.power >= 0, "no power is negative")
        seen.add(key)
        total += update.power
    _require(total <= validators.MAX_TOTAL_POWER, "more power than the engine can count")


def _parameters(parameters: abci_pb2.ConsensusParams) -> None:
    """Each part that is there replaces all of its fields."""
    if parameters.HasField("block"):
        block = parameters.block
        _require(
            block.max_bytes == -1 or 0 < block.max_bytes <= consensus.MAX_ENGINE_BLOCK_BYTES,
            "block.max_bytes",
        )
        _require(block.max_gas >= -1, "block.max_gas")
    if parameters.HasField("evidence"):
        evidence = parameters.evidence
        _require(evidence.max_age_num_blocks > 0, "evidence.max_age_num_blocks")
        age = evidence.max_age_duration
        _require((age.seconds, age.nanos) > (0, 0), "evidence.max_age_duration")
        most = parameters.block.max_bytes if parameters.HasField("block") else -1
        most = consensus.MAX_ENGINE_BLOCK_BYTES if most == -1 else most
        _require(0 <= evidence.max_bytes <= most, "evidence.max_bytes")
    if parameters.HasField("validator"):
        _require(list(parameters.validator.pub_key_types) == ["ed25519"], "validator.pub_key_types")
    _require(
        parameters.abci.vote_extensions_enable_height >= 0, "abci.vote_extensions_enable_height"
    )
    _require(len(parameters.authority.authority.encode()) <= _MAX_AUTHORITY, "authority")


_CHECKS: Final[dict[str, Callable[[Any, Any], None]]] = {
    "echo": _echo,
    "info": _info,
    "init_chain": _init_chain,
    "query": _query,
    "check_tx": _check_tx,
    "insert_tx": _insert_tx,
    "reap_txs": _reap_txs,
    "prepare_proposal": _prepare,
    "process_proposal": _process,
    "extend_vote": _extend,
    "verify_vote_extension": _verify,
    "finalize_block": _finalize,
    "commit": _commit,
    "list_snapshots": _list_snapshots,
    "load_snapshot_chunk": _load_chunk,
    "offer_snapshot": _offer,
    "apply_snapshot_chunk": _apply_chunk,
}
