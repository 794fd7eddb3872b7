"""Every setting of CometBFT's config.toml that is chosen here and not left to the engine.

`deliberate` is the one list: what is written, why, and whether it says who the node is (`identity`)
or how every node of its role behaves (policy; what `tkms config diff` and `tkms doctor` compare).
"""

from dataclasses import dataclass
from pathlib import Path

from cli.errors import ConfigError

ROLES = ("validator", "full", "sentry")
_LOG_LEVEL = "main:info,state:info,statesync:info,blocksync:info,*:error"


@dataclass(frozen=True, slots=True)
class EngineChoices:
    """What differs from node to node."""

    moniker: str
    rpc_listen: str = "tcp://127.0.0.1:26657"
    p2p_listen: str = "tcp://0.0.0.0:26656"
    # host:port that others dial; empty lets the engine guess.
    external_address: str = ""
    metrics_listen: str = "127.0.0.1:26660"
    # node-id@host:port, separated by commas.
    persistent_peers: str = ""
    # Node ids that a sentry never tells anybody.
    private_peers: str = ""
    role: str = "validator"
    behind_sentries: bool = False
    # All nodes on one machine: many of them share an address, and nothing needs to be discovered.
    one_machine: bool = False
    prometheus: bool = True
    indexer: str = "kv"
    log_format: str = "plain"
    timeout_commit_ms: int = 500

    def __post_init__(self) -> None:
        """Refuse a role that is none."""
        if self.role not in ROLES:
            raise ConfigError(f"there is no role {self.role}", hint=f"roles: {', '.join(ROLES)}")


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `section.key`, its value and the reason that stands above it in the file."""

    name: str
    value: object
    why: str
    identity: bool = False


def deliberate(choices: EngineChoices, socket: Path) -> tuple[Setting, ...]:
    """Return all settings of a node whose application listens on `socket`."""
    return (
        *_base(choices, socket),
        *_rpc(choices),
        *_p2p(choices),
        *_mempool(),
        *_consensus(choices),
        *_records(choices),
    )


def _base(choices: EngineChoices, socket: Path) -> tuple[Setting, ...]:
    return (
        Setting(
            "proxy_app",
            f"unix://{socket}",
            "A unix socket in a folder of mode 700: the fastest way to the application, and file "
            "permissions protect it. node.toml names the same socket.",
            identity=True,
        ),
        Setting("moniker", choices.moniker, "Name shown to peers; not proven.", identity=True),
        Setting(
            "db_backend", "goleveldb", "The one backend that is compiled in and used by everybody."
        ),
        Setting(
            "log_level",
            # Several blocks a second on one machine: nobody reads a line about each.
            "main:info,*:error" if choices.one_machine else _LOG_LEVEL,
            "Blocks, synchronisation and errors; p2p alone would fill a disk at info.",
        ),
        Setting(
            "log_format",
            choices.log_format,
            "plain for people, json for collectors (`tkms start --log-format json` overrides it).",
        ),
        Setting(
            "priv_validator_laddr",
            "",
            "Set it only with a remote signer, which dials in here; the key file is then ignored. "
            "See docs/operator.md.",
            identity=True,
        ),
        Setting("abci", "socket", "gRPC is ten times slower and makes rechecks serial."),
        Setting("filter_peers", False, "The application has no opinion on peers."),
        Setting(
            "event_bus_buffer_capacity",
            1000,
            "0 lets one slow subscriber of events hold up consensus.",
        ),
    )


def _rpc(choices: EngineChoices) -> tuple[Setting, ...]:
    return (
        Setting(
            "rpc.laddr",
            choices.rpc_listen,
            "RPC has neither passwords nor TLS: loopback only; give others a reverse proxy.",
            identity=True,
        ),
        Setting("rpc.unsafe", False, "Would let every caller flush the mempool and dial peers."),
        Setting("rpc.grpc_laddr", "", "Serves broadcast_tx_commit only, which nobody should use."),
        Setting(
            "rpc.pprof_laddr", "", "Profiles show memory; switch it on for an hour, not for good."
        ),
        Setting(
            "rpc.max_body_bytes", 5_000_000, "Connectors send batches of answers in one request."
        ),
        Setting("rpc.max_subscription_clients", 100, "Enough for connectors and an explorer."),
        Setting(
            "rpc.experimental_subscription_buffer_size", 2000, "200 is one burst of a full block."
        ),
        Setting(
            "rpc.experimental_websocket_write_buffer_size",
            2000,
            "Never below the subscription buffer.",
        ),
        Setting(
            "rpc.experimental_close_on_slow_client",
            True,
            "The default drops events without a word; a closed connection is noticed.",
        ),
    )


def _p2p(choices: EngineChoices) -> tuple[Setting, ...]:
    discovers = not choices.one_machine and not choices.behind_sentries
    return (
        Setting("p2p.laddr", choices.p2p_listen, "Where peers connect.", identity=True),
        Setting(
            "p2p.external_address",
            choices.external_address,
            "What others dial; needed behind NAT and on machines with several addresses.",
            identity=True,
        ),
        Setting(
            "p2p.persistent_peers",
            choices.persistent_peers,
            "node-id@host:port of the other validators (or of our sentries); always redialled.",
            identity=True,
        ),
        Setting(
            "p2p.persistent_peers_max_dial_period",
            "1s" if choices.one_machine else "10s",
            "A restarted validator is dialled again soon, not after minutes of back-off.",
        ),
        Setting(
            "p2p.private_peer_ids",
            choices.private_peers,
            "A sentry keeps its validator's address to itself.",
            identity=True,
        ),
        Setting(
            "p2p.unconditional_peer_ids",
            choices.private_peers,
            "A sentry never lacks a slot for its own validator.",
            identity=True,
        ),
        Setting(
            "p2p.addr_book_strict",
            False,
            "Operators meet over private networks, whose addresses a strict book refuses.",
        ),
        Setting(
            "p2p.allow_duplicate_ip",
            choices.one_machine,
            "Many nodes on one address exist on one machine only.",
        ),
        Setting(
            "p2p.pex",
            discovers,
            "Peers tell each other of peers; off where all are named or a validator hides behind "
            "sentries.",
        ),
        Setting("p2p.seed_mode", False, "A seed hangs up on everybody: not for validators."),
        Setting(
            "p2p.send_rate", 20_000_000, "5 MB/s would delay blocks of 2 MiB; we own the lines."
        ),
        Setting("p2p.recv_rate", 20_000_000, "As send_rate."),
        Setting("p2p.libp2p.enabled", False, "Experimental; a whole network switches or nobody."),
    )


def _mempool() -> tuple[Setting, ...]:
    return (
        Setting("mempool.type", "flood", "The application keeps no mempool of its own."),
        Setting("mempool.recheck", True, "Without it dead transactions stay until they expire."),
        Setting("mempool.recheck_timeout", "3s", "A full mempool needs more than the default 1 s."),
        Setting("mempool.broadcast", True, "A transaction must reach the next proposer."),
        Setting("mempool.size", 10_000, "Bursts of answers from all parties."),
        Setting(
            "mempool.cache_size", 20_000, "Twice the size: a resent transaction is recognised."
        ),
        Setting(
            "mempool.max_txs_bytes",
            4 * 1024 * 1024,
            "Below block.max_bytes of the genesis: a proposer sees all that waits.",
        ),
        Setting("mempool.max_tx_bytes", 262_144, "The chain's own limit is 256 KiB."),
    )


def _consensus(choices: EngineChoices) -> tuple[Setting, ...]:
    return (
        Setting("consensus.timeout_propose", "2s", "How long a silent proposer holds up a round."),
        Setting(
            "consensus.timeout_commit",
            f"{choices.timeout_commit_ms}ms",
            "The pause after a block: sets the pace, and may differ from node to node.",
        ),
        Setting(
            "consensus.create_empty_blocks",
            True,
            "A growing height is the only honest sign of life, and deadlines count heights.",
        ),
        Setting(
            "consensus.double_sign_check_height",
            _double_sign_check(choices),
            "Refuse to start while one of the last N blocks bears our own signature: a second "
            "machine with this key is caught. `tkms engine` and `tkms start` skip it where this "
            "machine's own sign state protects already, or nobody could restart after a halt.",
        ),
        Setting(
            "consensus.peer_gossip_sleep_duration",
            "10ms",
            "The default of 100 ms would dominate the time of a block.",
        ),
        Setting(
            "consensus.block_time_tolerance",
            "1m0s",
            "A block from further in the future is refused: keep clocks right.",
        ),
        Setting(
            "blocksync.adaptive_sync",
            False,
            "Consensus beside block sync: a validator may sign two blocks of one height.",
        ),
    )


def _double_sign_check(choices: EngineChoices) -> int:
    # Fault drills on one machine kill and restart validators all the time.
    return 5 if choices.role == "validator" and not choices.one_machine else 0


def _records(choices: EngineChoices) -> tuple[Setting, ...]:
    return (
        Setting(
            "statesync.enable",
            False,
            "How a new node joins fast; the recipe is in docs/operator.md. Ignored once there is "
            "any state.",
            identity=True,
        ),
        Setting(
            "storage.discard_abci_responses",
            False,
            "block_results are needed by connectors and explorers.",
        ),
        Setting(
            "tx_index.indexer",
            choices.indexer,
            "kv: a connector finds its own transactions by hash. null saves half the disk on a "
            "node that no connector and no client asks.",
        ),
        Setting(
            "instrumentation.prometheus",
            choices.prometheus,
            "Heights, rounds and missing validators: what alerts are made of.",
        ),
        Setting(
            "instrumentation.prometheus_listen_addr",
            choices.metrics_listen,
            "Loopback: the collector runs here or comes through a proxy.",
            identity=True,
        ),
    )
