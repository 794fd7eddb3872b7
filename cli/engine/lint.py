"""What is wrong or dangerous in a home's config.toml, each with its remedy."""

from collections.abc import Callable, Mapping
from typing import Any

from cli.engine.settings import EngineChoices, Setting, deliberate
from cli.errors import ConfigError
from cli.findings import Finding, Severity, error, note, ok, warning
from cli.home.files import OperatorFiles, read_toml
from cli.home.toml_text import flat

_CHECK = "config.toml"
_LOOPBACK = ("127.", "localhost", "[::1]", "::1")

Values = Mapping[str, Any]
Rule = tuple[Severity, Callable[[Values], bool], str, str]

# What harms whatever the node is for: severity, whether it holds, what, remedy.
_RULES: tuple[Rule, ...] = (
    (
        Severity.ERROR,
        lambda v: v["rpc.unsafe"],
        "rpc.unsafe lets every caller flush the mempool and dial peers",
        "tkms config set engine.rpc.unsafe false",
    ),
    (
        Severity.WARNING,
        lambda v: not _is_loopback(v["rpc.laddr"]),
        "rpc.laddr listens beyond this machine, and RPC has neither passwords nor TLS",
        "listen on 127.0.0.1 and put a reverse proxy before it",
    ),
    (
        Severity.WARNING,
        lambda v: (
            v["instrumentation.prometheus"]
            and not _is_loopback(v["instrumentation.prometheus_listen_addr"])
        ),
        "metrics are served beyond this machine",
        "tkms config set engine.instrumentation.prometheus_listen_addr 127.0.0.1:26660",
    ),
    (
        Severity.WARNING,
        lambda v: bool(v["rpc.pprof_laddr"]),
        "rpc.pprof_laddr shows the process's memory to whoever reaches it",
        'tkms config set engine.rpc.pprof_laddr ""',
    ),
    (
        Severity.WARNING,
        lambda v: "*" in v["rpc.cors_allowed_origins"],
        "every web page in any browser may call this RPC",
        "tkms config set engine.rpc.cors_allowed_origins []",
    ),
    (
        Severity.ERROR,
        lambda v: v["abci"] != "socket",
        "abci is not `socket`: the node speaks nothing else",
        "tkms config set engine.abci socket",
    ),
    (
        Severity.ERROR,
        lambda v: v["mempool.type"] != "flood",
        "mempool.type is not `flood`: transactions would not spread",
        "tkms config set engine.mempool.type flood",
    ),
    (
        Severity.WARNING,
        lambda v: not v["mempool.recheck"] or not v["mempool.broadcast"],
        "mempool.recheck or mempool.broadcast is off: transactions stay or do not spread",
        "tkms config set engine.mempool.recheck true; the same for broadcast",
    ),
    (
        Severity.ERROR,
        lambda v: (
            v["rpc.experimental_websocket_write_buffer_size"]
            < v["rpc.experimental_subscription_buffer_size"]
        ),
        "the websocket buffer is smaller than the subscription buffer: connections drop",
        "tkms config set engine.rpc.experimental_websocket_write_buffer_size 2000",
    ),
    (
        Severity.WARNING,
        lambda v: not v["rpc.experimental_close_on_slow_client"],
        "slow subscribers lose events without a word",
        "tkms config set engine.rpc.experimental_close_on_slow_client true",
    ),
    (
        Severity.WARNING,
        lambda v: v["event_bus_buffer_capacity"] == 0,
        "one slow subscriber of events can hold up consensus",
        "tkms config set engine.event_bus_buffer_capacity 1000",
    ),
    (
        Severity.ERROR,
        lambda v: v["blocksync.adaptive_sync"],
        "blocksync.adaptive_sync: a validator may sign two blocks of one height",
        "tkms config set engine.blocksync.adaptive_sync false",
    ),
    (
        Severity.WARNING,
        lambda v: v["p2p.libp2p.enabled"],
        "p2p.libp2p is experimental, and a whole network switches or nobody",
        "tkms config set engine.p2p.libp2p.enabled false",
    ),
    (
        Severity.WARNING,
        lambda v: not v["consensus.create_empty_blocks"],
        "without empty blocks deadlines do not run out and nobody sees that the chain lives",
        "tkms config set engine.consensus.create_empty_blocks true",
    ),
    (
        Severity.ERROR,
        lambda v: (
            v["statesync.enable"]
            and (len(v["statesync.rpc_servers"].split(",")) < 2 or not v["statesync.trust_hash"])
        ),
        "statesync.enable needs two rpc_servers, trust_height and trust_hash",
        "take height and hash from operators you trust: docs/operator.md",
    ),
)


def findings(files: OperatorFiles) -> list[Finding]:
    """Return everything about config.toml of a home; one good line when there is nothing."""
    values = flat(read_toml(files.engine_config))
    choices = recovered(values, files)
    settings = deliberate(choices, files.app / "app.sock")
    missing = [setting.name for setting in settings if setting.name not in values]
    if missing:
        return [
            error(
                _CHECK,
                f"{', '.join(missing)} missing: the file is of another engine",
                "compare with a file of `tkms init` (CometBFT v0.40.0)",
            )
        ]
    found = [
        Finding(severity, _CHECK, sentence, remedy)
        for severity, holds, sentence, remedy in _RULES
        if holds(values)
    ]
    found += _of_home(values, files) + _peers(values, files)
    good = [] if found else [ok(_CHECK, f"{len(settings)} deliberate settings, none dangerous")]
    return good + found + _differences(values, settings)


def recovered(values: Values, files: OperatorFiles) -> EngineChoices:
    """Return what `init` would have been told to write such a file."""
    validator = values.get("consensus.double_sign_check_height", 0) > 0
    return EngineChoices(
        moniker=str(values.get("moniker", "")),
        rpc_listen=str(values.get("rpc.laddr", "")),
        p2p_listen=str(values.get("p2p.laddr", "")),
        external_address=str(values.get("p2p.external_address", "")),
        metrics_listen=str(values.get("instrumentation.prometheus_listen_addr", "")),
        persistent_peers=str(values.get("p2p.persistent_peers", "")),
        private_peers=str(values.get("p2p.private_peer_ids", "")),
        role="validator" if validator or files.core is not None else "full",
        one_machine=bool(values.get("p2p.allow_duplicate_ip")),
        behind_sentries=not values.get("p2p.pex", True),
    )


def differences(files: OperatorFiles) -> list[tuple[Setting, object]]:
    """Return settings that are not as `init` writes them, with the value in the file."""
    values = flat(read_toml(files.engine_config))
    settings = deliberate(recovered(values, files), files.app / "app.sock")
    return [
        (setting, values.get(setting.name))
        for setting in settings
        if not setting.identity and values.get(setting.name) != setting.value
    ]


def _differences(values: Values, settings: tuple[Setting, ...]) -> list[Finding]:
    names = [
        setting.name
        for setting in settings
        if not setting.identity and values[setting.name] != setting.value
    ]
    if not names:
        return []
    return [note(_CHECK, f"not as `init` writes it: {', '.join(names)}", "tkms config diff")]


def _of_home(values: Values, files: OperatorFiles) -> list[Finding]:
    """Settings that must fit the node and the connector beside the engine."""
    found = []
    try:
        socket = str(read_toml(files.app / "node.toml").get("proxy_socket", ""))
    except ConfigError:
        socket = ""
    if values["proxy_app"] != socket:
        found.append(
            error(
                _CHECK,
                f"proxy_app = {values['proxy_app']!r}, but the node listens on {socket!r}",
                f"tkms config set engine.proxy_app {socket or 'unix:///PATH'}",
            )
        )
    if files.connector is not None and values["tx_index.indexer"] == "null":
        found.append(
            error(
                _CHECK,
                "tx_index.indexer is null: the connector cannot find its own transactions",
                "tkms config set engine.tx_index.indexer kv",
            )
        )
    if values["storage.discard_abci_responses"]:
        found.append(
            warning(
                _CHECK,
                "storage.discard_abci_responses: block_results are gone for connectors and explorers",
                "tkms config set engine.storage.discard_abci_responses false",
            )
        )
    return found


def _peers(values: Values, files: OperatorFiles) -> list[Finding]:
    from cli.engine import home as engine_home  # noqa: PLC0415

    own = engine_home.identity(files.home).node_id
    found = []
    for peer in filter(None, str(values["p2p.persistent_peers"]).split(",")):
        node, at, address = peer.strip().partition("@")
        host, _, port = address.rpartition(":")
        if len(node) != 40 or not at or not host or not port.isdecimal():
            found.append(
                error(
                    _CHECK,
                    f"persistent_peers: {peer!r} is not node-id@host:port",
                    "ask that operator for `tkms validator key`",
                )
            )
        elif node == own:
            found.append(warning(_CHECK, "persistent_peers names this node itself", "take it out"))
    return found


def _is_loopback(address: str) -> bool:
    if address.startswith("unix://") or not address:
        return True
    return address.removeprefix("tcp://").startswith(_LOOPBACK)
