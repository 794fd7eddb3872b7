from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    KIND_UNSPECIFIED: _ClassVar[Kind]
    KIND_ACL: _ClassVar[Kind]

class Basis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BASIS_UNSPECIFIED: _ClassVar[Basis]
    BASIS_PUBLIC: _ClassVar[Basis]
    BASIS_GRANT: _ClassVar[Basis]
    BASIS_ROLE: _ClassVar[Basis]
    BASIS_CHANGE: _ClassVar[Basis]
    BASIS_SCHEDULE: _ClassVar[Basis]
KIND_UNSPECIFIED: Kind
KIND_ACL: Kind
BASIS_UNSPECIFIED: Basis
BASIS_PUBLIC: Basis
BASIS_GRANT: Basis
BASIS_ROLE: Basis
BASIS_CHANGE: Basis
BASIS_SCHEDULE: Basis

class Domain(_message.Message):
    __slots__ = ("name", "version", "chain_id", "verifying_contract")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    CHAIN_ID_FIELD_NUMBER: _ClassVar[int]
    VERIFYING_CONTRACT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    chain_id: int
    verifying_contract: bytes
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., chain_id: _Optional[int] = ..., verifying_contract: _Optional[bytes] = ...) -> None: ...

class Application(_message.Message):
    __slots__ = ("id", "kind", "owner", "domain")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: Kind
    owner: bytes
    domain: Domain
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., owner: _Optional[bytes] = ..., domain: _Optional[_Union[Domain, _Mapping]] = ...) -> None: ...

class RegisterApplication(_message.Message):
    __slots__ = ("id", "kind", "domain")
    ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    id: str
    kind: Kind
    domain: Domain
    def __init__(self, id: _Optional[str] = ..., kind: _Optional[_Union[Kind, str]] = ..., domain: _Optional[_Union[Domain, _Mapping]] = ...) -> None: ...

class SetDelegate(_message.Message):
    __slots__ = ("application", "account", "allowed")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    application: str
    account: bytes
    allowed: bool
    def __init__(self, application: _Optional[str] = ..., account: _Optional[bytes] = ..., allowed: _Optional[bool] = ...) -> None: ...

class Ciphertext(_message.Message):
    __slots__ = ("handle", "digest", "fhe_type", "format", "size", "key_id")
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    FHE_TYPE_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    handle: bytes
    digest: bytes
    fhe_type: int
    format: int
    size: int
    key_id: bytes
    def __init__(self, handle: _Optional[bytes] = ..., digest: _Optional[bytes] = ..., fhe_type: _Optional[int] = ..., format: _Optional[int] = ..., size: _Optional[int] = ..., key_id: _Optional[bytes] = ...) -> None: ...

class RegisterCiphertexts(_message.Message):
    __slots__ = ("application", "ciphertexts")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXTS_FIELD_NUMBER: _ClassVar[int]
    application: str
    ciphertexts: _containers.RepeatedCompositeFieldContainer[Ciphertext]
    def __init__(self, application: _Optional[str] = ..., ciphertexts: _Optional[_Iterable[_Union[Ciphertext, _Mapping]]] = ...) -> None: ...

class GrantAccess(_message.Message):
    __slots__ = ("application", "handle", "account")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    application: str
    handle: bytes
    account: bytes
    def __init__(self, application: _Optional[str] = ..., handle: _Optional[bytes] = ..., account: _Optional[bytes] = ...) -> None: ...

class RevokeAccess(_message.Message):
    __slots__ = ("application", "handle", "account")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    application: str
    handle: bytes
    account: bytes
    def __init__(self, application: _Optional[str] = ..., handle: _Optional[bytes] = ..., account: _Optional[bytes] = ...) -> None: ...

class SetPublic(_message.Message):
    __slots__ = ("application", "handle", "allowed")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    HANDLE_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    application: str
    handle: bytes
    allowed: bool
    def __init__(self, application: _Optional[str] = ..., handle: _Optional[bytes] = ..., allowed: _Optional[bool] = ...) -> None: ...

class Permission(_message.Message):
    __slots__ = ("since_height", "given_by")
    SINCE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    GIVEN_BY_FIELD_NUMBER: _ClassVar[int]
    since_height: int
    given_by: bytes
    def __init__(self, since_height: _Optional[int] = ..., given_by: _Optional[bytes] = ...) -> None: ...

class Allowance(_message.Message):
    __slots__ = ("basis", "since_height", "given_by")
    BASIS_FIELD_NUMBER: _ClassVar[int]
    SINCE_HEIGHT_FIELD_NUMBER: _ClassVar[int]
    GIVEN_BY_FIELD_NUMBER: _ClassVar[int]
    basis: Basis
    since_height: int
    given_by: bytes
    def __init__(self, basis: _Optional[_Union[Basis, str]] = ..., since_height: _Optional[int] = ..., given_by: _Optional[bytes] = ...) -> None: ...
