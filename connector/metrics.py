"""What a connector counts about itself, as plain numbers; the parts add to it where things happen."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from client.errors import ClientError, HeightUnavailable, NodeError
from client.rpc import ChainRpc
from connector.errors import ConnectorError, CoreUnavailableError
from telemetry.instruments import Instruments

# The node's words for answers that are no failure: a transaction that is not in a block yet, or known.
_NO_FAILURE: Final = ("not found", "already exists in cache")
_RPC_KINDS: Final = ("unreachable", "height", "error")
_CORE_KINDS: Final = ("unavailable", "refused")
_SUBMISSIONS: Final = ("submitted", "settled", "later", "away")
_ANSWERS: Final = ("taken", "sent", "landed", "not_needed", "retried", "dead")
_TRANSACTIONS: Final = ("built", "offered_again", "included", "refused", "expired")


class ConnectorMeter:
    """Counters and gauges of one connector."""

    def __init__(self, ticks: Callable[[], float] = time.monotonic) -> None:
        """Start at nothing."""
        self._ticks = ticks
        self.instruments = add = Instruments()
        self.cursor_height = add.gauge(
            "tkms_connector_cursor_height_blocks", "Height up to which the request log was read."
        )
        self.chain_height = add.gauge(
            "tkms_connector_chain_height_blocks", "Height of the node, as it last said."
        )
        self.lag = add.gauge(
            "tkms_connector_lag_blocks", "Blocks of the node whose requests were not read yet."
        )
        self.cursor = add.gauge(
            "tkms_connector_cursor_position",
            "Durable positions in the request log and in the core's results.",
            "cursor",
        )
        self.rows = add.gauge(
            "tkms_connector_items", "Work, answers and transactions by state.", "item", "state"
        )
        self.oldest_work = add.gauge(
            "tkms_connector_oldest_open_work_age_seconds",
            "Since the block of the oldest request that the core was not given; 0 without one.",
        )
        self.nearest_deadline = add.gauge(
            "tkms_connector_nearest_deadline_blocks",
            "Blocks until the first deadline of an answer that did not land; absent without one.",
        )
        self.balance = add.gauge(
            "tkms_connector_account_balance_units", "Balance of the account that sends answers."
        )
        self.submissions = add.counter(
            "tkms_connector_submissions_total",
            "Requests handed to the core, or tried to, by outcome.",
            "outcome",
        )
        self.answers = add.counter(
            "tkms_connector_answers_total",
            "Answers of the core by what became of them; one may be sent and retried often.",
            "event",
        )
        self.transactions = add.counter(
            "tkms_connector_transactions_total", "Transactions by what became of them.", "event"
        )
        self.rpc_errors = add.counter(
            "tkms_connector_rpc_errors_total", "Calls of the node that failed.", "kind"
        )
        self.core_errors = add.counter(
            "tkms_connector_core_errors_total", "Calls of the core that failed.", "kind"
        )
        self.errors = add.counter(
            "tkms_connector_metrics_errors_total", "Numbers that could not be read; a bug."
        )
        self.grown_at: float | None = None
        self.core_away = False
        self.core_developer_mode = False
        self.height = 0
        self.followed = 0
        self._show_zeros()

    def _show_zeros(self) -> None:
        for counter, values in (
            (self.submissions, _SUBMISSIONS),
            (self.answers, _ANSWERS),
            (self.transactions, _TRANSACTIONS),
            (self.rpc_errors, _RPC_KINDS),
            (self.core_errors, _CORE_KINDS),
        ):
            for value in values:
                counter.start(value)

    def chain_grew(self, height: int) -> None:
        """The node has a new height."""
        self.height = height
        self.grown_at = self._ticks()
        self.chain_height.set(height)
        self.lag.set(max(0, height - self.followed))

    def log_read(self, height: int) -> None:
        """The request log was read up to the newest state of a height."""
        self.followed = height
        self.cursor_height.set(height)
        self.lag.set(max(0, self.height - height))

    def core_failed(self, error: ConnectorError) -> None:
        """A call of the core failed."""
        self.core_away = isinstance(error, CoreUnavailableError)
        self.core_errors.add("unavailable" if self.core_away else "refused")

    def core_answered(self) -> None:
        """The core is there."""
        self.core_away = False

    def rpc_failed(self, error: ClientError) -> None:
        """A call of the node failed."""
        if isinstance(error, HeightUnavailable):
            self.rpc_errors.add("height")
        elif not isinstance(error, NodeError):
            self.rpc_errors.add("unreachable")
        elif not any(words in str(error) for words in _NO_FAILURE):
            self.rpc_errors.add("error")


class MeteredRpc(ChainRpc):
    """A node's RPC whose failures are counted."""

    def __init__(self, url: str, meter: ConnectorMeter) -> None:
        """See ChainRpc."""
        super().__init__(url)
        self._meter = meter

    async def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Result of one call."""
        try:
            return await super().call(method, parameters)
        except ClientError as error:
            self._meter.rpc_failed(error)
            raise
