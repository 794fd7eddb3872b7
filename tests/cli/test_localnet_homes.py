"""What `localnet up` writes: every file is valid for the process that reads it."""

import json
import stat
import tomllib
from pathlib import Path

import pytest

from cli.errors import ConfigError
from cli.localnet import homes as localnet_homes
from cli.localnet import plan as localnet_plan
from cli.localnet.topology import Topology, load, parse, shipped_file
from cli.ports import free_ports, port_is_free
from wire.pb.tkms.config.v1 import config_pb2
from wire.tx import MESSAGE_KINDS


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> localnet_plan.Plan:
    """A network of four as it lies on disk; nothing runs."""
    home = tmp_path_factory.mktemp("net") / "home"
    topology = Topology(parameters="test", faults={2: "wrong-shares"})
    return localnet_homes.write(localnet_plan.make(home, topology), topology)


def test_ports_are_distinct_and_free(network: localnet_plan.Plan) -> None:
    """Every process listens on its own port, outside the range of outgoing connections."""
    ports = network.ports()
    assert len(ports) == len(set(ports)) == 4 * 6 + 6
    assert all(20000 <= port < 32768 for port in ports)
    assert all(port_is_free(port) for port in ports)


def test_taken_ports_are_skipped() -> None:
    """A port on which somebody listens is not chosen."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port not in free_ports(3, port)


def test_plan_file_is_the_plan(network: localnet_plan.Plan) -> None:
    """What clients and the supervisor read is what was made."""
    assert localnet_plan.load(network.home) == network
    assert set(network.accounts) == {"admin", "demo", "alice", "bob"}


def test_every_process_accepts_its_settings(network: localnet_plan.Plan) -> None:
    """Each process's own loader, which refuses unknown keys, takes the file."""
    from abci_app import settings as node
    from connector import settings as connector
    from connector.relay import settings as relay
    from core import settings as core
    from edge.coprocessor import settings as coprocessor
    from edge.explorer import settings as explorer
    from edge.storage import settings as storage

    for operator in network.operators:
        folder = network.folder(operator)
        engine = tomllib.loads((folder / "config" / "config.toml").read_text())
        loaded = node.load(folder / "app")
        assert engine["proxy_app"] == f"unix://{loaded.proxy_socket}"
        kms = core.load(folder / "core")
        assert kms.party == operator.index
        assert kms.vault_keyfile is not None
        link = connector.load(folder / "connector")
        assert (folder / "connector" / link.core_socket) == kms.service_socket
        assert link.rpc_url == operator.rpc_url
        assert connector.trusted_hash(link) == kms.trusted_validators_hash
        assert kms.trusted_validators_hash.hex() == network.validators_hash
    assert storage.load(network.home / "storage").listen.endswith(str(network.storage_port))
    assert coprocessor.load(network.home / "coprocessor").application == "demo"
    gateway = relay.load(network.home / "relay" / "relay.toml")
    assert gateway.listen == network.relay_address
    assert len(relay.payers(gateway, network.home / "relay")) == 1
    assert relay.trusted_hash(gateway).hex() == network.validators_hash
    pages = explorer.load(network.home / "explorer" / "explorer.toml")
    assert pages.listen.endswith(str(network.explorer_port))
    assert pages.trusted_validators_hash == network.validators_hash


def test_faults_reach_exactly_their_core(network: localnet_plan.Plan) -> None:
    """Only the named core misbehaves."""
    from core.settings import FaultMode, load

    modes = [load(network.folder(operator) / "core").fault for operator in network.operators]
    assert modes == [FaultMode.NONE, FaultMode.WRONG_SHARES, FaultMode.NONE, FaultMode.NONE]


def test_genesis_is_accepted_by_the_application(
    network: localnet_plan.Plan, tmp_path: Path
) -> None:
    """All modules take it; parties, prices and roles are what the network needs."""
    from abci_app.genesis import load_genesis, parse_genesis
    from abci_app.modules import MODULES
    from core.certificates import to_der
    from ledger.state import State
    from ledger.store import Store

    documents = {
        (network.folder(operator) / "config" / "genesis.json").read_text()
        for operator in network.operators
    }
    assert len(documents) == 1
    document = json.loads(documents.pop())
    assert document["chain_id"] == network.chain_id
    assert [entry["name"] for entry in document["validators"]] == [
        operator.name for operator in network.operators
    ]
    genesis = parse_genesis(json.dumps(document["app_state"]).encode())
    store = Store(tmp_path / "state.db")
    load_genesis(State(store), MODULES, genesis, network.chain_id)
    store.close()
    assert {price.message for price in genesis.prices.messages} == set(MESSAGE_KINDS)
    assert genesis.epoch.threshold == 1
    assert genesis.epoch.thresholds == config_pb2.Thresholds(
        public_decryption=2, user_decryption=3, generation=3
    )
    for operator, party in zip(network.operators, genesis.epoch.parties, strict=True):
        pem = (network.folder(operator) / "core" / "peer-certificate.pem").read_bytes()
        assert party.tls_certificate == to_der(pem)
        assert party.peer_address == f"127.0.0.1:{operator.peer_port}"
    keys = [party.verification_key for party in genesis.epoch.parties]
    assert len(set(keys)) == 4


def test_verification_keys_are_those_of_the_vaults(network: localnet_plan.Plan) -> None:
    """The chain will accept what each core signs."""
    from core import settings, vault
    from wire.signing import Secp256k1Signer

    document = json.loads(
        (network.folder(network.operators[0]) / "config" / "genesis.json").read_text()
    )
    from abci_app.genesis import parse_genesis

    genesis = parse_genesis(json.dumps(document["app_state"]).encode())
    for operator, party in zip(network.operators, genesis.epoch.parties, strict=True):
        loaded = settings.load(network.folder(operator) / "core")
        secret = vault.from_settings(loaded).get(loaded.signing_key)
        assert Secp256k1Signer(secret).verification_key == party.verification_key


def test_secrets_are_closed_to_others(network: localnet_plan.Plan) -> None:
    """Keys, tokens and passphrases have mode 600; the home has 700."""
    assert stat.S_IMODE(network.home.stat().st_mode) == 0o700
    secrets = [
        path
        for pattern in ("**/*.key", "**/*token", "**/passphrase", "**/peer-key.pem", "accounts/*")
        for path in network.home.glob(pattern)
    ]
    assert len(secrets) >= 4 * 5
    for path in secrets:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_engine_settings_are_set_deliberately(network: localnet_plan.Plan) -> None:
    """The settings that cost others their nights; peers name each other and not themselves."""
    for operator in network.operators:
        path = network.folder(operator) / "config" / "config.toml"
        found = tomllib.loads(path.read_text())
        assert found["event_bus_buffer_capacity"] == 1000
        assert found["rpc"]["experimental_close_on_slow_client"] is True
        assert found["p2p"]["addr_book_strict"] is False
        assert found["consensus"]["timeout_commit"] == "200ms"
        assert found["consensus"]["peer_gossip_sleep_duration"] == "10ms"
        assert found["tx_index"]["indexer"] == "kv"
        assert found["instrumentation"]["prometheus"] is True
        peers = found["p2p"]["persistent_peers"].split(",")
        assert len(peers) == 3
        assert not any(peer.endswith(f":{operator.p2p_port}") for peer in peers)


def test_validators_hash_is_the_engines(network: localnet_plan.Plan) -> None:
    """The root of trust is a hash of the validators in the genesis (checked live in tests/localnet)."""
    assert len(bytes.fromhex(network.validators_hash)) == 32


def test_shipped_topology_is_the_default() -> None:
    """localnet/topology.toml shows exactly the defaults."""
    assert shipped_file().exists()
    assert load(None) == Topology()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"operatrs": 4}, "unknown keys: operatrs"),
        ({"operators": 5}, "5 operators are not possible"),
        ({"operators": "4"}, "operators must be of type int"),
        ({"operators": True}, "operators must be of type int"),
        ({"parameters": "toy"}, "no parameter set toy"),
        ({"faults": {"core2": "lazy"}}, "faults.core2 is not understood"),
        ({"faults": {"core9": "silent"}}, "a core that does not exist"),
        ({"timeout_commit_ms": 0}, "timeout_commit_ms starts at 1"),
        ({"chain_id": ""}, "chain_id has 1 to 50 characters"),
    ],
)
def test_bad_topologies_are_refused(document: dict[str, object], words: str) -> None:
    """Each mistake has its sentence."""
    with pytest.raises(ConfigError, match=words):
        parse(document)


def test_a_path_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    """Said before anything is written, with what to do."""
    with pytest.raises(ConfigError) as caught:
        localnet_plan.make(tmp_path / ("x" * 100), Topology())
    assert "shorter --home" in caught.value.hint


def test_half_a_network_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When writing fails nothing stays that looks like a network."""
    from cli.localnet import life as localnet_life

    monkeypatch.setenv("TKMS_COMETBFT", str(tmp_path / "missing"))
    with pytest.raises(ConfigError) as caught:
        localnet_life.create_or_load(tmp_path / "net", Topology())
    assert caught.value.reason == "NO_ENGINE"
    assert not (tmp_path / "net").exists()
