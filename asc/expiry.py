"""End of a block: expire what is due and drop payloads that were kept long enough.

Both are indexed by height, so a block pays for what ends in it and for nothing else.
"""

from __future__ import annotations

from asc import life
from asc import state as asc_state
from ledger.context import Context
from ledger.state import State
from wire.pb.tkms.asc.v1 import asc_pb2


def end_block(state: State, context: Context) -> None:
    """Expire, then prune: the deadline height itself still accepts answers."""
    for request_id in asc_state.marked(state, asc_state.deadline_prefix(context.height)):
        life.expire(state, context.height, request_id.value)
    for request_id in asc_state.marked(state, asc_state.prune_prefix(context.height)):
        _prune(state, request_id.value)
        asc_state.clear_prune(state, context.height, request_id.value)


def _prune(state: State, request_id: bytes) -> None:
    for answer in asc_state.answers(state, request_id):
        if _drop_payload(answer):
            asc_state.set_answer(state, request_id, answer)


def _drop_payload(answer: asc_pb2.Answer) -> bool:
    """Drop what is large; digests and the signature stay, so a kept copy can still be checked."""
    kind = answer.fulfil.WhichOneof("result")
    if kind == "public_decryption":
        answer.fulfil.public_decryption.ClearField("decrypted_result")
        return True
    if kind == "user_decryption":
        answer.fulfil.user_decryption.ClearField("payload")
        return True
    return False
