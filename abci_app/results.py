"""Outcomes and events in the engine's words.

The engine hashes code and data of a result; codespace, log and events are for people and for search.
"""

from __future__ import annotations

from typing import Final

from abci_app.deliver import Outcome
from wire.events import INDEXED, Event
from wire.pb.tkms.comet.v1 import abci_pb2

CODESPACE: Final = "tkms"


def event_message(event: Event) -> abci_pb2.Event:
    """Event whose few searchable attributes are marked for the index."""
    return abci_pb2.Event(
        type=event.type,
        attributes=[
            abci_pb2.EventAttribute(key=key, value=value, index=key in INDEXED)
            for key, value in event.attributes
        ],
    )


def result_message(outcome: Outcome) -> abci_pb2.ExecTxResult:
    """Result of a transaction in a block."""
    return abci_pb2.ExecTxResult(
        code=outcome.code,
        data=outcome.data,
        log=outcome.log,
        gas_wanted=outcome.gas,
        gas_used=outcome.gas,
        events=[event_message(event) for event in outcome.events],
        codespace=CODESPACE if outcome.reason is not None else "",
    )


def check_message(outcome: Outcome) -> abci_pb2.ResponseCheckTx:
    """Verdict of CheckTx; data names the request ids that the transaction would make."""
    return abci_pb2.ResponseCheckTx(
        code=outcome.code,
        data=outcome.data,
        log=outcome.log,
        gas_wanted=outcome.gas,
        codespace=CODESPACE if outcome.reason is not None else "",
    )
