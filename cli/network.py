"""Which network a command talks to: flags, then environment, then local network, then client.toml.

`client.toml` lies in the user's configuration folder and names one network for good:
node, chain_id, trusted_validators_hash, storage, coprocessor, application.
"""

import json
import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from cli.errors import ConfigError
from cli.keystore import LOCALNET_PASSPHRASE, Keystore

_LOCALNET_FILE = "localnet.json"
_KEYS = (
    "node",
    "chain_id",
    "trusted_validators_hash",
    "storage",
    "coprocessor",
    "application",
    "parameters",
)
_DEFAULT_NODE = "http://127.0.0.1:26657"


@dataclass(frozen=True, slots=True)
class Network:
    """Where a network is and what is believed of it."""

    node: str
    chain_id: str
    # 32 bytes in hexadecimal; empty: pinned on first use, said aloud.
    trusted_validators_hash: str
    storage: str
    coprocessor: str
    application: str
    parameters: str
    keystore: Keystore
    passphrase_file: Path | None
    # Folder of the local network, None for any other.
    home: Path | None

    @property
    def pin_file(self) -> Path:
        """Where the root of trust of a first use is kept."""
        return config_folder() / "pins.json"

    @property
    def header_folder(self) -> Path:
        """Where the newest verified headers are kept, one file a chain and root of trust."""
        return config_folder() / "headers"


def config_folder() -> Path:
    """Return the user's configuration folder (TKMS_CONFIG_HOME moves it)."""
    named = os.environ.get("TKMS_CONFIG_HOME")
    if named:
        return Path(named)
    from platformdirs import user_config_path  # noqa: PLC0415 - only where needed

    return user_config_path("tkms")


def resolve(
    home: Path, node: str | None, keystore: Path | None, passphrase_file: Path | None
) -> Network:
    """Put the sources together; the first one that names a value wins."""
    local = _localnet(home)
    values = dict.fromkeys(_KEYS, "") | _client_file() | (local or {})
    values |= {
        key: os.environ[f"TKMS_{key.upper()}"]
        for key in _KEYS
        if os.environ.get(f"TKMS_{key.upper()}")
    }
    if node:
        values["node"] = node
    elif local is None and (home / "config" / "config.toml").is_file():
        from cli.home.files import OperatorFiles  # noqa: PLC0415 - only for operators

        values["node"] = OperatorFiles.of(home).rpc_url()
    folder = keystore
    if folder is None:
        folder = home / "accounts" if local is not None else config_folder() / "accounts"
    if passphrase_file is None and (folder / LOCALNET_PASSPHRASE).exists():
        passphrase_file = folder / LOCALNET_PASSPHRASE
    return Network(
        node=values["node"] or _DEFAULT_NODE,
        chain_id=values["chain_id"],
        trusted_validators_hash=values["trusted_validators_hash"],
        storage=values["storage"],
        coprocessor=values["coprocessor"],
        application=values["application"],
        parameters=values["parameters"] or "production",
        keystore=Keystore(folder),
        passphrase_file=passphrase_file,
        home=home if local is not None else None,
    )


def _localnet(home: Path) -> dict[str, str] | None:
    try:
        document = json.loads((home / _LOCALNET_FILE).read_text("utf-8"))
        return {key: str(document[key]) for key in _KEYS}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"{home / _LOCALNET_FILE} is not readable") from error


def _client_file() -> dict[str, str]:
    path = config_folder() / "client.toml"
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    unknown = sorted(set(document) - set(_KEYS))
    if unknown:
        raise ConfigError(
            f"{path}: unknown keys: {', '.join(unknown)}", hint=f"known: {', '.join(_KEYS)}"
        )
    return {key: str(value) for key, value in document.items()}
