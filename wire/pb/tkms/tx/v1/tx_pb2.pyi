from wire.pb.tkms.asc.v1 import asc_pb2 as _asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2 as _bank_pb2
from wire.pb.tkms.config.v1 import config_pb2 as _config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2 as _isc_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Scheme(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCHEME_UNSPECIFIED: _ClassVar[Scheme]
    SCHEME_SECP256K1: _ClassVar[Scheme]
    SCHEME_ED25519: _ClassVar[Scheme]
SCHEME_UNSPECIFIED: Scheme
SCHEME_SECP256K1: Scheme
SCHEME_ED25519: Scheme

class Tx(_message.Message):
    __slots__ = ("body", "scheme", "public_key", "signature")
    BODY_FIELD_NUMBER: _ClassVar[int]
    SCHEME_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    body: bytes
    scheme: Scheme
    public_key: bytes
    signature: bytes
    def __init__(self, body: _Optional[bytes] = ..., scheme: _Optional[_Union[Scheme, str]] = ..., public_key: _Optional[bytes] = ..., signature: _Optional[bytes] = ...) -> None: ...

class TxBody(_message.Message):
    __slots__ = ("chain_id", "sender", "nonce", "expires_at_height", "max_fee", "messages")
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    NONCE_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_FEE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    chain_id: str
    sender: bytes
    nonce: bytes
    expires_at_height: int
    max_fee: int
    messages: _containers.RepeatedCompositeFieldContainer[Message]
    def __init__(self, chain_id: _Optional[str] = ..., sender: _Optional[bytes] = ..., nonce: _Optional[bytes] = ..., expires_at_height: _Optional[int] = ..., max_fee: _Optional[int] = ..., messages: _Optional[_Iterable[_Union[Message, _Mapping]]] = ...) -> None: ...

class Message(_message.Message):
    __slots__ = ("transfer", "faucet", "propose_change", "approve_change", "withdraw_change", "register_application", "set_delegate", "register_ciphertexts", "grant_access", "revoke_access", "set_public", "request_key_generation", "request_crs_generation", "request_public_decryption", "request_user_decryption", "request_preprocessing", "request_refresh", "abort_generation", "fulfil", "report_failure", "accuse", "report_progress")
    TRANSFER_FIELD_NUMBER: _ClassVar[int]
    FAUCET_FIELD_NUMBER: _ClassVar[int]
    PROPOSE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    APPROVE_CHANGE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_CHANGE_FIELD_NUMBER: _ClassVar[int]
    REGISTER_APPLICATION_FIELD_NUMBER: _ClassVar[int]
    SET_DELEGATE_FIELD_NUMBER: _ClassVar[int]
    REGISTER_CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    GRANT_ACCESS_FIELD_NUMBER: _ClassVar[int]
    REVOKE_ACCESS_FIELD_NUMBER: _ClassVar[int]
    SET_PUBLIC_FIELD_NUMBER: _ClassVar[int]
    REQUEST_KEY_GENERATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_CRS_GENERATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_PUBLIC_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_USER_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_PREPROCESSING_FIELD_NUMBER: _ClassVar[int]
    REQUEST_REFRESH_FIELD_NUMBER: _ClassVar[int]
    ABORT_GENERATION_FIELD_NUMBER: _ClassVar[int]
    FULFIL_FIELD_NUMBER: _ClassVar[int]
    REPORT_FAILURE_FIELD_NUMBER: _ClassVar[int]
    ACCUSE_FIELD_NUMBER: _ClassVar[int]
    REPORT_PROGRESS_FIELD_NUMBER: _ClassVar[int]
    transfer: _bank_pb2.Transfer
    faucet: _bank_pb2.Faucet
    propose_change: _config_pb2.ProposeChange
    approve_change: _config_pb2.ApproveChange
    withdraw_change: _config_pb2.WithdrawChange
    register_application: _isc_pb2.RegisterApplication
    set_delegate: _isc_pb2.SetDelegate
    register_ciphertexts: _isc_pb2.RegisterCiphertexts
    grant_access: _isc_pb2.GrantAccess
    revoke_access: _isc_pb2.RevokeAccess
    set_public: _isc_pb2.SetPublic
    request_key_generation: _asc_pb2.RequestKeyGeneration
    request_crs_generation: _asc_pb2.RequestCrsGeneration
    request_public_decryption: _asc_pb2.RequestPublicDecryption
    request_user_decryption: _asc_pb2.RequestUserDecryption
    request_preprocessing: _asc_pb2.RequestPreprocessing
    request_refresh: _asc_pb2.RequestRefresh
    abort_generation: _asc_pb2.AbortGeneration
    fulfil: _asc_pb2.Fulfil
    report_failure: _asc_pb2.ReportFailure
    accuse: _asc_pb2.Accuse
    report_progress: _asc_pb2.ReportProgress
    def __init__(self, transfer: _Optional[_Union[_bank_pb2.Transfer, _Mapping]] = ..., faucet: _Optional[_Union[_bank_pb2.Faucet, _Mapping]] = ..., propose_change: _Optional[_Union[_config_pb2.ProposeChange, _Mapping]] = ..., approve_change: _Optional[_Union[_config_pb2.ApproveChange, _Mapping]] = ..., withdraw_change: _Optional[_Union[_config_pb2.WithdrawChange, _Mapping]] = ..., register_application: _Optional[_Union[_isc_pb2.RegisterApplication, _Mapping]] = ..., set_delegate: _Optional[_Union[_isc_pb2.SetDelegate, _Mapping]] = ..., register_ciphertexts: _Optional[_Union[_isc_pb2.RegisterCiphertexts, _Mapping]] = ..., grant_access: _Optional[_Union[_isc_pb2.GrantAccess, _Mapping]] = ..., revoke_access: _Optional[_Union[_isc_pb2.RevokeAccess, _Mapping]] = ..., set_public: _Optional[_Union[_isc_pb2.SetPublic, _Mapping]] = ..., request_key_generation: _Optional[_Union[_asc_pb2.RequestKeyGeneration, _Mapping]] = ..., request_crs_generation: _Optional[_Union[_asc_pb2.RequestCrsGeneration, _Mapping]] = ..., request_public_decryption: _Optional[_Union[_asc_pb2.RequestPublicDecryption, _Mapping]] = ..., request_user_decryption: _Optional[_Union[_asc_pb2.RequestUserDecryption, _Mapping]] = ..., request_preprocessing: _Optional[_Union[_asc_pb2.RequestPreprocessing, _Mapping]] = ..., request_refresh: _Optional[_Union[_asc_pb2.RequestRefresh, _Mapping]] = ..., abort_generation: _Optional[_Union[_asc_pb2.AbortGeneration, _Mapping]] = ..., fulfil: _Optional[_Union[_asc_pb2.Fulfil, _Mapping]] = ..., report_failure: _Optional[_Union[_asc_pb2.ReportFailure, _Mapping]] = ..., accuse: _Optional[_Union[_asc_pb2.Accuse, _Mapping]] = ..., report_progress: _Optional[_Union[_asc_pb2.ReportProgress, _Mapping]] = ...) -> None: ...

class TxData(_message.Message):
    __slots__ = ("request_ids",)
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    request_ids: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, request_ids: _Optional[_Iterable[bytes]] = ...) -> None: ...
