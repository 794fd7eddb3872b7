"""Writes a new local network to disk: keys, certificates, settings and the genesis."""

import datetime as dt
import json
import secrets
from pathlib import Path

from cli import localnet_engine as engine
from cli import localnet_genesis as genesis
from cli.keystore import LOCALNET_PASSPHRASE, Keystore, write_private
from cli.localnet_plan import APPLICATION, OperatorPlan, Plan, processes
from cli.localnet_topology import ACCOUNTS, Topology
from wire.ids import Address
from wire.signing import Secp256k1Signer

# Largest proven list of the stand-in; the reference string must be at least as large.
_MAX_BITS = 2048


def write(plan: Plan, topology: Topology) -> Plan:
    """Write every home and return the plan with what is known only afterwards."""
    binary = engine.find_binary()
    plan.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (plan.home / "logs").mkdir(exist_ok=True)
    engines = [engine.initialise(binary, plan.folder(operator)) for operator in plan.operators]
    root_of_trust = engine.validators_hash(engines).hex()
    token = secrets.token_hex(16)
    accounts = _accounts(plan.home / "accounts")
    coprocessor = _account_file(_folder(plan.home / "coprocessor") / "account.key")
    parties = [
        _operator(plan, operator, topology, root_of_trust, token) for operator in plan.operators
    ]
    document = genesis.genesis(plan, topology, parties, accounts, coprocessor)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    chain = engine.genesis_document(plan.chain_id, now, engines, genesis.as_json(document))
    for operator in plan.operators:
        target = plan.folder(operator) / "config" / "genesis.json"
        target.write_text(json.dumps(chain, indent=1) + "\n", encoding="utf-8")
        engine.configure(plan, operator, topology, engines)
    _storage(plan, token)
    _coprocessor(plan, token)
    finished = Plan(
        home=plan.home,
        chain_id=plan.chain_id,
        parameters=plan.parameters,
        threshold=plan.threshold,
        operators=plan.operators,
        storage_port=plan.storage_port,
        coprocessor_port=plan.coprocessor_port,
        validators_hash=root_of_trust,
        accounts={name: address.checksum for name, address in accounts.items()},
        processes=processes(plan, binary),
    )
    finished.save()
    return finished


def toml(values: dict[str, object]) -> str:
    """Return TOML of plain values, tables last; JSON's strings and numbers are TOML's too."""
    plain = [f"{key} = {json.dumps(v)}" for key, v in values.items() if not isinstance(v, dict)]
    tables = [f"\n[{key}]\n{toml(v)}" for key, v in values.items() if isinstance(v, dict)]
    return "\n".join(plain + [table.rstrip("\n") for table in tables]) + "\n"


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def _accounts(folder: Path) -> dict[str, Address]:
    """Make the named accounts; their passphrase lies beside them and protects nothing."""
    _folder(folder)
    passphrase = secrets.token_hex(8)
    write_private(folder / LOCALNET_PASSPHRASE, passphrase.encode() + b"\n")
    store = Keystore(folder)
    return {
        name: store.add(name, secrets.token_bytes(32), passphrase, light=True).address
        for name in ACCOUNTS
    }


def _account_file(path: Path) -> Address:
    """Make a service's account: a hexadecimal secret, readable by its owner only."""
    secret = secrets.token_bytes(32)
    write_private(path, secret.hex().encode() + b"\n")
    return Secp256k1Signer(secret).address


def _operator(
    plan: Plan, operator: OperatorPlan, topology: Topology, root_of_trust: str, token: str
) -> genesis.PartyIdentity:
    """Write app/, core/ and connector/ of one operator."""
    folder = plan.folder(operator)
    _write_node(plan, _folder(folder / "app"))
    core = _folder(folder / "core")
    verification_key, der = _write_core(plan, operator, topology, root_of_trust, core)
    write_private(core / "storage-token", token.encode() + b"\n")
    connector = _folder(folder / "connector")
    account = _account_file(connector / "account.key")
    write_private(connector / "storage-token", token.encode() + b"\n")
    values: dict[str, object] = {
        "chain_id": plan.chain_id,
        "rpc_url": operator.rpc_url,
        "core_socket": str(core / "core.sock"),
        "storage_url": plan.storage_url,
        "storage_token_file": "storage-token",
        "database": "connector.db",
        "account_key": "account.key",
        "party": operator.index,
        "trusted_validators_hash": root_of_trust,
    }
    (connector / "connector.toml").write_text(toml(values), encoding="utf-8")
    return genesis.PartyIdentity(account, verification_key, der)


def _write_node(plan: Plan, app: Path) -> None:
    values: dict[str, object] = {
        "chain_id": plan.chain_id,
        "proxy_socket": f"unix://{app / 'app.sock'}",
        # Minutes of blocks: whoever follows slowly still gets proofs.
        "keep_versions": 1000,
    }
    (app / "node.toml").write_text(toml(values), encoding="utf-8")


def _write_core(
    plan: Plan, operator: OperatorPlan, topology: Topology, root_of_trust: str, core: Path
) -> tuple[bytes, bytes]:
    """Write core.toml, the peer certificate and the sealed signing key; return their public side."""
    from core import certificates, settings, vault  # noqa: PLC0415 - only where a network is made

    key, pem = certificates.generate(f"core{operator.index}.{plan.chain_id}.local")
    der = certificates.to_der(pem)
    write_private(core / "peer-key.pem", key)
    (core / "peer-certificate.pem").write_bytes(pem)
    fault = topology.faults.get(operator.index)
    values: dict[str, object] = {
        "chain_id": plan.chain_id,
        "party": operator.index,
        "peer_listen": f"127.0.0.1:{operator.peer_port}",
        "trusted_validators_hash": root_of_trust,
        "storage_url": plan.storage_url,
        "storage_token_file": "storage-token",
        "developer_mode": True,
    }
    if not topology.clear_vaults:
        write_private(core / "vault.key", secrets.token_bytes(32))
        values["vault_keyfile"] = "vault.key"
    if fault:
        values["fault"] = {"mode": fault}
    (core / "core.toml").write_text(toml(values), encoding="utf-8")
    secret = secrets.token_bytes(32)
    loaded = settings.load(core)
    vault.from_settings(loaded).put(loaded.signing_key, secret)
    return Secp256k1Signer(secret).verification_key, der


def _storage(plan: Plan, token: str) -> None:
    folder = _folder(plan.home / "storage")
    write_private(folder / "token", token.encode() + b"\n")
    values: dict[str, object] = {
        "listen": f"127.0.0.1:{plan.storage_port}",
        "backend": f"file://{folder / 'blobs'}",
        "max_bytes": 2**31,
        "default_retention_s": 7 * 24 * 3600,
        "token_file": "token",
    }
    _folder(folder / "blobs")
    (folder / "storage.toml").write_text(toml(values), encoding="utf-8")


def _coprocessor(plan: Plan, token: str) -> None:
    folder = _folder(plan.home / "coprocessor")
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
    (folder / "coprocessor.toml").write_text(toml(values), encoding="utf-8")
