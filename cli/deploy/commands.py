"""`tkms deploy`: files for the service managers of other people."""

import shutil
import sys
from pathlib import Path

import click

from cli.errors import ConfigError, UsageError
from cli.lazy import TkmsCommand, TkmsGroup, home_option, terminal

_HOME = home_option()
_OUT = click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files [default: HOME/deploy].",
)
_NAME = click.option("--name", default="tkms", show_default=True, help="Prefix of the names.")


@click.group(cls=TkmsGroup)
def deploy() -> None:
    """Write systemd units or a compose file for the processes of a home."""


@deploy.command(
    cls=TkmsCommand,
    example="tkms deploy systemd --home DIR\n"
    "tkms deploy systemd --home /srv/tkms --user tkms --engine /usr/local/bin/tkms-engine",
)
@_HOME
@_OUT
@_NAME
@click.option("--user", help="Runs the processes [default: owner of the home].")
@click.option(
    "--engine",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The engine's binary, where the user may run it [default: the one that is found].",
)
@click.pass_context
def systemd(
    context: click.Context,
    home: Path,
    out: Path | None,
    name: str,
    user: str | None,
    engine: Path | None,
) -> None:
    """Write a unit for each process and a target over them.

    The engine is bound to its node: it stops before it and comes back with it. A wrong setting (exit
    code 3), a full disk (9) and a halt height (0) are not restarted.
    """
    from cli.deploy import systemd as deploy_systemd  # noqa: PLC0415 - keeps `--help` quick
    from cli.engine import home as engine_home  # noqa: PLC0415
    from cli.home.files import OperatorFiles  # noqa: PLC0415

    _check_name(name)
    files = OperatorFiles.of(home)
    owner, group = deploy_systemd.owner(files.home)
    deployment = deploy_systemd.Deployment(
        prefix=name,
        command=_command(),
        engine=engine.resolve() if engine else engine_home.find_binary(),
        user=user or owner,
        group=group if user is None else user,
    )
    texts = deploy_systemd.units(files, deployment)
    folder = out or files.home / "deploy" / "systemd"
    steps = [
        f"sudo cp {folder}/{name}* /etc/systemd/system/",
        "sudo systemctl daemon-reload",
        f"sudo systemctl enable --now {name}.target",
    ]
    _write(context, folder, texts, steps)


@deploy.command(
    cls=TkmsCommand, example="tkms deploy compose --home DIR --image tkms:0.1.0 --out deploy"
)
@_HOME
@_OUT
@_NAME
@click.option("--image", default="tkms:latest", show_default=True, help="Image with tkms in it.")
@click.pass_context
def compose(context: click.Context, home: Path, out: Path | None, name: str, image: str) -> None:
    """Write compose.yaml: one service a process, on the host's network, without privileges."""
    from cli.deploy import compose as deploy_compose  # noqa: PLC0415 - keeps `--help` quick
    from cli.home.files import OperatorFiles  # noqa: PLC0415

    _check_name(name)
    files = OperatorFiles.of(home)
    folder = out or files.home / "deploy"
    text = deploy_compose.compose(files, image, name)
    _write(context, folder, {"compose.yaml": text}, [f"docker compose -f {folder}/compose.yaml up"])


def _write(context: click.Context, folder: Path, texts: dict[str, str], steps: list[str]) -> None:
    """Write the files; earlier ones of ours are replaced, other people's are not touched."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        path = folder / name
        if path.exists() and "Written by `tkms deploy" not in path.read_text("utf-8"):
            raise ConfigError(f"{path} was not written by tkms: it is not replaced")
        path.write_text(text, encoding="utf-8")
    files = [str(folder / name) for name in texts]
    terminal(context).result(
        {"files": files, "next": steps}, lambda: "\n".join([*files, "next:", *steps])
    )


def _command() -> tuple[str, ...]:
    """Return how this very installation is run: its script, else its interpreter."""
    beside = Path(sys.executable).parent / "tkms"
    if beside.exists():
        return (str(beside),)
    found = shutil.which("tkms")
    return (found,) if found else (sys.executable, "-m", "cli")


def _check_name(name: str) -> None:
    if not name or not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise UsageError("--name has letters, digits, - and _ only")
