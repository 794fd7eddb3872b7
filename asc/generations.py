"""Messages about what the parties make together: preprocessing, keys, reference strings.

A preprocessing makes one key of its parameters in its epoch; a key generation takes it when it is asked for, so
that no failure can lead to its being used twice. Where Config lets one core deal, a request may ask for that.
"""

from __future__ import annotations

from typing import Final

from asc import keys, life
from asc import state as asc_state
from asc.opening import open_request, price_of
from ledger.config import state as config
from ledger.context import Context
from ledger.state import State
from wire.eip712 import chain_domain
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.reasons import Reason, Rejection

_MIN_CRS_BITS: Final = 64
_MAX_CRS_BITS: Final = 2048
# An epoch change that administrators decided is not for the generator to end, and destruction is final.
_ABORTABLE: Final = (
    asc_pb2.REQUEST_KIND_PREPROCESSING,
    asc_pb2.REQUEST_KIND_KEY_GENERATION,
    asc_pb2.REQUEST_KIND_CRS_GENERATION,
)


def request_preprocessing(
    state: State, message: asc_pb2.RequestPreprocessing, context: Context
) -> bytes:
    """Ask for the bits and triples that a key of an allowed parameter set takes."""
    require_generator(state, context)
    _require_parameters(state, message.parameters)
    _require_no_epoch_change(state)
    entry = _entry(state, context, asc_pb2.REQUEST_KIND_PREPROCESSING)
    entry.parameters = message.parameters
    made = open_request(state, context, entry, price_of(state, "request_preprocessing"))
    asc_state.set_generating(state, made)
    return made


def request_key_generation(
    state: State, message: asc_pb2.RequestKeyGeneration, context: Context
) -> bytes:
    """Ask for a key of an allowed parameter set, of a preprocessing or dealt by one core."""
    require_generator(state, context)
    _require_parameters(state, message.parameters)
    _require_no_epoch_change(state)
    _require_dealing(state, dealer=message.dealer)
    entry = _entry(state, context, asc_pb2.REQUEST_KIND_KEY_GENERATION)
    entry.parameters = message.parameters
    entry.dealer = message.dealer
    preprocessing = _preprocessing_for(state, message)
    if preprocessing is not None:
        entry.preprocessing_id = preprocessing.id
    made = open_request(state, context, entry, price_of(state, "request_key_generation"))
    if preprocessing is not None:
        keys.consume(state, preprocessing, made, context.height)
    keys.begin(state, entry)
    asc_state.set_generating(state, made)
    return made


def request_crs_generation(
    state: State, message: asc_pb2.RequestCrsGeneration, context: Context
) -> bytes:
    """Ask for a reference string that fits an active key."""
    require_generator(state, context)
    key = keys.require_active_key(state, message.key_id)
    bits = message.max_bits
    if not _MIN_CRS_BITS <= bits <= _MAX_CRS_BITS or bits & (bits - 1):
        raise Rejection(Reason.BAD_MAX_BITS, str(bits))
    _require_dealing(state, dealer=message.dealer)
    entry = _entry(state, context, asc_pb2.REQUEST_KIND_CRS_GENERATION)
    entry.parameters = key.parameters
    entry.key_id = key.id
    entry.max_bits = bits
    entry.dealer = message.dealer
    return open_request(state, context, entry, price_of(state, "request_crs_generation"))


def abort_generation(state: State, message: asc_pb2.AbortGeneration, context: Context) -> None:
    """End a pending generation; its price goes back."""
    require_generator(state, context)
    status = asc_state.status(state, message.request_id)
    if status is None:
        raise Rejection(Reason.UNKNOWN_REQUEST, message.request_id.hex())
    entry = asc_state.require_log_entry(state, status.sequence)
    if entry.kind not in _ABORTABLE:
        raise Rejection(Reason.KIND_MISMATCH, asc_pb2.RequestKind.Name(entry.kind))
    if status.status != asc_pb2.STATUS_PENDING:
        raise Rejection(Reason.REQUEST_DECIDED, asc_pb2.Status.Name(status.status))
    life.end(state, context.height, entry, status, asc_pb2.FAILURE_CODE_ABORTED)


def require_generator(state: State, context: Context) -> None:
    """The sender holds the role; Rejection(MISSING_ROLE)."""
    if not config.has_role(state, config_pb2.ROLE_GENERATOR, context.sender):
        raise Rejection(Reason.MISSING_ROLE, "ROLE_GENERATOR")


def _require_parameters(state: State, name: str) -> None:
    if name not in config.parameters(state).parameter_sets:
        raise Rejection(Reason.UNKNOWN_PARAMETERS, name)


def _require_no_epoch_change(state: State) -> None:
    """What would be made now belongs to an epoch that is about to end."""
    pending = config.pending_epoch(state)
    if pending is not None:
        raise Rejection(
            Reason.EPOCH_PENDING, f"epoch {pending.epoch_id} by {pending.request_id.hex()}"
        )


def _require_dealing(state: State, *, dealer: bool) -> None:
    if dealer and not config.parameters(state).insecure_dealing:
        raise Rejection(Reason.DEALING_OFF)


def _preprocessing_for(
    state: State, message: asc_pb2.RequestKeyGeneration
) -> asc_pb2.MaterialRecord | None:
    """What the generation takes; None where one core deals."""
    if message.dealer:
        if message.preprocessing_id:
            raise Rejection(Reason.PREPROCESSING_MISMATCH, "dealt keys take none")
        return None
    return keys.require_preprocessing(state, message.preprocessing_id, message.parameters)


def _entry(state: State, context: Context, kind: asc_pb2.RequestKind) -> asc_pb2.LogEntry:
    return asc_pb2.LogEntry(
        kind=kind,
        domain=chain_domain(context.chain_id),
        deadline_height=context.height + config.parameters(state).generation_deadline_blocks,
        allowances=[isc_pb2.Allowance(basis=isc_pb2.BASIS_ROLE)],
    )
