"""Settings of a key-release service: `release.toml`, unknown keys refused.

listen = "10.0.0.5:7443"
[vaults.core1]
client_certificate = "core1.pem"
roots = ["aws-nitro"]
measurements = { 0 = ["<96 hexadecimal digits>"] }
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.certificates import fingerprint, to_der
from core.errors import SettingsError
from core.isolation.attestation import AWS_NITRO_ROOT, Policy
from core.isolation.release import Holder

FILE_NAME = "release.toml"
_AWS = "aws-nitro"
_KEYS = frozenset({"listen", "key", "certificate", "master_key", "decisions", "vaults"})
_VAULT_KEYS = frozenset({"client_certificate", "roots", "measurements", "max_age_s"})


@dataclass(frozen=True, slots=True)
class ReleaseSettings:
    """What an operator decides about its key-release service."""

    listen: str
    key: Path
    certificate: Path
    # At least 32 random bytes; whoever has it and a vault's folder has the vault.
    master_key: Path
    decisions: Path
    holders: Mapping[str, Holder]
    # Certificates of all clients, PEM.
    clients: bytes

    @property
    def foreign_roots(self) -> list[str]:
        """Vaults that trust a root which is not that of AWS Nitro."""
        return sorted(
            name for name, holder in self.holders.items() if holder.policy.roots != {AWS_NITRO_ROOT}
        )


def load(home: Path) -> ReleaseSettings:
    """Read `home`/release.toml.

    Raises
    ------
    SettingsError
        Unreadable, unknown or missing keys, or a policy that would let anything pass.
    """
    try:
        document = tomllib.loads((home / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"{home / FILE_NAME}: {error}") from error
    unknown = sorted(set(document) - _KEYS)
    if unknown:
        raise SettingsError(f"unknown keys: {', '.join(unknown)}")
    listen, vaults = document.get("listen"), document.get("vaults")
    if not isinstance(listen, str) or not isinstance(vaults, dict) or not vaults:
        raise SettingsError("listen and at least one table [vaults.<name>] are needed")
    clients = {name: _certificate(home, name, table) for name, table in vaults.items()}
    return ReleaseSettings(
        listen=listen,
        key=home / _text(document, "key", "release-key.pem"),
        certificate=home / _text(document, "certificate", "release-certificate.pem"),
        master_key=home / _text(document, "master_key", "master.key"),
        decisions=home / _text(document, "decisions", "decisions.log"),
        holders={
            name: Holder(fingerprint(to_der(clients[name])), _policy(name, table))
            for name, table in vaults.items()
        },
        clients=b"".join(sorted(set(clients.values()))),
    )


def _certificate(home: Path, name: str, table: object) -> bytes:
    if not isinstance(table, dict) or set(table) - _VAULT_KEYS:
        raise SettingsError(f"vaults.{name}: known are {', '.join(sorted(_VAULT_KEYS))}")
    path = home / _text(table, "client_certificate", "")
    try:
        pem = path.read_bytes()
        to_der(pem)
    except (OSError, ValueError) as error:
        raise SettingsError(f"vaults.{name}.client_certificate: {error}") from error
    return pem


def _policy(name: str, table: Mapping[str, object]) -> Policy:
    """The policy of one vault."""
    roots, measurements = table.get("roots"), table.get("measurements")
    max_age_s = table.get("max_age_s", 300)
    if not isinstance(roots, list) or not isinstance(measurements, dict):
        raise SettingsError(f"vaults.{name}: roots and measurements are needed")
    if not isinstance(max_age_s, int):
        raise SettingsError(f"vaults.{name}.max_age_s: an int is needed")
    try:
        return Policy(
            frozenset(AWS_NITRO_ROOT if root == _AWS else bytes.fromhex(root) for root in roots),
            {
                int(number): frozenset(bytes.fromhex(value) for value in allowed)
                for number, allowed in measurements.items()
            },
            max_age_s,
        )
    except (TypeError, ValueError) as error:
        raise SettingsError(f"vaults.{name}: {error}") from error


def _text(table: Mapping[str, object], key: str, default: str) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{key}: a text is needed")
    return value
