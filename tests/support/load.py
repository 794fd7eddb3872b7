"""Transfers that are sent until they are in a block, through crashes: what a careful client does."""

from __future__ import annotations

import base64
import http.client
from collections import Counter
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from tests.support.chain import ALICE, BOB, CHAIN_ID, message
from tests.support.validator import ValidatorNode
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.tx import build

# Known to the engine's cache: it waits or it is in a block.
_KNOWN_ALREADY = "tx already exists in cache"
_LIFE_BLOCKS = 90


class Load:
    """Sends one transfer after the other; `included` says where each was found, `waiting` what was not."""

    def __init__(self, node: ValidatorNode) -> None:
        self.node = node
        # Transaction to the last height at which it may be included.
        self.waiting: dict[bytes, int] = {}
        self.expired: list[bytes] = []
        self.included: dict[bytes, int] = {}
        self.codes: Counter[int] = Counter()
        self.scanned = 0
        self._number = 0
        self._stop = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin, or go on after a crash with what is not in a block yet."""
        self._stop.clear()
        self._thread = Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Make no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._thread = None

    def settle(self) -> None:
        """Send again until nothing waits."""
        while self.waiting:
            self._resend()
            before = self.node.height()
            self.node.await_height(before + 2)
            self.scan()
            gone = [raw for raw, last in self.waiting.items() if last < self.scanned]
            for raw in gone:
                del self.waiting[raw]
            self.expired += gone

    def scan(self) -> None:
        """Read the blocks that are new; each transaction may be in one of them only."""
        # The newest block may be stored and not executed.
        last = int(self.node.call("status")["sync_info"]["latest_block_height"]) - 1
        for height in range(self.scanned + 1, last + 1):
            block = self.node.call("block", height=str(height))["block"]
            results = self.node.call("block_results", height=str(height))["txs_results"] or []
            self._read(height, block["data"]["txs"] or [], results)
            self.scanned = height

    def _read(self, height: int, raws: list[str], results: list[dict[str, Any]]) -> None:
        for text, result in zip(raws, results, strict=True):
            raw = base64.b64decode(text)
            assert raw not in self.included, f"in blocks {self.included[raw]} and {height}"
            assert raw in self.waiting, "somebody else's transaction"
            assert result["code"] == 0, result
            self.included[raw] = height
            del self.waiting[raw]

    def _resend(self) -> None:
        for raw in list(self.waiting):
            self._send(raw)

    def _run(self) -> None:
        # The engine may end at any moment, and its mempool with it.
        while self.waiting and not self._stop.wait(0.01):
            with suppress(OSError, http.client.HTTPException):
                self._resend()
                break
        while not self._stop.wait(0.002):
            try:
                self._number += 1
                last = self.node.height() + _LIFE_BLOCKS
                raw = build(
                    ALICE,
                    CHAIN_ID,
                    [message(transfer=bank_pb2.Transfer(recipient=bytes(BOB.address), amount=1))],
                    expires_at_height=last,
                    max_fee=10_000,
                    nonce=self._number.to_bytes(16, "big"),
                )
                self.waiting[raw] = last
                if self._send(raw) != 0:
                    del self.waiting[raw]
            except (OSError, http.client.HTTPException):
                # Whether it was taken is not known, so it goes on waiting.
                continue

    def _send(self, raw: bytes) -> int:
        answer = self.node.post("broadcast_tx_sync", tx=base64.b64encode(raw).decode())
        if _KNOWN_ALREADY in str(answer.get("error")):
            return 0
        if "result" not in answer:
            # An engine that has lost its application says so before it ends.
            raise ConnectionError(str(answer["error"]))
        code = int(answer["result"]["code"])
        self.codes[code] += 1
        return code
