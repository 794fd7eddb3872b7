"""The home of one operator, made once by `tkms init` and by `tkms localnet up` alike.

HOME/config, data          CometBFT
HOME/app/                  node.toml; later state.db, snapshots/, app.sock
HOME/core/                 core.toml, sealed vault and its key file, peer certificate
HOME/connector/            connector.toml, account.key
HOME/operator.json         the public side of all that

`make` knows nothing of the network; `join` completes the home with the genesis.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cli.engine import home as engine_home
from cli.engine.settings import EngineChoices
from cli.genesis import document as genesis_document
from cli.home import meaning as settings_meaning
from cli.home.card import OperatorCard, PartyCard
from cli.home.toml_text import commented, rewrite
from cli.keystore import write_private
from wire.ids import Address
from wire.signing import Secp256k1Signer

# Minutes of blocks: whoever follows slowly still gets proofs.
_KEEP_VERSIONS = 1000
# What `make` writes alike for every operator, where it is not the process's own default.
POLICY: dict[str, dict[str, object]] = {
    "node": {"keep_versions": _KEEP_VERSIONS},
    "core": {"vault_keyfile": "vault.key"},
    "connector": {},
    "relay": {},
    "explorer": {},
}
_CONNECTOR_KEY, _CONNECTOR_CERTIFICATE = "connector-key.pem", "connector-certificate.pem"
# What says who somebody is, not how a process behaves.
IDENTITY = {
    "chain_id",
    "trusted_validators_hash",
    "listen",
    "storage_url",
    "storage_token_file",
    "database",
    "metrics_listen",
    "connector_certificate",
    "core_certificate",
    "tls_key",
    "tls_certificate",
}


@dataclass(frozen=True, slots=True)
class BackendChoices:
    """What an operator decides about its core and connector."""

    party: int
    peer_listen: str
    peer_address: str
    storage_url: str
    # Name in the peer certificate; the certificate itself is what counts.
    certificate_name: str
    storage_token: str = ""
    # Keys that anybody may read: development only.
    developer_mode: bool = False
    sealed: bool = True
    fault: str = ""
    # Numbers and health of the connector; empty: none.
    metrics_listen: str = ""


@dataclass(frozen=True, slots=True)
class Choices:
    """What differs from operator to operator."""

    home: Path
    chain_id: str
    engine: EngineChoices
    backend: BackendChoices | None = None
    # Further settings of node.toml.
    node: Mapping[str, object] = field(default_factory=dict)


def make(binary: Path, choices: Choices) -> OperatorCard:
    """Write keys and settings of a new home and return its public side."""
    home = private_folder(choices.home)
    identity = engine_home.initialise(binary, home)
    engine_home.configure(home, choices.engine)
    _write_node(choices, private_folder(home / "app"))
    party = None
    if choices.backend is not None:
        party = _write_backend(choices, choices.backend)
    card = OperatorCard(
        moniker=choices.engine.moniker,
        chain_id=choices.chain_id,
        node_id=identity.node_id,
        p2p_address=choices.engine.external_address,
        validator_address=identity.validator_address,
        validator_key=identity.validator_key,
        party=party,
    )
    card.save(home)
    return card


def join(home: Path, genesis: Mapping[str, object], peers: str | None = None) -> str:
    """Put the genesis in place, pin its validators in whoever verifies; return that root of trust."""
    validators = genesis["validators"]
    if not isinstance(validators, list):
        raise TypeError("validators of a checked genesis are a list")
    root_of_trust = genesis_document.validators_hash(validators).hex()
    target = home / "config" / "genesis.json"
    target.write_text(genesis_document.text(genesis), encoding="utf-8")
    if peers is not None:
        change(home / "config" / "config.toml", {"p2p.persistent_peers": peers})
    pin(home, root_of_trust)
    return root_of_trust


def pin(home: Path, root_of_trust: str) -> None:
    """Name the chain's first validators to whoever verifies: hash in hexadecimal."""
    for name in ("core", "connector", "relay", "explorer"):
        path = home / name / f"{name}.toml"
        if path.exists():
            change(path, {"trusted_validators_hash": root_of_trust})


def change(path: Path, values: Mapping[str, object]) -> None:
    """Change settings of a file; comments stay, and a crash leaves the old file or the new one."""
    changed = rewrite(path.read_text("utf-8"), values)
    temporary = path.with_name(f"{path.name}.new")
    temporary.write_text(changed, encoding="utf-8")
    temporary.chmod(path.stat().st_mode & 0o777)
    temporary.replace(path)


def private_folder(path: Path) -> Path:
    """Make a folder for its owner only."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def account_file(path: Path) -> Address:
    """Make a service's account: a hexadecimal secret, readable by its owner only."""
    secret = secrets.token_bytes(32)
    write_private(path, secret.hex().encode() + b"\n")
    return Secp256k1Signer(secret).address


def _write_node(choices: Choices, app: Path) -> None:
    values: dict[str, object] = {
        "chain_id": choices.chain_id,
        "proxy_socket": f"unix://{app / 'app.sock'}",
        "keep_versions": _KEEP_VERSIONS,
        **choices.node,
    }
    write_settings(app / "node.toml", "node", values)


def _write_backend(choices: Choices, backend: BackendChoices) -> PartyCard:
    core = private_folder(choices.home / "core")
    verification_key, der = _write_core(choices, backend, core)
    connector = private_folder(choices.home / "connector")
    _write_connector_certificate(connector)
    account = account_file(connector / "account.key")
    values: dict[str, object] = {
        "chain_id": choices.chain_id,
        "rpc_url": choices.engine.rpc_listen.replace("tcp://", "http://", 1),
        "core_socket": str(core / "core.sock"),
        "core_certificate": str(core / "peer-certificate.pem"),
        "tls_key": _CONNECTOR_KEY,
        "tls_certificate": _CONNECTOR_CERTIFICATE,
        "storage_url": backend.storage_url,
        "database": "connector.db",
        "account_key": "account.key",
        "party": backend.party,
        "trusted_validators_hash": "",
        "metrics_listen": backend.metrics_listen,
    }
    if backend.storage_token:
        write_private(connector / "storage-token", backend.storage_token.encode() + b"\n")
        values["storage_token_file"] = "storage-token"  # noqa: S105 - a file name
    write_settings(connector / "connector.toml", "connector", values)
    return PartyCard(backend.party, account, verification_key, der, backend.peer_address)


def _write_connector_certificate(connector: Path) -> None:
    """Make the connector's certificate; core and connector know each other by the other's file."""
    from core import certificates  # noqa: PLC0415 - only where a home is made

    key, pem = certificates.generate("connector")
    write_private(connector / _CONNECTOR_KEY, key)
    (connector / _CONNECTOR_CERTIFICATE).write_bytes(pem)


def _write_core(choices: Choices, backend: BackendChoices, core: Path) -> tuple[bytes, bytes]:
    """Write core.toml, the peer certificate and the sealed signing key; return their public side."""
    from core import certificates, settings, vault  # noqa: PLC0415 - only where a home is made

    key, pem = certificates.generate(backend.certificate_name)
    write_private(core / "peer-key.pem", key)
    (core / "peer-certificate.pem").write_bytes(pem)
    values: dict[str, object] = {
        "chain_id": choices.chain_id,
        "party": backend.party,
        "peer_listen": backend.peer_listen,
        # The vault is written before the genesis is known; `join` puts the hash in.
        "trusted_validators_hash": "00" * 32,
        "storage_url": backend.storage_url,
        "developer_mode": backend.developer_mode,
        "connector_certificate": str(choices.home / "connector" / _CONNECTOR_CERTIFICATE),
    }
    if backend.storage_token:
        write_private(core / "storage-token", backend.storage_token.encode() + b"\n")
        values["storage_token_file"] = "storage-token"  # noqa: S105 - a file name
    if backend.sealed:
        write_private(core / "vault.key", secrets.token_bytes(32))
        values["vault_keyfile"] = "vault.key"
    if backend.fault:
        values["fault"] = {"mode": backend.fault}
    write_settings(core / "core.toml", "core", values)
    secret = secrets.token_bytes(32)
    loaded = settings.load(core)
    vault.from_settings(loaded).put(loaded.signing_key, secret)
    # No longer a well-formed hash: an unfinished home does not start.
    change(core / "core.toml", {"trusted_validators_hash": ""})
    return Secp256k1Signer(secret).verification_key, certificates.to_der(pem)


def write_settings(path: Path, kind: str, values: Mapping[str, object]) -> None:
    """Write a settings file, each value below its meaning, for its owner only."""
    meanings = settings_meaning.MEANINGS[kind]
    path.write_text(commented(values, meanings, settings_meaning.HEADS[kind]), encoding="utf-8")
    path.chmod(0o600)
