import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from wire.pb.tkms.asc.v1 import asc_pb2 as _asc_pb2
from wire.pb.tkms.config.v1 import config_pb2 as _config_pb2
from wire.pb.tkms.core.v1 import core_pb2 as _core_pb2
from wire.pb.tkms.state.v1 import state_pb2 as _state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RelayReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RELAY_REASON_UNSPECIFIED: _ClassVar[RelayReason]
    RELAY_REASON_MALFORMED: _ClassVar[RelayReason]
    RELAY_REASON_NONCE_REUSED: _ClassVar[RelayReason]
    RELAY_REASON_UNKNOWN_PAYER: _ClassVar[RelayReason]
    RELAY_REASON_RATE_EXCEEDED: _ClassVar[RelayReason]
    RELAY_REASON_TOO_MANY_IN_FLIGHT: _ClassVar[RelayReason]
    RELAY_REASON_UNITS_EXCEEDED: _ClassVar[RelayReason]
    RELAY_REASON_BUSY: _ClassVar[RelayReason]
    RELAY_REASON_NODE_UNAVAILABLE: _ClassVar[RelayReason]
    RELAY_REASON_STORAGE_UNAVAILABLE: _ClassVar[RelayReason]
    RELAY_REASON_DRAINING: _ClassVar[RelayReason]
    RELAY_REASON_TOKEN_INVALID: _ClassVar[RelayReason]
    RELAY_REASON_TOKEN_EXPIRED: _ClassVar[RelayReason]
    RELAY_REASON_CURSOR_TOO_OLD: _ClassVar[RelayReason]
    RELAY_REASON_NOT_DECIDED: _ClassVar[RelayReason]
    RELAY_REASON_UNKNOWN_REQUEST: _ClassVar[RelayReason]
    RELAY_REASON_BAD_PAGE_TOKEN: _ClassVar[RelayReason]
    RELAY_REASON_LAPSED: _ClassVar[RelayReason]
    RELAY_REASON_RESULT_PRUNED: _ClassVar[RelayReason]

class RequestState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REQUEST_STATE_UNSPECIFIED: _ClassVar[RequestState]
    REQUEST_STATE_ACCEPTED: _ClassVar[RequestState]
    REQUEST_STATE_PENDING: _ClassVar[RequestState]
    REQUEST_STATE_FULFILLED: _ClassVar[RequestState]
    REQUEST_STATE_FAILED: _ClassVar[RequestState]
    REQUEST_STATE_EXPIRED: _ClassVar[RequestState]
    REQUEST_STATE_REJECTED: _ClassVar[RequestState]
    REQUEST_STATE_LAPSED: _ClassVar[RequestState]

class WaitUntil(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WAIT_UNTIL_UNSPECIFIED: _ClassVar[WaitUntil]
    WAIT_UNTIL_DECIDED: _ClassVar[WaitUntil]
    WAIT_UNTIL_INCLUDED: _ClassVar[WaitUntil]
    WAIT_UNTIL_CLOSED: _ClassVar[WaitUntil]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_OPENED: _ClassVar[EventKind]
    EVENT_KIND_ANSWERED: _ClassVar[EventKind]
    EVENT_KIND_DECIDED: _ClassVar[EventKind]
    EVENT_KIND_CLOSED: _ClassVar[EventKind]
    EVENT_KIND_REJECTED: _ClassVar[EventKind]
    EVENT_KIND_LAPSED: _ClassVar[EventKind]

class MaterialType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATERIAL_TYPE_UNSPECIFIED: _ClassVar[MaterialType]
    MATERIAL_TYPE_KEY: _ClassVar[MaterialType]
    MATERIAL_TYPE_CRS: _ClassVar[MaterialType]
    MATERIAL_TYPE_PREPROCESSING: _ClassVar[MaterialType]
RELAY_REASON_UNSPECIFIED: RelayReason
RELAY_REASON_MALFORMED: RelayReason
RELAY_REASON_NONCE_REUSED: RelayReason
RELAY_REASON_UNKNOWN_PAYER: RelayReason
RELAY_REASON_RATE_EXCEEDED: RelayReason
RELAY_REASON_TOO_MANY_IN_FLIGHT: RelayReason
RELAY_REASON_UNITS_EXCEEDED: RelayReason
RELAY_REASON_BUSY: RelayReason
RELAY_REASON_NODE_UNAVAILABLE: RelayReason
RELAY_REASON_STORAGE_UNAVAILABLE: RelayReason
RELAY_REASON_DRAINING: RelayReason
RELAY_REASON_TOKEN_INVALID: RelayReason
RELAY_REASON_TOKEN_EXPIRED: RelayReason
RELAY_REASON_CURSOR_TOO_OLD: RelayReason
RELAY_REASON_NOT_DECIDED: RelayReason
RELAY_REASON_UNKNOWN_REQUEST: RelayReason
RELAY_REASON_BAD_PAGE_TOKEN: RelayReason
RELAY_REASON_LAPSED: RelayReason
RELAY_REASON_RESULT_PRUNED: RelayReason
REQUEST_STATE_UNSPECIFIED: RequestState
REQUEST_STATE_ACCEPTED: RequestState
REQUEST_STATE_PENDING: RequestState
REQUEST_STATE_FULFILLED: RequestState
REQUEST_STATE_FAILED: RequestState
REQUEST_STATE_EXPIRED: RequestState
REQUEST_STATE_REJECTED: RequestState
REQUEST_STATE_LAPSED: RequestState
WAIT_UNTIL_UNSPECIFIED: WaitUntil
WAIT_UNTIL_DECIDED: WaitUntil
WAIT_UNTIL_INCLUDED: WaitUntil
WAIT_UNTIL_CLOSED: WaitUntil
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_OPENED: EventKind
EVENT_KIND_ANSWERED: EventKind
EVENT_KIND_DECIDED: EventKind
EVENT_KIND_CLOSED: EventKind
EVENT_KIND_REJECTED: EventKind
EVENT_KIND_LAPSED: EventKind
MATERIAL_TYPE_UNSPECIFIED: MaterialType
MATERIAL_TYPE_KEY: MaterialType
MATERIAL_TYPE_CRS: MaterialType
MATERIAL_TYPE_PREPROCESSING: MaterialType

class SubmitRequest(_message.Message):
    __slots__ = ("public_decryption", "user_decryption", "preprocessing", "key_generation", "crs_generation", "refresh", "nonce", "expires_at_height", "max_fee", "payer", "verdict_timeout")
    PUBLIC_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    USER_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_FIELD_NUMBER: _ClassVar[int]
    KEY_GENERATION_FIELD_NUMBER: _ClassVar[int]
    CRS_GENERATION_FIELD_NUMBER: _ClassVar[int]
    REFRESH_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_FEE_FIELD_NUMBER: _ClassVar[int]
    PAYER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    public_decryption: _asc_pb2.RequestPublicDecryption
    user_decryption: _asc_pb2.RequestUserDecryption
    preprocessing: _asc_pb2.RequestPreprocessing
    key_generation: _asc_pb2.RequestKeyGeneration
    crs_generation: _asc_pb2.RequestCrsGeneration
    refresh: _asc_pb2.RequestRefresh
    nonce: bytes
    expires_at_height: int
    max_fee: int
    payer: bytes
    verdict_timeout: _duration_pb2.Duration
    def __init__(self, public_decryption: _Optional[_Union[_asc_pb2.RequestPublicDecryption, _Mapping]] = ..., user_decryption: _Optional[_Union[_asc_pb2.RequestUserDecryption, _Mapping]] = ..., preprocessing: _Optional[_Union[_asc_pb2.RequestPreprocessing, _Mapping]] = ..., key_generation: _Optional[_Union[_asc_pb2.RequestKeyGeneration, _Mapping]] = ..., crs_generation: _Optional[_Union[_asc_pb2.RequestCrsGeneration, _Mapping]] = ..., refresh: _Optional[_Union[_asc_pb2.RequestRefresh, _Mapping]] = ..., nonce: _Optional[bytes] = ..., expires_at_height: _Optional[int] = ..., max_fee: _Optional[int] = ..., payer: _Optional[bytes] = ..., verdict_timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("submission", "duplicate")
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    submission: Submission
    duplicate: bool
    def __init__(self, submission: _Optional[_Union[Submission, _Mapping]] = ..., duplicate: _Optional[bool] = ...) -> None: ...

class Submission(_message.Message):
    __slots__ = ("request_id", "transaction_hash", "body", "state", "kind", "payer", "nonce", "expires_at_height", "max_fee", "taken_by_node", "included_height", "refusal", "accepted_at")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_HASH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PAYER_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_FEE_FIELD_NUMBER: _ClassVar[int]
    TAKEN_BY_NODE_FIELD_NUMBER: _ClassVar[int]
    INCLUDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_AT_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    transaction_hash: bytes
    body: bytes
    state: RequestState
    kind: _asc_pb2.RequestKind
    payer: bytes
    nonce: bytes
    expires_at_height: int
    max_fee: int
    taken_by_node: bool
    included_height: int
    refusal: Refusal
    accepted_at: _timestamp_pb2.Timestamp
    def __init__(self, request_id: _Optional[bytes] = ..., transaction_hash: _Optional[bytes] = ..., body: _Optional[bytes] = ..., state: _Optional[_Union[RequestState, str]] = ..., kind: _Optional[_Union[_asc_pb2.RequestKind, str]] = ..., payer: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., expires_at_height: _Optional[int] = ..., max_fee: _Optional[int] = ..., taken_by_node: _Optional[bool] = ..., included_height: _Optional[int] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ..., accepted_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("code", "reason", "detail")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    detail: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ...) -> None: ...

class Request(_message.Message):
    __slots__ = ("request_id", "state", "kind", "submission", "view")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    VIEW_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    state: RequestState
    kind: _asc_pb2.RequestKind
    submission: Submission
    view: _state_pb2.RequestView
    def __init__(self, request_id: _Optional[bytes] = ..., state: _Optional[_Union[RequestState, str]] = ..., kind: _Optional[_Union[_asc_pb2.RequestKind, str]] = ..., submission: _Optional[_Union[Submission, _Mapping]] = ..., view: _Optional[_Union[_state_pb2.RequestView, _Mapping]] = ...) -> None: ...

class GetRequestRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    def __init__(self, request_id: _Optional[bytes] = ...) -> None: ...

class GetRequestResponse(_message.Message):
    __slots__ = ("request",)
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    request: Request
    def __init__(self, request: _Optional[_Union[Request, _Mapping]] = ...) -> None: ...

class ListRequestsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "states", "kinds")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    states: _containers.RepeatedScalarFieldContainer[RequestState]
    kinds: _containers.RepeatedScalarFieldContainer[_asc_pb2.RequestKind]
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., states: _Optional[_Iterable[_Union[RequestState, str]]] = ..., kinds: _Optional[_Iterable[_Union[_asc_pb2.RequestKind, str]]] = ...) -> None: ...

class ListRequestsResponse(_message.Message):
    __slots__ = ("submissions", "next_page_token")
    SUBMISSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    submissions: _containers.RepeatedCompositeFieldContainer[Submission]
    next_page_token: str
    def __init__(self, submissions: _Optional[_Iterable[_Union[Submission, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WaitRequestRequest(_message.Message):
    __slots__ = ("request_id", "until", "timeout", "include_result", "trusted_height")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_RESULT_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    until: WaitUntil
    timeout: _duration_pb2.Duration
    include_result: bool
    trusted_height: int
    def __init__(self, request_id: _Optional[bytes] = ..., until: _Optional[_Union[WaitUntil, str]] = ..., timeout: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., include_result: _Optional[bool] = ..., trusted_height: _Optional[int] = ...) -> None: ...

class WaitRequestResponse(_message.Message):
    __slots__ = ("request", "reached", "result")
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    REACHED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    request: Request
    reached: bool
    result: RequestResult
    def __init__(self, request: _Optional[_Union[Request, _Mapping]] = ..., reached: _Optional[bool] = ..., result: _Optional[_Union[RequestResult, _Mapping]] = ...) -> None: ...

class Cursor(_message.Message):
    __slots__ = ("height", "sequence")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    height: int
    sequence: int
    def __init__(self, height: _Optional[int] = ..., sequence: _Optional[int] = ...) -> None: ...

class WatchRequestsRequest(_message.Message):
    __slots__ = ("after", "include_results", "request_ids", "kinds", "trusted_height")
    AFTER_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_RESULTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    after: Cursor
    include_results: bool
    request_ids: _containers.RepeatedScalarFieldContainer[bytes]
    kinds: _containers.RepeatedScalarFieldContainer[EventKind]
    trusted_height: int
    def __init__(self, after: _Optional[_Union[Cursor, _Mapping]] = ..., include_results: _Optional[bool] = ..., request_ids: _Optional[_Iterable[bytes]] = ..., kinds: _Optional[_Iterable[_Union[EventKind, str]]] = ..., trusted_height: _Optional[int] = ...) -> None: ...

class RequestEvent(_message.Message):
    __slots__ = ("kind", "request_id", "state", "party", "failure", "refusal", "result")
    KIND_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    kind: EventKind
    request_id: bytes
    state: RequestState
    party: int
    failure: _asc_pb2.FailureCode
    refusal: Refusal
    result: RequestResult
    def __init__(self, kind: _Optional[_Union[EventKind, str]] = ..., request_id: _Optional[bytes] = ..., state: _Optional[_Union[RequestState, str]] = ..., party: _Optional[int] = ..., failure: _Optional[_Union[_asc_pb2.FailureCode, str]] = ..., refusal: _Optional[_Union[Refusal, _Mapping]] = ..., result: _Optional[_Union[RequestResult, _Mapping]] = ...) -> None: ...

class WatchRequestsResponse(_message.Message):
    __slots__ = ("cursor", "event")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    cursor: Cursor
    event: RequestEvent
    def __init__(self, cursor: _Optional[_Union[Cursor, _Mapping]] = ..., event: _Optional[_Union[RequestEvent, _Mapping]] = ...) -> None: ...

class RequestResult(_message.Message):
    __slots__ = ("request_id", "answers", "entry", "status", "epoch", "headers")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    answers: _containers.RepeatedCompositeFieldContainer[_asc_pb2.Answer]
    entry: _state_pb2.ProvenValue
    status: _state_pb2.ProvenValue
    epoch: _state_pb2.ProvenValue
    headers: _containers.RepeatedCompositeFieldContainer[_core_pb2.LightBlock]
    def __init__(self, request_id: _Optional[bytes] = ..., answers: _Optional[_Iterable[_Union[_asc_pb2.Answer, _Mapping]]] = ..., entry: _Optional[_Union[_state_pb2.ProvenValue, _Mapping]] = ..., status: _Optional[_Union[_state_pb2.ProvenValue, _Mapping]] = ..., epoch: _Optional[_Union[_state_pb2.ProvenValue, _Mapping]] = ..., headers: _Optional[_Iterable[_Union[_core_pb2.LightBlock, _Mapping]]] = ...) -> None: ...

class GetResultRequest(_message.Message):
    __slots__ = ("request_id", "trusted_height")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    trusted_height: int
    def __init__(self, request_id: _Optional[bytes] = ..., trusted_height: _Optional[int] = ...) -> None: ...

class GetResultResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: RequestResult
    def __init__(self, result: _Optional[_Union[RequestResult, _Mapping]] = ...) -> None: ...

class GetPricesRequest(_message.Message):
    __slots__ = ("submission",)
    SUBMISSION_FIELD_NUMBER: _ClassVar[int]
    submission: SubmitRequest
    def __init__(self, submission: _Optional[_Union[SubmitRequest, _Mapping]] = ...) -> None: ...

class GetPricesResponse(_message.Message):
    __slots__ = ("height", "prices", "parameters", "estimate", "limits")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    height: int
    prices: _config_pb2.Prices
    parameters: _config_pb2.Parameters
    estimate: Estimate
    limits: Limits
    def __init__(self, height: _Optional[int] = ..., prices: _Optional[_Union[_config_pb2.Prices, _Mapping]] = ..., parameters: _Optional[_Union[_config_pb2.Parameters, _Mapping]] = ..., estimate: _Optional[_Union[Estimate, _Mapping]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...

class Estimate(_message.Message):
    __slots__ = ("fee", "price", "max_fee")
    FEE_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    MAX_FEE_FIELD_NUMBER: _ClassVar[int]
    fee: int
    price: int
    max_fee: int
    def __init__(self, fee: _Optional[int] = ..., price: _Optional[int] = ..., max_fee: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("client", "submissions_per_second", "burst", "max_in_flight", "in_flight", "units_per_day", "units_today", "max_message_bytes")
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    SUBMISSIONS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    BURST_FIELD_NUMBER: _ClassVar[int]
    MAX_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    UNITS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    UNITS_TODAY_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    client: str
    submissions_per_second: float
    burst: int
    max_in_flight: int
    in_flight: int
    units_per_day: int
    units_today: int
    max_message_bytes: int
    def __init__(self, client: _Optional[str] = ..., submissions_per_second: _Optional[float] = ..., burst: _Optional[int] = ..., max_in_flight: _Optional[int] = ..., in_flight: _Optional[int] = ..., units_per_day: _Optional[int] = ..., units_today: _Optional[int] = ..., max_message_bytes: _Optional[int] = ...) -> None: ...

class GetChainInfoRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetChainInfoResponse(_message.Message):
    __slots__ = ("chain_id", "height", "block_time", "validators_hash", "catching_up", "head", "oldest_height", "epoch", "payers")
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    BLOCK_TIME_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_HASH_FIELD_NUMBER: _ClassVar[int]
    CATCHING_UP_FIELD_NUMBER: _ClassVar[int]
    HEAD_FIELD_NUMBER: _ClassVar[int]
    OLDEST_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PAYERS_FIELD_NUMBER: _ClassVar[int]
    chain_id: str
    height: int
    block_time: _timestamp_pb2.Timestamp
    validators_hash: bytes
    catching_up: bool
    head: Cursor
    oldest_height: int
    epoch: _config_pb2.Epoch
    payers: _containers.RepeatedCompositeFieldContainer[Payer]
    def __init__(self, chain_id: _Optional[str] = ..., height: _Optional[int] = ..., block_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., validators_hash: _Optional[bytes] = ..., catching_up: _Optional[bool] = ..., head: _Optional[_Union[Cursor, _Mapping]] = ..., oldest_height: _Optional[int] = ..., epoch: _Optional[_Union[_config_pb2.Epoch, _Mapping]] = ..., payers: _Optional[_Iterable[_Union[Payer, _Mapping]]] = ...) -> None: ...

class Payer(_message.Message):
    __slots__ = ("address", "balance", "low")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    balance: int
    low: bool
    def __init__(self, address: _Optional[bytes] = ..., balance: _Optional[int] = ..., low: _Optional[bool] = ...) -> None: ...

class Material(_message.Message):
    __slots__ = ("type", "record", "uris")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    URIS_FIELD_NUMBER: _ClassVar[int]
    type: MaterialType
    record: _asc_pb2.MaterialRecord
    uris: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, type: _Optional[_Union[MaterialType, str]] = ..., record: _Optional[_Union[_asc_pb2.MaterialRecord, _Mapping]] = ..., uris: _Optional[_Iterable[str]] = ...) -> None: ...

class ListMaterialRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "types", "id")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TYPES_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    types: _containers.RepeatedScalarFieldContainer[MaterialType]
    id: bytes
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., types: _Optional[_Iterable[_Union[MaterialType, str]]] = ..., id: _Optional[bytes] = ...) -> None: ...

class ListMaterialResponse(_message.Message):
    __slots__ = ("materials", "next_page_token")
    MATERIALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    materials: _containers.RepeatedCompositeFieldContainer[Material]
    next_page_token: str
    def __init__(self, materials: _Optional[_Iterable[_Union[Material, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetHandleRequest(_message.Message):
    __slots__ = ("application", "handle")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    application: str
    handle: bytes
    def __init__(self, application: _Optional[str] = ..., handle: _Optional[bytes] = ...) -> None: ...

class GetHandleResponse(_message.Message):
    __slots__ = ("handle",)
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    handle: _state_pb2.HandleView
    def __init__(self, handle: _Optional[_Union[_state_pb2.HandleView, _Mapping]] = ...) -> None: ...
