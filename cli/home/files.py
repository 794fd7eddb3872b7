"""Where everything lies in an operator's home, read for commands that look at it."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import ConfigError


@dataclass(frozen=True, slots=True)
class OperatorFiles:
    """An operator's home that exists."""

    home: Path

    @classmethod
    def of(cls, home: Path) -> "OperatorFiles":
        """Return the home in a folder.

        Raises:
            ConfigError: `tkms init` was not here.
        """
        if not (home / "config" / "config.toml").is_file():
            raise ConfigError(
                f"{home} is no home of an operator: it has no config/config.toml",
                reason="NO_HOME",
                hint="make one: tkms init MONIKER --home DIR --chain-id ID",
            )
        return cls(home.resolve())

    @property
    def engine_config(self) -> Path:
        """CometBFT's settings."""
        return self.home / "config" / "config.toml"

    @property
    def genesis(self) -> Path:
        """Genesis of the chain."""
        return self.home / "config" / "genesis.json"

    @property
    def app(self) -> Path:
        """Home of the application."""
        return self.home / "app"

    @property
    def core(self) -> Path | None:
        """Home of the core, if there is one."""
        return self._optional("core")

    @property
    def connector(self) -> Path | None:
        """Home of the connector, if there is one."""
        return self._optional("connector")

    @property
    def relay(self) -> Path | None:
        """Folder of the relay, if there is one."""
        return self._optional("relay")

    @property
    def explorer(self) -> Path | None:
        """Folder of the explorer, if there is one."""
        return self._optional("explorer")

    def own_settings(self) -> dict[str, Path]:
        """Return the settings file of each process of ours that this home has, by its name."""
        folders = {
            "node": self.app,
            "core": self.core,
            "connector": self.connector,
            "relay": self.relay,
            "explorer": self.explorer,
        }
        return {
            name: folder / f"{name}.toml" for name, folder in folders.items() if folder is not None
        }

    def engine_document(self) -> dict[str, Any]:
        """Return config.toml.

        Raises:
            ConfigError: it is not TOML.
        """
        return read_toml(self.engine_config)

    def rpc_url(self) -> str:
        """Return where the engine's RPC listens, as a client on this machine reaches it."""
        listen = str(self.engine_document().get("rpc", {}).get("laddr", ""))
        address = listen.removeprefix("tcp://")
        host, _, port = address.rpartition(":")
        if not port.isdecimal():
            raise ConfigError(f"{self.engine_config}: rpc.laddr = {listen!r} names no port")
        return f"http://{'127.0.0.1' if host in {'', '0.0.0.0', '[::]'} else host}:{port}"

    def _optional(self, name: str) -> Path | None:
        folder = self.home / name
        return folder if (folder / f"{name}.toml").is_file() else None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        ConfigError: unreadable, or not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(
            f"{path} is not TOML: {error}", hint="`tkms config validate` names the line"
        ) from error
