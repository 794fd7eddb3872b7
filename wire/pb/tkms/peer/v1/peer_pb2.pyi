from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Envelope(_message.Message):
    __slots__ = ("epoch_id", "request_id", "sender", "round", "masked_shares", "deal", "round_message", "record_ask", "record_part")
    EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    MASKED_SHARES_FIELD_NUMBER: _ClassVar[int]
    DEAL_FIELD_NUMBER: _ClassVar[int]
    ROUND_MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RECORD_ASK_FIELD_NUMBER: _ClassVar[int]
    RECORD_PART_FIELD_NUMBER: _ClassVar[int]
    epoch_id: int
    request_id: bytes
    sender: int
    round: int
    masked_shares: MaskedShares
    deal: Deal
    round_message: RoundMessage
    record_ask: RecordAsk
    record_part: RecordPart
    def __init__(self, epoch_id: _Optional[int] = ..., request_id: _Optional[bytes] = ..., sender: _Optional[int] = ..., round: _Optional[int] = ..., masked_shares: _Optional[_Union[MaskedShares, _Mapping]] = ..., deal: _Optional[_Union[Deal, _Mapping]] = ..., round_message: _Optional[_Union[RoundMessage, _Mapping]] = ..., record_ask: _Optional[_Union[RecordAsk, _Mapping]] = ..., record_part: _Optional[_Union[RecordPart, _Mapping]] = ...) -> None: ...

class RoundMessage(_message.Message):
    __slots__ = ("session_id", "round", "payload", "again", "repeated")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    AGAIN_FIELD_NUMBER: _ClassVar[int]
    REPEATED_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    round: int
    payload: bytes
    again: bool
    repeated: bool
    def __init__(self, session_id: _Optional[bytes] = ..., round: _Optional[int] = ..., payload: _Optional[bytes] = ..., again: _Optional[bool] = ..., repeated: _Optional[bool] = ...) -> None: ...

class RecordAsk(_message.Message):
    __slots__ = ("session_id", "offset", "length")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    offset: int
    length: int
    def __init__(self, session_id: _Optional[bytes] = ..., offset: _Optional[int] = ..., length: _Optional[int] = ...) -> None: ...

class RecordPart(_message.Message):
    __slots__ = ("session_id", "digest", "size", "offset", "data")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    session_id: bytes
    digest: bytes
    size: int
    offset: int
    data: bytes
    def __init__(self, session_id: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., size: _Optional[int] = ..., offset: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class MaskedShares(_message.Message):
    __slots__ = ("shares",)
    SHARES_FIELD_NUMBER: _ClassVar[int]
    shares: _containers.RepeatedCompositeFieldContainer[MaskedShare]
    def __init__(self, shares: _Optional[_Iterable[_Union[MaskedShare, _Mapping]]] = ...) -> None: ...

class MaskedShare(_message.Message):
    __slots__ = ("ciphertext_digest", "elements")
    CIPHERTEXT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    ciphertext_digest: bytes
    elements: bytes
    def __init__(self, ciphertext_digest: _Optional[bytes] = ..., elements: _Optional[bytes] = ...) -> None: ...

class Deal(_message.Message):
    __slots__ = ("key_share", "mask_keys", "parameters", "materials")
    KEY_SHARE_FIELD_NUMBER: _ClassVar[int]
    MASK_KEYS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MATERIALS_FIELD_NUMBER: _ClassVar[int]
    key_share: bytes
    mask_keys: bytes
    parameters: str
    materials: _containers.RepeatedCompositeFieldContainer[Material]
    def __init__(self, key_share: _Optional[bytes] = ..., mask_keys: _Optional[bytes] = ..., parameters: _Optional[str] = ..., materials: _Optional[_Iterable[_Union[Material, _Mapping]]] = ...) -> None: ...

class Material(_message.Message):
    __slots__ = ("kind", "digest", "size")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    digest: bytes
    size: int
    def __init__(self, kind: _Optional[str] = ..., digest: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...
