"""Messages of the parties: answers, failure reports and accusations.

Only the account of a party of the pinned epoch is heard, once a party. The same answer again, or a
first one after the request closed, changes nothing and is no error, so that a connector may send
again whenever it is in doubt and a batch never fails for being late. Another answer is recorded as a
conflict: without effect on the request, and evidence against the party where it signed both.
"""

from __future__ import annotations

from typing import Final

from asc import evidence, life
from asc import state as asc_state
from asc.results import answer_identity, carries_payload, check_result, failure_identity
from ledger.config import state as config
from ledger.context import Context
from ledger.state import State
from wire.answers import answering_epoch_id
from wire.events import event
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection

# The others are the chain's own.
_REPORTABLE: Final = (
    asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE,
    asc_pb2.FAILURE_CODE_CIPHERTEXT_MALFORMED,
    asc_pb2.FAILURE_CODE_NOISE_OUT_OF_RANGE,
    asc_pb2.FAILURE_CODE_UNKNOWN_KEY,
    asc_pb2.FAILURE_CODE_INTERNAL,
    asc_pb2.FAILURE_CODE_PROTOCOL,
)


def fulfil(state: State, message: asc_pb2.Fulfil, context: Context) -> None:
    """Record one party's signed answer."""
    entry, status = require_request(state, message.request_id)
    party = require_party(state, entry, message.party, context)
    previous = asc_state.answer(state, entry.request_id, party.index)
    if previous is None and status.closed_height:
        return
    if previous is not None and previous.fulfil == message:
        return
    checked = check_result(entry, party, message, config.parameters(state).inline_limit)
    if previous is None:
        answer = asc_pb2.Answer(
            party=party.index,
            height=context.height,
            fulfil=message,
            canonical_digest=checked.canonical,
        )
        _record(state, context, entry, status, answer)
    elif _contradicts(state, context, status, previous, checked.identity):
        evidence.record(state, context.height, entry, party, previous, message)


def report_failure(state: State, message: asc_pb2.ReportFailure, context: Context) -> None:
    """Record that a party cannot answer."""
    entry, status = require_request(state, message.request_id)
    party = require_party(state, entry, message.party, context)
    if message.code not in _REPORTABLE:
        raise Rejection(Reason.BAD_RESULT, f"failure code {int(message.code)} is not known")
    previous = asc_state.answer(state, entry.request_id, party.index)
    if previous is None and status.closed_height:
        return
    if previous is None:
        answer = asc_pb2.Answer(party=party.index, height=context.height, failure=message.code)
        _record(state, context, entry, status, answer)
    else:
        _contradicts(state, context, status, previous, failure_identity(message.code))


def accuse(state: State, message: asc_pb2.Accuse, context: Context) -> None:
    """Record whose shares a party found wrong; proven when threshold + 1 parties say the same.

    Accepted after the request closed too: wrong shares are often named after the answer is out.
    """
    entry, status = require_request(state, message.request_id)
    accuser = require_party(state, entry, message.party, context)
    accused = sorted(set(message.accused))
    if not accused or len(accused) != len(message.accused):
        raise Rejection(Reason.BAD_ACCUSATION, "nobody, or somebody twice")
    if accused[0] < 1 or accused[-1] > entry.parties or accuser.index in accused:
        raise Rejection(Reason.BAD_ACCUSATION, f"party {accuser.index} accuses {accused}")
    accusers = {record.accused: set(record.accusers) for record in status.accusations}
    proven = []
    for index in accused:
        named_by = accusers.setdefault(index, set())
        if accuser.index not in named_by:
            named_by.add(accuser.index)
            if len(named_by) == entry.threshold + 1:
                proven.append(index)
    del status.accusations[:]
    for index in sorted(accusers):
        status.accusations.add(accused=index, accusers=sorted(accusers[index]))
    asc_state.set_status(state, status)
    for index in proven:
        state.emit(
            event(
                "party_accused",
                request_id=entry.request_id,
                epoch_id=answering_epoch_id(entry),
                party=index,
                accusers=entry.threshold + 1,
            )
        )


def require_request(
    state: State, request_id: bytes
) -> tuple[asc_pb2.LogEntry, asc_pb2.RequestStatus]:
    """Entry and status of a request; Rejection(UNKNOWN_REQUEST)."""
    status = asc_state.status(state, request_id)
    if status is None:
        raise Rejection(Reason.UNKNOWN_REQUEST, request_id.hex())
    return asc_state.require_log_entry(state, status.sequence), status


def require_party(
    state: State, entry: asc_pb2.LogEntry, index: int, context: Context
) -> config_pb2.Party:
    """The party that a message is from, in the epoch whose parties answer; Rejection(NOT_PARTY)."""
    parties = life.answering_epoch(state, entry).parties
    # Parties are listed by index from 1.
    if 1 <= index <= len(parties) and parties[index - 1].account == context.sender.value:
        return parties[index - 1]
    raise Rejection(Reason.NOT_PARTY, f"{context.sender} is not party {index}")


def _record(
    state: State,
    context: Context,
    entry: asc_pb2.LogEntry,
    status: asc_pb2.RequestStatus,
    answer: asc_pb2.Answer,
) -> None:
    asc_state.set_answer(state, entry.request_id, answer)
    state.emit(
        event(
            "request_answered",
            request_id=entry.request_id,
            party=answer.party,
            digest=answer.canonical_digest,
            failure=asc_pb2.FailureCode.Name(answer.failure),
        )
    )
    if carries_payload(answer):
        status.carries_payload = True
    life.advance(state, context.height, entry, status, answer)


def _contradicts(
    state: State,
    context: Context,
    status: asc_pb2.RequestStatus,
    previous: asc_pb2.Answer,
    identity: bytes,
) -> bool:
    """Record that a party answered again and differently; False where nothing is new."""
    if answer_identity(previous) == identity:
        return False
    for conflict in status.conflicts:
        if conflict.party == previous.party:
            if conflict.canonical_digest == identity:
                return False
            # One conflict a party is evidence enough; more would only grow the state.
            raise Rejection(Reason.RESULT_CONFLICT, f"party {previous.party} again")
    status.conflicts.add(party=previous.party, canonical_digest=identity, height=context.height)
    asc_state.set_status(state, status)
    state.emit(
        event(
            "request_conflict",
            request_id=status.request_id,
            party=previous.party,
            digest=identity,
        )
    )
    return True
