"""CometBFT homes: made by `cometbft init`, then every setting that matters is set deliberately."""

import base64
import hashlib
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cli.errors import CliError, ConfigError
from cli.localnet_plan import OperatorPlan, Plan
from cli.localnet_topology import Topology

_BINARY_NAMES = ("cometbft-v0.40.0", "cometbft")
_POWER = 10
_SECTION = re.compile(r"^\[+([a-z0-9_.]+)\]+\s*$")
_ENTRY = re.compile(r"^([A-Za-z0-9_-]+)\s*=")


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
    validator = json.loads((home / "config" / "priv_validator_key.json").read_text("utf-8"))
    node = json.loads((home / "config" / "node_key.json").read_text("utf-8"))
    # An ed25519 private key of CometBFT is seed and public key; the p2p id hashes the latter.
    public = base64.b64decode(node["priv_key"]["value"])[32:]
    return EngineIdentity(
        node_id=hashlib.sha256(public).hexdigest()[:40],
        validator_key=base64.b64decode(validator["pub_key"]["value"]),
        validator_address=validator["address"],
    )


def configure(
    plan: Plan, operator: OperatorPlan, topology: Topology, identities: list[EngineIdentity]
) -> None:
    """Rewrite config.toml of one operator."""
    path = plan.folder(operator) / "config" / "config.toml"
    peers = ",".join(
        f"{identity.node_id}@127.0.0.1:{other.p2p_port}"
        for other, identity in zip(plan.operators, identities, strict=True)
        if other.index != operator.index
    )
    settings = _settings(plan, operator, topology, peers)
    path.write_text(rewrite(path.read_text("utf-8"), settings), encoding="utf-8")


def _settings(
    plan: Plan, operator: OperatorPlan, topology: Topology, peers: str
) -> dict[str, object]:
    """Return section.key -> value; the reasons stand in localnet/README.md."""
    return {
        "proxy_app": f"unix://{plan.folder(operator) / 'app' / 'app.sock'}",
        "moniker": operator.name,
        "abci": "socket",
        "log_level": "main:info,*:error",
        "filter_peers": False,
        "event_bus_buffer_capacity": 1000,
        "rpc.laddr": f"tcp://127.0.0.1:{operator.rpc_port}",
        "rpc.max_body_bytes": 5_000_000,
        "rpc.experimental_subscription_buffer_size": 2000,
        "rpc.experimental_websocket_write_buffer_size": 2000,
        "rpc.experimental_close_on_slow_client": True,
        "p2p.laddr": f"tcp://127.0.0.1:{operator.p2p_port}",
        "p2p.persistent_peers": peers,
        # A restarted validator is dialled again at once, not after minutes of back-off.
        "p2p.persistent_peers_max_dial_period": "1s",
        "p2p.addr_book_strict": False,
        "p2p.allow_duplicate_ip": True,
        "p2p.pex": False,
        "p2p.send_rate": 20_000_000,
        "p2p.recv_rate": 20_000_000,
        "mempool.recheck_timeout": "3s",
        "mempool.size": 10_000,
        "mempool.cache_size": 20_000,
        "mempool.max_tx_bytes": 262_144,
        "consensus.timeout_propose": "2s",
        "consensus.timeout_commit": f"{topology.timeout_commit_ms}ms",
        "consensus.create_empty_blocks": True,
        # Fault drills restart a validator within the window; its sign state protects it.
        "consensus.double_sign_check_height": 0,
        "consensus.peer_gossip_sleep_duration": "10ms",
        "storage.discard_abci_responses": False,
        "tx_index.indexer": "kv",
        "instrumentation.prometheus": topology.prometheus,
        "instrumentation.prometheus_listen_addr": f"127.0.0.1:{operator.metrics_port}",
    }


def rewrite(text: str, settings: dict[str, object]) -> str:
    """Replace values in a TOML text and keep all comments.

    Raises:
        ConfigError: the engine's file has no such key (another version?) or has it twice.
    """
    left = dict(settings)
    section = ""
    lines: list[str] = []
    for line in text.splitlines():
        header = _SECTION.match(line)
        entry = _ENTRY.match(line)
        if header:
            section = header.group(1) + "."
        if entry:
            name = section + entry.group(1)
            if name in settings:
                if name not in left:
                    raise ConfigError(f"config.toml has {name} twice")
                line = f"{entry.group(1)} = {json.dumps(left.pop(name))}"  # noqa: PLW2901
        lines.append(line)
    if left:
        raise ConfigError(
            f"config.toml has no {', '.join(sorted(left))}", hint="is this CometBFT v0.40.0?"
        )
    return "\n".join(lines) + "\n"


def genesis_document(
    chain_id: str, genesis_time: str, identities: list[EngineIdentity], app_state: object
) -> dict[str, object]:
    """Return genesis.json: engine's parameters, validators, and the application's state."""
    return {
        "genesis_time": genesis_time,
        "chain_id": chain_id,
        "initial_height": "1",
        "consensus_params": {
            # The default of 53 MiB would let one block stall every node for minutes.
            "block": {"max_bytes": "2097152", "max_gas": "-1"},
            "evidence": {
                "max_age_num_blocks": "100000",
                "max_age_duration": "1209600000000000",
                "max_bytes": "1048576",
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": "1"},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": [
            {
                "address": identity.validator_address,
                "pub_key": {
                    "type": "tendermint/PubKeyEd25519",
                    "value": base64.b64encode(identity.validator_key).decode(),
                },
                "power": str(_POWER),
                "name": f"node{index + 1}",
            }
            for index, identity in enumerate(identities)
        ],
        "app_hash": "",
        "app_state": app_state,
    }


def validators_hash(identities: list[EngineIdentity]) -> bytes:
    """Return the hash of the first validator set: the root of trust of every light client."""
    import tkms_kernel  # noqa: PLC0415 - only where a network is made

    validators = [
        {
            "address": identity.validator_address,
            "pub_key": {
                "type": "tendermint/PubKeyEd25519",
                "value": base64.b64encode(identity.validator_key).decode(),
            },
            "voting_power": str(_POWER),
            "proposer_priority": "0",
        }
        # CometBFT's order of equal powers.
        for identity in sorted(identities, key=lambda identity: identity.validator_address)
    ]
    return bytes(tkms_kernel.validators_hash(json.dumps(validators).encode()))
