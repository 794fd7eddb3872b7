"""Accounts: transfers, faucet, escrow, and the supply that only the faucet changes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.bank import escrow
from ledger.bank import state as bank
from ledger.errors import InvariantError
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    SERVICE,
    START_BALANCE,
    STRANGER,
    Chain,
    genesis,
    message,
    party_account,
)
from wire.ids import RequestId
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason, Rejection
from wire.signing import Signer

RID = RequestId(bytes(range(20)))


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A fresh chain."""
    chain = Chain.start(tmp_path)
    yield chain
    chain.close()


def transfer(to: Signer, amount: int) -> tx_pb2.Message:
    """Transfer message."""
    return message(transfer=bank_pb2.Transfer(recipient=bytes(to.address), amount=amount))


def faucet(to: Signer, amount: int) -> tx_pb2.Message:
    """Faucet message."""
    return message(faucet=bank_pb2.Faucet(recipient=bytes(to.address), amount=amount))


def test_a_transfer_moves_the_amount_and_the_fee(chain: Chain) -> None:
    """Sender pays amount and fee, the fee goes to the fee account, both schemes sign."""
    for signer in (ALICE, SERVICE):
        before = bank.balance(chain.state(), bank.FEE_ACCOUNT)
        held = chain.balance(STRANGER)
        raw = chain.build(signer, transfer(STRANGER, 100))
        assert chain.run(raw).ok
        fee = bank.balance(chain.state(), bank.FEE_ACCOUNT) - before
        assert fee == 5 + len(raw) + 10
        assert chain.balance(STRANGER) == held + 100
        assert chain.balance(signer) == START_BALANCE - 100 - fee


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (bank_pb2.Transfer(recipient=bytes(20), amount=0), Reason.BAD_AMOUNT),
        (bank_pb2.Transfer(recipient=bytes(19), amount=1), Reason.BAD_ADDRESS),
        (bank_pb2.Transfer(recipient=bytes(20), amount=START_BALANCE), Reason.INSUFFICIENT_FUNDS),
        (bank_pb2.Transfer(recipient=bytes(20), amount=2**64 - 1), Reason.INSUFFICIENT_FUNDS),
    ],
)
def test_a_refused_transfer_keeps_fee_and_mark_only(
    chain: Chain, body: bank_pb2.Transfer, reason: Reason
) -> None:
    """The reason is the result's code; only the fee has moved."""
    raw = chain.build(ALICE, message(transfer=body))
    (result,) = chain.decide(raw)
    assert result.reason is reason
    fee = 5 + len(raw) + 10
    assert chain.balance(ALICE) == START_BALANCE - fee
    assert bank.balance(chain.state(), bank.FEE_ACCOUNT) == fee
    (again,) = chain.decide(raw)
    assert again.reason is Reason.REPLAYED


def test_one_failing_message_undoes_all(chain: Chain) -> None:
    """Messages of a transaction are executed together or not at all."""
    result = chain.send(ALICE, transfer(STRANGER, 5), transfer(STRANGER, 0))
    assert result.reason is Reason.BAD_AMOUNT
    assert result.events == ()
    assert chain.balance(STRANGER) == 0


def test_somebody_without_units_may_claim_for_itself(chain: Chain) -> None:
    """The claim pays its fee; limits of a claim and of a window hold; windows end."""
    fees = 0
    for amount in (1_000, 1_000, 500):
        raw = chain.build(STRANGER, faucet(STRANGER, amount))
        assert chain.run(raw).ok
        fees += 5 + len(raw)
        too_much = chain.build(STRANGER, faucet(STRANGER, 1_001 if amount == 1_000 else 200))
        assert chain.check(too_much).reason is Reason.FAUCET_LIMIT
        # Unfit for a block too, since nobody would pay for it.
        assert chain.prepare(too_much) == []
    assert chain.balance(STRANGER) == 2_500 - fees
    assert bank.balance(chain.state(), bank.FEE_ACCOUNT) == fees
    chain.skip(10)
    assert chain.send(STRANGER, faucet(STRANGER, 1_000)).ok
    assert bank.minted(chain.state()) == 4 * START_BALANCE + 3_500 == bank.total(chain.state())


def test_a_claim_covers_its_fee(chain: Chain) -> None:
    """Exactly the fee is enough, one unit less is not; max_fee holds as for everybody; a payer stays whole."""
    fee = 5 + len(chain.build(STRANGER, faucet(STRANGER, 200)))
    below = chain.build(STRANGER, faucet(STRANGER, fee - 1))
    assert chain.check(below).reason is Reason.CLAIM_BELOW_FEE
    assert chain.prepare(below) == []
    exact = chain.send(STRANGER, faucet(STRANGER, fee))
    assert exact.events == (
        ("faucet", {"recipient": STRANGER.address.hex, "amount": str(fee), "fee": str(fee)}),
    )
    assert chain.balance(STRANGER) == 0
    cheap = chain.build(STRANGER, faucet(STRANGER, 1_000), max_fee=100)
    assert chain.check(cheap).reason is Reason.MAX_FEE_EXCEEDED
    assert chain.send(ALICE, faucet(ALICE, 1_000)).ok
    assert START_BALANCE < chain.balance(ALICE) < START_BALANCE + 1_000
    assert bank.minted(chain.state()) == 4 * START_BALANCE + fee + 1_000
    assert bank.total(chain.state()) == bank.minted(chain.state())


def test_a_claim_does_not_hide_other_messages(chain: Chain) -> None:
    """Only a lone claim pays by itself: more messages need somebody who can pay."""
    for messages in (
        (faucet(STRANGER, 900), faucet(STRANGER, 900)),
        (faucet(STRANGER, 900), transfer(BOB, 1)),
    ):
        refused = chain.check(chain.build(STRANGER, *messages))
        assert refused.reason is Reason.INSUFFICIENT_FUNDS


def test_the_supply_cannot_overflow(tmp_path: Path) -> None:
    """A claim that would is refused before it enters a block; one that just fits is not."""
    document = genesis()
    document.accounts[1].balance = 2**64 - 1 - 3 * START_BALANCE - 600
    chain = Chain.start(tmp_path, document)
    raw = chain.build(STRANGER, faucet(STRANGER, 601))
    assert chain.check(raw).reason is Reason.BAD_AMOUNT
    assert chain.prepare(raw) == []
    assert chain.send(ALICE, faucet(STRANGER, 601)).reason is Reason.BAD_AMOUNT
    assert chain.send(STRANGER, faucet(STRANGER, 600)).ok
    assert bank.minted(chain.state()) == 2**64 - 1 == bank.total(chain.state())
    chain.close()


def test_fees_are_shared_among_the_parties(tmp_path: Path) -> None:
    """At multiples of the interval, in equal parts; the remainder waits for the next time; one event."""
    document = genesis()
    document.parameters.fee_payout_blocks = 3
    chain = Chain.start(tmp_path, document)
    parties = [party_account(index) for index in range(1, 5)]
    assert chain.send(ALICE, transfer(STRANGER, 1)).ok
    assert chain.send(ALICE, transfer(STRANGER, 1)).ok
    collected = bank.balance(chain.state(), bank.FEE_ACCOUNT)
    assert [chain.balance(party) for party in parties] == [0, 0, 0, 0]
    assert (chain.height, chain.events) == (2, ())
    raw = chain.build(ALICE, transfer(STRANGER, 1))
    assert chain.run(raw).ok
    each, rest = divmod(collected + 5 + len(raw) + 10, 4)
    assert [chain.balance(party) for party in parties] == [each] * 4
    assert bank.balance(chain.state(), bank.FEE_ACCOUNT) == rest
    assert chain.events == (
        ("fees_paid", {"epoch_id": "1", "parties": "4", "amount_each": str(each)}),
    )
    chain.skip(3)
    assert chain.events == ()
    assert bank.total(chain.state()) == bank.minted(chain.state())
    chain.close()


def test_claiming_for_another_costs_a_fee(chain: Chain) -> None:
    """The sender pays, not the claim."""
    result = chain.check(chain.build(STRANGER, faucet(ALICE, 10)))
    assert result.reason is Reason.INSUFFICIENT_FUNDS
    assert chain.send(ALICE, faucet(STRANGER, 10)).ok
    assert chain.balance(STRANGER) == 10
    assert chain.balance(ALICE) < START_BALANCE


def test_the_faucet_can_be_off(tmp_path: Path) -> None:
    """Off is off for everybody."""
    document = genesis()
    document.parameters.faucet_enabled = False
    chain = Chain.start(tmp_path, document)
    assert chain.check(chain.build(STRANGER, faucet(STRANGER, 1))).reason is Reason.FAUCET_OFF
    assert chain.send(ADMIN, faucet(STRANGER, 1)).reason is Reason.FAUCET_OFF
    chain.close()


def test_escrow_is_paid_out_or_refunded_whole(chain: Chain) -> None:
    """Locking moves units into escrow; shares must add up; nothing is released twice."""
    state = chain.state()
    escrow.escrow_lock(state, ALICE.address, RID, 10)
    assert bank.account(state, ALICE.address).escrowed == 10
    assert bank.total(state) == bank.minted(state)
    for shares in ([(BOB.address, 9)], [(BOB.address, 11), (STRANGER.address, -1)]):
        checkpoint = state.checkpoint()
        with pytest.raises(InvariantError):
            escrow.escrow_pay(state, RID, shares)
        state.revert(checkpoint)
    checkpoint = state.checkpoint()
    escrow.escrow_refund(state, RID)
    assert bank.account(state, ALICE.address) == bank_pb2.Account(balance=START_BALANCE)
    state.revert(checkpoint)
    escrow.escrow_pay(state, RID, [(BOB.address, 7), (STRANGER.address, 3)])
    assert bank.balance(state, BOB.address) == START_BALANCE + 7
    assert bank.account(state, ALICE.address).balance == START_BALANCE - 10
    assert bank.total(state) == bank.minted(state)
    with pytest.raises(InvariantError):
        escrow.escrow_refund(state, RID)


def test_escrow_needs_the_units(chain: Chain) -> None:
    """Who has too little cannot lock, and an id locks once."""
    state = chain.state()
    with pytest.raises(Rejection) as refused:
        escrow.escrow_lock(state, ALICE.address, RID, START_BALANCE + 1)
    assert refused.value.reason is Reason.INSUFFICIENT_FUNDS
    escrow.escrow_lock(state, ALICE.address, RID, 1)
    with pytest.raises(InvariantError):
        escrow.escrow_lock(state, BOB.address, RID, 1)


@pytest.mark.parametrize("seed", range(3))
def test_the_supply_changes_by_the_faucet_only(tmp_path: Path, seed: int) -> None:
    """Random traffic, valid or not: the sum of accounts and escrows is always what was minted."""
    source = random.Random(seed)
    chain = Chain.start(tmp_path)
    people = [ALICE, BOB, SERVICE, STRANGER, ADMIN]
    claimed = 0
    for _ in range(25):
        sent = []
        for _ in range(source.randrange(8)):
            to = source.choice(people)
            amount = source.choice([0, 1, 400, 1_000, 1_500, 900_000, 2**64 - 1])
            kind = source.choice([transfer, transfer, faucet])
            sent.append(
                (kind is faucet, amount, chain.build(source.choice(people), kind(to, amount)))
            )
        results = chain.decide(*(raw for _, _, raw in sent))
        claimed += sum(
            amount
            for (minting, amount, _), result in zip(sent, results, strict=True)
            if minting and result.ok
        )
        state = chain.state()
        assert bank.total(state) == bank.minted(state) == 4 * START_BALANCE + claimed
    assert claimed > 0
    chain.close()
