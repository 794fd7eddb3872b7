from wire.pb.tkms.asc.v1 import asc_pb2 as _asc_pb2
from wire.pb.tkms.state.v1 import state_pb2 as _state_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WorkState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORK_STATE_UNSPECIFIED: _ClassVar[WorkState]
    WORK_STATE_ACCEPTED: _ClassVar[WorkState]
    WORK_STATE_DONE: _ClassVar[WorkState]
    WORK_STATE_FAILED: _ClassVar[WorkState]
    WORK_STATE_EXPIRED: _ClassVar[WorkState]
WORK_STATE_UNSPECIFIED: WorkState
WORK_STATE_ACCEPTED: WorkState
WORK_STATE_DONE: WorkState
WORK_STATE_FAILED: WorkState
WORK_STATE_EXPIRED: WorkState

class LightBlock(_message.Message):
    __slots__ = ("height", "signed_header", "validators", "next_validators")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_HEADER_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    NEXT_VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    height: int
    signed_header: bytes
    validators: bytes
    next_validators: bytes
    def __init__(self, height: _Optional[int] = ..., signed_header: _Optional[bytes] = ..., validators: _Optional[bytes] = ..., next_validators: _Optional[bytes] = ...) -> None: ...

class Blob(_message.Message):
    __slots__ = ("digest", "data")
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    digest: bytes
    data: bytes
    def __init__(self, digest: _Optional[bytes] = ..., data: _Optional[bytes] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("headers", "entry", "epoch", "key", "ciphertexts", "more")
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[LightBlock]
    entry: _state_pb2.ProvenValue
    epoch: _state_pb2.ProvenValue
    key: _state_pb2.ProvenValue
    ciphertexts: _containers.RepeatedCompositeFieldContainer[Blob]
    more: _containers.RepeatedCompositeFieldContainer[_state_pb2.ProvenValue]
    def __init__(self, headers: _Optional[_Iterable[_Union[LightBlock, _Mapping]]] = ..., entry: _Optional[_Union[_state_pb2.ProvenValue, _Mapping]] = ..., epoch: _Optional[_Union[_state_pb2.ProvenValue, _Mapping]] = ..., key: _Optional[_Union[_state_pb2.ProvenValue, _Mapping]] = ..., ciphertexts: _Optional[_Iterable[_Union[Blob, _Mapping]]] = ..., more: _Optional[_Iterable[_Union[_state_pb2.ProvenValue, _Mapping]]] = ...) -> None: ...

class SubmitReply(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: WorkState
    def __init__(self, state: _Optional[_Union[WorkState, str]] = ...) -> None: ...

class InformRequest(_message.Message):
    __slots__ = ("headers", "facts", "old_epochs_done")
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    OLD_EPOCHS_DONE_FIELD_NUMBER: _ClassVar[int]
    headers: _containers.RepeatedCompositeFieldContainer[LightBlock]
    facts: _containers.RepeatedCompositeFieldContainer[_state_pb2.ProvenValue]
    old_epochs_done: bool
    def __init__(self, headers: _Optional[_Iterable[_Union[LightBlock, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[_state_pb2.ProvenValue, _Mapping]]] = ..., old_epochs_done: _Optional[bool] = ...) -> None: ...

class InformReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ResultsRequest(_message.Message):
    __slots__ = ("after_cursor",)
    AFTER_CURSOR_FIELD_NUMBER: _ClassVar[int]
    after_cursor: int
    def __init__(self, after_cursor: _Optional[int] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("cursor", "request_id", "fulfil", "failure", "accusation", "progress", "uploads", "deadline_height")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    FULFIL_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    ACCUSATION_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    UPLOADS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    cursor: int
    request_id: bytes
    fulfil: _asc_pb2.Fulfil
    failure: _asc_pb2.ReportFailure
    accusation: _asc_pb2.Accuse
    progress: _asc_pb2.ReportProgress
    uploads: _containers.RepeatedCompositeFieldContainer[Blob]
    deadline_height: int
    def __init__(self, cursor: _Optional[int] = ..., request_id: _Optional[bytes] = ..., fulfil: _Optional[_Union[_asc_pb2.Fulfil, _Mapping]] = ..., failure: _Optional[_Union[_asc_pb2.ReportFailure, _Mapping]] = ..., accusation: _Optional[_Union[_asc_pb2.Accuse, _Mapping]] = ..., progress: _Optional[_Union[_asc_pb2.ReportProgress, _Mapping]] = ..., uploads: _Optional[_Iterable[_Union[Blob, _Mapping]]] = ..., deadline_height: _Optional[int] = ...) -> None: ...

class StatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PeerStatus(_message.Message):
    __slots__ = ("party", "connected")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    party: int
    connected: bool
    def __init__(self, party: _Optional[int] = ..., connected: _Optional[bool] = ...) -> None: ...

class StatusReply(_message.Message):
    __slots__ = ("party", "trusted_height", "epoch_id", "key_ids", "peers", "developer_mode", "accepted", "answered", "current_epoch_id", "change_request", "held_epoch_ids", "pool_made", "pool_used", "long_requests")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    TRUSTED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_IDS_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    DEVELOPER_MODE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    CURRENT_EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_REQUEST_FIELD_NUMBER: _ClassVar[int]
    HELD_EPOCH_IDS_FIELD_NUMBER: _ClassVar[int]
    POOL_MADE_FIELD_NUMBER: _ClassVar[int]
    POOL_USED_FIELD_NUMBER: _ClassVar[int]
    LONG_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    party: int
    trusted_height: int
    epoch_id: int
    key_ids: _containers.RepeatedScalarFieldContainer[bytes]
    peers: _containers.RepeatedCompositeFieldContainer[PeerStatus]
    developer_mode: bool
    accepted: int
    answered: int
    current_epoch_id: int
    change_request: bytes
    held_epoch_ids: _containers.RepeatedScalarFieldContainer[int]
    pool_made: int
    pool_used: int
    long_requests: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, party: _Optional[int] = ..., trusted_height: _Optional[int] = ..., epoch_id: _Optional[int] = ..., key_ids: _Optional[_Iterable[bytes]] = ..., peers: _Optional[_Iterable[_Union[PeerStatus, _Mapping]]] = ..., developer_mode: _Optional[bool] = ..., accepted: _Optional[int] = ..., answered: _Optional[int] = ..., current_epoch_id: _Optional[int] = ..., change_request: _Optional[bytes] = ..., held_epoch_ids: _Optional[_Iterable[int]] = ..., pool_made: _Optional[int] = ..., pool_used: _Optional[int] = ..., long_requests: _Optional[_Iterable[bytes]] = ...) -> None: ...

class TakeRequest(_message.Message):
    __slots__ = ("request_ids",)
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    request_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, request_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...

class TakeReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
