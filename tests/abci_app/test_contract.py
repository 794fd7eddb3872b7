"""Answers that would leave the engine half dead: a lying application against the real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from abci_app import contract
from abci_app.contract import check_response
from abci_app.errors import ResponseError
from abci_app.framing import MAX_MESSAGE_BYTES
from abci_app.server import Server
from tests.support.abci_peer import PATIENCE_SECONDS, Failures, Peer
from wire.pb.tkms.comet.v1 import abci_pb2 as abci

HASH = bytes(32)
VERSION = abci.VersionParams(app=1)
KEYS = [abci.PublicKey(ed25519=bytes([number]) * 32) for number in range(4)]


def event(kind: str, *keys: str) -> abci.Event:
    """An event with these attributes."""
    return abci.Event(type=kind, attributes=[abci.EventAttribute(key=key) for key in keys])


def update(key: abci.PublicKey, power: int) -> abci.ValidatorUpdate:
    """A change of one validator."""
    return abci.ValidatorUpdate(pub_key=key, power=power)


def block(**answer: object) -> abci.ResponseFinalizeBlock:
    """Result of a block of two transactions."""
    content = {"tx_results": [abci.ExecTxResult(), abci.ExecTxResult()], "app_hash": HASH}
    return abci.ResponseFinalizeBlock(**{**content, **answer})


def parameters(**answer: Message) -> abci.ResponseFinalizeBlock:
    """Result of a block that changes parameters."""
    return block(consensus_param_updates=abci.ConsensusParams(**{"version": VERSION, **answer}))


def evidence(blocks: int = 10, seconds: int = 10, size: int = 10) -> abci.EvidenceParams:
    """How long evidence counts."""
    age = Duration(seconds=seconds)
    return abci.EvidenceParams(max_age_num_blocks=blocks, max_age_duration=age, max_bytes=size)


def snapshot(**fields: object) -> abci.Snapshot:
    """A description."""
    return abci.Snapshot(**{"height": 1, "format": 1, "chunks": 1, "hash": HASH, **fields})


def request(kind: str, **fields: object) -> abci.Request:
    """A request by the name of its kind."""
    made = abci.Request()
    content = getattr(made, kind)
    content.SetInParent()
    content.MergeFrom(type(content)(**fields))
    return made


FINALIZE = request("finalize_block", txs=[b"a", b"b"], height=3)
PREPARE = request("prepare_proposal", max_tx_bytes=5)
INIT = request("init_chain")
QUERY = request("query", height=5)
CHUNK = contract.MAX_CHUNK_BYTES

# Name of the rule, the request, an answer that breaks it.
LIES: list[tuple[str, abci.Request, Message]] = [
    ("an echo says the same", request("echo", message="a"), abci.ResponseEcho(message="b")),
    ("no height is negative", request("info"), abci.ResponseInfo(last_block_height=-1)),
    ("app hash of 2 bytes", request("info"), abci.ResponseInfo(last_block_height=1, last_block_app_hash=b"ab")),
    ("app hash of 5 bytes", INIT, abci.ResponseInitChain(app_hash=b"short")),
    ("first validators", INIT, abci.ResponseInitChain(app_hash=HASH, validators=[update(KEYS[0], 0)])),
    ("block.max_bytes", INIT, abci.ResponseInitChain(app_hash=HASH, consensus_params=abci.ConsensusParams(block=abci.BlockParams()))),
    ("no height is negative", QUERY, abci.ResponseQuery(height=-1)),
    ("of the height that was asked", QUERY, abci.ResponseQuery(height=4)),
    ("a code has a codespace", QUERY, abci.ResponseQuery(code=3, height=5)),
    ("no value and no proof", QUERY, abci.ResponseQuery(code=3, codespace="tkms", value=b"1", height=5)),
    ("no value and no proof", QUERY, abci.ResponseQuery(code=3, codespace="tkms", proof_ops=abci.ProofOps(ops=[abci.ProofOp()]))),
    ("a code has a codespace", request("check_tx"), abci.ResponseCheckTx(code=4)),
    ("no gas is negative", request("check_tx"), abci.ResponseCheckTx(gas_wanted=-1)),
    ("event of type ''", request("check_tx"), abci.ResponseCheckTx(events=[event("")])),
    ("no mempool", request("insert_tx"), abci.ResponseInsertTx()),
    ("no mempool", request("reap_txs"), abci.ResponseReapTxs(txs=[b"a"])),
    ("6 bytes of at most 5", PREPARE, abci.ResponsePrepareProposal(txs=[b"a", b"b"])),
    ("no transaction is empty", PREPARE, abci.ResponsePrepareProposal(txs=[b""])),
    ("the status is 0", request("process_proposal"), abci.ResponseProcessProposal()),
    ("the status is 3", request("process_proposal"), abci.ResponseProcessProposal(status=3)),
    ("too large", request("extend_vote"), abci.ResponseExtendVote(vote_extension=bytes(1024 * 1024 + 1))),
    ("the status is 0", request("verify_vote_extension"), abci.ResponseVerifyVoteExtension()),
    ("the status is 9", request("verify_vote_extension"), abci.ResponseVerifyVoteExtension(status=9)),
    ("1 results of 2 transactions", FINALIZE, block(tx_results=[abci.ExecTxResult()])),
    ("3 results of 2 transactions", FINALIZE, block(tx_results=[abci.ExecTxResult()] * 3)),
    ("app hash of 0 bytes", FINALIZE, block(app_hash=b"")),
    ("app hash of 33 bytes", FINALIZE, block(app_hash=bytes(33))),
    ("no gas is negative", FINALIZE, block(tx_results=[abci.ExecTxResult(gas_used=-1)] * 2)),
    ("a code has a codespace", FINALIZE, block(tx_results=[abci.ExecTxResult(code=1)] * 2)),
    ("event of type ''", FINALIZE, block(events=[event("", "a")])),
    ("event of type 'a b'", FINALIZE, block(events=[event("a b", "a")])),
    ("event of type 'é'", FINALIZE, block(events=[event("é", "a")])),
    ("attribute a.''", FINALIZE, block(events=[event("a", "good", "")])),
    ("attribute tx.'hash'", FINALIZE, block(events=[event("tx", "hash")])),
    ("attribute tx.'height'", FINALIZE, block(tx_results=[abci.ExecTxResult(events=[event("tx", "height")])] * 2)),
    ("attribute tm.'event'", FINALIZE, block(events=[event("tm", "event")])),
    ("attribute block.'height'", FINALIZE, block(events=[event("block", "height")])),
    ("no power is negative", FINALIZE, block(validator_updates=[update(KEYS[0], -1)])),
    ("there twice", FINALIZE, block(validator_updates=[update(KEYS[0], 1), update(KEYS[0], 2)])),
    ("key of kind None", FINALIZE, block(validator_updates=[update(abci.PublicKey(), 1)])),
    ("key of kind secp256k1", FINALIZE, block(validator_updates=[update(abci.PublicKey(secp256k1=bytes(33)), 1)])),
    ("key of 31 bytes", FINALIZE, block(validator_updates=[update(abci.PublicKey(ed25519=bytes(31)), 1)])),
    ("more power", FINALIZE, block(validator_updates=[update(key, 2**60 // 3) for key in KEYS])),
    ("block.max_bytes", FINALIZE, parameters(block=abci.BlockParams(max_gas=-1))),
    ("block.max_bytes", FINALIZE, parameters(block=abci.BlockParams(max_bytes=100 * 2**20 + 1, max_gas=-1))),
    ("block.max_gas", FINALIZE, parameters(block=abci.BlockParams(max_bytes=9, max_gas=-2))),
    ("evidence.max_age_num_blocks", FINALIZE, parameters(evidence=evidence(blocks=0))),
    ("evidence.max_age_duration", FINALIZE, parameters(evidence=evidence(seconds=0))),
    ("evidence.max_bytes", FINALIZE, parameters(evidence=evidence(size=-1))),
    ("evidence.max_bytes", FINALIZE, parameters(evidence=evidence(size=12), block=abci.BlockParams(max_bytes=11))),
    ("validator.pub_key_types", FINALIZE, parameters(validator=abci.ValidatorParams())),
    ("validator.pub_key_types", FINALIZE, parameters(validator=abci.ValidatorParams(pub_key_types=["rsa"]))),
    ("abci.vote_extensions_enable_height", FINALIZE, parameters(abci=abci.ABCIParams(vote_extensions_enable_height=-1))),
    ("names the version", FINALIZE, parameters(version=abci.VersionParams())),
    ("authority", FINALIZE, parameters(authority=abci.AuthorityParams(authority="é" * 129))),
    ("no height is negative", request("commit"), abci.ResponseCommit(retain_height=-1)),
    ("more than 10 snapshots", request("list_snapshots"), abci.ResponseListSnapshots(snapshots=[snapshot()] * 11)),
    ("a height and a hash", request("list_snapshots"), abci.ResponseListSnapshots(snapshots=[snapshot(height=0)])),
    ("a height and a hash", request("list_snapshots"), abci.ResponseListSnapshots(snapshots=[snapshot(hash=b"")])),
    ("0 chunks", request("list_snapshots"), abci.ResponseListSnapshots(snapshots=[snapshot(chunks=0)])),
    ("100001 chunks", request("list_snapshots"), abci.ResponseListSnapshots(snapshots=[snapshot(chunks=100_001)])),
    ("description is too large", request("list_snapshots"), abci.ResponseListSnapshots(snapshots=[snapshot(metadata=bytes(4_000_000))])),
    ("chunk is too large", request("load_snapshot_chunk"), abci.ResponseLoadSnapshotChunk(chunk=bytes(CHUNK))),
    ("the result is 0", request("offer_snapshot"), abci.ResponseOfferSnapshot()),
    ("the result is 6", request("offer_snapshot"), abci.ResponseOfferSnapshot(result=6)),
    ("the result is 0", request("apply_snapshot_chunk"), abci.ResponseApplySnapshotChunk()),
    ("the result is 6", request("apply_snapshot_chunk"), abci.ResponseApplySnapshotChunk(result=6)),
]  # fmt: skip

# What is allowed at the edge of each rule.
TRUTHS: list[tuple[abci.Request, Message]] = [
    (request("echo", message="a"), abci.ResponseEcho(message="a")),
    (request("flush"), abci.ResponseFlush()),
    (request("info"), abci.ResponseInfo()),
    (request("info"), abci.ResponseInfo(last_block_height=1, last_block_app_hash=HASH)),
    (INIT, abci.ResponseInitChain(app_hash=HASH, validators=[update(key, 1) for key in KEYS])),
    (QUERY, abci.ResponseQuery(height=5)),
    (QUERY, abci.ResponseQuery(code=3, codespace="tkms", height=9)),
    (request("query"), abci.ResponseQuery(height=9, value=b"1")),
    (request("check_tx"), abci.ResponseCheckTx(code=1, codespace="tkms")),
    (request("insert_tx"), abci.ResponseInsertTx(code=1)),
    (request("reap_txs"), abci.ResponseReapTxs()),
    (PREPARE, abci.ResponsePrepareProposal(txs=[b"abc"])),
    (request("extend_vote"), abci.ResponseExtendVote(vote_extension=bytes(1024 * 1024))),
    (FINALIZE, block(events=[event("request_closed", "id"), event("tx", "id")])),
    (FINALIZE, block(validator_updates=[update(KEYS[0], 0), update(KEYS[1], 2**60 - 1)])),
    (FINALIZE, parameters(block=abci.BlockParams(max_bytes=-1, max_gas=-1), evidence=evidence())),
    (FINALIZE, parameters(version=abci.VersionParams(app=2))),
    (FINALIZE, parameters(validator=abci.ValidatorParams(pub_key_types=["ed25519"]))),
    (request("list_snapshots"), abci.ResponseListSnapshots(snapshots=[snapshot(chunks=100_000)] * 10)),
    (request("load_snapshot_chunk"), abci.ResponseLoadSnapshotChunk(chunk=bytes(CHUNK - 1024))),
    (request("offer_snapshot"), abci.ResponseOfferSnapshot(result=5)),
    (request("apply_snapshot_chunk"), abci.ResponseApplySnapshotChunk(result=5)),
]  # fmt: skip


class Liar:
    """Gives one prepared answer to everything."""

    def __init__(self) -> None:
        self.answer = abci.Response()

    def foresee(self, _requests: list[abci.Request]) -> None:
        """Prepare nothing."""

    def handle(self, _request: abci.Request) -> abci.Response:
        """Lie."""
        return self.answer


Served = tuple[Path, Failures, Liar]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server whose application lies."""
    liar, failures = Liar(), Failures()
    path = tmp_path_factory.mktemp("liar") / "app.sock"
    server = Server(path, liar, failures)
    server.start()
    yield path, failures, liar
    server.stop()


def wrapped(asked: abci.Request, answer: Message) -> abci.Response:
    """Answer of the kind of its request."""
    return abci.Response(**{str(asked.WhichOneof("value")): answer})


@pytest.mark.parametrize(("rule", "asked", "answer"), LIES)
def test_a_lie_is_never_sent(
    served: Served, rule: str, asked: abci.Request, answer: Message
) -> None:
    """The connection ends without a byte, and the rule reaches who ends the process."""
    path, failures, liar = served
    liar.answer = wrapped(asked, answer)
    failures.errors.clear()
    failures.happened.clear()
    peer = Peer(path)
    peer.send(asked)
    assert peer.receive() is None
    peer.socket.close()
    assert failures.happened.wait(PATIENCE_SECONDS)
    (error,) = failures.errors
    assert isinstance(error, ResponseError)
    assert str(error).startswith(f"the answer to {asked.WhichOneof('value')} breaks its contract: ")
    assert rule in str(error)


@pytest.mark.parametrize(("asked", "answer"), TRUTHS)
def test_what_is_allowed_is_sent(served: Served, asked: abci.Request, answer: Message) -> None:
    """The largest and smallest answers that the engine takes."""
    path, failures, liar = served
    liar.answer = wrapped(asked, answer)
    failures.errors.clear()
    peer = Peer(path)
    peer.send(asked)
    assert peer.receive() == liar.answer
    peer.socket.close()
    assert failures.errors == []


def test_every_method_has_a_lie_that_is_caught() -> None:
    """All methods but Flush, whose answer has no content."""
    methods = {field.name for field in abci.Request.DESCRIPTOR.oneofs_by_name["value"].fields}
    assert {str(asked.WhichOneof("value")) for _, asked, _ in LIES} == methods - {"flush"}


def test_an_answer_is_of_its_requests_kind_and_not_too_large() -> None:
    """Another kind, none at all, or more than a message may have."""
    for answer in (abci.Response(), abci.Response(flush=abci.ResponseFlush())):
        with pytest.raises(ResponseError, match="another kind"):
            check_response(request("info"), answer)
    huge = wrapped(request("query"), abci.ResponseQuery(value=bytes(MAX_MESSAGE_BYTES)))
    with pytest.raises(ResponseError, match="too large"):
        check_response(request("query"), huge)
