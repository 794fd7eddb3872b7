"""`tkms engine`: the engine of a home, as `tkms start` and service managers run it."""

import os
from pathlib import Path

import click

from cli.lazy import TkmsCommand


@click.command(cls=TkmsCommand, example="tkms engine --home DIR")
@click.option(
    "--home",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Home that `tkms init` made.",
)
@click.option(
    "--log-format",
    type=click.Choice(["plain", "json"]),
    help="Form of its log lines [default: as config.toml says].",
)
def engine(home: Path, log_format: str | None) -> None:
    """Become the engine (CometBFT) of a home.

    Where this machine's own record of signed votes protects the key already, the engine does not
    look for its signature in the last blocks: otherwise nobody could restart after a halt.
    """
    from cli.engine import home as engine_home  # noqa: PLC0415 - keeps `--help` quick
    from cli.engine import sign_state  # noqa: PLC0415
    from cli.home.files import OperatorFiles  # noqa: PLC0415

    files = OperatorFiles.of(home)
    binary = engine_home.find_binary()
    command = [str(binary), "start", "--home", str(files.home)]
    if sign_state.is_live_here(files.home):
        command.append("--consensus.double_sign_check_height=0")
    environment = dict(os.environ)
    if log_format:
        environment["CMT_LOG_FORMAT"] = log_format
    os.execve(binary, command, environment)  # noqa: S606 - we become the engine: no shell, no parent
