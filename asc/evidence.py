"""Evidence: one party signed two different answers to one request."""

from __future__ import annotations

from asc import state as asc_state
from ledger.state import State
from wire.answers import answering_epoch_id, signed_digest
from wire.events import event
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2


def record(
    state: State,
    height: int,
    entry: asc_pb2.LogEntry,
    party: config_pb2.Party,
    previous: asc_pb2.Answer,
    second: asc_pb2.Fulfil,
) -> None:
    """Keep both signed answers, if the contradiction is in what was signed.

    A failure report has no signature of the verification key, and sizes of material and the storage
    digest of a payload are not signed either: such a conflict stays in the request's status only.
    """
    if previous.WhichOneof("outcome") != "fulfil":
        return
    first = previous.fulfil
    # What the plaintexts were is gone after pruning, their digest is not.
    is_public = entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION
    first_digest = previous.canonical_digest if is_public else signed_digest(entry, first)
    second_digest = signed_digest(entry, second)
    if first_digest == second_digest:
        return
    evidence = asc_pb2.EvidenceRecord(
        sequence=asc_state.last_evidence_sequence(state) + 1,
        height=height,
        request_id=entry.request_id,
        request_sequence=entry.sequence,
        epoch_id=answering_epoch_id(entry),
        party=party.index,
        verification_key=party.verification_key,
        first_digest=first_digest,
        first=first,
        second_digest=second_digest,
        second=second,
    )
    # Plaintexts stay, they are what was signed; of a payload its digest is signed.
    for answer in (evidence.first, evidence.second):
        if answer.WhichOneof("result") == "user_decryption":
            answer.user_decryption.ClearField("payload")
    asc_state.append_evidence(state, evidence)
    state.emit(
        event(
            "evidence_recorded",
            sequence=evidence.sequence,
            request_id=entry.request_id,
            epoch_id=evidence.epoch_id,
            party=party.index,
            first_digest=first_digest,
            second_digest=second_digest,
        )
    )
