"""Checks of a home itself: permissions, keys, genesis, databases, heights of both sides."""

import base64
import fcntl
import hashlib
import os
import stat
from pathlib import Path

from cli.engine import home as engine_home
from cli.engine import offline as engine_offline
from cli.engine import sign_state
from cli.errors import CliError
from cli.findings import Finding, error, note, ok, warning
from cli.genesis import checks as genesis_checks
from cli.genesis import document as genesis_document
from cli.home.files import OperatorFiles, read_toml

# Relative to the home; whoever reads one of these can act as us.
_SECRETS = (
    "config/priv_validator_key.json",
    "config/node_key.json",
    "core/vault.key",
    "core/peer-key.pem",
    "core/storage-token",
    "connector/account.key",
    "connector/storage-token",
    "relay/account.key",
)
_PRIVATE_FOLDERS = ("config", "data", "app", "core", "core/vault", "connector", "relay")


def permissions(files: OperatorFiles) -> list[Finding]:
    """Whether secrets are closed to others, and everything is ours."""
    found = []
    for name in _SECRETS + _PRIVATE_FOLDERS:
        path = files.home / name
        if not path.exists():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            right = "700" if path.is_dir() else "600"
            found.append(
                error(
                    "permissions",
                    f"{path} has mode {mode:o}: others may look into it",
                    f"chmod {right} {path}",
                )
            )
        if path.stat().st_uid != os.geteuid():
            found.append(
                error(
                    "permissions",
                    f"{path} belongs to another user",
                    "run everything of a home as one user of its own: chown -R USER HOME",
                )
            )
    return found or [ok("permissions", "secrets are closed to others")]


def keys(files: OperatorFiles) -> list[Finding]:
    """Whether the validator's key and its record of signed votes are whole."""
    config = read_toml(files.engine_config)
    if config.get("priv_validator_laddr"):
        return [note("keys", "a remote signer holds the validator's key; its record lies there")]
    known = engine_home.identity(files.home)
    address = hashlib.sha256(known.validator_key).digest()[:20].hex().upper()
    if address != known.validator_address:
        return [
            error(
                "keys",
                "priv_validator_key.json: address and key differ",
                "restore the file from its backup",
            )
        ]
    signed = sign_state.height(files.home)
    found = [ok("keys", f"validator {address}, signed up to height {signed}")]
    listed = [
        base64.b64decode(entry["pub_key"]["value"])
        for entry in genesis_document.load(files.genesis)["validators"]
    ]
    if known.validator_key not in listed:
        found.append(
            note(
                "keys",
                "this key is not among the validators of the genesis",
                "a validator that joined later shows in `tkms validator show`",
            )
        )
    return found


def genesis(files: OperatorFiles) -> list[Finding]:
    """Whether the genesis is valid and everything in the home is of its chain."""
    document = genesis_document.load(files.genesis)
    problems = genesis_checks.problems(document)
    found = [
        error("genesis", problem, "get the network's genesis: tkms genesis install")
        for problem in problems
    ]
    if found:
        return found
    found = [
        note("genesis", sentence, "fine for rehearsals only")
        for sentence in genesis_checks.warnings(document)
    ]
    chain_id = document["chain_id"]
    trusted = genesis_document.validators_hash(document["validators"]).hex()
    for name, path in files.own_settings().items():
        table = read_toml(path)
        if table.get("chain_id") != chain_id:
            found.append(
                error(
                    "genesis",
                    f"{name}.toml is of chain {table.get('chain_id')!r}, the genesis of {chain_id!r}",
                    f"tkms config set {name}.chain_id {chain_id}",
                )
            )
        if name != "node" and table.get("trusted_validators_hash") != trusted:
            found.append(
                warning(
                    "genesis",
                    f"{name}.toml trusts other validators than the genesis names",
                    f"right after a genesis: tkms config set {name}.trusted_validators_hash {trusted}",
                )
            )
    digest = hashlib.sha256(files.genesis.read_bytes()).hexdigest()
    return [ok("genesis", f"chain {chain_id}, SHA-256 {digest}"), *found]


def databases(files: OperatorFiles, running: bool) -> list[Finding]:
    """Whether anybody holds the databases who should not."""
    found = []
    held = held_databases(files)
    if held and not running:
        found.append(
            error(
                "databases",
                f"{', '.join(held)} in use, but no `tkms start` runs here",
                "a service manager may run the processes; else end them: two writers destroy a home",
            )
        )
    elif held:
        found.append(ok("databases", f"held by this home: {', '.join(held)}"))
    else:
        found.append(ok("databases", "nobody holds them"))
    return found


def held_databases(files: OperatorFiles) -> list[str]:
    """Return the databases of node and engine that a process holds."""
    folders = [files.app / "state.db", *sorted((files.home / "data").glob("*.db"))]
    return [folder.name for folder in folders if _is_held(folder / "LOCK")]


def heights(files: OperatorFiles, running: bool) -> list[Finding]:
    """Whether node and engine can go on together (the engine's handshake), and votes are not lost."""
    if running:
        return _live_heights(files)
    base, last = engine_offline.heights(files.home)
    height = app_height(files)
    found = []
    if height is None:
        found.append(ok("heights", f"the node has no state yet, the engine has {last} blocks"))
    elif height > last:
        found.append(
            error(
                "heights",
                f"the node is at {height}, the engine only at {last}: it refuses to start",
                f"roll the node back: tkms rollback, or restore the engine's data of {height}",
            )
        )
    elif height < base - 1:
        found.append(
            error(
                "heights",
                f"the node is at {height}, but the engine's blocks begin at {base}",
                "join anew by state sync: docs/operator.md",
            )
        )
    else:
        found.append(
            ok("heights", f"node at {height}, engine at {last}: {last - height} to replay")
        )
    return found + _votes(files, last)


def app_height(files: OperatorFiles) -> int | None:
    """Return the last committed height of a stopped node; None before the first start."""
    from ledger.store import Store  # noqa: PLC0415 - slow import

    path = files.app / "state.db"
    if not path.is_dir():
        return None
    store = Store(path)
    try:
        return store.height
    finally:
        store.close()


def _live_heights(files: OperatorFiles) -> list[Finding]:
    url = files.rpc_url()
    try:
        status = engine_offline.ask(url, "status")
        app = engine_offline.ask(url, "abci_info")["response"]
    except CliError as problem:
        return [warning("heights", problem.sentence, "it may still start: tkms status")]
    last = int(status["sync_info"]["latest_block_height"])
    height = int(app.get("last_block_height", 0))
    if abs(last - height) > 2:
        return [error("heights", f"node at {height}, engine at {last}", "start both again")]
    return [ok("heights", f"node at {height}, engine at {last}"), *_votes(files, last)]


def _votes(files: OperatorFiles, last: int) -> list[Finding]:
    if read_toml(files.engine_config).get("priv_validator_laddr"):
        return []
    signed = sign_state.height(files.home)
    key = engine_home.identity(files.home).validator_key
    validators = genesis_document.load(files.genesis)["validators"]
    ours = any(base64.b64decode(entry["pub_key"]["value"]) == key for entry in validators)
    if ours and last > 1 and signed < last - 1:
        return [
            warning(
                "votes",
                f"votes are recorded up to {signed}, the chain is at {last}",
                "right for a node that follows or left the set; if the home was restored: do not "
                "start while another machine may sign with this key",
            )
        ]
    return [ok("votes", f"votes are recorded up to {signed}")]


def _is_held(lock: Path) -> bool:
    """Whether a process holds a database's lock; LevelDB and the engine's Go version differ in kind."""
    if not lock.exists():
        return False
    with lock.open("r+b") as file:
        for take in (fcntl.flock, fcntl.lockf):
            try:
                take(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return True
            take(file, fcntl.LOCK_UN)
    return False
