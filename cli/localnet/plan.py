"""Where everything of a local network lies and listens: folders, sockets, ports, processes.

<home>/localnet.json          this plan; what clients read
<home>/node<i>/               CometBFT home: config/, data/
<home>/node<i>/app|core|connector/
<home>/storage/ coprocessor/  relay/ explorer/  accounts/  logs/
<home>/supervisor.sock .pid   only while it runs
"""

import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cli.errors import ConfigError
from cli.localnet.topology import Topology
from cli.ports import free_ports
from cli.supervision.plan import ProcessPlan, tkms

FILE_NAME = "localnet.json"
# Below the range that Linux hands out to outgoing connections, so that a port stays free.
_FIRST_PORT, _LAST_PORT, _PORTS_A_HOME = 20000, 32000, 100
# sun_path has 108 bytes with its final zero (104 on BSD).
_LONGEST_SOCKET_PATH = 103
APPLICATION = "demo"


@dataclass(frozen=True, slots=True)
class OperatorPlan:
    """Ports of one operator."""

    index: int
    rpc_port: int
    p2p_port: int
    peer_port: int
    # CometBFT's own numbers.
    metrics_port: int
    # The node's and the connector's; 0 in networks made before they had any.
    node_metrics_port: int = 0
    connector_metrics_port: int = 0

    @property
    def name(self) -> str:
        """Folder name."""
        return f"node{self.index}"

    @property
    def rpc_url(self) -> str:
        """CometBFT's RPC endpoint."""
        return f"http://127.0.0.1:{self.rpc_port}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole network."""

    home: Path
    chain_id: str
    parameters: str
    threshold: int
    operators: tuple[OperatorPlan, ...]
    storage_port: int
    coprocessor_port: int
    validators_hash: str = ""
    accounts: dict[str, str] = field(default_factory=dict)
    processes: tuple[ProcessPlan, ...] = ()
    # 0 where the network has none.
    relay_port: int = 0
    explorer_port: int = 0
    relay_metrics_port: int = 0
    explorer_metrics_port: int = 0

    @property
    def storage_url(self) -> str:
        """Base address of the store."""
        return f"http://127.0.0.1:{self.storage_port}"

    @property
    def coprocessor_url(self) -> str:
        """Base address of the coprocessor stand-in."""
        return f"http://127.0.0.1:{self.coprocessor_port}"

    @property
    def relay_address(self) -> str:
        """Where the gateway's gRPC service listens; empty without one."""
        return f"127.0.0.1:{self.relay_port}" if self.relay_port else ""

    @property
    def explorer_url(self) -> str:
        """First page of the explorer; empty without one."""
        return f"http://127.0.0.1:{self.explorer_port}" if self.explorer_port else ""

    def folder(self, operator: OperatorPlan) -> Path:
        """CometBFT home of an operator."""
        return self.home / operator.name

    def ports(self) -> list[int]:
        """Return every port, for checks."""
        taken = [
            self.storage_port,
            self.coprocessor_port,
            self.relay_port,
            self.explorer_port,
            self.relay_metrics_port,
            self.explorer_metrics_port,
        ]
        for operator in self.operators:
            taken += [
                operator.rpc_port,
                operator.p2p_port,
                operator.peer_port,
                operator.metrics_port,
                operator.node_metrics_port,
                operator.connector_metrics_port,
            ]
        return [port for port in taken if port]

    def document(self) -> dict[str, object]:
        """Return what localnet.json holds."""
        return {
            "version": 1,
            "chain_id": self.chain_id,
            "parameters": self.parameters,
            "threshold": self.threshold,
            "node": self.operators[0].rpc_url,
            "storage": self.storage_url,
            "coprocessor": self.coprocessor_url,
            "relay": self.relay_address,
            "explorer": self.explorer_url,
            "application": APPLICATION,
            "trusted_validators_hash": self.validators_hash,
            "operators": [asdict(operator) for operator in self.operators],
            "storage_port": self.storage_port,
            "coprocessor_port": self.coprocessor_port,
            "relay_port": self.relay_port,
            "explorer_port": self.explorer_port,
            "relay_metrics_port": self.relay_metrics_port,
            "explorer_metrics_port": self.explorer_metrics_port,
            "accounts": self.accounts,
            "processes": [asdict(process) for process in self.processes],
        }

    def save(self) -> None:
        """Write localnet.json as a whole."""
        path = self.home / FILE_NAME
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")
        temporary.replace(path)


def load(home: Path) -> Plan:
    """Read the plan of an existing network.

    Raises:
        ConfigError: there is none, or it is not readable.
    """
    path = home / FILE_NAME
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return Plan(
            home=home.resolve(),
            chain_id=document["chain_id"],
            parameters=document["parameters"],
            threshold=document["threshold"],
            operators=tuple(OperatorPlan(**entry) for entry in document["operators"]),
            storage_port=document["storage_port"],
            coprocessor_port=document["coprocessor_port"],
            # Networks made before they had any have none.
            relay_port=document.get("relay_port", 0),
            explorer_port=document.get("explorer_port", 0),
            relay_metrics_port=document.get("relay_metrics_port", 0),
            explorer_metrics_port=document.get("explorer_metrics_port", 0),
            validators_hash=document["trusted_validators_hash"],
            accounts=document["accounts"],
            processes=tuple(_process(entry) for entry in document["processes"]),
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no local network in {home}",
            reason="NO_LOCALNET",
            hint="start one with `tkms localnet up`, or name its folder with --home",
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is not readable: {error}") from error


def _process(entry: dict[str, Any]) -> ProcessPlan:
    lists: dict[str, Any] = {name: tuple(entry[name]) for name in ("argv", "after", "binds")}
    return ProcessPlan(name=str(entry["name"]), ready=str(entry["ready"]), **lists)


def make(home: Path, topology: Topology) -> Plan:
    """Choose ports for a new network; nothing is written."""
    home = home.resolve()
    longest = home / f"node{topology.operators}" / "connector" / "connector.sock"
    if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
        raise ConfigError(
            f"the path {home} is too long for unix sockets", hint="choose a shorter --home"
        )
    count = topology.operators
    ports = free_ports(count * 6 + 6, topology.base_port or _first_port(home))
    operators = tuple(
        OperatorPlan(
            index + 1,
            *ports[4 * index : 4 * index + 4],
            *ports[4 * count + 2 + 2 * index : 4 * count + 4 + 2 * index],
        )
        for index in range(count)
    )
    return Plan(
        home=home,
        chain_id=topology.chain_id,
        parameters=topology.parameters,
        threshold=topology.threshold,
        operators=operators,
        storage_port=ports[4 * count],
        coprocessor_port=ports[4 * count + 1],
        relay_port=ports[6 * count + 2] if topology.relay else 0,
        explorer_port=ports[6 * count + 3] if topology.explorer else 0,
        relay_metrics_port=ports[6 * count + 4] if topology.relay else 0,
        explorer_metrics_port=ports[6 * count + 5] if topology.explorer else 0,
    )


def _first_port(home: Path) -> int:
    """Return a start that differs from folder to folder and is the same for a folder."""
    slots = (_LAST_PORT - _FIRST_PORT) // _PORTS_A_HOME
    return _FIRST_PORT + zlib.crc32(str(home).encode()) % slots * _PORTS_A_HOME


def processes(plan: Plan, engine: Path) -> tuple[ProcessPlan, ...]:
    """Return every process of the network in the order in which they start."""
    everything: list[ProcessPlan] = [
        ProcessPlan("storage", _of_home("storage", plan.home / "storage"), "log:ready")
    ]
    for operator in plan.operators:
        everything += _operator_processes(plan, operator, engine)
    # Connectors, coprocessor, relay and explorer wait for their node by themselves: they load while the chain starts.
    everything.append(
        ProcessPlan(
            "coprocessor",
            _of_home("coprocessor", plan.home / "coprocessor"),
            "log:ready",
        )
    )
    if plan.relay_port:
        settings = plan.home / "relay" / "relay.toml"
        everything.append(
            ProcessPlan("relay", tkms("relay", "--config", str(settings)), "log:ready")
        )
    if plan.explorer_port:
        settings = plan.home / "explorer" / "explorer.toml"
        run = tkms("explorer", "run", "--config", str(settings))
        everything.append(ProcessPlan("explorer", run, "log:ready"))
    return tuple(everything)


def _of_home(verb: str, home: Path) -> tuple[str, ...]:
    return tkms(verb, "--home", str(home))


def _operator_processes(plan: Plan, operator: OperatorPlan, engine: Path) -> list[ProcessPlan]:
    folder, index = plan.folder(operator), operator.index
    node, engine_name, core = f"node{index}", f"engine{index}", f"core{index}"
    return [
        ProcessPlan(node, _of_home("node", folder / "app"), "log:ready", binds=(engine_name,)),
        ProcessPlan(
            engine_name,
            (str(engine), "start", "--home", str(folder)),
            f"rpc:{operator.rpc_url}",
            after=(node,),
        ),
        ProcessPlan(core, _of_home("core", folder / "core"), "log:ready"),
        ProcessPlan(
            f"connector{index}",
            _of_home("connector", folder / "connector"),
            "log:ready",
        ),
    ]
