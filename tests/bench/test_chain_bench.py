"""The load of the chain benchmark is real traffic, and its rates are arithmetic."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.blocks import Block, rates
from bench.load import Sent
from bench.traffic import (
    ANSWERS_A_TRANSACTION,
    PARTIES,
    REQUESTS_A_TRANSACTION,
    Traffic,
    key_values,
    requests_of,
)
from tests.support.chain import CHAIN_ID, Chain, genesis
from wire import tx
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2


def _document(traffic: Traffic) -> state_pb2.Genesis:
    document = traffic.genesis(genesis())
    # As on a local network; the test chain's own limits are smaller.
    document.parameters.max_messages = 200
    document.parameters.max_transaction_bytes = 262_144
    document.parameters.decryption_deadline_blocks = 3_000
    return document


def test_all_traffic_is_accepted_and_answers_close_the_requests(tmp_path: Path) -> None:
    """Key, permissions, requests and answers run on the real application, and so do transfers."""
    traffic = Traffic(CHAIN_ID, expires_at_height=90)
    chain = Chain.start(tmp_path, _document(traffic))
    opening = traffic.key_request()
    assert chain.run(opening).ok
    key_id = bytes(tx.decode(opening).request_id(0))
    entry = state_pb2.RequestView.FromString(chain.query("/asc/request", key_id)).entry
    assert all(chain.run(raw).ok for raw in traffic.key_answers(entry))
    records = traffic.ciphertexts(key_id)
    assert all(chain.run(raw).ok for raw in traffic.registrations(records))
    (raw,) = traffic.requests(records, REQUESTS_A_TRANSACTION)
    assert chain.run(raw).ok
    opened = list(requests_of([raw]))
    assert len(opened) == REQUESTS_A_TRANSACTION
    answers = list(traffic.answers(opened, PARTIES * len(opened)))
    assert len(answers) == PARTIES * len(opened) // ANSWERS_A_TRANSACTION
    assert all(chain.run(raw).ok for raw in answers)
    for request_id, _ in opened:
        view = state_pb2.RequestView.FromString(chain.query("/asc/request", request_id))
        assert view.status.status == asc_pb2.STATUS_FULFILLED
        assert view.status.closed_height
    assert all(chain.run(raw).ok for raw in traffic.transfers(3))
    chain.close()


def test_key_values_are_what_kvstore_takes() -> None:
    """One equals sign, not at an end, the size that was asked for, no two alike."""
    made = list(key_values(50, 231))
    assert {len(raw) for raw in made} == {231}
    assert all(raw.count(b"=") == 1 and raw[0] != ord("=") != raw[-1] for raw in made)
    assert not any(b":" in raw for raw in made)
    assert len(set(made)) == len(made)


def test_rates_run_from_the_first_sent_to_the_last_decided() -> None:
    """A block's transactions are decided at the time of the next header; failed ones do not count."""
    raw = b"x"
    blocks = [
        Block(1, 100.5, (), 0),
        Block(2, 101.0, (raw,) * 10, 7),
        Block(3, 103.0, (raw,) * 30, 0),
        Block(4, 104.0, (), 0),
        Block(5, 200.0, (), 0),
    ]
    sent = Sent(accepted=40, busy=0, left=0, began=100.0, ended=103.5)
    found = rates(blocks, sent)
    assert found.mean == pytest.approx(40 / 4.0)
    # From 100 to 103, and what is left is too short for a window.
    assert found.windows == (pytest.approx(10 / 3.0),)
    assert found.blocks == 2
    with pytest.raises(RuntimeError, match="no block follows"):
        rates(blocks[:3], sent)
    with pytest.raises(RuntimeError, match="nothing of 40 "):
        rates(blocks[3:], sent)
