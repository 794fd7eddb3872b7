"""What this node has verified already: one signature check a transaction and node."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock
from typing import Final

from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Rejection
from wire.signing import recover_addresses
from wire.tx import SignedTransaction, decode, sign_bytes, verify_signature

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

    def get(self, raw: bytes) -> SignedTransaction | None:
        """The transaction, if it is among those verified."""
        with self._lock:
            return self._known.get(raw)

    def decode(self, raw: bytes, max_bytes: int) -> SignedTransaction:
        """`wire.tx.decode`, once for each transaction that proves well signed."""
        known = self.get(raw)
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
        self._remember(transaction)

    def verify_many(self, raws: Sequence[bytes], chain_id: str) -> None:
        """Verify together what was not verified before; what is wrong is left for `verify` to name."""
        fresh = [transaction for raw in raws if (transaction := self._fresh(raw)) is not None]
        signed = [
            (sign_bytes(chain_id, transaction.body_bytes), transaction.signature)
            for transaction in fresh
        ]
        for transaction, signer in zip(fresh, recover_addresses(signed), strict=True):
            if signer == transaction.sender:
                self._remember(transaction)

    def _fresh(self, raw: bytes) -> SignedTransaction | None:
        """The transaction if its signature can be recovered and was not before."""
        if self.get(raw) is not None:
            return None
        try:
            transaction = decode(raw)
        except Rejection:
            return None
        return transaction if transaction.scheme == tx_pb2.SCHEME_SECP256K1 else None

    def _remember(self, transaction: SignedTransaction) -> None:
        raw = transaction.raw
        with self._lock:
            if raw not in self._known:
                self._known[raw] = transaction
                self._bytes += len(raw)
            while self._bytes > self._limit:
                forgotten, _ = self._known.popitem(last=False)
                self._bytes -= len(forgotten)
