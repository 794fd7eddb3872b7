"""Relay and explorer beside a node: their folders, in an operator's home and in a local network alike.

HOME/relay/        relay.toml, account.key; later relay.db
HOME/explorer/     explorer.toml; later index.db, trust/
"""

from dataclasses import dataclass
from pathlib import Path

from cli.errors import ConfigError
from cli.operator.new_home import account_file, private_folder, write_settings
from wire.ids import Address


@dataclass(frozen=True, slots=True)
class Node:
    """The node that both read; `trusted_validators_hash` is empty where the genesis is not known yet."""

    chain_id: str
    rpc_url: str
    trusted_validators_hash: str


@dataclass(frozen=True, slots=True)
class RelayChoices:
    """What is decided about a relay."""

    listen: str
    storage_url: str = ""
    reflection: bool = False
    metrics_listen: str = ""


@dataclass(frozen=True, slots=True)
class ExplorerChoices:
    """What is decided about an explorer."""

    listen: str
    witnesses: tuple[str, ...] = ()
    metrics_listen: str = ""


def write_relay(folder: Path, node: Node, choices: RelayChoices) -> Address:
    """Write a relay's settings and the account from which it pays; return that account.

    Raises:
        ConfigError: there is a relay.
    """
    _require_new(folder / "relay.toml")
    account = account_file(private_folder(folder) / "account.key")
    values: dict[str, object] = {
        "chain_id": node.chain_id,
        "rpc_url": node.rpc_url,
        "trusted_validators_hash": node.trusted_validators_hash,
        "payer_keys": "account.key",
        "listen": choices.listen,
        "storage_url": choices.storage_url,
    }
    if choices.reflection:
        values["reflection"] = True
    if choices.metrics_listen:
        values["metrics_listen"] = choices.metrics_listen
    write_settings(folder / "relay.toml", "relay", values)
    return account


def write_explorer(folder: Path, node: Node, choices: ExplorerChoices) -> None:
    """Write an explorer's settings.

    Raises:
        ConfigError: there is an explorer.
    """
    _require_new(folder / "explorer.toml")
    values: dict[str, object] = {
        "chain_id": node.chain_id,
        "node_rpc_url": node.rpc_url,
        "trusted_validators_hash": node.trusted_validators_hash,
        "listen": choices.listen,
    }
    if choices.witnesses:
        values["witnesses"] = " ".join(choices.witnesses)
    if choices.metrics_listen:
        values["metrics_listen"] = choices.metrics_listen
    write_settings(private_folder(folder) / "explorer.toml", "explorer", values)


def _require_new(path: Path) -> None:
    if path.exists():
        raise ConfigError(
            f"{path} is there: nothing is overwritten",
            reason="HOME_EXISTS",
            hint="change single settings: tkms config set",
        )
