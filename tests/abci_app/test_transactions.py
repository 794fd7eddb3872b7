"""What the node does with a transaction: every refusal has its own code and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from abci_app.ante import ANTE
from abci_app.modules import MODULES
from abci_app.replay import included_key, mark_key
from ledger.bank.module import MODULE as BANK
from ledger.context import Context
from ledger.module import Module
from ledger.state import State
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    REQUEST_PRICE,
    SERVICE,
    START_BALANCE,
    STRANGER,
    Chain,
    account,
    message,
    party_account,
)
from wire.digests import sha256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.tx import sign_bytes

PAY = message(transfer=bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=1))
DUST = bank_pb2.Transfer(recipient=bytes(20), amount=666)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """A chain at height 2."""
    chain = Chain.start(tmp_path)
    chain.skip(2)
    yield chain
    chain.close()


def foreign_chain(chain: Chain) -> bytes:
    """Made for another chain."""
    return chain.build(ALICE, PAY, chain_id="other")


def expired(chain: Chain) -> bytes:
    """Valid up to the last block."""
    return chain.build(ALICE, PAY, ttl=0)


def too_far(chain: Chain) -> bytes:
    """Valid for one block too long."""
    return chain.build(ALICE, PAY, ttl=102)


def unpaid(chain: Chain) -> bytes:
    """By somebody who has nothing."""
    return chain.build(STRANGER, PAY)


def stingy(chain: Chain) -> bytes:
    """Allows less than the fee."""
    return chain.build(ALICE, PAY, max_fee=20)


def undecodable(chain: Chain) -> bytes:
    """With a byte behind its end."""
    return chain.build(ALICE, PAY) + b"\x00"


def unknown_field(chain: Chain) -> bytes:
    """With a field that the schema does not have."""
    return chain.build(ALICE, PAY) + b"\x7a\x01\x00"


def oversized(chain: Chain) -> bytes:
    """Larger than Parameters allow."""
    return chain.build(ALICE, *[PAY] * 3000)


def too_many(chain: Chain) -> bytes:
    """One message too many."""
    return chain.build(ALICE, *[PAY] * 51)


def empty(chain: Chain) -> bytes:
    """No message."""
    return chain.build(ALICE)


def wrongly_signed(chain: Chain) -> bytes:
    """Sent in ALICE's name, signed by BOB."""
    tx = tx_pb2.Tx.FromString(chain.build(ALICE, PAY))
    tx.signature = BOB.sign_digest(sign_bytes(chain.chain_id, tx.body))
    return tx.SerializeToString()


def changed(chain: Chain) -> bytes:
    """Its service signature covers another body."""
    tx = tx_pb2.Tx.FromString(chain.build(SERVICE, PAY))
    body = tx_pb2.TxBody.FromString(tx.body)
    body.max_fee += 1
    tx.body = body.SerializeToString(deterministic=True)
    return tx.SerializeToString()


def unsigned(chain: Chain) -> bytes:
    """Without a signature."""
    tx = tx_pb2.Tx.FromString(chain.build(ALICE, PAY))
    tx.ClearField("signature")
    return tx.SerializeToString()


REFUSED = [
    (foreign_chain, Reason.FOREIGN_CHAIN),
    (expired, Reason.EXPIRED),
    (too_far, Reason.TTL_TOO_LONG),
    (unpaid, Reason.INSUFFICIENT_FUNDS),
    (stingy, Reason.MAX_FEE_EXCEEDED),
    (undecodable, Reason.DECODE),
    (unknown_field, Reason.DECODE),
    (oversized, Reason.TOO_LARGE),
    (too_many, Reason.TOO_MANY_MESSAGES),
    (empty, Reason.NO_MESSAGES),
    (wrongly_signed, Reason.BAD_SIGNATURE),
    (changed, Reason.BAD_SIGNATURE),
    (unsigned, Reason.UNSIGNED),
]


@pytest.mark.parametrize(("make", "reason"), REFUSED)
def test_what_the_checks_refuse_leaves_nothing(
    chain: Chain, make: Callable[[Chain], bytes], reason: Reason
) -> None:
    """CheckTx, both proposal calls and the decided block agree, and the state stays."""
    raw = make(chain)
    before = chain.content()
    assert chain.check(raw).reason is reason
    good = chain.build(BOB, PAY)
    assert chain.prepare(raw, good) == [good]
    assert not chain.process(good, raw)
    (result,) = chain.decide(raw)
    assert (result.reason, result.events, result.request_ids) == (reason, (), ())
    assert result.log.startswith(reason.name)
    assert chain.content() == before


def test_the_last_moment_counts(chain: Chain) -> None:
    """A transaction is good in the block of its last height and from the first height allowed."""
    assert chain.run(chain.build(ALICE, PAY, ttl=1)).ok
    assert chain.run(chain.build(ALICE, PAY, ttl=101)).ok


def test_a_transaction_is_included_once(chain: Chain) -> None:
    """In one block, in later blocks, after a restart, and signed a second time."""
    raw = chain.build(SERVICE, PAY)
    assert [r.reason for r in chain.decide(raw, raw)] == [None, Reason.REPLAYED]
    assert chain.check(raw).reason is Reason.REPLAYED
    chain.restart()
    assert chain.decide(raw)[0].reason is Reason.REPLAYED
    assert chain.balance(STRANGER) == 1

    body = tx_pb2.Tx.FromString(raw).body
    original = chain.build(ALICE, PAY)
    tx = tx_pb2.Tx.FromString(original)
    second = tx_pb2.Tx(
        body=tx.body, scheme=tx.scheme, signature=_another_signature(chain, tx.body)
    ).SerializeToString()
    assert second != original
    assert body != tx.body
    assert [r.reason for r in chain.decide(original, second)] == [None, Reason.REPLAYED]


def _another_signature(chain: Chain, body: bytes) -> bytes:
    """Valid signature by ALICE with another nonce than RFC 6979's."""
    from coincurve import PrivateKey
    from coincurve.utils import GROUP_ORDER_INT

    digest = int.from_bytes(sign_bytes(chain.chain_id, body), "big")
    secret = sha256(b"test account alice")
    nonce = 12345
    point = PrivateKey.from_int(nonce).public_key.format(compressed=False)
    r = int.from_bytes(point[1:33], "big") % GROUP_ORDER_INT
    s = pow(nonce, -1, GROUP_ORDER_INT) * (digest + r * int.from_bytes(secret, "big"))
    s %= GROUP_ORDER_INT
    odd = point[64] & 1
    if s > GROUP_ORDER_INT // 2:
        s, odd = GROUP_ORDER_INT - s, odd ^ 1
    return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([odd])


def test_marks_are_forgotten_when_they_expire(chain: Chain) -> None:
    """The seen-set is as large as what can still be replayed; what expired is refused as such."""
    raw = chain.build(ALICE, PAY, ttl=2)
    digest = sha256(tx_pb2.Tx.FromString(raw).body)
    mark = mark_key(chain.height + 2, digest)
    proven = included_key(chain.height + 2, chain.height + 1)
    assert chain.run(raw).ok
    chain.skip(1)
    assert (chain.state().get(mark), chain.state().get(proven)) == (b"\x01", digest)
    chain.skip(1)
    assert (chain.state().get(mark), chain.state().get(proven)) == (None, None)
    assert chain.check(raw).reason is Reason.EXPIRED


def test_spent_units_count_before_they_are_committed(chain: Chain) -> None:
    """The mempool does not promise the same units twice; a block gives them back."""
    half = message(
        transfer=bank_pb2.Transfer(recipient=bytes(BOB.address), amount=START_BALANCE // 2)
    )
    first, second = chain.build(ALICE, half), chain.build(ALICE, half)
    assert chain.check(first).ok
    assert chain.check(second).reason is Reason.INSUFFICIENT_FUNDS
    chain.skip(1)
    assert chain.check(second).ok


def test_a_recheck_skips_the_signature_and_nothing_else(chain: Chain) -> None:
    """Bad signatures cannot be in a mempool; what expired or was included leaves it."""
    assert chain.check(wrongly_signed(chain), recheck=True).ok
    assert chain.check(expired(chain), recheck=True).reason is Reason.EXPIRED
    assert chain.check(unpaid(chain), recheck=True).reason is Reason.INSUFFICIENT_FUNDS
    raw = chain.build(ALICE, PAY)
    assert chain.run(raw).ok
    assert chain.check(raw, recheck=True).reason is Reason.REPLAYED


def test_a_signature_is_verified_once(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    """From CheckTx to the decided block; a restarted node verifies again."""
    from abci_app import known

    calls = []
    real = known.verify_signature
    monkeypatch.setattr(
        known, "verify_signature", lambda tx, chain_id: (calls.append(tx.hash), real(tx, chain_id))
    )
    raw = chain.build(ALICE, PAY)
    assert chain.check(raw).ok
    chain.block(raw)
    assert len(calls) == 1
    late = chain.build(ALICE, PAY)
    assert chain.check(late).ok
    chain.restart()
    chain.block(late)
    assert len(calls) == 3


def test_answers_of_parties_are_free(chain: Chain) -> None:
    """A party without units is heard; anybody else pays, and so does a party for anything else."""
    failure = message(
        report_failure=asc_pb2.ReportFailure(
            request_id=bytes(20), party=1, code=asc_pb2.FAILURE_CODE_INTERNAL
        )
    )
    assert chain.check(chain.build(party_account(1), failure)).reason is Reason.UNKNOWN_REQUEST
    (result,) = chain.decide(chain.build(party_account(1), failure, max_fee=0))
    assert result.reason is Reason.UNKNOWN_REQUEST
    assert chain.check(chain.build(STRANGER, failure)).reason is Reason.INSUFFICIENT_FUNDS
    mixed = chain.build(party_account(1), failure, PAY)
    assert chain.check(mixed).reason is Reason.INSUFFICIENT_FUNDS
    assert chain.send(ALICE, failure).reason is Reason.UNKNOWN_REQUEST
    assert chain.balance(ALICE) < START_BALANCE


def test_the_proposer_keeps_order_and_size(chain: Chain) -> None:
    """Mempool order; what does not fit is skipped; sizes are those of a block's protobuf form."""
    raws = [chain.build(ALICE, *[PAY] * count) for count in (1, 40, 2, 1)]
    sizes = [len(tx_pb2.TxData(request_ids=[raw]).SerializeToString()) for raw in raws]
    limit = sizes[0] + sizes[2] + sizes[3]
    assert chain.prepare(*raws, max_bytes=limit) == [raws[0], raws[2], raws[3]]
    assert chain.prepare(*raws, max_bytes=limit - 1) == [raws[0], raws[2]]
    assert chain.prepare(*raws) == raws


def test_what_fails_in_its_messages_stays_in_the_block(chain: Chain) -> None:
    """It pays, and a validator accepts it; CheckTx would not have let it in."""
    raw = chain.build(ALICE, message(transfer=bank_pb2.Transfer(recipient=bytes(20), amount=0)))
    assert chain.check(raw).reason is Reason.BAD_AMOUNT
    assert chain.block(raw)[0].reason is Reason.BAD_AMOUNT


class BugError(Exception):
    """What nobody expected."""


def buggy_modules() -> tuple[Module, ...]:
    """The real modules, but a transfer of 666 meets a bug after it has written."""

    def transfer(state: State, body: bank_pb2.Transfer, context: Context) -> bytes | None:
        result = BANK.handlers["transfer"](state, body, context)
        if body.amount == DUST.amount:
            raise BugError
        return result

    bank = replace(BANK, handlers={**BANK.handlers, "transfer": transfer})
    return tuple(bank if module is BANK else module for module in MODULES)


def test_a_bug_stays_out_of_blocks_and_stops_the_node(tmp_path: Path) -> None:
    """CheckTx and both proposal calls refuse; a decided block lets the exception out, nothing stored."""
    chain = Chain.start(tmp_path, modules=buggy_modules())
    bad, good = chain.build(ALICE, message(transfer=DUST)), chain.build(BOB, PAY)
    assert chain.check(bad).reason is Reason.INTERNAL
    assert chain.prepare(good, bad) == [good]
    assert not chain.process(good, bad)
    with pytest.raises(BugError):
        chain.finalize(good, bad)
    assert chain.store.height == 0
    assert chain.block(good)[0].ok
    chain.close()


def test_the_checks_are_one_tuple_in_this_order() -> None:
    """Cheap before dear."""
    assert [check.__name__ for check in ANTE] == [
        "check_chain",
        "check_message_count",
        "check_ttl",
        "check_replay",
        "check_signature",
    ]


def test_nobody_can_sign_for_the_fee_account(chain: Chain) -> None:
    """Its address is a digest of a name, not of a key."""
    from ledger.bank.state import FEE_ACCOUNT

    assert FEE_ACCOUNT not in {account("alice").address, SERVICE.address}
    tx = tx_pb2.Tx.FromString(chain.build(ALICE, PAY))
    body = tx_pb2.TxBody.FromString(tx.body)
    body.sender = bytes(FEE_ACCOUNT)
    tx.body = body.SerializeToString(deterministic=True)
    tx.signature = ALICE.sign_digest(sign_bytes(chain.chain_id, tx.body))
    assert chain.check(tx.SerializeToString()).reason is Reason.BAD_SIGNATURE


def test_max_fee_bounds_fee_and_requests_together(chain: Chain) -> None:
    """Each request leaves less for the next; the simulation tells both parts beforehand."""
    ask = message(
        request_key_generation=asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
    )
    raw = chain.build(ADMIN, ask, ask)
    told = state_pb2.Simulation.FromString(chain.query("/simulate", raw))
    assert (told.fee, told.escrow) == (5 + len(raw), 2 * REQUEST_PRICE)
    enough = told.fee + told.escrow
    # The smaller number takes one byte less in the transaction, so the fee is one unit less.
    tight, short = (chain.build(ADMIN, ask, ask, max_fee=enough - less) for less in (1, 2))
    assert len(tight) == len(short) == len(raw) - 1
    assert chain.check(short).reason is Reason.MAX_FEE_EXCEEDED
    result = chain.run(tight)
    assert result.ok
    assert len(frozenset(result.request_ids)) == 2
    assert chain.balance(ADMIN) == START_BALANCE - enough + 1
