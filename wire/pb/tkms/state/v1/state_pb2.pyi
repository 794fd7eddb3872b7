from wire.pb.tkms.asc.v1 import asc_pb2 as _asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2 as _bank_pb2
from wire.pb.tkms.config.v1 import config_pb2 as _config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2 as _isc_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Genesis(_message.Message):
    __slots__ = ("epoch", "prices", "parameters", "roles", "accounts", "applications", "delegates")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    DELEGATES_FIELD_NUMBER: _ClassVar[int]
    epoch: _config_pb2.Epoch
    prices: _config_pb2.Prices
    parameters: _config_pb2.Parameters
    roles: _containers.RepeatedCompositeFieldContainer[_config_pb2.RoleChange]
    accounts: _containers.RepeatedCompositeFieldContainer[GenesisAccount]
    applications: _containers.RepeatedCompositeFieldContainer[_isc_pb2.Application]
    delegates: _containers.RepeatedCompositeFieldContainer[GenesisDelegate]
    def __init__(self, epoch: _Optional[_Union[_config_pb2.Epoch, _Mapping]] = ..., prices: _Optional[_Union[_config_pb2.Prices, _Mapping]] = ..., parameters: _Optional[_Union[_config_pb2.Parameters, _Mapping]] = ..., roles: _Optional[_Iterable[_Union[_config_pb2.RoleChange, _Mapping]]] = ..., accounts: _Optional[_Iterable[_Union[GenesisAccount, _Mapping]]] = ..., applications: _Optional[_Iterable[_Union[_isc_pb2.Application, _Mapping]]] = ..., delegates: _Optional[_Iterable[_Union[GenesisDelegate, _Mapping]]] = ...) -> None: ...

class GenesisAccount(_message.Message):
    __slots__ = ("address", "balance")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    BALANCE_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    balance: int
    def __init__(self, address: _Optional[bytes] = ..., balance: _Optional[int] = ...) -> None: ...

class GenesisDelegate(_message.Message):
    __slots__ = ("application", "account")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    application: str
    account: bytes
    def __init__(self, application: _Optional[str] = ..., account: _Optional[bytes] = ...) -> None: ...

class ProvenValue(_message.Message):
    __slots__ = ("key", "value", "proof", "height")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    PROOF_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    proof: bytes
    height: int
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ..., proof: _Optional[bytes] = ..., height: _Optional[int] = ...) -> None: ...

class RequestView(_message.Message):
    __slots__ = ("entry", "status", "answers")
    ENTRY_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    entry: _asc_pb2.LogEntry
    status: _asc_pb2.RequestStatus
    answers: _containers.RepeatedCompositeFieldContainer[_asc_pb2.Answer]
    def __init__(self, entry: _Optional[_Union[_asc_pb2.LogEntry, _Mapping]] = ..., status: _Optional[_Union[_asc_pb2.RequestStatus, _Mapping]] = ..., answers: _Optional[_Iterable[_Union[_asc_pb2.Answer, _Mapping]]] = ...) -> None: ...

class RequestList(_message.Message):
    __slots__ = ("requests", "next_sequence")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[RequestView]
    next_sequence: int
    def __init__(self, requests: _Optional[_Iterable[_Union[RequestView, _Mapping]]] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class ConfigView(_message.Message):
    __slots__ = ("epoch", "prices", "parameters")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    epoch: _config_pb2.Epoch
    prices: _config_pb2.Prices
    parameters: _config_pb2.Parameters
    def __init__(self, epoch: _Optional[_Union[_config_pb2.Epoch, _Mapping]] = ..., prices: _Optional[_Union[_config_pb2.Prices, _Mapping]] = ..., parameters: _Optional[_Union[_config_pb2.Parameters, _Mapping]] = ...) -> None: ...

class MaterialView(_message.Message):
    __slots__ = ("record", "uris")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    URIS_FIELD_NUMBER: _ClassVar[int]
    record: _asc_pb2.MaterialRecord
    uris: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, record: _Optional[_Union[_asc_pb2.MaterialRecord, _Mapping]] = ..., uris: _Optional[_Iterable[str]] = ...) -> None: ...

class MaterialList(_message.Message):
    __slots__ = ("keys", "crs")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    CRS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[MaterialView]
    crs: _containers.RepeatedCompositeFieldContainer[MaterialView]
    def __init__(self, keys: _Optional[_Iterable[_Union[MaterialView, _Mapping]]] = ..., crs: _Optional[_Iterable[_Union[MaterialView, _Mapping]]] = ...) -> None: ...

class AccountView(_message.Message):
    __slots__ = ("address", "account")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    address: bytes
    account: _bank_pb2.Account
    def __init__(self, address: _Optional[bytes] = ..., account: _Optional[_Union[_bank_pb2.Account, _Mapping]] = ...) -> None: ...

class ApplicationView(_message.Message):
    __slots__ = ("application", "delegates")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    DELEGATES_FIELD_NUMBER: _ClassVar[int]
    application: _isc_pb2.Application
    delegates: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, application: _Optional[_Union[_isc_pb2.Application, _Mapping]] = ..., delegates: _Optional[_Iterable[bytes]] = ...) -> None: ...

class HandleView(_message.Message):
    __slots__ = ("ciphertext", "public", "granted")
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    ciphertext: _isc_pb2.Ciphertext
    public: bool
    granted: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, ciphertext: _Optional[_Union[_isc_pb2.Ciphertext, _Mapping]] = ..., public: _Optional[bool] = ..., granted: _Optional[_Iterable[bytes]] = ...) -> None: ...

class Simulation(_message.Message):
    __slots__ = ("code", "detail", "fee", "escrow", "request_ids")
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    ESCROW_FIELD_NUMBER: _ClassVar[int]
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    code: int
    detail: str
    fee: int
    escrow: int
    request_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, code: _Optional[int] = ..., detail: _Optional[str] = ..., fee: _Optional[int] = ..., escrow: _Optional[int] = ..., request_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...
