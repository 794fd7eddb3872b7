"""Events of a block about requests, numbered so that every relay numbers them alike. Pure.

The number counts, in the order of the block, every event about a request and every refused transaction,
whoever they concern: so it does not depend on whose relay counts.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from client.errors import NodeError
from connector.relay.records import Event, Place, state_of
from wire.ids import Address
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.gateway.v1 import gateway_pb2 as pb
from wire.reasons import Rejection
from wire.tx import REQUEST_KINDS, SignedTransaction, decode

_KINDS: Final = {
    "request_opened": pb.EVENT_KIND_OPENED,
    "request_answered": pb.EVENT_KIND_ANSWERED,
    "request_decided": pb.EVENT_KIND_DECIDED,
    "request_closed": pb.EVENT_KIND_CLOSED,
}


@dataclass(frozen=True, slots=True)
class Raw:
    """An event as the block has it, or a refused transaction."""

    sequence: int
    kind: pb.EventKind
    attributes: Mapping[str, str]
    # Of a refused transaction: its index in the block, its code and the node's words.
    index: int = -1
    code: int = 0
    log: str = ""

    @property
    def request_id(self) -> bytes:
        """Which request it is about; empty for a refused transaction."""
        return bytes.fromhex(self.attributes.get("request_id", ""))


def raw_events(results: Mapping[str, Any]) -> list[Raw]:
    """Numbered events of an answer of `block_results`.

    Raises:
        NodeError: the answer has another form than the engine's.
    """
    try:
        found = list(_in_order(results))
        return [
            Raw(number, kind, attributes, index, code, log)
            for number, (kind, attributes, index, code, log) in enumerate(found, start=1)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise NodeError("block_results: the answer has not the form of CometBFT's") from error


_Found = tuple[pb.EventKind, Mapping[str, str], int, int, str]


def _in_order(results: Mapping[str, Any]) -> Iterator[_Found]:
    for index, result in enumerate(results.get("txs_results") or []):
        code = int(result.get("code") or 0)
        if code:
            yield pb.EVENT_KIND_REJECTED, {}, index, code, str(result.get("log") or "")
        else:
            yield from _of_requests(result.get("events") or [])
    yield from _of_requests(results.get("finalize_block_events") or [])


def _of_requests(events: Sequence[Mapping[str, Any]]) -> Iterator[_Found]:
    for event in events:
        kind = _KINDS.get(event["type"])
        if kind is not None:
            attributes = {item["key"]: item["value"] for item in event["attributes"] or []}
            yield kind, attributes, -1, 0, ""


def transactions(block: Mapping[str, Any]) -> list[bytes]:
    """Raw transactions of an answer of `block`."""
    try:
        return [base64.b64decode(text) for text in block["block"]["data"]["txs"] or []]
    except (KeyError, TypeError, ValueError) as error:
        raise NodeError("block: the answer has not the form of CometBFT's") from error


class Reader:
    """Keeps the events about requests of some accounts, with the state that each leads to."""

    def __init__(
        self, chain_id: str, accounts: frozenset[bytes], known: Mapping[bytes, int]
    ) -> None:
        """`known` are the requests that are followed already, with their states."""
        self._chain_id = chain_id
        self._accounts = accounts
        self._states = dict(known)

    def read(self, height: int, raws: Sequence[Raw], block: Sequence[bytes]) -> list[Event]:
        """Events that are ours; `block` may be empty where no transaction was refused.

        Raises:
            NodeError: an event has another form than the chain's.
        """
        try:
            events = [self._event(height, raw, block) for raw in raws]
        except (KeyError, ValueError, IndexError) as error:
            raise NodeError(f"block {height}: its events have not the chain's form") from error
        return [event for event in events if event is not None]

    def _event(self, height: int, raw: Raw, block: Sequence[bytes]) -> Event | None:
        place = Place(height, raw.sequence)
        if raw.kind == pb.EVENT_KIND_REJECTED:
            return self._rejected(place, raw, block)
        if raw.kind == pb.EVENT_KIND_OPENED:
            requester = bytes(Address.parse(raw.attributes["requester"]))
            if requester in self._accounts:
                self._states[raw.request_id] = pb.REQUEST_STATE_PENDING
        state = self._states.get(raw.request_id)
        if state is None:
            return None
        if raw.kind == pb.EVENT_KIND_DECIDED:
            state = state_of(asc_pb2.Status.Value(raw.attributes["status"]))
            self._states[raw.request_id] = state
        failure = raw.attributes.get("failure", "FAILURE_CODE_UNSPECIFIED")
        return Event(
            place,
            raw.kind,
            raw.request_id,
            cast("pb.RequestState", state),
            party=int(raw.attributes.get("party", "0")),
            failure=cast("asc_pb2.FailureCode", asc_pb2.FailureCode.Value(failure)),
        )

    def _rejected(self, place: Place, raw: Raw, block: Sequence[bytes]) -> Event | None:
        transaction = _decoded(block[raw.index])
        if transaction is None or transaction.sender.value not in self._accounts:
            return None
        if transaction.body.chain_id != self._chain_id or transaction.kind(0) not in REQUEST_KINDS:
            return None
        return Event(
            place,
            pb.EVENT_KIND_REJECTED,
            transaction.request_id(0).value,
            pb.REQUEST_STATE_REJECTED,
            refusal_code=raw.code,
            refusal_detail=raw.log,
        )


def _decoded(raw: bytes) -> SignedTransaction | None:
    try:
        return decode(raw)
    except Rejection:
        return None
