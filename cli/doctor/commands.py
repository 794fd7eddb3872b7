"""`tkms doctor`: a home and its machine, looked over before they hurt."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.lazy import TkmsCommand, home_option

if TYPE_CHECKING:
    from cli.findings import Finding
    from cli.home.files import OperatorFiles


@click.command(
    cls=TkmsCommand,
    example="tkms doctor --home DIR\ntkms doctor --home DIR --peer-rpc http://other:26657",
)
@home_option()
@click.option("--peer-rpc", "peers", multiple=True, help="RPC of another node: clocks; repeat.")
@click.option(
    "--min-free-gib", type=float, default=10.0, show_default=True, help="Warn below this much room."
)
@click.option(
    "--max-fsync-ms",
    type=float,
    default=20.0,
    show_default=True,
    help="Warn when a synced write of 4 KiB takes longer.",
)
@click.pass_context
def doctor(
    context: click.Context,
    home: Path,
    peers: tuple[str, ...],
    min_free_gib: float,
    max_fsync_ms: float,
) -> None:
    """Check ports, clock, disk, descriptors, versions, settings, genesis, keys, databases, heights.

    Nothing is changed. Exit code 0: good; 8: something warns; 1: something is wrong.
    """
    from cli.findings import exit_code  # noqa: PLC0415
    from cli.home.files import OperatorFiles  # noqa: PLC0415
    from cli.operator.config import show_findings  # noqa: PLC0415 - keeps `--help` quick

    files = OperatorFiles.of(home)
    found = examine(files, peers, min_free_gib, max_fsync_ms)
    show_findings(context, files, found)
    context.exit(int(exit_code(found)))


def examine(
    files: "OperatorFiles", peers: tuple[str, ...], min_free_gib: float, max_fsync_ms: float
) -> "list[Finding]":
    """Run every check; one that fails does not keep the others from running."""
    from cli.doctor import home as doctor_home  # noqa: PLC0415
    from cli.doctor import machine as doctor_machine  # noqa: PLC0415
    from cli.findings import guarded  # noqa: PLC0415
    from cli.operator import config  # noqa: PLC0415
    from cli.supervision import client as supervisor_client  # noqa: PLC0415

    try:
        running = bool(supervisor_client.ask(files.home, "status"))
    except supervisor_client.NotRunningError:
        running = False
    checks = (
        ("versions", doctor_machine.versions),
        ("permissions", lambda: doctor_home.permissions(files)),
        ("settings", lambda: config.check_all(files)),
        ("genesis", lambda: doctor_home.genesis(files)),
        ("keys", lambda: doctor_home.keys(files)),
        ("ports", lambda: doctor_machine.ports(files)),
        ("descriptors", lambda: doctor_machine.descriptors(files)),
        ("disk", lambda: doctor_machine.disk(files, min_free_gib, max_fsync_ms)),
        ("clock", lambda: doctor_machine.clock(files, peers)),
        ("databases", lambda: doctor_home.databases(files, running)),
        ("heights", lambda: doctor_home.heights(files, running)),
    )
    return [finding for name, work in checks for finding in guarded(name, work)]
