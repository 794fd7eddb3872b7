"""Settings of one core: a TOML file whose every key is known, typed and checked before use."""

import tomllib
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from pathlib import Path

from core.errors import SettingsError
from core.seats import MAX_SEATS
from wire.ids import PartyId

FILE_NAME = "core.toml"


class FaultMode(Enum):
    """Deliberate misbehaviour for tests; refused outside developer mode."""

    NONE = ""
    WRONG_SHARES = "wrong-shares"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class IsolationSettings:
    """The [isolation] table: the core runs in an enclave and gets its vault's key by attestation only."""

    release_address: str
    release_certificate: Path
    vault_name: str
    # A development attestation root in this folder takes the place of the security module.
    development_root: Path | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator decides about its core. Paths are relative to the home folder."""

    home: Path
    chain_id: str
    party: PartyId
    # How `host:port` peers reach us, and the certificate that the epoch record names.
    peer_listen: str
    # SHA-256 of the chain's initial validator set: the root of trust of everything else.
    trusted_validators_hash: bytes
    journal: Path = Path("journal.db")
    vault: Path = Path("vault")
    # Sealed for custodians and kept up to date once `tkms backup create` was given: better on another disk.
    backup: Path = Path("backup")
    service_socket: Path = Path("core.sock")
    peer_key: Path = Path("peer-key.pem")
    peer_certificate: Path = Path("peer-certificate.pem")
    # Name inside the vault of the secp256k1 key that signs answers.
    signing_key: str = "signing"
    # Exactly one of key file and passphrase file, or neither in developer mode (clear text).
    vault_keyfile: Path | None = None
    vault_passphrase_file: Path | None = None
    developer_mode: bool = False
    # Below the unbonding or governance delay of the validators, as light clients need it.
    trusting_period_s: int = 14 * 24 * 3600
    storage_url: str = ""
    storage_token_file: Path | None = None
    # Whether a party alone (n = 1) squashes ordinary 64-bit ciphertexts here (0.3-0.6 s a block and processor).
    squash: bool = False
    # Prepared 2-bit blocks for ordinary ciphertexts, 1.2 KB each; 32 serve a value of 64 bits. Below a quarter, more are made.
    pool_blocks: int = 16384
    # A request that peers do not answer is given up after this wall time.
    request_timeout_s: int = 3600
    # Another address than the socket, and who may connect at either: mutual TLS, the certificate pinned.
    service_listen: str = ""
    connector_certificate: Path | None = None
    # So many processes share the work of this party, behind a coordinator.
    cores: int = 1
    fault: FaultMode = FaultMode.NONE
    isolation: IsolationSettings | None = None

    @property
    def developer(self) -> bool:
        """Whether anything is set that must never be where secrets are real."""
        development_root = self.isolation is not None and self.isolation.development_root
        return self.developer_mode or self.fault is not FaultMode.NONE or bool(development_root)


_DERIVED = ("home", "fault", "isolation")


def load(home: Path) -> Settings:
    """Read `home`/core.toml.

    Raises
    ------
    SettingsError
        Unreadable file, unknown or missing key, wrong type, or an unsafe combination.
    """
    path = home / FILE_NAME
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{path}: {error}") from error
    values: dict[str, object] = {
        "home": home,
        "fault": _fault(document.pop("fault", {})),
        "isolation": _isolation(home, document.pop("isolation", None)),
    }
    known = {field.name: field for field in fields(Settings) if field.name not in _DERIVED}
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise SettingsError(f"unknown keys: {', '.join(unknown)}")
    for name, field in known.items():
        if name in document:
            values[name] = _value(home, field, document[name])
        elif field.default is MISSING:
            raise SettingsError(f"missing key: {name}")
        elif isinstance(field.default, Path):
            values[name] = home / field.default
    settings = Settings(**values)  # type: ignore[arg-type]  # each value was checked by _value
    _check(settings)
    return settings


def _value(home: Path, field: Field[object], value: object) -> object:
    """One checked and converted value."""
    kind = str(field.type)
    if field.name == "trusted_validators_hash":
        return _hash(value)
    expected = int if "PartyId" in kind or "int" in kind else bool if "bool" in kind else str
    if type(value) is not expected:
        raise SettingsError(f"{field.name}: a {expected.__name__} is needed")
    return home / str(value) if "Path" in kind else value


def _hash(value: object) -> bytes:
    """32 bytes from hexadecimal digits."""
    try:
        digest = bytes.fromhex(value) if isinstance(value, str) else b""
    except ValueError:
        digest = b""
    if len(digest) != 32:
        raise SettingsError("trusted_validators_hash: 64 hexadecimal digits are needed")
    return digest


def _fault(table: object) -> FaultMode:
    """The [fault] table, which has one key."""
    if not isinstance(table, dict) or set(table) - {"mode"}:
        raise SettingsError("fault: only the key `mode` is known")
    try:
        return FaultMode(table.get("mode", ""))
    except ValueError as error:
        known = ", ".join(mode.value for mode in FaultMode if mode.value)
        raise SettingsError(f"fault.mode: one of {known}") from error


def _isolation(home: Path, table: object) -> IsolationSettings | None:
    """The [isolation] table, if there is one."""
    if table is None:
        return None
    known = {field.name: field for field in fields(IsolationSettings)}
    if not isinstance(table, dict) or set(table) - set(known):
        raise SettingsError(f"isolation: known are {', '.join(known)}")
    missing = {name for name, field in known.items() if field.default is MISSING} - set(table)
    if missing:
        raise SettingsError(f"isolation: missing {', '.join(sorted(missing))}")
    values = {name: _value(home, known[name], value) for name, value in table.items()}
    return IsolationSettings(**values)  # type: ignore[arg-type]  # each value was checked by _value


def _check(settings: Settings) -> None:
    """Combinations that are unsafe."""
    keys = [settings.vault_keyfile, settings.vault_passphrase_file, settings.isolation]
    if sum(key is not None for key in keys) > 1:
        raise SettingsError(
            "vault_keyfile, vault_passphrase_file and [isolation] exclude each other"
        )
    if not any(keys) and not settings.developer_mode:
        raise SettingsError("a vault key is needed (clear text only with developer_mode = true)")
    if settings.fault is not FaultMode.NONE and not settings.developer_mode:
        raise SettingsError("[fault] is only for tests: it needs developer_mode = true")
    if settings.isolation and settings.developer_mode:
        raise SettingsError("[isolation] and developer_mode exclude each other")
    if settings.connector_certificate is None and (settings.isolation or settings.service_listen):
        raise SettingsError(
            "connector_certificate is needed with [isolation] and with service_listen"
        )
    if settings.pool_blocks < 0:
        raise SettingsError("pool_blocks starts at 0")
    if not 1 <= settings.cores <= MAX_SEATS:
        raise SettingsError(f"cores: 1 to {MAX_SEATS}")
    if settings.party < 1 or settings.trusting_period_s < 1 or settings.request_timeout_s < 1:
        raise SettingsError("party, trusting_period_s and request_timeout_s start at 1")
