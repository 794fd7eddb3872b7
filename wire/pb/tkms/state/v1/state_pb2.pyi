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
    __slots__ = ("epoch", "prices", "parameters", "roles", "accounts", "applications", "delegates", "role_quorums", "exported")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    DELEGATES_FIELD_NUMBER: _ClassVar[int]
    ROLE_QUORUMS_FIELD_NUMBER: _ClassVar[int]
    EXPORTED_FIELD_NUMBER: _ClassVar[int]
    epoch: _config_pb2.Epoch
    prices: _config_pb2.Prices
    parameters: _config_pb2.Parameters
    roles: _containers.RepeatedCompositeFieldContainer[_config_pb2.RoleChange]
    accounts: _containers.RepeatedCompositeFieldContainer[GenesisAccount]
    applications: _containers.RepeatedCompositeFieldContainer[_isc_pb2.Application]
    delegates: _containers.RepeatedCompositeFieldContainer[GenesisDelegate]
    role_quorums: _containers.RepeatedCompositeFieldContainer[_config_pb2.RoleQuorum]
    exported: ExportedState
    def __init__(self, epoch: _Optional[_Union[_config_pb2.Epoch, _Mapping]] = ..., prices: _Optional[_Union[_config_pb2.Prices, _Mapping]] = ..., parameters: _Optional[_Union[_config_pb2.Parameters, _Mapping]] = ..., roles: _Optional[_Iterable[_Union[_config_pb2.RoleChange, _Mapping]]] = ..., accounts: _Optional[_Iterable[_Union[GenesisAccount, _Mapping]]] = ..., applications: _Optional[_Iterable[_Union[_isc_pb2.Application, _Mapping]]] = ..., delegates: _Optional[_Iterable[_Union[GenesisDelegate, _Mapping]]] = ..., role_quorums: _Optional[_Iterable[_Union[_config_pb2.RoleQuorum, _Mapping]]] = ..., exported: _Optional[_Union[ExportedState, _Mapping]] = ...) -> None: ...

class ExportedState(_message.Message):
    __slots__ = ("height", "app_version", "app_hash", "entries")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    APP_VERSION_FIELD_NUMBER: _ClassVar[int]
    APP_HASH_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    height: int
    app_version: int
    app_hash: bytes
    entries: _containers.RepeatedCompositeFieldContainer[StateEntry]
    def __init__(self, height: _Optional[int] = ..., app_version: _Optional[int] = ..., app_hash: _Optional[bytes] = ..., entries: _Optional[_Iterable[_Union[StateEntry, _Mapping]]] = ...) -> None: ...

class StateEntry(_message.Message):
    __slots__ = ("key", "value")
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: bytes
    value: bytes
    def __init__(self, key: _Optional[bytes] = ..., value: _Optional[bytes] = ...) -> None: ...

class SnapshotMetadata(_message.Message):
    __slots__ = ("format", "chain_id", "height", "app_version", "entries", "chunk_hashes")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    APP_VERSION_FIELD_NUMBER: _ClassVar[int]
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    CHUNK_HASHES_FIELD_NUMBER: _ClassVar[int]
    format: int
    chain_id: str
    height: int
    app_version: int
    entries: int
    chunk_hashes: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, format: _Optional[int] = ..., chain_id: _Optional[str] = ..., height: _Optional[int] = ..., app_version: _Optional[int] = ..., entries: _Optional[int] = ..., chunk_hashes: _Optional[_Iterable[bytes]] = ...) -> None: ...

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

class ProposalView(_message.Message):
    __slots__ = ("proposal", "kind", "role", "quorum", "counted", "digest", "record")
    PROPOSAL_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    COUNTED_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    RECORD_FIELD_NUMBER: _ClassVar[int]
    proposal: _config_pb2.Proposal
    kind: str
    role: _config_pb2.Role
    quorum: int
    counted: int
    digest: bytes
    record: _config_pb2.ConfigRecord
    def __init__(self, proposal: _Optional[_Union[_config_pb2.Proposal, _Mapping]] = ..., kind: _Optional[str] = ..., role: _Optional[_Union[_config_pb2.Role, str]] = ..., quorum: _Optional[int] = ..., counted: _Optional[int] = ..., digest: _Optional[bytes] = ..., record: _Optional[_Union[_config_pb2.ConfigRecord, _Mapping]] = ...) -> None: ...

class ProposalList(_message.Message):
    __slots__ = ("proposals", "next_id")
    PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ID_FIELD_NUMBER: _ClassVar[int]
    proposals: _containers.RepeatedCompositeFieldContainer[ProposalView]
    next_id: int
    def __init__(self, proposals: _Optional[_Iterable[_Union[ProposalView, _Mapping]]] = ..., next_id: _Optional[int] = ...) -> None: ...

class ConfigHistory(_message.Message):
    __slots__ = ("records", "next_sequence")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[_config_pb2.ConfigRecord]
    next_sequence: int
    def __init__(self, records: _Optional[_Iterable[_Union[_config_pb2.ConfigRecord, _Mapping]]] = ..., next_sequence: _Optional[int] = ...) -> None: ...

class ValidatorList(_message.Message):
    __slots__ = ("validators", "total_power", "consensus")
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_POWER_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_FIELD_NUMBER: _ClassVar[int]
    validators: _containers.RepeatedCompositeFieldContainer[_config_pb2.Validator]
    total_power: int
    consensus: _config_pb2.ConsensusParameters
    def __init__(self, validators: _Optional[_Iterable[_Union[_config_pb2.Validator, _Mapping]]] = ..., total_power: _Optional[int] = ..., consensus: _Optional[_Union[_config_pb2.ConsensusParameters, _Mapping]] = ...) -> None: ...

class RoleView(_message.Message):
    __slots__ = ("role", "accounts", "quorum", "decides")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    DECIDES_FIELD_NUMBER: _ClassVar[int]
    role: _config_pb2.Role
    accounts: _containers.RepeatedScalarFieldContainer[bytes]
    quorum: int
    decides: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, role: _Optional[_Union[_config_pb2.Role, str]] = ..., accounts: _Optional[_Iterable[bytes]] = ..., quorum: _Optional[int] = ..., decides: _Optional[_Iterable[str]] = ...) -> None: ...

class RoleList(_message.Message):
    __slots__ = ("roles",)
    ROLES_FIELD_NUMBER: _ClassVar[int]
    roles: _containers.RepeatedCompositeFieldContainer[RoleView]
    def __init__(self, roles: _Optional[_Iterable[_Union[RoleView, _Mapping]]] = ...) -> None: ...

class MaterialView(_message.Message):
    __slots__ = ("record", "uris")
    RECORD_FIELD_NUMBER: _ClassVar[int]
    URIS_FIELD_NUMBER: _ClassVar[int]
    record: _asc_pb2.MaterialRecord
    uris: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, record: _Optional[_Union[_asc_pb2.MaterialRecord, _Mapping]] = ..., uris: _Optional[_Iterable[str]] = ...) -> None: ...

class MaterialList(_message.Message):
    __slots__ = ("keys", "crs", "preprocessings")
    KEYS_FIELD_NUMBER: _ClassVar[int]
    CRS_FIELD_NUMBER: _ClassVar[int]
    PREPROCESSINGS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[MaterialView]
    crs: _containers.RepeatedCompositeFieldContainer[MaterialView]
    preprocessings: _containers.RepeatedCompositeFieldContainer[MaterialView]
    def __init__(self, keys: _Optional[_Iterable[_Union[MaterialView, _Mapping]]] = ..., crs: _Optional[_Iterable[_Union[MaterialView, _Mapping]]] = ..., preprocessings: _Optional[_Iterable[_Union[MaterialView, _Mapping]]] = ...) -> None: ...

class ProgressList(_message.Message):
    __slots__ = ("progress",)
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    progress: _containers.RepeatedCompositeFieldContainer[_asc_pb2.Progress]
    def __init__(self, progress: _Optional[_Iterable[_Union[_asc_pb2.Progress, _Mapping]]] = ...) -> None: ...

class EpochView(_message.Message):
    __slots__ = ("epoch", "since_height", "next_refresh_height", "pool_used", "pending", "pending_epoch")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SINCE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    NEXT_REFRESH_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    POOL_USED_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    PENDING_EPOCH_FIELD_NUMBER: _ClassVar[int]
    epoch: _config_pb2.Epoch
    since_height: int
    next_refresh_height: int
    pool_used: int
    pending: _config_pb2.PendingEpoch
    pending_epoch: _config_pb2.Epoch
    def __init__(self, epoch: _Optional[_Union[_config_pb2.Epoch, _Mapping]] = ..., since_height: _Optional[int] = ..., next_refresh_height: _Optional[int] = ..., pool_used: _Optional[int] = ..., pending: _Optional[_Union[_config_pb2.PendingEpoch, _Mapping]] = ..., pending_epoch: _Optional[_Union[_config_pb2.Epoch, _Mapping]] = ...) -> None: ...

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
    __slots__ = ("code", "detail", "fee", "escrow", "request_ids", "gas")
    CODE_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    FEE_FIELD_NUMBER: _ClassVar[int]
    ESCROW_FIELD_NUMBER: _ClassVar[int]
    REQUEST_IDS_FIELD_NUMBER: _ClassVar[int]
    GAS_FIELD_NUMBER: _ClassVar[int]
    code: int
    detail: str
    fee: int
    escrow: int
    request_ids: _containers.RepeatedScalarFieldContainer[bytes]
    gas: int
    def __init__(self, code: _Optional[int] = ..., detail: _Optional[str] = ..., fee: _Optional[int] = ..., escrow: _Optional[int] = ..., request_ids: _Optional[_Iterable[bytes]] = ..., gas: _Optional[int] = ...) -> None: ...

class AuditQuery(_message.Message):
    __slots__ = ("from_sequence", "limit", "requester", "application")
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    REQUESTER_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    from_sequence: int
    limit: int
    requester: bytes
    application: str
    def __init__(self, from_sequence: _Optional[int] = ..., limit: _Optional[int] = ..., requester: _Optional[bytes] = ..., application: _Optional[str] = ...) -> None: ...

class AuditList(_message.Message):
    __slots__ = ("records", "next_sequence", "last_sequence")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[_asc_pb2.AuditRecord]
    next_sequence: int
    last_sequence: int
    def __init__(self, records: _Optional[_Iterable[_Union[_asc_pb2.AuditRecord, _Mapping]]] = ..., next_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ...) -> None: ...

class EvidenceList(_message.Message):
    __slots__ = ("records", "next_sequence", "last_sequence")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[_asc_pb2.EvidenceRecord]
    next_sequence: int
    last_sequence: int
    def __init__(self, records: _Optional[_Iterable[_Union[_asc_pb2.EvidenceRecord, _Mapping]]] = ..., next_sequence: _Optional[int] = ..., last_sequence: _Optional[int] = ...) -> None: ...
