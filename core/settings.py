"""Settings of one core: a TOML file whose every key is known, typed and checked before use."""

import tomllib
from dataclasses import MISSING, Field, dataclass, fields
from enum import Enum
from pathlib import Path

from core.errors import SettingsError
from wire.ids import PartyId

FILE_NAME = "core.toml"


class FaultMode(Enum):
    """Deliberate misbehaviour for tests; refused outside developer mode."""

    NONE = ""
    WRONG_SHARES = "wrong-shares"
    SILENT = "silent"


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
    # Whether ordinary 64-bit ciphertexts are squashed here (0.3-0.6 s a block and processor).
    squash: bool = False
    # A request that peers do not answer is given up after this wall time.
    request_timeout_s: int = 3600
    fault: FaultMode = FaultMode.NONE


_DERIVED = ("home", "fault")


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
    values: dict[str, object] = {"home": home, "fault": _fault(document.pop("fault", {}))}
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


def _check(settings: Settings) -> None:
    """Combinations that are unsafe."""
    keys = [settings.vault_keyfile, settings.vault_passphrase_file]
    if sum(key is not None for key in keys) > 1:
        raise SettingsError("vault_keyfile and vault_passphrase_file exclude each other")
    if not any(keys) and not settings.developer_mode:
        raise SettingsError("a vault key is needed (clear text only with developer_mode = true)")
    if settings.fault is not FaultMode.NONE and not settings.developer_mode:
        raise SettingsError("[fault] is only for tests: it needs developer_mode = true")
    if settings.party < 1 or settings.trusting_period_s < 1 or settings.request_timeout_s < 1:
        raise SettingsError("party, trusting_period_s and request_timeout_s start at 1")
