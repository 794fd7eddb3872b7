"""Writes a new local network to disk: every operator's home, accounts, services, the genesis."""

import datetime as dt
import secrets
from dataclasses import replace
from pathlib import Path

from cli.engine import home as engine_home
from cli.engine.settings import EngineChoices
from cli.genesis import document as genesis_document
from cli.genesis import state as genesis_state
from cli.home.card import OperatorCard
from cli.home.toml_text import dump
from cli.keystore import LOCALNET_PASSPHRASE, Keystore, write_private
from cli.localnet.plan import APPLICATION, OperatorPlan, Plan, processes
from cli.localnet.topology import ACCOUNTS, Topology
from cli.operator import new_home, services
from cli.operator.new_home import BackendChoices, Choices, account_file, private_folder
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2

# Largest proven list of the stand-in; the reference string must be at least as large.
_MAX_BITS = 2048
_HOST = "127.0.0.1"
_COPROCESSOR = "coprocessor"


def write(plan: Plan, topology: Topology) -> Plan:
    """Write every home and return the plan with what is known only afterwards."""
    binary = engine_home.find_binary()
    plan.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (plan.home / "logs").mkdir(exist_ok=True)
    token = secrets.token_hex(16)
    accounts = _accounts(plan.home / "accounts")
    coprocessor = account_file(private_folder(plan.home / _COPROCESSOR) / "account.key")
    paid = [coprocessor, *_services(plan)]
    cards = [
        new_home.make(binary, _choices(plan, operator, topology, token))
        for operator in plan.operators
    ]
    state = _state(plan, topology, cards, accounts, paid)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    genesis = genesis_document.new(plan.chain_id, now, genesis_state.as_json(state))
    genesis["validators"] = [genesis_document.validator(card) for card in cards]
    for operator, card in zip(plan.operators, cards, strict=True):
        peers = ",".join(other.peer for other in cards if other is not card)
        root_of_trust = new_home.join(plan.folder(operator), genesis, peers)
    _storage(plan, token)
    _coprocessor(plan, token)
    new_home.pin(plan.home, root_of_trust)
    finished = replace(
        plan,
        validators_hash=root_of_trust,
        accounts={name: address.checksum for name, address in accounts.items()},
        processes=processes(plan, binary),
    )
    finished.save()
    return finished


def _choices(plan: Plan, operator: OperatorPlan, topology: Topology, token: str) -> Choices:
    """Return what distinguishes one operator of a local network."""
    engine = EngineChoices(
        moniker=operator.name,
        rpc_listen=f"tcp://{_HOST}:{operator.rpc_port}",
        p2p_listen=f"tcp://{_HOST}:{operator.p2p_port}",
        external_address=f"{_HOST}:{operator.p2p_port}",
        metrics_listen=f"{_HOST}:{operator.metrics_port}",
        one_machine=True,
        prometheus=topology.prometheus,
        timeout_commit_ms=topology.timeout_commit_ms,
    )
    backend = BackendChoices(
        party=operator.index,
        peer_listen=f"{_HOST}:{operator.peer_port}",
        peer_address=f"{_HOST}:{operator.peer_port}",
        storage_url=plan.storage_url,
        certificate_name=f"core{operator.index}.{plan.chain_id}.local",
        storage_token=token,
        developer_mode=True,
        sealed=not topology.clear_vaults,
        fault=topology.faults.get(operator.index, ""),
        metrics_listen=f"{_HOST}:{operator.connector_metrics_port}",
    )
    node = {
        "assert_grammar": True,
        "metrics_listen": f"{_HOST}:{operator.node_metrics_port}",
    }
    return Choices(plan.folder(operator), plan.chain_id, engine, backend, node)


def _state(
    plan: Plan,
    topology: Topology,
    cards: list[OperatorCard],
    accounts: dict[str, Address],
    paid: list[Address],
) -> state_pb2.Genesis:
    """Return the application's state at height 0."""
    parties = [card.party for card in cards if card.party is not None]
    funded = [*accounts.values(), *paid, *(party.account for party in parties)]
    return state_pb2.Genesis(
        epoch=genesis_state.epoch([card.moniker for card in cards], parties),
        prices=genesis_state.prices(),
        parameters=genesis_state.development_parameters(
            plan.storage_url,
            decryption_deadline_blocks=topology.decryption_deadline_blocks,
            generation_deadline_blocks=topology.generation_deadline_blocks,
        ),
        roles=[
            genesis_state.role(which, accounts[name])
            for which, name in (
                (config_pb2.ROLE_ADMIN, "admin"),
                (config_pb2.ROLE_REGISTRAR, "admin"),
                (config_pb2.ROLE_REGISTRAR, "demo"),
                (config_pb2.ROLE_GENERATOR, "admin"),
                (config_pb2.ROLE_GENERATOR, "demo"),
            )
        ],
        accounts=[
            genesis_state.account(address, topology.account_balance) for address in sorted(funded)
        ],
        applications=[genesis_state.demo_application(APPLICATION, accounts["demo"])],
        delegates=[state_pb2.GenesisDelegate(application=APPLICATION, account=bytes(paid[0]))],
    )


def _accounts(folder: Path) -> dict[str, Address]:
    """Make the named accounts; their passphrase lies beside them and protects nothing."""
    private_folder(folder)
    passphrase = secrets.token_hex(8)
    write_private(folder / LOCALNET_PASSPHRASE, passphrase.encode() + b"\n")
    store = Keystore(folder)
    return {
        name: store.add(name, secrets.token_bytes(32), passphrase, light=True).address
        for name in ACCOUNTS
    }


def _storage(plan: Plan, token: str) -> None:
    folder = private_folder(plan.home / "storage")
    write_private(folder / "token", token.encode() + b"\n")
    values: dict[str, object] = {
        "listen": f"127.0.0.1:{plan.storage_port}",
        "backend": f"file://{folder / 'blobs'}",
        "max_bytes": 2**31,
        "default_retention_s": 7 * 24 * 3600,
        "token_file": "token",
    }
    private_folder(folder / "blobs")
    (folder / "storage.toml").write_text(dump(values), encoding="utf-8")


def _coprocessor(plan: Plan, token: str) -> None:
    folder = private_folder(plan.home / "coprocessor")
    write_private(folder / "storage-token", token.encode() + b"\n")
    values: dict[str, object] = {
        "listen": f"127.0.0.1:{plan.coprocessor_port}",
        "chain_id": plan.chain_id,
        "rpc_url": plan.operators[0].rpc_url,
        "storage_url": plan.storage_url,
        "account_key": "account.key",
        "application": APPLICATION,
        "database": "coprocessor.db",
        "max_bits": _MAX_BITS,
    }
    (folder / "coprocessor.toml").write_text(dump(values), encoding="utf-8")


def _services(plan: Plan) -> list[Address]:
    """Write relay and explorer; return the accounts that need a balance.

    The relay is open to everybody on this machine, who spend what its account holds.
    """
    node = services.Node(plan.chain_id, plan.operators[0].rpc_url, trusted_validators_hash="")
    accounts = []
    if plan.relay_port:
        relay = services.RelayChoices(
            plan.relay_address,
            plan.storage_url,
            reflection=True,
            metrics_listen=f"{_HOST}:{plan.relay_metrics_port}",
        )
        accounts.append(services.write_relay(plan.home / "relay", node, relay))
    if plan.explorer_port:
        explorer = services.ExplorerChoices(
            f"{_HOST}:{plan.explorer_port}", metrics_listen=f"{_HOST}:{plan.explorer_metrics_port}"
        )
        services.write_explorer(plan.home / "explorer", node, explorer)
    return accounts
