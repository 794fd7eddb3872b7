"""Keys and other material, applications, handles, accounts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MaterialSummary:
    """A key, reference string or preprocessing in its list."""

    id: str
    kind: str
    status: str
    parameters: str
    epoch_id: int
    dealer: bool
    height: int
    key_id: str
    max_bits: int


@dataclass(frozen=True, slots=True)
class MaterialFile:
    """Public bytes by their digest; `uris` serve them."""

    kind: str
    digest: str
    size: int
    uris: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MaterialChange:
    """A change of status or epoch."""

    height: int
    time_ms: int | None
    status: str
    epoch_id: int


@dataclass(frozen=True, slots=True)
class Material:
    """A key, reference string or preprocessing."""

    summary: MaterialSummary
    born_epoch_id: int
    status_height: int
    files: tuple[MaterialFile, ...]
    # Parties that signed the digests.
    signers: tuple[int, ...]
    preprocessing_id: str
    consumed_by: str
    destruction_id: str
    history: tuple[MaterialChange, ...]
    reference_strings: tuple[str, ...]
    # Decryptions under the key.
    requests: int


@dataclass(frozen=True, slots=True)
class ApplicationSummary:
    """An application in the list."""

    id: str
    kind: str
    owner: str
    registered_height: int
    handles: int
    requests: int


@dataclass(frozen=True, slots=True)
class Application:
    """An application with its settings."""

    summary: ApplicationSummary
    domain_name: str
    domain_version: str
    domain_chain_id: int
    verifying_contract: str
    delegates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Handle:
    """A registered ciphertext; handles are unique inside an application only."""

    handle: str
    application: str
    digest: str
    type: str
    size: int
    key_id: str
    height: int
    transaction: str
    public: bool
    granted: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the index knows it; its balance is the node's to tell."""

    address: str
    transactions: int
    requests: int
    # operator-1 of epoch 2, owner of shop, and the like.
    names: tuple[str, ...]
    first_height: int | None
    last_height: int | None


@dataclass(frozen=True, slots=True)
class Balance:
    """What the node says an account has; unproven."""

    height: int
    balance: int
    escrowed: int
