"""Checks before any message is executed, cheapest first; the same tuple serves every ABCI method.

A check reads and writes the branch it is given; when one refuses, the branch is discarded, so a refused
transaction costs nothing and leaves nothing. What passes has paid its fee and cannot be included again.

State: ante/seen/<expires_at_height, u64>/<SHA-256 of the body> marks a body until it expires.
The body and not the whole transaction is marked: its owner could sign it twice.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

from abci_app.fees import PriceTable, fee_of
from ledger.bank import state as bank
from ledger.bank.faucet import check_claim
from ledger.config import state as config
from ledger.state import State
from wire.digests import sha256
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection
from wire.tx import SignedTransaction, decode, verify_signature

_SEEN: Final = b"ante/seen/"
# The state holds no empty values.
_MARK: Final = b"\x01"
# About 100,000 transfers.
_REMEMBERED_BYTES: Final = 32 * 1024 * 1024


class KnownTransactions:
    """Transactions whose signature was found right on this node, decoded, the newest ones.

    Forgetting one costs time only. The bytes cover the signature, and a node serves one chain.
    """

    __slots__ = ("_bytes", "_known", "_limit", "_lock")

    def __init__(self, limit: int = _REMEMBERED_BYTES) -> None:
        """Remember at most `limit` bytes of transactions."""
        self._known: OrderedDict[bytes, SignedTransaction] = OrderedDict()
        self._bytes = 0
        self._limit = limit
        self._lock = Lock()

    def decode(self, raw: bytes, max_bytes: int) -> SignedTransaction:
        """`wire.tx.decode`, once for each transaction that proves well signed."""
        with self._lock:
            known = self._known.get(raw)
        if known is not None and len(raw) <= max_bytes:
            return known
        return decode(raw, max_bytes)

    def verify(self, transaction: SignedTransaction, chain_id: str) -> None:
        """Check the signature unless that was done; Rejection(BAD_SIGNATURE)."""
        raw = transaction.raw
        with self._lock:
            if raw in self._known:
                self._known.move_to_end(raw)
                return
        verify_signature(transaction, chain_id)
        with self._lock:
            if raw not in self._known:
                self._known[raw] = transaction
                self._bytes += len(raw)
            while self._bytes > self._limit:
                forgotten, _ = self._known.popitem(last=False)
                self._bytes -= len(forgotten)


@dataclass(frozen=True, slots=True)
class AnteContext:
    """What checks know besides the state; configuration does not change inside a block."""

    chain_id: str
    height: int
    parameters: config_pb2.Parameters
    prices: PriceTable
    known: KnownTransactions
    # False where it was checked before (recheck) or is not there (simulation).
    check_signatures: bool = True


# Returns the units that it took from the sender; raises Rejection to refuse.
Check = Callable[[State, SignedTransaction, AnteContext], int]


def ante_context(
    state: State,
    chain_id: str,
    height: int,
    known: KnownTransactions,
    *,
    check_signatures: bool = True,
) -> AnteContext:
    """Context of a block whose begin hooks have run."""
    parameters, prices = config.parameters(state), PriceTable.of(config.prices(state))
    return AnteContext(chain_id, height, parameters, prices, known, check_signatures)


def check_chain(_state: State, transaction: SignedTransaction, context: AnteContext) -> int:
    """Refuse what was made for another chain."""
    if transaction.body.chain_id != context.chain_id:
        raise Rejection(Reason.FOREIGN_CHAIN, f"this is {context.chain_id}")
    return 0


def check_message_count(_state: State, transaction: SignedTransaction, context: AnteContext) -> int:
    """Refuse more messages than Config allows."""
    count = len(transaction.body.messages)
    if count > context.parameters.max_messages:
        raise Rejection(Reason.TOO_MANY_MESSAGES, f"{count} messages")
    return 0


def check_ttl(_state: State, transaction: SignedTransaction, context: AnteContext) -> int:
    """Refuse what has expired and what the seen-set would have to remember for too long."""
    last = transaction.body.expires_at_height
    if last < context.height:
        raise Rejection(Reason.EXPIRED, f"the height is {context.height}")
    if last > context.height + context.parameters.max_ttl_blocks:
        raise Rejection(
            Reason.TTL_TOO_LONG, f"at most {context.height + context.parameters.max_ttl_blocks}"
        )
    return 0


def check_replay(state: State, transaction: SignedTransaction, _context: AnteContext) -> int:
    """Refuse a body that was included before, and mark this one."""
    key = seen_key(transaction.body.expires_at_height, sha256(transaction.body_bytes))
    if state.get(key) is not None:
        raise Rejection(Reason.REPLAYED)
    state.set(key, _MARK)
    return 0


def check_signature(_state: State, transaction: SignedTransaction, context: AnteContext) -> int:
    """Refuse what the sender did not sign."""
    if context.check_signatures:
        context.known.verify(transaction, context.chain_id)
    return 0


def check_fee(state: State, transaction: SignedTransaction, context: AnteContext) -> int:
    """Refuse what costs more than its max_fee or than its sender has, and take the fee."""
    fee = fee_of(state, transaction, context.prices)
    if fee > transaction.body.max_fee:
        raise Rejection(
            Reason.MAX_FEE_EXCEEDED, f"the fee is {fee}, max_fee {transaction.body.max_fee}"
        )
    if fee:
        bank.debit(state, transaction.sender, fee)
        bank.credit(state, bank.FEE_ACCOUNT, fee)
    elif transaction.kind(0) == "faucet":
        # A free claim that would fail must not enter a block: nobody would pay for it.
        check_claim(state, transaction.body.messages[0].faucet, context.height)
    return fee


ANTE: Final[tuple[Check, ...]] = (
    check_chain,
    check_message_count,
    check_ttl,
    check_replay,
    check_signature,
    check_fee,
)


def run_ante(state: State, transaction: SignedTransaction, context: AnteContext) -> int:
    """Run all checks on a branch that the caller discards when one raises Rejection; the fee taken."""
    return sum(check(state, transaction, context) for check in ANTE)


def seen_key(expires_at_height: int, body_digest: bytes) -> bytes:
    """Key of the mark of an included body."""
    return _SEEN + expires_at_height.to_bytes(8, "big") + b"/" + body_digest


def prune_seen(state: State, height: int) -> None:
    """Forget bodies that have expired before `height`."""
    expired: list[bytes] = []
    end = _SEEN + height.to_bytes(8, "big")
    for key, _ in state.iterate(_SEEN):
        if key >= end:
            break
        expired.append(key)
    for key in expired:
        state.delete(key)
