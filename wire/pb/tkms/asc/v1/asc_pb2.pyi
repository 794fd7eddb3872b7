from wire.pb.tkms.config.v1 import config_pb2 as _config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2 as _isc_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RequestKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REQUEST_KIND_UNSPECIFIED: _ClassVar[RequestKind]
    REQUEST_KIND_KEY_GENERATION: _ClassVar[RequestKind]
    REQUEST_KIND_CRS_GENERATION: _ClassVar[RequestKind]
    REQUEST_KIND_PUBLIC_DECRYPTION: _ClassVar[RequestKind]
    REQUEST_KIND_USER_DECRYPTION: _ClassVar[RequestKind]
    REQUEST_KIND_PREPROCESSING: _ClassVar[RequestKind]
    REQUEST_KIND_EPOCH_CHANGE: _ClassVar[RequestKind]
    REQUEST_KIND_KEY_DESTRUCTION: _ClassVar[RequestKind]

class Status(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STATUS_UNSPECIFIED: _ClassVar[Status]
    STATUS_PENDING: _ClassVar[Status]
    STATUS_FULFILLED: _ClassVar[Status]
    STATUS_FAILED: _ClassVar[Status]
    STATUS_EXPIRED: _ClassVar[Status]

class FailureCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FAILURE_CODE_UNSPECIFIED: _ClassVar[FailureCode]
    FAILURE_CODE_CIPHERTEXT_UNAVAILABLE: _ClassVar[FailureCode]
    FAILURE_CODE_CIPHERTEXT_MALFORMED: _ClassVar[FailureCode]
    FAILURE_CODE_NOISE_OUT_OF_RANGE: _ClassVar[FailureCode]
    FAILURE_CODE_UNKNOWN_KEY: _ClassVar[FailureCode]
    FAILURE_CODE_INTERNAL: _ClassVar[FailureCode]
    FAILURE_CODE_ABORTED: _ClassVar[FailureCode]
    FAILURE_CODE_PROTOCOL: _ClassVar[FailureCode]
    FAILURE_CODE_EPOCH_ENDED: _ClassVar[FailureCode]

class KeyStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_STATUS_UNSPECIFIED: _ClassVar[KeyStatus]
    KEY_STATUS_ACTIVE: _ClassVar[KeyStatus]
    KEY_STATUS_PENDING: _ClassVar[KeyStatus]
    KEY_STATUS_SUSPENDED: _ClassVar[KeyStatus]
    KEY_STATUS_REVOKED: _ClassVar[KeyStatus]
    KEY_STATUS_DESTROYED: _ClassVar[KeyStatus]
    KEY_STATUS_CONSUMED: _ClassVar[KeyStatus]
REQUEST_KIND_UNSPECIFIED: RequestKind
REQUEST_KIND_KEY_GENERATION: RequestKind
REQUEST_KIND_CRS_GENERATION: RequestKind
REQUEST_KIND_PUBLIC_DECRYPTION: RequestKind
REQUEST_KIND_USER_DECRYPTION: RequestKind
REQUEST_KIND_PREPROCESSING: RequestKind
REQUEST_KIND_EPOCH_CHANGE: RequestKind
REQUEST_KIND_KEY_DESTRUCTION: RequestKind
STATUS_UNSPECIFIED: Status
STATUS_PENDING: Status
STATUS_FULFILLED: Status
STATUS_FAILED: Status
STATUS_EXPIRED: Status
FAILURE_CODE_UNSPECIFIED: FailureCode
FAILURE_CODE_CIPHERTEXT_UNAVAILABLE: FailureCode
FAILURE_CODE_CIPHERTEXT_MALFORMED: FailureCode
FAILURE_CODE_NOISE_OUT_OF_RANGE: FailureCode
FAILURE_CODE_UNKNOWN_KEY: FailureCode
FAILURE_CODE_INTERNAL: FailureCode
FAILURE_CODE_ABORTED: FailureCode
FAILURE_CODE_PROTOCOL: FailureCode
FAILURE_CODE_EPOCH_ENDED: FailureCode
KEY_STATUS_UNSPECIFIED: KeyStatus
KEY_STATUS_ACTIVE: KeyStatus
KEY_STATUS_PENDING: KeyStatus
KEY_STATUS_SUSPENDED: KeyStatus
KEY_STATUS_REVOKED: KeyStatus
KEY_STATUS_DESTROYED: KeyStatus
KEY_STATUS_CONSUMED: KeyStatus

class RequestPreprocessing(_message.Message):
    __slots__ = ("parameters",)
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    parameters: str
    def __init__(self, parameters: _Optional[str] = ...) -> None: ...

class RequestKeyGeneration(_message.Message):
    __slots__ = ("parameters", "preprocessing_id", "dealer")
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_ID_FIELD_NUMBER: _ClassVar[int]
    DEALER_FIELD_NUMBER: _ClassVar[int]
    parameters: str
    preprocessing_id: bytes
    dealer: bool
    def __init__(self, parameters: _Optional[str] = ..., preprocessing_id: _Optional[bytes] = ..., dealer: _Optional[bool] = ...) -> None: ...

class RequestCrsGeneration(_message.Message):
    __slots__ = ("key_id", "max_bits", "dealer")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_BITS_FIELD_NUMBER: _ClassVar[int]
    DEALER_FIELD_NUMBER: _ClassVar[int]
    key_id: bytes
    max_bits: int
    dealer: bool
    def __init__(self, key_id: _Optional[bytes] = ..., max_bits: _Optional[int] = ..., dealer: _Optional[bool] = ...) -> None: ...

class RequestRefresh(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AbortGeneration(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    def __init__(self, request_id: _Optional[bytes] = ...) -> None: ...

class RequestPublicDecryption(_message.Message):
    __slots__ = ("application", "key_id", "ciphertexts", "relayer")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    RELAYER_FIELD_NUMBER: _ClassVar[int]
    application: str
    key_id: bytes
    ciphertexts: _containers.RepeatedCompositeFieldContainer[_isc_pb2.Ciphertext]
    relayer: bytes
    def __init__(self, application: _Optional[str] = ..., key_id: _Optional[bytes] = ..., ciphertexts: _Optional[_Iterable[_Union[_isc_pb2.Ciphertext, _Mapping]]] = ..., relayer: _Optional[bytes] = ...) -> None: ...

class RequestUserDecryption(_message.Message):
    __slots__ = ("application", "key_id", "ciphertexts", "user", "user_public_key", "authorization_expires_at_height", "user_signature", "relayer")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    USER_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    AUTHORIZATION_EXPIRES_AT_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    USER_SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    RELAYER_FIELD_NUMBER: _ClassVar[int]
    application: str
    key_id: bytes
    ciphertexts: _containers.RepeatedCompositeFieldContainer[_isc_pb2.Ciphertext]
    user: bytes
    user_public_key: bytes
    authorization_expires_at_height: int
    user_signature: bytes
    relayer: bytes
    def __init__(self, application: _Optional[str] = ..., key_id: _Optional[bytes] = ..., ciphertexts: _Optional[_Iterable[_Union[_isc_pb2.Ciphertext, _Mapping]]] = ..., user: _Optional[bytes] = ..., user_public_key: _Optional[bytes] = ..., authorization_expires_at_height: _Optional[int] = ..., user_signature: _Optional[bytes] = ..., relayer: _Optional[bytes] = ...) -> None: ...

class LogEntry(_message.Message):
    __slots__ = ("sequence", "request_id", "kind", "chain_id", "height", "requester", "epoch_id", "parties", "threshold", "thresholds", "deadline_height", "price", "application", "domain", "key_id", "ciphertexts", "user", "user_public_key", "parameters", "max_bits", "dealer", "relayer", "relayer_units", "allowances", "first_block", "next_epoch_id", "key_ids", "preprocessing_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    PARTIES_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    USER_PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    MAX_BITS_FIELD_NUMBER: _ClassVar[int]
    DEALER_FIELD_NUMBER: _ClassVar[int]
    RELAYER_FIELD_NUMBER: _ClassVar[int]
    RELAYER_UNITS_FIELD_NUMBER: _ClassVar[int]
    ALLOWANCES_FIELD_NUMBER: _ClassVar[int]
    FIRST_BLOCK_FIELD_NUMBER: _ClassVar[int]
    NEXT_EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_IDS_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_ID_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    request_id: bytes
    kind: RequestKind
    chain_id: str
    height: int
    requester: bytes
    epoch_id: int
    parties: int
    threshold: int
    thresholds: _config_pb2.Thresholds
    deadline_height: int
    price: int
    application: str
    domain: _isc_pb2.Domain
    key_id: bytes
    ciphertexts: _containers.RepeatedCompositeFieldContainer[_isc_pb2.Ciphertext]
    user: bytes
    user_public_key: bytes
    parameters: str
    max_bits: int
    dealer: bool
    relayer: bytes
    relayer_units: int
    allowances: _containers.RepeatedCompositeFieldContainer[_isc_pb2.Allowance]
    first_block: int
    next_epoch_id: int
    key_ids: _containers.RepeatedScalarFieldContainer[bytes]
    preprocessing_id: bytes
    def __init__(self, sequence: _Optional[int] = ..., request_id: _Optional[bytes] = ..., kind: _Optional[_Union[RequestKind, str]] = ..., chain_id: _Optional[str] = ..., height: _Optional[int] = ..., requester: _Optional[bytes] = ..., epoch_id: _Optional[int] = ..., parties: _Optional[int] = ..., threshold: _Optional[int] = ..., thresholds: _Optional[_Union[_config_pb2.Thresholds, _Mapping]] = ..., deadline_height: _Optional[int] = ..., price: _Optional[int] = ..., application: _Optional[str] = ..., domain: _Optional[_Union[_isc_pb2.Domain, _Mapping]] = ..., key_id: _Optional[bytes] = ..., ciphertexts: _Optional[_Iterable[_Union[_isc_pb2.Ciphertext, _Mapping]]] = ..., user: _Optional[bytes] = ..., user_public_key: _Optional[bytes] = ..., parameters: _Optional[str] = ..., max_bits: _Optional[int] = ..., dealer: _Optional[bool] = ..., relayer: _Optional[bytes] = ..., relayer_units: _Optional[int] = ..., allowances: _Optional[_Iterable[_Union[_isc_pb2.Allowance, _Mapping]]] = ..., first_block: _Optional[int] = ..., next_epoch_id: _Optional[int] = ..., key_ids: _Optional[_Iterable[bytes]] = ..., preprocessing_id: _Optional[bytes] = ...) -> None: ...

class MaterialDigest(_message.Message):
    __slots__ = ("kind", "digest", "size")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    kind: str
    digest: bytes
    size: int
    def __init__(self, kind: _Optional[str] = ..., digest: _Optional[bytes] = ..., size: _Optional[int] = ...) -> None: ...

class PublicDecryptionResult(_message.Message):
    __slots__ = ("decrypted_result",)
    DECRYPTED_RESULT_FIELD_NUMBER: _ClassVar[int]
    decrypted_result: bytes
    def __init__(self, decrypted_result: _Optional[bytes] = ...) -> None: ...

class UserDecryptionResult(_message.Message):
    __slots__ = ("payload", "payload_digest", "payload_keccak", "payload_size")
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_DIGEST_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_KECCAK_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_SIZE_FIELD_NUMBER: _ClassVar[int]
    payload: bytes
    payload_digest: bytes
    payload_keccak: bytes
    payload_size: int
    def __init__(self, payload: _Optional[bytes] = ..., payload_digest: _Optional[bytes] = ..., payload_keccak: _Optional[bytes] = ..., payload_size: _Optional[int] = ...) -> None: ...

class GenerationResult(_message.Message):
    __slots__ = ("digests",)
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    digests: _containers.RepeatedCompositeFieldContainer[MaterialDigest]
    def __init__(self, digests: _Optional[_Iterable[_Union[MaterialDigest, _Mapping]]] = ...) -> None: ...

class Fulfil(_message.Message):
    __slots__ = ("request_id", "party", "public_decryption", "user_decryption", "generation", "signature")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    USER_DECRYPTION_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    party: int
    public_decryption: PublicDecryptionResult
    user_decryption: UserDecryptionResult
    generation: GenerationResult
    signature: bytes
    def __init__(self, request_id: _Optional[bytes] = ..., party: _Optional[int] = ..., public_decryption: _Optional[_Union[PublicDecryptionResult, _Mapping]] = ..., user_decryption: _Optional[_Union[UserDecryptionResult, _Mapping]] = ..., generation: _Optional[_Union[GenerationResult, _Mapping]] = ..., signature: _Optional[bytes] = ...) -> None: ...

class ReportFailure(_message.Message):
    __slots__ = ("request_id", "party", "code")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    party: int
    code: FailureCode
    def __init__(self, request_id: _Optional[bytes] = ..., party: _Optional[int] = ..., code: _Optional[_Union[FailureCode, str]] = ...) -> None: ...

class Accuse(_message.Message):
    __slots__ = ("request_id", "party", "accused")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    ACCUSED_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    party: int
    accused: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, request_id: _Optional[bytes] = ..., party: _Optional[int] = ..., accused: _Optional[_Iterable[int]] = ...) -> None: ...

class ReportProgress(_message.Message):
    __slots__ = ("request_id", "party", "phase", "done", "total")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    party: int
    phase: str
    done: int
    total: int
    def __init__(self, request_id: _Optional[bytes] = ..., party: _Optional[int] = ..., phase: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ...) -> None: ...

class Progress(_message.Message):
    __slots__ = ("party", "phase", "done", "total", "height")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    party: int
    phase: str
    done: int
    total: int
    height: int
    def __init__(self, party: _Optional[int] = ..., phase: _Optional[str] = ..., done: _Optional[int] = ..., total: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("party", "height", "fulfil", "failure", "canonical_digest")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    FULFIL_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    party: int
    height: int
    fulfil: Fulfil
    failure: FailureCode
    canonical_digest: bytes
    def __init__(self, party: _Optional[int] = ..., height: _Optional[int] = ..., fulfil: _Optional[_Union[Fulfil, _Mapping]] = ..., failure: _Optional[_Union[FailureCode, str]] = ..., canonical_digest: _Optional[bytes] = ...) -> None: ...

class Conflict(_message.Message):
    __slots__ = ("party", "canonical_digest", "height")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    CANONICAL_DIGEST_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    party: int
    canonical_digest: bytes
    height: int
    def __init__(self, party: _Optional[int] = ..., canonical_digest: _Optional[bytes] = ..., height: _Optional[int] = ...) -> None: ...

class Accusation(_message.Message):
    __slots__ = ("accused", "accusers")
    ACCUSED_FIELD_NUMBER: _ClassVar[int]
    ACCUSERS_FIELD_NUMBER: _ClassVar[int]
    accused: int
    accusers: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, accused: _Optional[int] = ..., accusers: _Optional[_Iterable[int]] = ...) -> None: ...

class RequestStatus(_message.Message):
    __slots__ = ("request_id", "sequence", "status", "opened_height", "decided_height", "closed_height", "agreed_digest", "answered", "agreed", "failed", "conflicts", "accusations", "failure", "carries_payload", "prune_height")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OPENED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    AGREED_DIGEST_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_FIELD_NUMBER: _ClassVar[int]
    AGREED_FIELD_NUMBER: _ClassVar[int]
    FAILED_FIELD_NUMBER: _ClassVar[int]
    CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    ACCUSATIONS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    CARRIES_PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    PRUNE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    request_id: bytes
    sequence: int
    status: Status
    opened_height: int
    decided_height: int
    closed_height: int
    agreed_digest: bytes
    answered: _containers.RepeatedScalarFieldContainer[int]
    agreed: _containers.RepeatedScalarFieldContainer[int]
    failed: _containers.RepeatedScalarFieldContainer[int]
    conflicts: _containers.RepeatedCompositeFieldContainer[Conflict]
    accusations: _containers.RepeatedCompositeFieldContainer[Accusation]
    failure: FailureCode
    carries_payload: bool
    prune_height: int
    def __init__(self, request_id: _Optional[bytes] = ..., sequence: _Optional[int] = ..., status: _Optional[_Union[Status, str]] = ..., opened_height: _Optional[int] = ..., decided_height: _Optional[int] = ..., closed_height: _Optional[int] = ..., agreed_digest: _Optional[bytes] = ..., answered: _Optional[_Iterable[int]] = ..., agreed: _Optional[_Iterable[int]] = ..., failed: _Optional[_Iterable[int]] = ..., conflicts: _Optional[_Iterable[_Union[Conflict, _Mapping]]] = ..., accusations: _Optional[_Iterable[_Union[Accusation, _Mapping]]] = ..., failure: _Optional[_Union[FailureCode, str]] = ..., carries_payload: _Optional[bool] = ..., prune_height: _Optional[int] = ...) -> None: ...

class AuditRecord(_message.Message):
    __slots__ = ("sequence", "request_id", "request_sequence", "kind", "status", "failure", "requester", "user", "relayer", "application", "key_id", "handles", "allowances", "request_height", "decided_height", "epoch_id", "result_digest", "agreed", "price", "paid", "relayer_units", "refunded", "next_epoch_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    USER_FIELD_NUMBER: _ClassVar[int]
    RELAYER_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    HANDLES_FIELD_NUMBER: _ClassVar[int]
    ALLOWANCES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_DIGEST_FIELD_NUMBER: _ClassVar[int]
    AGREED_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    PAID_FIELD_NUMBER: _ClassVar[int]
    RELAYER_UNITS_FIELD_NUMBER: _ClassVar[int]
    REFUNDED_FIELD_NUMBER: _ClassVar[int]
    NEXT_EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    request_id: bytes
    request_sequence: int
    kind: RequestKind
    status: Status
    failure: FailureCode
    requester: bytes
    user: bytes
    relayer: bytes
    application: str
    key_id: bytes
    handles: _containers.RepeatedScalarFieldContainer[bytes]
    allowances: _containers.RepeatedCompositeFieldContainer[_isc_pb2.Allowance]
    request_height: int
    decided_height: int
    epoch_id: int
    result_digest: bytes
    agreed: _containers.RepeatedScalarFieldContainer[int]
    price: int
    paid: int
    relayer_units: int
    refunded: int
    next_epoch_id: int
    def __init__(self, sequence: _Optional[int] = ..., request_id: _Optional[bytes] = ..., request_sequence: _Optional[int] = ..., kind: _Optional[_Union[RequestKind, str]] = ..., status: _Optional[_Union[Status, str]] = ..., failure: _Optional[_Union[FailureCode, str]] = ..., requester: _Optional[bytes] = ..., user: _Optional[bytes] = ..., relayer: _Optional[bytes] = ..., application: _Optional[str] = ..., key_id: _Optional[bytes] = ..., handles: _Optional[_Iterable[bytes]] = ..., allowances: _Optional[_Iterable[_Union[_isc_pb2.Allowance, _Mapping]]] = ..., request_height: _Optional[int] = ..., decided_height: _Optional[int] = ..., epoch_id: _Optional[int] = ..., result_digest: _Optional[bytes] = ..., agreed: _Optional[_Iterable[int]] = ..., price: _Optional[int] = ..., paid: _Optional[int] = ..., relayer_units: _Optional[int] = ..., refunded: _Optional[int] = ..., next_epoch_id: _Optional[int] = ...) -> None: ...

class EvidenceRecord(_message.Message):
    __slots__ = ("sequence", "height", "request_id", "request_sequence", "epoch_id", "party", "verification_key", "first_digest", "first", "second_digest", "second")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    PARTY_FIELD_NUMBER: _ClassVar[int]
    VERIFICATION_KEY_FIELD_NUMBER: _ClassVar[int]
    FIRST_DIGEST_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    SECOND_DIGEST_FIELD_NUMBER: _ClassVar[int]
    SECOND_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    height: int
    request_id: bytes
    request_sequence: int
    epoch_id: int
    party: int
    verification_key: bytes
    first_digest: bytes
    first: Fulfil
    second_digest: bytes
    second: Fulfil
    def __init__(self, sequence: _Optional[int] = ..., height: _Optional[int] = ..., request_id: _Optional[bytes] = ..., request_sequence: _Optional[int] = ..., epoch_id: _Optional[int] = ..., party: _Optional[int] = ..., verification_key: _Optional[bytes] = ..., first_digest: _Optional[bytes] = ..., first: _Optional[_Union[Fulfil, _Mapping]] = ..., second_digest: _Optional[bytes] = ..., second: _Optional[_Union[Fulfil, _Mapping]] = ...) -> None: ...

class MaterialRecord(_message.Message):
    __slots__ = ("id", "status", "parameters", "epoch_id", "dealer", "digests", "active_height", "key_id", "max_bits", "signatures", "preprocessing_id", "consumed_by", "status_height", "born_epoch_id", "destruction_id")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    DEALER_FIELD_NUMBER: _ClassVar[int]
    DIGESTS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_BITS_FIELD_NUMBER: _ClassVar[int]
    SIGNATURES_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSING_ID_FIELD_NUMBER: _ClassVar[int]
    CONSUMED_BY_FIELD_NUMBER: _ClassVar[int]
    STATUS_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    BORN_EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    DESTRUCTION_ID_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    status: KeyStatus
    parameters: str
    epoch_id: int
    dealer: bool
    digests: _containers.RepeatedCompositeFieldContainer[MaterialDigest]
    active_height: int
    key_id: bytes
    max_bits: int
    signatures: _containers.RepeatedCompositeFieldContainer[PartySignature]
    preprocessing_id: bytes
    consumed_by: bytes
    status_height: int
    born_epoch_id: int
    destruction_id: bytes
    def __init__(self, id: _Optional[bytes] = ..., status: _Optional[_Union[KeyStatus, str]] = ..., parameters: _Optional[str] = ..., epoch_id: _Optional[int] = ..., dealer: _Optional[bool] = ..., digests: _Optional[_Iterable[_Union[MaterialDigest, _Mapping]]] = ..., active_height: _Optional[int] = ..., key_id: _Optional[bytes] = ..., max_bits: _Optional[int] = ..., signatures: _Optional[_Iterable[_Union[PartySignature, _Mapping]]] = ..., preprocessing_id: _Optional[bytes] = ..., consumed_by: _Optional[bytes] = ..., status_height: _Optional[int] = ..., born_epoch_id: _Optional[int] = ..., destruction_id: _Optional[bytes] = ...) -> None: ...

class PartySignature(_message.Message):
    __slots__ = ("party", "signature")
    PARTY_FIELD_NUMBER: _ClassVar[int]
    SIGNATURE_FIELD_NUMBER: _ClassVar[int]
    party: int
    signature: bytes
    def __init__(self, party: _Optional[int] = ..., signature: _Optional[bytes] = ...) -> None: ...
