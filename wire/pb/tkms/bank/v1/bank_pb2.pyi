from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class Transfer(_message.Message):
    __slots__ = ("recipient", "amount")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    recipient: bytes
    amount: int
    def __init__(self, recipient: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class Faucet(_message.Message):
    __slots__ = ("recipient", "amount")
    RECIPIENT_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    recipient: bytes
    amount: int
    def __init__(self, recipient: _Optional[bytes] = ..., amount: _Optional[int] = ...) -> None: ...

class Account(_message.Message):
    __slots__ = ("balance", "escrowed", "faucet_window_start", "faucet_drawn")
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    ESCROWED_FIELD_NUMBER: _ClassVar[int]
    FAUCET_WINDOW_START_FIELD_NUMBER: _ClassVar[int]
    FAUCET_DRAWN_FIELD_NUMBER: _ClassVar[int]
    balance: int
    escrowed: int
    faucet_window_start: int
    faucet_drawn: int
    def __init__(self, balance: _Optional[int] = ..., escrowed: _Optional[int] = ..., faucet_window_start: _Optional[int] = ..., faucet_drawn: _Optional[int] = ...) -> None: ...

class Supply(_message.Message):
    __slots__ = ("minted",)
    MINTED_FIELD_NUMBER: _ClassVar[int]
    minted: int
    def __init__(self, minted: _Optional[int] = ...) -> None: ...
