"""Blocks, restarts at every moment, queries with proofs, and equal histories giving equal hashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tkms_kernel

from abci_app.errors import GenesisError, ProtocolError
from abci_app.gas import gas_of
from ledger.bank.state import account_key
from tests.support.chain import (
    ALICE,
    BOB,
    CHAIN_ID,
    SERVICE,
    STRANGER,
    Chain,
    account,
    genesis,
    message,
)
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.tx import decode

ROOT = Path(__file__).resolve().parents[2]


def pay(amount: int = 1) -> tx_pb2.Message:
    """Transfer to STRANGER."""
    return message(transfer=bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=amount))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A fresh chain."""
    chain = Chain.start(tmp_path)
    yield chain
    chain.close()


def info(chain: Chain) -> tuple[int, bytes]:
    """Height and app hash that the engine would be told."""
    answer = chain.call(info=abci_pb2.RequestInfo())
    return answer.last_block_height, answer.last_block_app_hash


def test_nothing_is_stored_before_commit(chain: Chain) -> None:
    """Death between FinalizeBlock and Commit: the same block gives the same hash again."""
    chain.block(chain.build(ALICE, pay()))
    raw = chain.build(ALICE, pay(5))
    before = info(chain)
    app_hash, results = chain.finalize(raw)
    assert info(chain) == before
    chain.restart()
    assert info(chain) == before
    with pytest.raises(ProtocolError):
        chain.call(commit=abci_pb2.RequestCommit())
    assert chain.finalize(raw) == (app_hash, results)
    # The engine may ask twice in one life as well.
    assert chain.finalize(raw) == (app_hash, results)
    chain.commit(app_hash, [raw])
    assert info(chain) == (2, app_hash)
    chain.restart()
    assert info(chain) == (2, app_hash)
    assert chain.balance(STRANGER) == 6


class DiesError(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(
    ("point", "stored"), [("before-write", 0), ("inside-write", 0), ("after-write", 1)]
)
def test_death_in_commit_is_whole_or_nothing(tmp_path: Path, point: str, stored: int) -> None:
    """Info after a restart is the height whose batch was written."""

    def die(reached: str) -> None:
        if reached == point:
            raise DiesError

    chain = Chain.start(tmp_path, fault_point=die)
    raw = chain.build(ALICE, pay())
    app_hash, _ = chain.finalize(raw)
    with pytest.raises(DiesError):
        chain.commit(app_hash, [raw])
    chain.fault_point = lambda _point: None
    chain.restart()
    assert info(chain)[0] == stored
    assert (info(chain)[1] == app_hash) == bool(stored)
    assert chain.balance(STRANGER) == stored
    chain.close()


def test_init_chain_may_come_again(chain: Chain) -> None:
    """Before block 1 the engine repeats it, with an equal hash; later it may not."""
    first = chain.app_hash
    chain.finalize()
    chain.restart()
    assert chain.init_chain() == first
    chain.block()
    with pytest.raises(Exception, match="before the first block"):
        chain.init_chain()


def test_a_database_serves_one_chain(chain: Chain) -> None:
    """Neither a foreign genesis nor a foreign setting is accepted."""
    chain.chain_id = "other"
    with pytest.raises(GenesisError):
        chain.init_chain()
    with pytest.raises(ProtocolError):
        chain.restart()
    chain.chain_id = CHAIN_ID
    chain.open_application()


@pytest.mark.parametrize("app_state", [b"", b"[]", b"{", b'{"nothing": 1}', b"\xff"])
def test_other_app_states_are_refused(chain: Chain, app_state: bytes) -> None:
    """Only the JSON form of a genesis starts a chain."""
    request = abci_pb2.RequestInitChain(chain_id=CHAIN_ID, app_state_bytes=app_state)
    with pytest.raises(GenesisError):
        chain.call(init_chain=request)


def test_heights_have_no_gaps(chain: Chain) -> None:
    """A block that does not follow is a fault of the pairing and stops the node."""
    chain.height = 1
    with pytest.raises(ProtocolError):
        chain.finalize()
    chain.height = 0


def test_a_processed_block_is_not_run_again(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """FinalizeBlock takes the result of ProcessProposal for the same block and only for it."""
    from abci_app import consensus

    runs = []
    real = consensus.execute_block
    monkeypatch.setattr(
        consensus, "execute_block", lambda *given: (runs.append(given), real(*given))[1]
    )
    raw, other = chain.build(ALICE, pay(1)), chain.build(ALICE, pay(2))
    assert chain.process(raw)
    assert chain.process(other)
    app_hash, _ = chain.finalize(raw)
    assert runs == []
    chain.restart()
    assert chain.finalize(raw)[0] == app_hash
    assert len(runs) == 1


def test_values_are_proven_against_the_app_hash(chain: Chain) -> None:
    """Presence and absence, for the committed height."""
    chain.block(chain.build(ALICE, pay(42)))
    key = account_key(STRANGER.address)
    response = chain.raw_query("/store", key, prove=True)
    assert (response.height, response.key) == (1, key)
    assert bank_pb2.Account.FromString(response.value).balance == 42
    (op,) = response.proof_ops.ops
    assert (op.type, op.key) == ("tkms:ics23", key)
    tkms_kernel.verify_membership(op.data, chain.app_hash, key, response.value)
    absent = account_key(account("nobody").address)
    response = chain.raw_query("/store", absent, prove=True)
    assert response.value == b""
    tkms_kernel.verify_non_membership(response.proof_ops.ops[0].data, chain.app_hash, absent)
    with pytest.raises(tkms_kernel.KernelError):
        tkms_kernel.verify_membership(op.data, chain.app_hash, key, b"other")
    assert not chain.raw_query("/store", key).HasField("proof_ops")


@pytest.mark.parametrize(
    ("path", "data", "height", "reason"),
    [
        ("/nothing", b"", 0, Reason.UNKNOWN_QUERY),
        ("", b"", 0, Reason.UNKNOWN_QUERY),
        ("/store", b"", 0, Reason.UNKNOWN_QUERY),
        ("/account", bytes(19), 0, Reason.UNKNOWN_QUERY),
        ("/config", b"x", 0, Reason.UNKNOWN_QUERY),
        ("/config", b"", 7, Reason.NOT_FOUND),
        ("/config", b"", -1, Reason.NOT_FOUND),
    ],
)
def test_bad_queries_have_a_reason(
    chain: Chain, path: str, data: bytes, height: int, reason: Reason
) -> None:
    """They are answered, never raised."""
    request = abci_pb2.RequestQuery(path=path, data=data, height=height)
    response = chain.call(query=request)
    assert (response.code, response.codespace) == (int(reason), "tkms")


def test_earlier_heights_answer_while_they_are_kept(chain: Chain) -> None:
    """Values, proofs and the modules' queries of each height in the window; a reason outside it."""
    chain.keep_versions = 3
    chain.restart()
    key = account_key(STRANGER.address)
    hashes, hash_of_genesis = {}, chain.app_hash
    for amount in range(1, 6):
        chain.block(chain.build(ALICE, pay(amount)))
        hashes[chain.height] = chain.app_hash
    balances = {3: 6, 4: 10, 5: 15}
    for height, balance in balances.items():
        response = chain.raw_query("/store", key, prove=True, height=height)
        assert (response.code, response.height) == (0, height)
        assert bank_pb2.Account.FromString(response.value).balance == balance
        (op,) = response.proof_ops.ops
        tkms_kernel.verify_membership(op.data, hashes[height], key, response.value)
        answer = chain.raw_query("/account", bytes(STRANGER.address), height=height)
        assert state_pb2.AccountView.FromString(answer.value).account.balance == balance
    for height in (-1, 1, 2, 6):
        request = abci_pb2.RequestQuery(path="/store", data=key, height=height)
        response = chain.call(query=request)
        assert (response.code, response.height) == (int(Reason.NOT_FOUND), 5)
        assert "this node keeps heights 3 to 5" in response.log
    assert hash_of_genesis not in hashes.values()


def test_a_query_before_genesis_is_answered(tmp_path: Path) -> None:
    """An empty node says so, also to CheckTx and Info."""
    chain = Chain(tmp_path, genesis())
    chain.open()
    assert info(chain) == (0, b"")
    with pytest.raises(Rejection):
        chain.query("/config")
    assert chain.check(b"x").reason is Reason.INTERNAL
    chain.close()


def test_simulation_tells_fee_and_outcome(chain: Chain) -> None:
    """With or without signature the fee is the one that is taken; nothing changes."""
    before = chain.content()
    raw = chain.build(ALICE, pay())
    tx = tx_pb2.Tx.FromString(raw)
    for form in (raw, tx_pb2.Tx(body=tx.body).SerializeToString()):
        view = state_pb2.Simulation.FromString(chain.query("/simulate", form))
        assert view == state_pb2.Simulation(
            fee=15 + len(raw), request_ids=[b""], gas=gas_of(decode(raw))
        )
    failing = chain.build(ALICE, pay(0))
    view = state_pb2.Simulation.FromString(chain.query("/simulate", failing))
    assert (view.code, view.detail) == (int(Reason.BAD_AMOUNT), "BAD_AMOUNT: zero")
    view = state_pb2.Simulation.FromString(chain.query("/simulate", b"\xff" * 10))
    assert view.code == int(Reason.DECODE)
    chain.block()
    assert chain.content() == before


def test_the_remaining_methods_are_answered(chain: Chain) -> None:
    """No method of the engine is without an answer."""
    assert chain.call(echo=abci_pb2.RequestEcho(message="hi")).message == "hi"
    assert chain.call(insert_tx=abci_pb2.RequestInsertTx(tx=b"x")).code == 1
    assert chain.call(reap_txs=abci_pb2.RequestReapTxs()).txs == []
    assert chain.call(extend_vote=abci_pb2.RequestExtendVote()).vote_extension == b""
    for extension, status in (
        (b"", abci_pb2.VERIFY_STATUS_ACCEPT),
        (b"x", abci_pb2.VERIFY_STATUS_REJECT),
    ):
        request = abci_pb2.RequestVerifyVoteExtension(vote_extension=extension)
        assert chain.call(verify_vote_extension=request).status == status
    kinds = [field.name for field in abci_pb2.Request.DESCRIPTOR.oneofs_by_name["value"].fields]
    assert sorted(chain.application._handlers) == sorted(kinds)


def history(path: Path) -> list[str]:
    """App hashes of a fixed history with traffic of every ledger message."""
    chain = Chain.start(path)
    hashes = [chain.app_hash.hex()]
    people = [ALICE, BOB, SERVICE, STRANGER]
    for height in range(8):
        raws = [
            chain.build(people[(height + number) % 4], pay(height * number)) for number in range(6)
        ]
        claim = bank_pb2.Faucet(recipient=bytes(STRANGER.address), amount=100 + height)
        raws.append(chain.build(STRANGER, message(faucet=claim)))
        chain.decide(*raws)
        hashes.append(chain.app_hash.hex())
    chain.close()
    return hashes


def test_histories_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    """Other processes with other seeds get the same app hashes."""
    expected = history(tmp_path / "here")
    assert len(set(expected)) == len(expected)
    for seed in ("0", "1", "4242"):
        program = (
            "import sys, json, pathlib; from tests.abci_app.test_life import history;"
            "print('HASHES', json.dumps(history(pathlib.Path(sys.argv[1]))))"
        )
        output = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / seed)],
            check=True,
            capture_output=True,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        (line,) = [line for line in output.splitlines() if line.startswith("HASHES")]
        assert json.loads(line.removeprefix("HASHES")) == expected
