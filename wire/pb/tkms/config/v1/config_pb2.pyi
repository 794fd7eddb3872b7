from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROLE_UNSPECIFIED: _ClassVar[Role]
    ROLE_ADMIN: _ClassVar[Role]
    ROLE_REGISTRAR: _ClassVar[Role]
    ROLE_GENERATOR: _ClassVar[Role]
ROLE_UNSPECIFIED: Role
ROLE_ADMIN: Role
ROLE_REGISTRAR: Role
ROLE_GENERATOR: Role

class Party(_message.Message):
    __slots__ = ("index", "name", "account", "verification_key", "tls_certificate", "peer_address", "storage_label")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    VERIFICATION_KEY_FIELD_NUMBER: _ClassVar[int]
    TLS_CERTIFICATE_FIELD_NUMBER: _ClassVar[int]
    PEER_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    STORAGE_LABEL_FIELD_NUMBER: _ClassVar[int]
    index: int
    name: str
    account: bytes
    verification_key: bytes
    tls_certificate: bytes
    peer_address: str
    storage_label: str
    def __init__(self, index: _Optional[int] = ..., name: _Optional[str] = ..., account: _Optional[bytes] = ..., verification_key: _Optional[bytes] = ..., tls_certificate: _Optional[bytes] = ..., peer_address: _Optional[str] = ..., storage_label: _Optional[str] = ...) -> None: ...

class Thresholds(_message.Message):
    __slots__ = ("public_decryption", "user_decryption", "generation")
    PUBLIC_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    USER_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    public_decryption: int
    user_decryption: int
    generation: int
    def __init__(self, public_decryption: _Optional[int] = ..., user_decryption: _Optional[int] = ..., generation: _Optional[int] = ...) -> None: ...

class Epoch(_message.Message):
    __slots__ = ("id", "parties", "threshold", "thresholds")
    ID_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    id: int
    parties: _containers.RepeatedCompositeFieldContainer[Party]
    threshold: int
    thresholds: Thresholds
    def __init__(self, id: _Optional[int] = ..., parties: _Optional[_Iterable[_Union[Party, _Mapping]]] = ..., threshold: _Optional[int] = ..., thresholds: _Optional[_Union[Thresholds, _Mapping]] = ...) -> None: ...

class Price(_message.Message):
    __slots__ = ("message", "base", "per_byte")
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    PER_BYTE_FIELD_NUMBER: _ClassVar[int]
    message: str
    base: int
    per_byte: int
    def __init__(self, message: _Optional[str] = ..., base: _Optional[int] = ..., per_byte: _Optional[int] = ...) -> None: ...

class Prices(_message.Message):
    __slots__ = ("transaction_base", "transaction_per_byte", "messages")
    TRANSACTION_BASE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_PER_BYTE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    transaction_base: int
    transaction_per_byte: int
    messages: _containers.RepeatedCompositeFieldContainer[Price]
    def __init__(self, transaction_base: _Optional[int] = ..., transaction_per_byte: _Optional[int] = ..., messages: _Optional[_Iterable[_Union[Price, _Mapping]]] = ...) -> None: ...

class Parameters(_message.Message):
    __slots__ = ("max_transaction_bytes", "max_messages", "max_ttl_blocks", "max_ciphertexts_per_request", "inline_limit", "max_ciphertext_bytes", "decryption_deadline_blocks", "generation_deadline_blocks", "retention_blocks", "faucet_enabled", "faucet_per_claim", "faucet_per_window", "faucet_window_blocks", "insecure_dealing", "storage_base_url", "parameter_sets")
    MAX_TRANSACTION_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGES_FIELD_NUMBER: _ClassVar[int]
    MAX_TTL_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    MAX_CIPHERTEXTS_PER_REQUEST_FIELD_NUMBER: _ClassVar[int]
    INLINE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    MAX_CIPHERTEXT_BYTES_FIELD_NUMBER: _ClassVar[int]
    DECRYPTION_DEADLINE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_DEADLINE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    RETENTION_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    FAUCET_ENABLED_FIELD_NUMBER: _ClassVar[int]
    FAUCET_PER_CLAIM_FIELD_NUMBER: _ClassVar[int]
    FAUCET_PER_WINDOW_FIELD_NUMBER: _ClassVar[int]
    FAUCET_WINDOW_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    INSECURE_DEALING_FIELD_NUMBER: _ClassVar[int]
    STORAGE_BASE_URL_FIELD_NUMBER: _ClassVar[int]
    PARAMETER_SETS_FIELD_NUMBER: _ClassVar[int]
    max_transaction_bytes: int
    max_messages: int
    max_ttl_blocks: int
    max_ciphertexts_per_request: int
    inline_limit: int
    max_ciphertext_bytes: int
    decryption_deadline_blocks: int
    generation_deadline_blocks: int
    retention_blocks: int
    faucet_enabled: bool
    faucet_per_claim: int
    faucet_per_window: int
    faucet_window_blocks: int
    insecure_dealing: bool
    storage_base_url: str
    parameter_sets: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, max_transaction_bytes: _Optional[int] = ..., max_messages: _Optional[int] = ..., max_ttl_blocks: _Optional[int] = ..., max_ciphertexts_per_request: _Optional[int] = ..., inline_limit: _Optional[int] = ..., max_ciphertext_bytes: _Optional[int] = ..., decryption_deadline_blocks: _Optional[int] = ..., generation_deadline_blocks: _Optional[int] = ..., retention_blocks: _Optional[int] = ..., faucet_enabled: _Optional[bool] = ..., faucet_per_claim: _Optional[int] = ..., faucet_per_window: _Optional[int] = ..., faucet_window_blocks: _Optional[int] = ..., insecure_dealing: _Optional[bool] = ..., storage_base_url: _Optional[str] = ..., parameter_sets: _Optional[_Iterable[str]] = ...) -> None: ...

class RoleChange(_message.Message):
    __slots__ = ("role", "account", "granted")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    role: Role
    account: bytes
    granted: bool
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., account: _Optional[bytes] = ..., granted: _Optional[bool] = ...) -> None: ...

class ScheduleChange(_message.Message):
    __slots__ = ("activation_height", "epoch", "prices", "parameters", "role")
    ACTIVATION_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    activation_height: int
    epoch: Epoch
    prices: Prices
    parameters: Parameters
    role: RoleChange
    def __init__(self, activation_height: _Optional[int] = ..., epoch: _Optional[_Union[Epoch, _Mapping]] = ..., prices: _Optional[_Union[Prices, _Mapping]] = ..., parameters: _Optional[_Union[Parameters, _Mapping]] = ..., role: _Optional[_Union[RoleChange, _Mapping]] = ...) -> None: ...

class RoleHolders(_message.Message):
    __slots__ = ("accounts",)
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, accounts: _Optional[_Iterable[bytes]] = ...) -> None: ...
