"""What a local network looks like: `localnet/topology.toml`, read strictly."""

import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from cli.errors import ConfigError

PARAMETER_SETS = ("production", "production-64", "test")
FAULTS = ("wrong-shares", "silent")
# n = 3t + 1, at most the 15 evaluation points of the Galois ring (and 13 = 3 * 4 + 1).
OPERATORS = (1, 4, 7, 10, 13)
# Accounts whose keystores `localnet up` writes.
ACCOUNTS = ("admin", "demo", "alice", "bob")


@dataclass(frozen=True, slots=True)
class Topology:
    """Settings of a local network; the defaults are those of the shipped file."""

    chain_id: str = "tkms-local"
    operators: int = 4
    parameters: str = "production-64"
    base_port: int = 0
    timeout_commit_ms: int = 200
    prometheus: bool = True
    decryption_deadline_blocks: int = 3000
    generation_deadline_blocks: int = 20000
    account_balance: int = 1_000_000_000_000
    clear_vaults: bool = False
    relay: bool = True
    explorer: bool = True
    faults: dict[int, str] = field(default_factory=dict)

    @property
    def threshold(self) -> int:
        """How many operators may be corrupt: t = (n - 1) / 3."""
        return (self.operators - 1) // 3

    def with_overrides(self, **values: object) -> "Topology":
        """Return a copy with every value that is not None replaced, checked again."""
        given = {name: value for name, value in values.items() if value is not None}
        changed = replace(self, **given)  # type: ignore[arg-type] # options are typed by click
        _check(changed)
        return changed


def shipped_file() -> Path:
    """Return the topology that comes with the source tree."""
    return Path(__file__).resolve().parents[2] / "localnet" / "topology.toml"


def load(path: Path | None) -> Topology:
    """Read a topology; without a path the shipped one, or the defaults in an installed package.

    Raises:
        ConfigError: unreadable, unknown key, wrong type or value.
    """
    if path is None:
        path = shipped_file()
        if not path.exists():
            return Topology()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}", hint="see localnet/topology.toml") from error
    return parse(document, str(path))


def parse(document: dict[str, object], where: str = "topology") -> Topology:
    """Turn a parsed TOML document into a topology."""
    known = {entry.name: entry for entry in fields(Topology)}
    unknown = sorted(set(document) - set(known))
    if unknown:
        raise ConfigError(
            f"{where}: unknown keys: {', '.join(unknown)}", hint=f"known: {', '.join(known)}"
        )
    values: dict[str, object] = {}
    for name, value in document.items():
        if name == "faults":
            values[name] = _faults(value, where)
            continue
        expected = type(getattr(Topology(), name))
        if type(value) is not expected:
            raise ConfigError(f"{where}: {name} must be of type {expected.__name__}")
        values[name] = value
    topology = Topology(**values)  # type: ignore[arg-type] # each type was checked above
    _check(topology)
    return topology


def _faults(table: object, where: str) -> dict[int, str]:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: faults is a table of core = mode")
    faults: dict[int, str] = {}
    for name, mode in table.items():
        number = str(name).removeprefix("core")
        if not number.isdecimal() or mode not in FAULTS:
            raise ConfigError(
                f"{where}: faults.{name} is not understood",
                hint=f'write core2 = "{FAULTS[0]}"; modes: {", ".join(FAULTS)}',
            )
        faults[int(number)] = str(mode)
    return faults


def _check(topology: Topology) -> None:
    if topology.operators not in OPERATORS:
        raise ConfigError(
            f"{topology.operators} operators are not possible",
            hint=f"n = 3t + 1: {', '.join(map(str, OPERATORS))}",
        )
    if topology.parameters not in PARAMETER_SETS:
        raise ConfigError(f"no parameter set {topology.parameters}", hint=str(PARAMETER_SETS))
    if not topology.chain_id or len(topology.chain_id) > 50:
        raise ConfigError("chain_id has 1 to 50 characters")
    for name in ("timeout_commit_ms", "decryption_deadline_blocks", "generation_deadline_blocks"):
        if getattr(topology, name) < 1:
            raise ConfigError(f"{name} starts at 1")
    if not 0 <= topology.base_port < 65000 or topology.account_balance < 0:
        raise ConfigError("base_port or account_balance is out of range")
    if any(core > topology.operators for core in topology.faults):
        raise ConfigError("faults names a core that does not exist")
