"""The life of requests as an operator watches it: how many are open and how old, who answers, who does not.

Fed with what committed blocks say (messages that were executed, events), and at the start with what the
state holds. Answers are counted from messages, not from events: a late answer changes nothing on the
chain and still shows that its party is alive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from asc import state as asc_state
from ledger.config import state as config
from ledger.state import State
from telemetry.instruments import Instruments
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.tx import ANSWER_KINDS

# Requests in a row without a word of a party after which it counts as silent. A party that is merely the
# slowest speaks, late, about each of them.
SILENT_AFTER: Final = 3
_KIND_PREFIX: Final = "REQUEST_KIND_"
_STATUS_PREFIX: Final = "STATUS_"
# Kinds that are answered in seconds.
_QUICK: Final = frozenset({"public_decryption", "user_decryption"})


@dataclass(slots=True)
class _Open:
    """A request that takes answers; `time` is the block time in seconds, None when this process did not see it."""

    kind: str
    time: float | None
    heard: set[int]


class RequestsWatch:
    """Requests that are open now, and counts of what happened to requests."""

    def __init__(self, instruments: Instruments) -> None:
        """Add the instruments."""
        self._open: dict[str, _Open] = {}
        self._missed: dict[int, int] = {}
        self._needed = 0
        self._time = 0.0
        self._first_time: float | None = None
        self._see: Mapping[str, Any] = {
            "request_opened": self._opened,
            "request_decided": self._decided,
            "request_closed": self._closed,
            "request_conflict": self._conflict,
            "party_accused": self._accused,
            "evidence_recorded": self._proved,
        }
        self._make(instruments)
        instruments.before_reading(self._refresh)

    def _make(self, add: Instruments) -> None:
        self._opened_total = add.counter(
            "tkms_node_requests_opened_total", "Requests accepted by the chain.", "kind"
        )
        self._decided_total = add.counter(
            "tkms_node_requests_decided_total",
            "Requests decided: fulfilled, failed or expired.",
            "kind",
            "status",
        )
        self._closed_total = add.counter(
            "tkms_node_requests_closed_total", "Requests that take no more answers.", "status"
        )
        self._open_now = add.gauge(
            "tkms_node_open_requests", "Requests that still take answers.", "kind"
        )
        self._oldest = add.gauge(
            "tkms_node_oldest_open_request_age_seconds",
            "Block time since the oldest open decryption was accepted, or since this process started; 0 without one.",
        )
        self._answers = add.counter(
            "tkms_node_party_answers_total",
            "Answers, failure reports and accusations that a party sent, late ones included.",
            "party",
            "kind",
        )
        self._conflicts = add.counter(
            "tkms_node_result_conflicts_total",
            "Second, different answers of a party to the same request.",
            "party",
        )
        self._evidence = add.counter(
            "tkms_node_result_evidence_total",
            "Of these, contradictions that two signatures of the party prove to anybody.",
            "party",
        )
        self._accusations = add.counter(
            "tkms_node_party_accusations_total",
            "Requests for which enough parties found this party's shares wrong.",
            "party",
        )
        self._missed_now = add.gauge(
            "tkms_node_party_missed_requests",
            "Requests in a row that closed without a word of this party.",
            "party",
        )
        self._margin = add.gauge(
            "tkms_node_threshold_margin_parties",
            "Parties of the current epoch that answer, less what a re-encryption to a user needs.",
        )

    def load(self, state: State) -> None:
        """Take over what the state holds, forgetting what was known: at the start and after a restore."""
        self._open.clear()
        entries = []
        for request_id in asc_state.open_requests(state):
            status = asc_state.status(state, request_id.value)
            entry = None if status is None else asc_state.log_entry(state, status.sequence)
            if status is not None and entry is not None:
                entries.append((entry, {*status.answered, *status.failed}))
        for entry, heard in sorted(entries, key=lambda pair: int(pair[0].sequence)):
            kind = _short(asc_pb2.RequestKind.Name(entry.kind), _KIND_PREFIX)
            self._open[entry.request_id.hex()] = _Open(kind, None, heard)
        self.load_epoch(state)

    def load_epoch(self, state: State) -> None:
        """Parties that are asked now, and how many of them must answer."""
        epoch = config.current_epoch(state)
        self._needed = epoch.thresholds.user_decryption
        indices = [party.index for party in epoch.parties]
        self._missed = {index: self._missed.get(index, 0) for index in indices}
        for index in indices:
            self._conflicts.start(str(index))
            self._evidence.start(str(index))
            self._accusations.start(str(index))
            for kind in ANSWER_KINDS:
                self._answers.start(str(index), kind)

    def block_begins(self, time: float) -> None:
        """What follows happened in a block of this time."""
        self._time = time
        if self._first_time is None:
            self._first_time = time

    def see_message(self, kind: str, message: tx_pb2.Message) -> None:
        """Take note of an executed message."""
        if kind in ANSWER_KINDS:
            answer = getattr(message, kind)
            self._answers.add(str(answer.party), kind)
            if answer.party in self._missed:
                self._missed[answer.party] = 0
            request = self._open.get(answer.request_id.hex())
            if request is not None:
                request.heard.add(answer.party)

    def see_events(self, events: Iterable[abci_pb2.Event]) -> None:
        """Take note of what a transaction or a block's end did."""
        for event in events:
            see = self._see.get(event.type)
            if see is not None:
                see({attribute.key: attribute.value for attribute in event.attributes})

    def _opened(self, event: Mapping[str, str]) -> None:
        kind = _short(event["kind"], _KIND_PREFIX)
        self._opened_total.add(kind)
        self._open[event["request_id"]] = _Open(kind, self._time, set())

    def _decided(self, event: Mapping[str, str]) -> None:
        kind = _short(event["kind"], _KIND_PREFIX)
        self._decided_total.add(kind, _short(event["status"], _STATUS_PREFIX))

    def _closed(self, event: Mapping[str, str]) -> None:
        self._closed_total.add(_short(event["status"], _STATUS_PREFIX))
        request = self._open.pop(event["request_id"], None)
        # What was aborted closes without anybody's fault.
        ended = event["status"] == "STATUS_FAILED" and not (request and request.kind in _QUICK)
        if request is not None and not ended:
            for party in self._missed:
                if party not in request.heard:
                    self._missed[party] += 1

    def _conflict(self, event: Mapping[str, str]) -> None:
        self._conflicts.add(event["party"])

    def _proved(self, event: Mapping[str, str]) -> None:
        self._evidence.add(event["party"])

    def _accused(self, event: Mapping[str, str]) -> None:
        self._accusations.add(event["party"])

    def _refresh(self) -> None:
        """Bring the gauges up to date; blocks may be counted meanwhile."""
        requests = list(self._open.copy().values())
        count: dict[tuple[str, ...], float] = {
            (_short(name, _KIND_PREFIX),): 0 for name in asc_pb2.RequestKind.keys()[1:]
        }
        for request in requests:
            count[request.kind,] = count.get((request.kind,), 0) + 1
        self._open_now.replace(count)
        # Generations and changes of epochs take their time.
        quick = [request for request in requests if request.kind in _QUICK]
        self._oldest.set(self._age(quick[0]) if quick else 0.0)
        missed = self._missed.copy()
        self._missed_now.replace({(str(party),): value for party, value in missed.items()})
        if missed:
            speaking = sum(value < SILENT_AFTER for value in missed.values())
            self._margin.set(speaking - self._needed)

    def _age(self, request: _Open) -> float:
        """At least so old: what was open when this process started is as old as its first block."""
        begun = self._first_time if request.time is None else request.time
        return 0.0 if begun is None else max(0.0, self._time - begun)


def _short(name: str, prefix: str) -> str:
    """Name of an enum's member as a label."""
    return name.removeprefix(prefix).lower()
