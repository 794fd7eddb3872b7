"""What a relay counts about itself."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from telemetry.instruments import Instruments

_SUBMISSIONS: Final = ("accepted", "duplicate", "refused", "turned_away")
_OFFERS: Final = ("taken", "refused", "later")


class RelayMeter:
    """Counters and gauges of one relay, and how the node behind it does."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        """Start at nothing."""
        self._ticks = ticks
        self.instruments = add = Instruments()
        self.submissions = add.counter(
            "tkms_relay_submissions_total",
            "Submissions by what they were answered with.",
            "outcome",
        )
        self.offers = add.counter(
            "tkms_relay_offers_total", "Transactions offered to the node, by its word.", "word"
        )
        self.calls = add.counter(
            "tkms_relay_calls_total", "Calls by method and gRPC code.", "method", "code"
        )
        self.call_seconds = add.histogram(
            "tkms_relay_call_seconds", "Time of unary calls but waiting ones.", "method"
        )
        self.streams = add.gauge("tkms_relay_streams", "Streams that are open.")
        self.in_flight = add.gauge(
            "tkms_relay_transactions_in_flight", "Accepted transactions that no block has yet."
        )
        self.rows = add.gauge("tkms_relay_submissions", "Submissions on disk by state.", "state")
        self.followed = add.gauge(
            "tkms_relay_followed_height_blocks", "Height up to which blocks were read."
        )
        self.chain_height = add.gauge(
            "tkms_relay_chain_height_blocks", "Height of the node, as it last said."
        )
        self.balance = add.gauge(
            "tkms_relay_payer_balance_units", "Balance of a paying account.", "payer"
        )
        self.balance_alarm = add.gauge(
            "tkms_relay_payer_balance_low", "1 where no paying account is above the alarm."
        )
        self.node_errors = add.counter(
            "tkms_relay_node_errors_total", "Calls of the node that failed."
        )
        self.streams.set(0)
        for outcome in _SUBMISSIONS:
            self.submissions.start(outcome)
        for word in _OFFERS:
            self.offers.start(word)
        self.node_error = "the node has not answered yet"
        self.storage_error = ""
        self.low_balance = False
        self.height = 0
        self.grown_at = ticks()

    def node_failed(self, error: str) -> None:
        """A call of the node failed."""
        self.node_error = error
        self.node_errors.add()

    def node_answered(self) -> None:
        """The node is there."""
        self.node_error = ""

    def grew(self, height: int) -> None:
        """The node has a new height."""
        self.height = height
        self.grown_at = self._ticks()
        self.chain_height.set(height)

    @property
    def age_seconds(self) -> float:
        """Since the node's height last grew."""
        return self._ticks() - self.grown_at
