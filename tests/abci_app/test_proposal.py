"""Which transactions enter a block, in which order, and what bounds it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from abci_app import deliver as deliver_module
from abci_app import proposal
from abci_app.app import Application
from abci_app.gas import MESSAGES, TRANSACTION, gas_of
from abci_app.mempool import MempoolLimits
from abci_app.proposal import proposal_bytes
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    STRANGER,
    Chain,
    genesis,
    message,
    parameters,
    party_account,
)
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.tx import MESSAGE_KINDS, decode

PAY = message(transfer=bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=1))


def small_chain(path: Path, **changes: int) -> Chain:
    """A chain with other limits, with an open request that parties can answer."""
    document = genesis()
    limits = parameters()
    for name, value in changes.items():
        setattr(limits, name, value)
    document.parameters.CopyFrom(limits)
    return Chain.start(path, document)


def failure(chain: Chain, party: int) -> tx_pb2.Message:
    """Failure report of a party about a fresh request."""
    request = chain.send(
        ADMIN,
        message(
            request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
        ),
    ).request_id
    return message(
        report_failure=asc_pb2.ReportFailure(
            request_id=request, party=party, code=asc_pb2.FAILURE_CODE_INTERNAL
        )
    )


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A fresh chain."""
    chain = small_chain(tmp_path)
    yield chain
    chain.close()


def test_the_safety_lane_comes_first(chain: Chain) -> None:
    """Whatever was sent before; each lane keeps its order."""
    report = failure(chain, 1)
    paid = [chain.build(ALICE, PAY), chain.build(BOB, PAY)]
    safe = chain.build(party_account(1), report)
    assert chain.prepare(*paid, safe) == [safe, *paid]
    assert chain.prepare(*reversed(paid), safe) == [safe, *reversed(paid)]
    assert chain.process(safe, *paid)
    assert not chain.process(paid[0], safe, paid[1])
    assert not chain.process(*paid, safe)


def test_only_parties_have_the_lane(chain: Chain) -> None:
    """The same message of anybody else waits and pays, and one paying message takes the lane away."""
    report = failure(chain, 1)
    stranger = chain.build(ALICE, report)
    mixed = chain.build(party_account(1), report, PAY)
    paid = chain.build(BOB, PAY)
    assert chain.prepare(paid, stranger) == [paid, stranger]
    assert chain.check(mixed).reason is Reason.INSUFFICIENT_FUNDS


def test_the_lane_keeps_within_its_bytes(tmp_path: Path) -> None:
    """It cannot crowd out who pays; the rest waits for the next block."""
    chain = small_chain(tmp_path, max_transaction_bytes=4096, safety_lane_bytes=4096)
    reports = [failure(chain, 1) for _ in range(40)]
    safe = [chain.build(party_account(1), report) for report in reports]
    paid = chain.build(ALICE, PAY)
    chosen = chain.prepare(*safe, paid)
    assert chosen[-1] == paid
    lane = sum(map(proposal_bytes, chosen[:-1]))
    assert 4096 - proposal_bytes(safe[0]) < lane <= 4096
    assert chosen[:-1] == safe[: len(chosen) - 1]
    assert chain.process(*chosen)
    assert not chain.process(*safe, paid)
    chain.close()


def test_the_lane_is_rate_limited(tmp_path: Path) -> None:
    """An account has so many free messages a block, and all of them again in the next."""
    chain = small_chain(tmp_path, safety_messages_per_block=2)
    first, second = failure(chain, 1), failure(chain, 1)
    other = failure(chain, 2)
    both = chain.build(party_account(1), first, second)
    third = chain.build(party_account(1), first)
    assert chain.check(both).ok
    assert chain.check(third).reason is Reason.RATE_LIMITED
    assert chain.check(chain.build(party_account(2), other)).ok
    assert chain.prepare(both, third) == [both]
    assert not chain.process(both, third)
    chain.block(both)
    # Said before: changes nothing, and is free again.
    assert chain.run(third).ok
    chain.close()


def test_a_block_has_a_limit_of_bytes(tmp_path: Path) -> None:
    """The engine's own limit is far above it, so that the proposer sees all that waits."""
    chain = small_chain(
        tmp_path, max_transaction_bytes=4096, safety_lane_bytes=4096, max_block_bytes=8192
    )
    raws = [chain.build(ALICE, PAY) for _ in range(60)]
    chosen = chain.prepare(*raws, max_bytes=10**6)
    assert chosen == raws[: len(chosen)]
    assert 8192 - 200 < sum(map(proposal_bytes, chosen)) <= 8192
    assert chain.process(*chosen)
    assert not chain.process(*raws[: len(chosen) + 1])
    few = chain.prepare(*raws, max_bytes=1000)
    assert 800 < sum(map(proposal_bytes, few)) <= 1000
    chain.close()


def test_a_block_has_a_limit_of_gas(tmp_path: Path) -> None:
    """Also where the bytes would fit; what alone exceeds it never enters the mempool."""
    one = MESSAGES["transfer"].base + TRANSACTION + 4
    chain = small_chain(tmp_path, max_block_gas=3 * one)
    raws = [chain.build(ALICE, PAY) for _ in range(5)]
    assert gas_of(decode(raws[0])) <= one
    chosen = chain.prepare(*raws)
    assert chosen == raws[:3]
    assert chain.process(*chosen)
    assert not chain.process(*raws[:4])
    assert chain.check(chain.build(ALICE, *[PAY] * 20)).reason is Reason.TOO_MUCH_GAS
    chain.close()


def test_every_message_kind_has_gas() -> None:
    """A kind without a figure could not be bounded."""
    assert sorted(MESSAGES) == sorted(MESSAGE_KINDS)


def test_results_carry_their_gas(chain: Chain) -> None:
    """CheckTx tells it before, the result proves it after."""
    raw = chain.build(ALICE, PAY)
    request = abci_pb2.RequestCheckTx(tx=raw, type=abci_pb2.CHECK_TX_TYPE_NEW)
    assert chain.call(check_tx=request).gas_wanted == gas_of(decode(raw))


def test_an_own_proposal_runs_once(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """From PrepareProposal to FinalizeBlock; what was left out leaves no trace in the result."""
    runs: list[bytes] = []
    real = deliver_module.deliver

    def counted(block: deliver_module.OpenBlock, raw: bytes) -> deliver_module.Outcome:
        runs.append(raw)
        return real(block, raw)

    good, broke = chain.build(ALICE, PAY), chain.build(STRANGER, PAY)
    twin_hash, _ = chain.finalize(good)
    chain.restart()
    monkeypatch.setattr(proposal, "deliver", counted)
    monkeypatch.setattr(deliver_module, "deliver", counted)
    assert chain.prepare(broke, good) == [good]
    assert chain.process(good)
    assert runs == [broke, good]
    app_hash, _ = chain.finalize(good)
    assert runs == [broke, good]
    assert app_hash == twin_hash


def test_the_mempool_keeps_room_for_the_lane(tmp_path: Path) -> None:
    """Ordinary transactions are told to come later; safety messages are not."""
    chain = small_chain(tmp_path)
    report = failure(chain, 1)
    raws = [chain.build(ALICE, PAY) for _ in range(4)]
    for limits in (MempoolLimits(max_count=3), MempoolLimits(max_bytes=3 * len(raws[0]))):
        chain.application = Application(chain.store, chain.chain_id, limits=limits)
        assert [chain.check(raw).reason for raw in raws] == [None, None, None, Reason.BUSY]
        assert chain.check(chain.build(party_account(1), report)).ok
        chain.skip(1)
        # The engine rechecks what waits: it counts again, newcomers come after it.
        assert all(chain.check(raw, recheck=True).ok for raw in raws[:3])
        assert chain.check(raws[3]).reason is Reason.BUSY
    chain.close()


def test_a_recheck_adds_up_the_fees_that_wait(tmp_path: Path) -> None:
    """Of many transactions that each could be paid, those stay that can be paid together."""
    document = genesis()
    for entry in document.accounts:
        if entry.address == bytes(BOB.address):
            entry.balance = 500
    document.prices.CopyFrom(
        config_pb2.Prices(
            transaction_base=100,
            messages=[config_pb2.Price(message=kind) for kind in MESSAGE_KINDS],
        )
    )
    chain = Chain.start(tmp_path, document)
    raws = [chain.build(BOB, PAY) for _ in range(6)]
    spent = chain.build(
        BOB, message(transfer=bank_pb2.Transfer(recipient=bytes(ALICE.address), amount=150))
    )
    chain.block(spent)
    verdicts = [chain.check(raw, recheck=True).reason for raw in raws]
    assert verdicts == [None, None, *[Reason.INSUFFICIENT_FUNDS] * 4]
    chain.close()
