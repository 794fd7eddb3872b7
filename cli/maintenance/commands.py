"""`tkms rollback`, `export` and `prune`: work on the databases of a home that does not run."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.errors import CliError, ConfigError, UsageError
from cli.lazy import TkmsCommand, home_option, terminal

if TYPE_CHECKING:
    from cli.home.files import OperatorFiles
    from ledger.store import Store
    from wire.pb.tkms.config.v1 import config_pb2
    from wire.pb.tkms.state.v1 import state_pb2

# As node.toml names it: relative to the node's own folder.
_CONNECTOR_CURSOR = '["../connector/cursor"]'
_HOME = home_option()


@click.command(cls=TkmsCommand, example="tkms rollback --home DIR\ntkms rollback --home DIR --hard")
@_HOME
@click.option("--hard", is_flag=True, help="Forget the block too: it is fetched from peers again.")
@click.pass_context
def rollback(context: click.Context, home: Path, hard: bool) -> None:
    """Take the last block back, in the node and in the engine: both are one height lower then.

    For a block that was executed wrongly: after the software is mended the same block is executed
    again. Refused while anything runs. Once more takes one more back, as far as the node remembers
    (keep_versions). --hard is refused where this validator is alone: it never votes on a height twice.
    """
    from cli.maintenance.stopped import open_store, stopped  # noqa: PLC0415 - slow import

    with stopped(home) as files:
        with open_store(files) as store:
            before = store.height or 0
            if before <= store.first_height:
                raise CliError(
                    f"the node remembers nothing below height {before}",
                    reason="NO_HISTORY",
                    hint="restore a snapshot: tkms snapshot restore",
                )
            if hard:
                _check_others_have_it(store)
            # The node first: behind its engine it replays, before its engine it could not start.
            height = store.rollback()
            app_hash = store.app_hash.hex()
        said = _engine(files, "rollback", *(["--hard"] if hard else []))
    result: dict[str, object] = {
        "before": before,
        "height": height,
        "app_hash": app_hash,
        "engine": said,
        "next": f"tkms start --home {home}",
    }
    terminal(context).result(result)


@click.command(
    cls=TkmsCommand,
    example="tkms export --home DIR --out next-genesis.json\n"
    "tkms export --home DIR --height 5000 --chain-id kms-2 --out next-genesis.json",
)
@_HOME
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option("--height", type=click.IntRange(min=1), help="An older one that the node remembers.")
@click.option("--chain-id", help="Name of the next chain [default: as now].")
@click.pass_context
def export(
    context: click.Context, home: Path, out: Path, height: int | None, chain_id: str | None
) -> None:
    """Write the whole state as the genesis of a chain that goes on where this one ends.

    Its first block has the exported height + 1. Validators and consensus parameters
    are those of the state. Compare the SHA-256 with the other operators before anybody starts.
    """
    from cli.genesis import document as genesis_document  # noqa: PLC0415 - slow import
    from cli.maintenance.stopped import open_store, stopped  # noqa: PLC0415

    if out.exists():
        raise ConfigError(f"{out} exists: nothing is overwritten", reason="FILE_EXISTS")
    with stopped(home) as files, open_store(files) as store:
        exported = _exported(store, height)
        present = genesis_document.load(files.genesis)
    document = _next_genesis(present, exported, chain_id)
    out.write_text(genesis_document.text(document), encoding="utf-8")
    import hashlib  # noqa: PLC0415

    terminal(context).result(
        {
            "file": str(out),
            "height": exported.height,
            "app_hash": exported.app_hash.hex(),
            "app_version": exported.app_version,
            "entries": len(exported.entries),
            "validators": len(document["validators"]),
            "sha256": hashlib.sha256(out.read_bytes()).hexdigest(),
            "next": f"tkms genesis validate {out}",
        }
    )


@click.command(
    cls=TkmsCommand,
    example="tkms prune --home DIR\ntkms prune --home DIR --snapshots 1 --blocks 10000",
)
@_HOME
@click.option("--snapshots", type=click.IntRange(min=0), help="Keep so many [default: as set].")
@click.option(
    "--blocks",
    type=click.IntRange(min=0),
    help="Set retain_blocks: the engine drops older ones while it runs; 0 keeps all.",
)
@click.option("--compact/--no-compact", default=True, help="Give dead bytes back [default: yes].")
@click.pass_context
def prune(
    context: click.Context, home: Path, snapshots: int | None, blocks: int | None, compact: bool
) -> None:
    """Make room in a stopped home: old snapshots go, databases are compacted, blocks are limited.

    What connectors, snapshots and evidence still need stays, whatever --blocks says.
    """
    from abci_app.history.snapshots import SnapshotFolder  # noqa: PLC0415
    from abci_app.settings import load  # noqa: PLC0415 - slow import
    from cli.home import settings as settings_files  # noqa: PLC0415
    from cli.maintenance.stopped import open_store, stopped  # noqa: PLC0415

    with stopped(home) as files:
        before = _bytes_of(files)
        folder = SnapshotFolder(files.app / "snapshots")
        folder.keep(load(files.app).snapshot_keep if snapshots is None else snapshots)
        if blocks is not None:
            file = settings_files.files_of(files)["node"]
            changes = {"retain_blocks": str(blocks)}
            if (files.home / "connector" / "connector.toml").exists():
                # What the operator's own core still needs is in a file that the connector writes.
                changes["retain_cursors"] = _CONNECTOR_CURSOR
            for key, words in changes.items():
                text, _ = file.changed(key, words)
                file.check(text)
                settings_files.write(file, text)
        if compact:
            if (files.app / "state.db").is_dir():
                with open_store(files) as store:
                    store.compact()
            if (files.home / "data" / "blockstore.db").is_dir():
                _engine(files, "experimental-compact-goleveldb")
        after = _bytes_of(files)
    terminal(context).result(
        {
            "before": before,
            "after": after,
            "freed_bytes": sum(before.values()) - sum(after.values()),
            "snapshots": folder.heights(),
            "retain_blocks": load(files.app).retain_blocks,
            "retain_cursors": [str(path) for path in load(files.app).retain_cursors],
        }
    )


def _check_others_have_it(store: "Store") -> None:
    """Refuse to forget a block that nobody else has."""
    from ledger.config import state as config  # noqa: PLC0415 - slow import
    from ledger.state import State  # noqa: PLC0415

    if len(config.validators(State(store))) == 1:
        raise CliError(
            "this is the only validator: a block that it forgets cannot be made again",
            reason="WOULD_HALT",
            hint="without --hard the same block is executed again",
        )


def _engine(files: "OperatorFiles", *arguments: str) -> str:
    """Run one of the engine's own commands on a stopped home; its last words."""
    from cli.engine import home as engine_home  # noqa: PLC0415

    done = subprocess.run(  # noqa: S603 - the engine, with our own folder
        [str(engine_home.find_binary()), *arguments, "--home", str(files.home)],
        capture_output=True,
        text=True,
        check=False,
    )
    said = (done.stdout + done.stderr).strip()
    if done.returncode != 0:
        raise CliError(
            f"the engine's {arguments[0]} failed: {said[-300:]}",
            hint="the node was changed already: it replays from the engine's blocks at its start",
        )
    return said.splitlines()[-1] if said else ""


def _exported(store: "Store", height: int | None) -> "state_pb2.ExportedState":
    from ledger.errors import StoreError  # noqa: PLC0415 - slow import
    from ledger.export import export_state  # noqa: PLC0415

    if not store.height:
        raise CliError("the node has no block yet: there is nothing to export")
    try:
        return export_state(store if height is None else store.at(height))
    except StoreError as error:
        raise UsageError(str(error), hint="tkms config show node.keep_versions") from error


def _next_genesis(
    present: dict[str, Any], exported: "state_pb2.ExportedState", chain_id: str | None
) -> dict[str, Any]:
    import base64  # noqa: PLC0415
    import datetime as dt  # noqa: PLC0415
    import hashlib  # noqa: PLC0415

    from cli.genesis import document as genesis_document  # noqa: PLC0415 - slow import
    from cli.genesis import state as genesis_state  # noqa: PLC0415
    from cli.genesis.checks import MemoryReader  # noqa: PLC0415
    from ledger.config import state as config  # noqa: PLC0415
    from ledger.state import State  # noqa: PLC0415
    from wire.pb.tkms.state.v1 import state_pb2  # noqa: PLC0415

    reader = MemoryReader({entry.key: entry.value for entry in exported.entries})
    state = State(reader)
    now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = genesis_document.new(
        chain_id or present["chain_id"],
        now,
        genesis_state.as_json(state_pb2.Genesis(exported=exported)),
    )
    document["initial_height"] = str(exported.height + 1)
    document["consensus_params"] = _consensus(present, exported, config.consensus(state))
    document["validators"] = [
        {
            "address": hashlib.sha256(entry.public_key).digest()[:20].hex().upper(),
            "pub_key": {
                "type": genesis_document.KEY_TYPE,
                "value": base64.b64encode(entry.public_key).decode(),
            },
            "power": str(entry.power),
            "name": entry.name or f"validator-{index + 1}",
        }
        for index, entry in enumerate(config.validators(state))
    ]
    return document


def _consensus(
    present: dict[str, Any],
    exported: "state_pb2.ExportedState",
    governed: "config_pb2.ConsensusParameters",
) -> dict[str, Any]:
    """Return consensus parameters: those that the chain governs as it has them now."""
    found = {**present["consensus_params"], "version": {"app": str(exported.app_version)}}
    if governed.HasField("block"):
        block = governed.block
        found["block"] = {"max_bytes": str(block.max_bytes), "max_gas": str(block.max_gas)}
    if governed.HasField("evidence"):
        evidence = governed.evidence
        found["evidence"] = {
            "max_age_num_blocks": str(evidence.max_age_blocks),
            "max_age_duration": str(evidence.max_age_seconds * 10**9),
            "max_bytes": str(evidence.max_bytes),
        }
    return found


def _bytes_of(files: "OperatorFiles") -> dict[str, int]:
    """Return how much each part of a home takes."""
    return {
        name: sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        for name, folder in (
            ("state", files.app / "state.db"),
            ("snapshots", files.app / "snapshots"),
            ("engine", files.home / "data"),
        )
    }
