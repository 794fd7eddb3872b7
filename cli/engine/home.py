"""CometBFT's part of a home: made by `cometbft init`, then every setting is chosen deliberately."""

import base64
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cli.engine.settings import EngineChoices, deliberate
from cli.errors import CliError, ConfigError
from cli.home.toml_text import rewrite

# Ours first: the same engine with a quicker way to the application (docs/adr/0006-engine-binary.md).
_BINARY_NAMES = ("tkms-engine", "cometbft-v0.40.0", "cometbft")


@dataclass(frozen=True, slots=True)
class EngineIdentity:
    """What the others need to know of an engine: its p2p id and its validator's public key."""

    node_id: str
    validator_key: bytes
    validator_address: str


def find_binary() -> Path:
    """Return the engine: TKMS_COMETBFT, else what `make sync` builds into the cache.

    Raises:
        ConfigError: neither is there.
    """
    named = os.environ.get("TKMS_COMETBFT")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tkms" / "bin"
    candidates = [Path(named)] if named else [cache / name for name in _BINARY_NAMES]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate.resolve()
    raise ConfigError(
        f"the engine is not built: {candidates[0]} is not there",
        reason="NO_ENGINE",
        hint="run `make sync`, or point TKMS_COMETBFT at a cometbft v0.40.0",
    )


def initialise(binary: Path, home: Path) -> EngineIdentity:
    """Let the engine make a home with its keys, and read what they are."""
    run = subprocess.run(  # noqa: S603 - the engine, with our own folder
        [str(binary), "init", "--home", str(home)], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise CliError(f"cometbft init failed: {run.stderr.strip()[-300:]}")
    return identity(home)


def identity(home: Path) -> EngineIdentity:
    """Read who the engine in `home` is.

    Raises:
        ConfigError: a key file is missing or not one of the engine's.
    """
    try:
        validator = json.loads((home / "config" / "priv_validator_key.json").read_text("utf-8"))
        node = json.loads((home / "config" / "node_key.json").read_text("utf-8"))
        # An ed25519 private key of CometBFT is seed and public key; the p2p id hashes the latter.
        public = base64.b64decode(node["priv_key"]["value"])[32:]
        return EngineIdentity(
            node_id=hashlib.sha256(public).hexdigest()[:40],
            validator_key=base64.b64decode(validator["pub_key"]["value"]),
            validator_address=str(validator["address"]),
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"{error.filename} is not there", hint="`tkms init` makes a home with its keys"
        ) from error
    except (ValueError, KeyError, TypeError):
        # No cause: it could quote the key.
        raise ConfigError(f"the key files in {home / 'config'} are not readable") from None


def configure(home: Path, choices: EngineChoices) -> None:
    """Set every deliberate setting in config.toml, with its reason above it."""
    path = home / "config" / "config.toml"
    path.write_text(configured(path.read_text("utf-8"), home, choices), encoding="utf-8")


def configured(text: str, home: Path, choices: EngineChoices) -> str:
    """Return the engine's own config.toml with our settings and reasons."""
    settings = deliberate(choices, home / "app" / "app.sock")
    return rewrite(
        text,
        {setting.name: setting.value for setting in settings},
        {setting.name: setting.why for setting in settings},
    )
