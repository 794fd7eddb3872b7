from wire.pb.tkms.isc.v1 import isc_pb2 as _isc_pb2
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

class KeyAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KEY_ACTION_UNSPECIFIED: _ClassVar[KeyAction]
    KEY_ACTION_SUSPEND: _ClassVar[KeyAction]
    KEY_ACTION_RESUME: _ClassVar[KeyAction]
    KEY_ACTION_REVOKE: _ClassVar[KeyAction]
    KEY_ACTION_DESTROY: _ClassVar[KeyAction]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_ACTIVATED: _ClassVar[Outcome]
    OUTCOME_DROPPED: _ClassVar[Outcome]
    OUTCOME_EXPIRED: _ClassVar[Outcome]
    OUTCOME_WITHDRAWN: _ClassVar[Outcome]
ROLE_UNSPECIFIED: Role
ROLE_ADMIN: Role
ROLE_REGISTRAR: Role
ROLE_GENERATOR: Role
KEY_ACTION_UNSPECIFIED: KeyAction
KEY_ACTION_SUSPEND: KeyAction
KEY_ACTION_RESUME: KeyAction
KEY_ACTION_REVOKE: KeyAction
KEY_ACTION_DESTROY: KeyAction
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_ACTIVATED: Outcome
OUTCOME_DROPPED: Outcome
OUTCOME_EXPIRED: Outcome
OUTCOME_WITHDRAWN: Outcome

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

class PendingEpoch(_message.Message):
    __slots__ = ("epoch_id", "request_id", "since_height")
    EPOCH_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    SINCE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    epoch_id: int
    request_id: bytes
    since_height: int
    def __init__(self, epoch_id: _Optional[int] = ..., request_id: _Optional[bytes] = ..., since_height: _Optional[int] = ...) -> None: ...

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
    __slots__ = ("transaction_base", "transaction_per_byte", "messages", "relayer_permille")
    TRANSACTION_BASE_FIELD_NUMBER: _ClassVar[int]
    TRANSACTION_PER_BYTE_FIELD_NUMBER: _ClassVar[int]
    MESSAGES_FIELD_NUMBER: _ClassVar[int]
    RELAYER_PERMILLE_FIELD_NUMBER: _ClassVar[int]
    transaction_base: int
    transaction_per_byte: int
    messages: _containers.RepeatedCompositeFieldContainer[Price]
    relayer_permille: int
    def __init__(self, transaction_base: _Optional[int] = ..., transaction_per_byte: _Optional[int] = ..., messages: _Optional[_Iterable[_Union[Price, _Mapping]]] = ..., relayer_permille: _Optional[int] = ...) -> None: ...

class Parameters(_message.Message):
    __slots__ = ("max_transaction_bytes", "max_messages", "max_ttl_blocks", "max_ciphertexts_per_request", "inline_limit", "max_ciphertext_bytes", "decryption_deadline_blocks", "generation_deadline_blocks", "retention_blocks", "faucet_enabled", "faucet_per_claim", "faucet_per_window", "faucet_window_blocks", "insecure_dealing", "storage_base_url", "parameter_sets", "max_block_gas", "max_block_bytes", "safety_lane_bytes", "safety_messages_per_block", "max_block_gap_seconds", "fee_payout_blocks", "proposal_ttl_blocks", "refresh_interval_blocks", "epoch_change_deadline_blocks")
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
    MAX_BLOCK_GAS_FIELD_NUMBER: _ClassVar[int]
    MAX_BLOCK_BYTES_FIELD_NUMBER: _ClassVar[int]
    SAFETY_LANE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SAFETY_MESSAGES_PER_BLOCK_FIELD_NUMBER: _ClassVar[int]
    MAX_BLOCK_GAP_SECONDS_FIELD_NUMBER: _ClassVar[int]
    FEE_PAYOUT_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_TTL_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    REFRESH_INTERVAL_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    EPOCH_CHANGE_DEADLINE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
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
    max_block_gas: int
    max_block_bytes: int
    safety_lane_bytes: int
    safety_messages_per_block: int
    max_block_gap_seconds: int
    fee_payout_blocks: int
    proposal_ttl_blocks: int
    refresh_interval_blocks: int
    epoch_change_deadline_blocks: int
    def __init__(self, max_transaction_bytes: _Optional[int] = ..., max_messages: _Optional[int] = ..., max_ttl_blocks: _Optional[int] = ..., max_ciphertexts_per_request: _Optional[int] = ..., inline_limit: _Optional[int] = ..., max_ciphertext_bytes: _Optional[int] = ..., decryption_deadline_blocks: _Optional[int] = ..., generation_deadline_blocks: _Optional[int] = ..., retention_blocks: _Optional[int] = ..., faucet_enabled: _Optional[bool] = ..., faucet_per_claim: _Optional[int] = ..., faucet_per_window: _Optional[int] = ..., faucet_window_blocks: _Optional[int] = ..., insecure_dealing: _Optional[bool] = ..., storage_base_url: _Optional[str] = ..., parameter_sets: _Optional[_Iterable[str]] = ..., max_block_gas: _Optional[int] = ..., max_block_bytes: _Optional[int] = ..., safety_lane_bytes: _Optional[int] = ..., safety_messages_per_block: _Optional[int] = ..., max_block_gap_seconds: _Optional[int] = ..., fee_payout_blocks: _Optional[int] = ..., proposal_ttl_blocks: _Optional[int] = ..., refresh_interval_blocks: _Optional[int] = ..., epoch_change_deadline_blocks: _Optional[int] = ...) -> None: ...

class RoleChange(_message.Message):
    __slots__ = ("role", "account", "granted")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    role: Role
    account: bytes
    granted: bool
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., account: _Optional[bytes] = ..., granted: _Optional[bool] = ...) -> None: ...

class RoleQuorum(_message.Message):
    __slots__ = ("role", "quorum")
    ROLE_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    role: Role
    quorum: int
    def __init__(self, role: _Optional[_Union[Role, str]] = ..., quorum: _Optional[int] = ...) -> None: ...

class RoleHolders(_message.Message):
    __slots__ = ("accounts", "quorum")
    ACCOUNTS_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    accounts: _containers.RepeatedScalarFieldContainer[bytes]
    quorum: int
    def __init__(self, accounts: _Optional[_Iterable[bytes]] = ..., quorum: _Optional[int] = ...) -> None: ...

class Validator(_message.Message):
    __slots__ = ("public_key", "power", "name")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    power: int
    name: str
    def __init__(self, public_key: _Optional[bytes] = ..., power: _Optional[int] = ..., name: _Optional[str] = ...) -> None: ...

class ValidatorChange(_message.Message):
    __slots__ = ("validators",)
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    validators: _containers.RepeatedCompositeFieldContainer[Validator]
    def __init__(self, validators: _Optional[_Iterable[_Union[Validator, _Mapping]]] = ...) -> None: ...

class BlockLimits(_message.Message):
    __slots__ = ("max_bytes", "max_gas")
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_GAS_FIELD_NUMBER: _ClassVar[int]
    max_bytes: int
    max_gas: int
    def __init__(self, max_bytes: _Optional[int] = ..., max_gas: _Optional[int] = ...) -> None: ...

class EvidenceLimits(_message.Message):
    __slots__ = ("max_age_blocks", "max_age_seconds", "max_bytes")
    MAX_AGE_BLOCKS_FIELD_NUMBER: _ClassVar[int]
    MAX_AGE_SECONDS_FIELD_NUMBER: _ClassVar[int]
    MAX_BYTES_FIELD_NUMBER: _ClassVar[int]
    max_age_blocks: int
    max_age_seconds: int
    max_bytes: int
    def __init__(self, max_age_blocks: _Optional[int] = ..., max_age_seconds: _Optional[int] = ..., max_bytes: _Optional[int] = ...) -> None: ...

class ConsensusParameters(_message.Message):
    __slots__ = ("block", "evidence")
    BLOCK_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    block: BlockLimits
    evidence: EvidenceLimits
    def __init__(self, block: _Optional[_Union[BlockLimits, _Mapping]] = ..., evidence: _Optional[_Union[EvidenceLimits, _Mapping]] = ...) -> None: ...

class Upgrade(_message.Message):
    __slots__ = ("app_version",)
    APP_VERSION_FIELD_NUMBER: _ClassVar[int]
    app_version: int
    def __init__(self, app_version: _Optional[int] = ...) -> None: ...

class KeyChange(_message.Message):
    __slots__ = ("key_id", "action")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    key_id: bytes
    action: KeyAction
    def __init__(self, key_id: _Optional[bytes] = ..., action: _Optional[_Union[KeyAction, str]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("epoch", "prices", "parameters", "role", "quorum", "validators", "consensus", "application", "upgrade", "key")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    PRICES_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    QUORUM_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    UPGRADE_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    epoch: Epoch
    prices: Prices
    parameters: Parameters
    role: RoleChange
    quorum: RoleQuorum
    validators: ValidatorChange
    consensus: ConsensusParameters
    application: _isc_pb2.Application
    upgrade: Upgrade
    key: KeyChange
    def __init__(self, epoch: _Optional[_Union[Epoch, _Mapping]] = ..., prices: _Optional[_Union[Prices, _Mapping]] = ..., parameters: _Optional[_Union[Parameters, _Mapping]] = ..., role: _Optional[_Union[RoleChange, _Mapping]] = ..., quorum: _Optional[_Union[RoleQuorum, _Mapping]] = ..., validators: _Optional[_Union[ValidatorChange, _Mapping]] = ..., consensus: _Optional[_Union[ConsensusParameters, _Mapping]] = ..., application: _Optional[_Union[_isc_pb2.Application, _Mapping]] = ..., upgrade: _Optional[_Union[Upgrade, _Mapping]] = ..., key: _Optional[_Union[KeyChange, _Mapping]] = ...) -> None: ...

class ProposeChange(_message.Message):
    __slots__ = ("change", "activation_height", "title")
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    change: Change
    activation_height: int
    title: str
    def __init__(self, change: _Optional[_Union[Change, _Mapping]] = ..., activation_height: _Optional[int] = ..., title: _Optional[str] = ...) -> None: ...

class ApproveChange(_message.Message):
    __slots__ = ("proposal_id", "change_digest")
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_DIGEST_FIELD_NUMBER: _ClassVar[int]
    proposal_id: int
    change_digest: bytes
    def __init__(self, proposal_id: _Optional[int] = ..., change_digest: _Optional[bytes] = ...) -> None: ...

class WithdrawChange(_message.Message):
    __slots__ = ("proposal_id",)
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    proposal_id: int
    def __init__(self, proposal_id: _Optional[int] = ...) -> None: ...

class GenesisAllowed(_message.Message):
    __slots__ = ("faucet", "insecure_dealing", "test_parameters")
    FAUCET_FIELD_NUMBER: _ClassVar[int]
    INSECURE_DEALING_FIELD_NUMBER: _ClassVar[int]
    TEST_PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    faucet: bool
    insecure_dealing: bool
    test_parameters: bool
    def __init__(self, faucet: _Optional[bool] = ..., insecure_dealing: _Optional[bool] = ..., test_parameters: _Optional[bool] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("id", "change", "activation_height", "title", "proposer", "filed_height", "expires_height", "approvers", "decided_height")
    ID_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    ACTIVATION_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    FILED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    DECIDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    id: int
    change: Change
    activation_height: int
    title: str
    proposer: bytes
    filed_height: int
    expires_height: int
    approvers: _containers.RepeatedScalarFieldContainer[bytes]
    decided_height: int
    def __init__(self, id: _Optional[int] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., activation_height: _Optional[int] = ..., title: _Optional[str] = ..., proposer: _Optional[bytes] = ..., filed_height: _Optional[int] = ..., expires_height: _Optional[int] = ..., approvers: _Optional[_Iterable[bytes]] = ..., decided_height: _Optional[int] = ...) -> None: ...

class ConfigRecord(_message.Message):
    __slots__ = ("sequence", "proposal_id", "kind", "title", "proposer", "approvers", "filed_height", "decided_height", "closed_height", "outcome", "reason", "digest", "change")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    PROPOSER_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    FILED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    CLOSED_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    proposal_id: int
    kind: str
    title: str
    proposer: bytes
    approvers: _containers.RepeatedScalarFieldContainer[bytes]
    filed_height: int
    decided_height: int
    closed_height: int
    outcome: Outcome
    reason: int
    digest: bytes
    change: Change
    def __init__(self, sequence: _Optional[int] = ..., proposal_id: _Optional[int] = ..., kind: _Optional[str] = ..., title: _Optional[str] = ..., proposer: _Optional[bytes] = ..., approvers: _Optional[_Iterable[bytes]] = ..., filed_height: _Optional[int] = ..., decided_height: _Optional[int] = ..., closed_height: _Optional[int] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., reason: _Optional[int] = ..., digest: _Optional[bytes] = ..., change: _Optional[_Union[Change, _Mapping]] = ...) -> None: ...

class PowerUpdate(_message.Message):
    __slots__ = ("public_key", "power_before", "power")
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    POWER_BEFORE_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    public_key: bytes
    power_before: int
    power: int
    def __init__(self, public_key: _Optional[bytes] = ..., power_before: _Optional[int] = ..., power: _Optional[int] = ...) -> None: ...

class EngineUpdates(_message.Message):
    __slots__ = ("height", "validators", "consensus", "app_version")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    VALIDATORS_FIELD_NUMBER: _ClassVar[int]
    CONSENSUS_FIELD_NUMBER: _ClassVar[int]
    APP_VERSION_FIELD_NUMBER: _ClassVar[int]
    height: int
    validators: _containers.RepeatedCompositeFieldContainer[PowerUpdate]
    consensus: ConsensusParameters
    app_version: int
    def __init__(self, height: _Optional[int] = ..., validators: _Optional[_Iterable[_Union[PowerUpdate, _Mapping]]] = ..., consensus: _Optional[_Union[ConsensusParameters, _Mapping]] = ..., app_version: _Optional[int] = ...) -> None: ...
