"""Real engine, real load: queries cannot starve consensus, and a signature is verified once."""

from __future__ import annotations

import base64
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from abci_app import known
from abci_app.app import MAX_QUERY_BYTES, Application
from ledger.module import Module
from ledger.store import Store
from tests.support.abci_peer import Peer
from tests.support.chain import ALICE, BOB, CHAIN_ID, Chain, message
from tests.support.served import served
from tests.support.validator import ENGINE, ValidatorNode, until
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.reasons import Reason
from wire.tx import SignedTransaction, build

pytestmark = [
    pytest.mark.localnet,
    pytest.mark.skipif(not ENGINE.exists(), reason="the engine is not built"),
]

BLOCKS = 15
ASKERS = 4


def transfer(number: int, height: int) -> bytes:
    """A transfer that is like no other."""
    return build(
        ALICE,
        CHAIN_ID,
        [message(transfer=bank_pb2.Transfer(recipient=bytes(BOB.address), amount=1))],
        expires_at_height=height + 90,
        max_fee=10_000,
        nonce=number.to_bytes(16, "big"),
    )


@contextmanager
def asking(node: ValidatorNode, request: abci_pb2.Request) -> Iterator[Counter[int]]:
    """Ask through the engine and, as a fifth connection may, past it, as fast as answers come."""
    stop, answers = Event(), Counter[int]()

    def through_the_engine() -> None:
        while not stop.is_set():
            asked = request.query
            found = node.call("abci_query", path=asked.path, data=asked.data.hex())["response"]
            answers[int(found["code"])] += 1

    def past_the_engine() -> None:
        peer = Peer(node.home / "app/app.sock")
        while not stop.is_set():
            peer.send(request)
            answer = peer.receive()
            assert answer is not None
            answers[answer.query.code] += 1
        peer.socket.close()

    with ThreadPoolExecutor(2 * ASKERS) as pool:
        tasks = [pool.submit(through_the_engine) for _ in range(ASKERS)]
        tasks += [pool.submit(past_the_engine) for _ in range(ASKERS)]
        try:
            yield answers
        finally:
            stop.set()
    for task in tasks:
        task.result()


def seconds_of(node: ValidatorNode, blocks: int) -> float:
    """How long so many blocks take."""
    begun, height = time.monotonic(), node.height()
    node.await_height(height + blocks)
    return time.monotonic() - begun


def test_queries_do_not_starve_consensus(tmp_path: Path) -> None:
    """Blocks with transfers go on at no less than a third of their pace under a flood of simulations."""
    node = ValidatorNode.make(tmp_path / "node")
    try:
        node.start()
        node.await_height(3)
        numbers = iter(range(10_000))
        alone = loaded_seconds(node, numbers)
        # The dearest query: it executes a transaction.
        request = abci_pb2.Request(
            query=abci_pb2.RequestQuery(path="/simulate", data=transfer(10_000, node.height()))
        )
        with asking(node, request) as answers:
            # The best of three: another program may have had the machine for a moment.
            flooded = min(loaded_seconds(node, numbers) for _ in range(3))
        assert answers.keys() == {0}
        assert answers[0] > 50 * ASKERS
        assert flooded < 3 * alone, (alone, flooded, answers)
        assert node.terminate() == 0
    finally:
        node.kill()


def loaded_seconds(node: ValidatorNode, numbers: Iterator[int]) -> float:
    """How long some blocks take while transfers come."""
    stop = Event()

    def send() -> None:
        while not stop.is_set():
            assert node.send(transfer(next(numbers), node.height()))["code"] == 0

    sender = Thread(target=send)
    sender.start()
    try:
        return seconds_of(node, BLOCKS)
    finally:
        stop.set()
        sender.join()


def test_a_signature_is_verified_once_from_the_network_to_the_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CheckTx, PrepareProposal, ProcessProposal, recheck, FinalizeBlock of a real engine: one verification."""
    verified: Counter[bytes] = Counter()
    real = known.verify_signature

    def counted(transaction: SignedTransaction, chain_id: str) -> None:
        verified[transaction.raw] += 1
        real(transaction, chain_id)

    monkeypatch.setattr(known, "verify_signature", counted)
    node = ValidatorNode.make(tmp_path / "node")
    sent = [transfer(number, 1) for number in range(40)]
    with served(node) as seen:
        node.start_engine()
        until(lambda: seen.height >= 2, "blocks")
        for raw in sent:
            assert node.send(raw)["code"] == 0
        until(lambda: len(included(node)) == len(sent), "all are in blocks")
        for kind in ("check_tx", "prepare_proposal", "process_proposal", "finalize_block"):
            assert seen.calls[kind] > 0
        assert verified == Counter(sent)
        assert included(node) == Counter(sent)


def included(node: ValidatorNode) -> Counter[bytes]:
    """Transactions of all blocks."""
    last = int(node.call("status")["sync_info"]["latest_block_height"])
    blocks = [node.call("block", height=str(height))["block"] for height in range(1, last + 1)]
    return Counter(base64.b64decode(raw) for block in blocks for raw in block["data"]["txs"] or ())


def ask(application: Application, path: str) -> abci_pb2.ResponseQuery:
    """One query."""
    request = abci_pb2.Request(query=abci_pb2.RequestQuery(path=path))
    return application.handle(request).query


class TestQueriesAlwaysAnswer:
    """A query that fails in whatever way gets a code; the engine would die of anything else."""

    def recursing(self, _state: object, _data: bytes) -> bytes:
        """Need more stack than there is."""
        return self.recursing(_state, _data)

    @pytest.fixture
    def application(self, tmp_path: Path) -> Iterator[Application]:
        """The real application with bad queries."""

        def broken(_state: object, _data: bytes) -> bytes:
            raise OSError("the disk is gone")

        bad = Module(
            "bad",
            queries={
                "/bad/recursion": self.recursing,
                "/bad/disk": broken,
                "/bad/size": lambda _state, _data: bytes(MAX_QUERY_BYTES + 1),
                "/bad/type": lambda _state, _data: "text",
                "/bad/memory": lambda _state, _data: bytes(sys.maxsize),
            },
        )
        chain = Chain.start(tmp_path)
        chain.application = Application(chain.store, CHAIN_ID, (*chain.modules, bad))
        yield chain.application
        chain.close()

    @pytest.mark.parametrize("name", ["recursion", "disk", "size", "type", "memory"])
    def test_a_bad_query(self, application: Application, name: str) -> None:
        """An internal error, and the next query is answered."""
        response = ask(application, f"/bad/{name}")
        assert (response.code, response.codespace) == (int(Reason.INTERNAL), "tkms")
        assert not response.value
        assert ask(application, "/config").code == 0

    def test_a_store_that_is_gone(self, tmp_path: Path) -> None:
        """Also before the query has begun."""
        store = Store(tmp_path / "state.db")
        application = Application(store, CHAIN_ID)
        application.close()
        assert ask(application, "/config").code == int(Reason.INTERNAL)
