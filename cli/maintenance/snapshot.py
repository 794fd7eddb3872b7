"""`tkms snapshot`: the state-sync snapshots of a home."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.errors import CliError, ConfigError, ExitCode, UsageError
from cli.lazy import TkmsCommand, TkmsGroup, home_option, terminal
from cli.output import table

if TYPE_CHECKING:
    from abci_app.history.snapshots import SnapshotFolder
    from cli.home.files import OperatorFiles
    from ledger.restore import StateBuilder
    from wire.pb.tkms.state.v1 import state_pb2

_HOME = home_option()
_HEIGHT = click.argument("height", type=click.IntRange(min=1))
_APP_HASH = click.option(
    "--app-hash", help="What the chain signed for that height [default: the engine's own block]."
)


@click.group(cls=TkmsGroup)
def snapshot() -> None:
    """Snapshots from which new nodes begin, and from which a lost database is restored.

    A running node takes them by itself every snapshot_interval heights (tkms config show node).
    """


@snapshot.command("list", cls=TkmsCommand, example="tkms snapshot list --home DIR")
@_HOME
@click.pass_context
def list_(context: click.Context, home: Path) -> None:
    """List the snapshots of a home, newest first."""
    files = _files(home)
    folder = _folder(files)
    rows = [_facts(files, height) for height in folder.heights()]
    columns = ("height", "chunks", "entries", "bytes", "app_version")
    terminal(context).result(
        {"home": str(files.home), "snapshots": rows},
        lambda: (
            table("", columns, [[row[name] for name in columns] for row in rows])
            if rows
            else "there is none yet"
        ),
    )


@snapshot.command(cls=TkmsCommand, example="tkms snapshot create --home DIR")
@_HOME
@click.pass_context
def create(context: click.Context, home: Path) -> None:
    """Take a snapshot of a stopped node's last height."""
    from threading import Event  # noqa: PLC0415

    from cli.maintenance.stopped import open_store, stopped  # noqa: PLC0415

    with stopped(home) as files, open_store(files) as store:
        height = store.height
        if not height:
            raise CliError("the node has no block yet: there is nothing to take")
        folder = _folder(files)
        with store.snapshot() as view:
            folder.write(view, Event())
    terminal(context).result(_facts(files, height))


@snapshot.command(cls=TkmsCommand, example="tkms snapshot delete 2000 --home DIR")
@click.argument("heights", nargs=-1, required=True, type=click.IntRange(min=1))
@_HOME
@click.pass_context
def delete(context: click.Context, heights: tuple[int, ...], home: Path) -> None:
    """Delete snapshots by height."""
    files = _files(home)
    for height in heights:
        _metadata(files, height)
    for height in heights:
        shutil.rmtree(_path(files, height))
    left = _folder(files).heights()
    terminal(context).result({"deleted": list(heights), "left": left})


@snapshot.command(
    cls=TkmsCommand,
    example="tkms snapshot verify 2000 --home DIR\ntkms snapshot verify 2000 --home DIR "
    "--app-hash 271DD76C...",
)
@_HEIGHT
@_HOME
@_APP_HASH
@click.pass_context
def verify(context: click.Context, height: int, home: Path, app_hash: str | None) -> None:
    """Rebuild the state of a snapshot and compare its root with what the chain signed.

    Exit code 7: the snapshot is not that state.
    """
    files = _files(home)
    expected = _expected(files, height, app_hash)
    with tempfile.TemporaryDirectory(dir=files.app) as folder:
        builder, metadata = _rebuild(files, height, Path(folder) / "state")
        try:
            root = _root(builder, metadata, expected)
        finally:
            builder.discard()
    terminal(context).result(
        {
            "height": height,
            "app_hash": root.hex(),
            "verified": expected is not None,
            "entries": metadata.entries,
            "chunks": len(metadata.chunk_hashes),
        }
    )


@snapshot.command(
    cls=TkmsCommand,
    example="tkms snapshot restore 2000 --home DIR\n"
    "tkms snapshot restore 2000 --home DIR --replace",
)
@_HEIGHT
@_HOME
@_APP_HASH
@click.option(
    "--replace", is_flag=True, help="Move a state that is there aside, to state.db.before."
)
@click.pass_context
def restore(
    context: click.Context, height: int, home: Path, app_hash: str | None, replace: bool
) -> None:
    """Make a stopped node's state from a snapshot; the engine's blocks replay what came after.

    For a node whose database is lost or damaged while the engine's blocks are whole. A new node begins
    by state sync instead (docs/operator.md).
    """
    from cli.maintenance.stopped import stopped  # noqa: PLC0415

    with stopped(home) as files:
        expected = _expected(files, height, app_hash)
        if expected is None:
            raise UsageError(
                f"what the chain signed for height {height} is not in this engine's blocks",
                hint="name it with --app-hash: header of the next height, from a node you trust",
            )
        root = _restore(files, height, expected, replace)
    terminal(context).result(
        {"height": height, "app_hash": root.hex(), "next": f"tkms start --home {home}"}
    )


@snapshot.command(
    cls=TkmsCommand,
    example="tkms snapshot join --home DIR --server http://one:26657 --server http://two:26657",
)
@_HOME
@click.option(
    "--server", "servers", multiple=True, required=True, help="RPC of a node; two or more."
)
@click.option("--trust-height", type=click.IntRange(min=1), help="[default: the servers' latest]")
@click.option("--trust-hash", help="Hash of that header, from somebody you trust.")
@click.option("--trust-period", default="168h0m0s", show_default=True)
@click.pass_context
def join(
    context: click.Context,
    home: Path,
    servers: tuple[str, ...],
    trust_height: int | None,
    trust_hash: str | None,
    trust_period: str,
) -> None:
    """Let a new home begin from a snapshot of the network instead of from block 1.

    All servers must know the same header at the trusted height; without --trust-hash you trust that
    they do not lie together. Compare what is printed with operators you know.
    """
    from cli.maintenance import statesync  # noqa: PLC0415
    from cli.operator import new_home  # noqa: PLC0415 - slow import

    files = _files(home)
    if (files.app / "state.db").exists():
        raise ConfigError(
            f"{files.app / 'state.db'} exists: state sync is for new homes", reason="HOME_IN_USE"
        )
    height, header = statesync.agree(servers, trust_height, trust_hash)
    new_home.change(
        files.engine_config,
        {
            "statesync.enable": True,
            "statesync.rpc_servers": ",".join(servers),
            "statesync.trust_height": height,
            "statesync.trust_hash": header,
            "statesync.trust_period": trust_period,
        },
    )
    terminal(context).result(
        {
            "trust_height": height,
            "trust_hash": header,
            "servers": list(servers),
            "next": f"tkms start --home {home}",
        }
    )


def _restore(files: "OperatorFiles", height: int, expected: bytes, replace: bool) -> bytes:
    from abci_app.modules import MODULES  # noqa: PLC0415 - slow import
    from abci_app.settings import load  # noqa: PLC0415

    database = load(files.app).database
    if database.exists() and not replace:
        raise ConfigError(
            f"{database} exists", reason="HOME_IN_USE", hint="--replace moves it aside"
        )
    builder, metadata = _rebuild(files, height, database.with_name(f"{database.name}.restoring"))
    try:
        root = _root(builder, metadata, expected)
    except BaseException:
        builder.discard()
        raise
    derivations = [module.derive for module in MODULES if module.derive is not None]
    builder.finish(metadata.chain_id, derivations)
    if database.exists():
        before = database.with_name(f"{database.name}.before")
        shutil.rmtree(before, ignore_errors=True)
        database.rename(before)
    builder.path.rename(database)
    return root


def _rebuild(
    files: "OperatorFiles", height: int, path: Path
) -> "tuple[StateBuilder, state_pb2.SnapshotMetadata]":
    """Build a snapshot's state beside the store, every chunk checked."""
    from ledger import snapshots  # noqa: PLC0415 - slow import
    from ledger.errors import SnapshotError  # noqa: PLC0415
    from ledger.restore import StateBuilder  # noqa: PLC0415

    metadata = _metadata(files, height)
    builder = StateBuilder(path, height)
    try:
        for chunk in _chunks(files, metadata):
            builder.add(snapshots.parse_chunk(chunk, builder.last_key))
    except (SnapshotError, OSError) as error:
        builder.discard()
        raise _damaged(height, str(error)) from error
    if builder.entries != metadata.entries:
        builder.discard()
        raise _damaged(height, f"it has {builder.entries} entries, not {metadata.entries}")
    return builder, metadata


def _chunks(files: "OperatorFiles", metadata: "state_pb2.SnapshotMetadata") -> Iterator[bytes]:
    from ledger import snapshots  # noqa: PLC0415 - slow import
    from ledger.errors import SnapshotError  # noqa: PLC0415

    for index, wanted in enumerate(metadata.chunk_hashes):
        chunk = (_path(files, metadata.height) / str(index)).read_bytes()
        if snapshots.digest(chunk) != wanted:
            raise SnapshotError(f"chunk {index} is not the one of the metadata")
        yield chunk


def _root(
    builder: "StateBuilder", metadata: "state_pb2.SnapshotMetadata", expected: bytes | None
) -> bytes:
    root = builder.root()
    if expected is not None and root != expected:
        raise _damaged(metadata.height, f"its root is {root.hex()}, signed is {expected.hex()}")
    return root


def _damaged(height: int, why: str) -> CliError:
    return CliError(
        f"the snapshot of {height} is not usable: {why}",
        reason="BAD_SNAPSHOT",
        exit_code=ExitCode.VERIFICATION,
        hint=f"tkms snapshot delete {height}; take another, or join by state sync",
    )


def _expected(files: "OperatorFiles", height: int, given: str | None) -> bytes | None:
    """Return the app hash of a height: given, or of the header after it in the engine's blocks."""
    from cli.engine import offline as engine_offline  # noqa: PLC0415
    from cli.supervision import client as supervisor_client  # noqa: PLC0415

    if given is not None:
        try:
            found = bytes.fromhex(given.removeprefix("0x"))
        except ValueError:
            found = b""
        if len(found) != 32:
            raise UsageError("--app-hash has 64 hexadecimal digits")
        return found
    method = f"block?height={height + 1}"
    try:
        supervisor_client.ask(files.home, "status")
    except supervisor_client.NotRunningError:
        first, last = engine_offline.heights(files.home)
        if not first <= height + 1 <= last:
            return None
        with engine_offline.inspecting(files.home) as url:
            block = engine_offline.ask(url, method)
    else:
        block = engine_offline.ask(files.rpc_url(), method)
    return bytes.fromhex(block["block"]["header"]["app_hash"])


def _facts(files: "OperatorFiles", height: int) -> dict[str, Any]:
    metadata = _metadata(files, height)
    size = sum(path.stat().st_size for path in _path(files, height).iterdir())
    return {
        "height": height,
        "chain_id": metadata.chain_id,
        "app_version": metadata.app_version,
        "entries": metadata.entries,
        "chunks": len(metadata.chunk_hashes),
        "bytes": size,
        "path": str(_path(files, height)),
    }


def _metadata(files: "OperatorFiles", height: int) -> "state_pb2.SnapshotMetadata":
    from ledger import snapshots  # noqa: PLC0415 - slow import
    from ledger.errors import SnapshotError  # noqa: PLC0415

    try:
        return snapshots.parse_metadata((_path(files, height) / "metadata").read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no snapshot of height {height}",
            reason="NO_SNAPSHOT",
            hint="tkms snapshot list",
        ) from error
    except SnapshotError as error:
        raise _damaged(height, str(error)) from error


def _path(files: "OperatorFiles", height: int) -> Path:
    return files.app / "snapshots" / str(height)


def _folder(files: "OperatorFiles") -> "SnapshotFolder":
    from abci_app.history.snapshots import SnapshotFolder  # noqa: PLC0415 - slow import

    return SnapshotFolder(files.app / "snapshots")


def _files(home: Path) -> "OperatorFiles":
    from cli.home.files import OperatorFiles  # noqa: PLC0415

    return OperatorFiles.of(home)
