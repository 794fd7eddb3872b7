from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Clock(_message.Message):
    __slots__ = ("last_block_time_ns", "outage_credit_ns", "outages")
    LAST_BLOCK_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    OUTAGE_CREDIT_NS_FIELD_NUMBER: _ClassVar[int]
    OUTAGES_FIELD_NUMBER: _ClassVar[int]
    last_block_time_ns: int
    outage_credit_ns: int
    outages: int
    def __init__(self, last_block_time_ns: _Optional[int] = ..., outage_credit_ns: _Optional[int] = ..., outages: _Optional[int] = ...) -> None: ...
