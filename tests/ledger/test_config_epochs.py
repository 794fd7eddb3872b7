"""Requests that are under way when the parties change: they keep the epoch they were born with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.config import state as config
from tests.ledger.governance import propose
from tests.support.certificates import certificate
from tests.support.chain import (
    ADMIN,
    Chain,
    Result,
    epoch,
    message,
    party_account,
    party_key,
)
from tests.support.generated import generated
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason

# Whose keys party 4 of the second epoch has.
NEWCOMER = 14


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """Four parties."""
    chain = Chain.start(tmp_path)
    yield chain
    chain.close()


def second_epoch() -> config_pb2.Epoch:
    """Operator 4 leaves, another takes its number."""
    made = epoch(4, 2)
    party = made.parties[3]
    party.account = bytes(party_account(NEWCOMER).address)
    party.verification_key = party_key(NEWCOMER).verification_key
    party.tls_certificate = certificate(f"party-{NEWCOMER}")
    party.peer_address = f"127.0.0.1:{7000 + NEWCOMER}"
    return made


def request(chain: Chain, key_id: bytes) -> bytes:
    """Open the generation of a reference string, which holds no secret and so does not move."""
    asked = asc_pb2.RequestCrsGeneration(key_id=key_id, max_bits=64, dealer=True)
    return chain.send(ADMIN, message(request_crs_generation=asked)).request_id


@pytest.fixture
def key_id(chain: Chain) -> bytes:
    """A key of the first epoch."""
    asked = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    made = chain.send(ADMIN, message(request_key_generation=asked)).request_id
    for party in (1, 2, 3, 4):
        assert answer(chain, made, party, party).ok
    return made


def look(chain: Chain, request_id: bytes) -> state_pb2.RequestView:
    """Entry and status."""
    return state_pb2.RequestView.FromString(chain.query("/asc/request", request_id))


def answer(chain: Chain, request_id: bytes, party: int, who: int) -> Result:
    """An answer as `party`, with account and key of operator `who`, which has no units at all."""
    fulfil = generated(look(chain, request_id).entry, party, party_key(who))
    return chain.send(party_account(who), message(fulfil=fulfil))


def change_parties(chain: Chain, wanted: config_pb2.Epoch) -> None:
    """Put an epoch in force: its parties agree that they have their shares."""
    assert chain.send(ADMIN, propose(chain.height + 2, epoch=wanted)).ok
    chain.skip(1)
    pending = config.pending_epoch(chain.state())
    assert pending is not None
    for party in wanted.parties:
        who = NEWCOMER if party.account == bytes(party_account(NEWCOMER).address) else party.index
        assert answer(chain, pending.request_id, party.index, who).ok
    assert config.current_epoch(chain.state()) == wanted


def test_an_old_request_is_answered_by_its_old_parties(chain: Chain, key_id: bytes) -> None:
    """Who left still answers, free of fee; who came cannot, under the number of who left."""
    old = request(chain, key_id)
    for party in (1, 2):
        assert answer(chain, old, party, party).ok
    change_parties(chain, second_epoch())
    assert answer(chain, old, 4, NEWCOMER).reason is Reason.NOT_PARTY
    assert look(chain, old).status.status == asc_pb2.STATUS_PENDING
    assert answer(chain, old, 4, 4).ok
    view = look(chain, old)
    assert view.status.status == asc_pb2.STATUS_FULFILLED
    assert (view.entry.epoch_id, view.entry.thresholds.generation) == (1, 3)


def test_a_new_request_is_answered_by_the_new_parties(chain: Chain, key_id: bytes) -> None:
    """Who left cannot answer what was asked after it left."""
    change_parties(chain, second_epoch())
    new = request(chain, key_id)
    assert look(chain, new).entry.epoch_id == 2
    refused = answer(chain, new, 4, 4)
    # It is nobody any more: without units it does not even get into a block.
    assert refused.reason in (Reason.NOT_PARTY, Reason.INSUFFICIENT_FUNDS)
    for party, who in ((1, 1), (2, 2), (4, NEWCOMER)):
        assert answer(chain, new, party, who).ok
    assert look(chain, new).status.status == asc_pb2.STATUS_FULFILLED


def test_who_comes_reports_free_of_fee(chain: Chain, key_id: bytes) -> None:
    """The safety lane is open to the parties of a pending epoch, for that change, and for nothing else."""
    current = request(chain, key_id)
    assert chain.send(ADMIN, propose(chain.height + 2, epoch=second_epoch())).ok
    chain.skip(1)
    pending = config.pending_epoch(chain.state())
    assert pending is not None

    def report(request_id: bytes) -> Result:
        told = asc_pb2.ReportProgress(request_id=request_id, party=4, phase="resharing", total=9)
        return chain.send(party_account(NEWCOMER), message(report_progress=told))

    assert chain.balance(party_account(NEWCOMER)) == 0
    assert report(pending.request_id).ok
    assert report(current).reason in (Reason.NOT_PARTY, Reason.INSUFFICIENT_FUNDS)


def test_thresholds_stay_with_the_request(chain: Chain, key_id: bytes) -> None:
    """Three of four decide what was asked of four, though seven are parties by then."""
    old = request(chain, key_id)
    change_parties(chain, epoch(7, 2))
    new = request(chain, key_id)
    for party in (1, 2, 3):
        assert answer(chain, old, party, party).ok
        assert answer(chain, new, party, party).ok
    assert look(chain, old).status.status == asc_pb2.STATUS_FULFILLED
    assert look(chain, new).status.status == asc_pb2.STATUS_PENDING
    for party in (4, 5):
        assert answer(chain, new, party, party).ok
    assert look(chain, new).status.status == asc_pb2.STATUS_FULFILLED


def test_a_deadline_outlives_the_epoch(chain: Chain, key_id: bytes) -> None:
    """What nobody answers expires at its own height and gives its escrow back."""
    before = chain.balance(ADMIN)
    old = request(chain, key_id)
    deadline = look(chain, old).entry.deadline_height
    price = look(chain, old).entry.price
    change_parties(chain, second_epoch())
    paid = before - chain.balance(ADMIN)
    chain.skip(deadline + 1 - chain.height)
    assert look(chain, old).status.status == asc_pb2.STATUS_EXPIRED
    assert before - chain.balance(ADMIN) == paid - price
    assert price > 0
