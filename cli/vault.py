"""`tkms vault`: what an operator does with the seal of its core's secrets."""

import dataclasses
from pathlib import Path

import click

from cli.errors import ConfigError
from cli.lazy import TkmsGroup, terminal


@click.group(cls=TkmsGroup)
def vault() -> None:
    """Look after the seal of a core's secrets."""


@vault.command("reseal", example="tkms vault reseal --home op1 --from-keyfile op1/core/vault.key")
@click.option(
    "--home",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Operator's home, or the folder with core.toml.",
)
@click.option(
    "--from-keyfile",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Key file that seals the vault now.",
)
@click.option(
    "--from-passphrase-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with the passphrase that seals it now.",
)
@click.option("--from-clear", is_flag=True, help="It lies in clear text now.")
@click.pass_context
def reseal_command(
    context: click.Context,
    home: Path,
    from_keyfile: Path | None,
    from_passphrase_file: Path | None,
    from_clear: bool,
) -> None:
    """Move the vault to the key that core.toml names now: a file, a passphrase, or attestation.

    Stop the core first. Destroy the old key afterwards: copies of the old folder open with it.
    """
    from core.isolation.reseal import reseal  # noqa: PLC0415 - slow import
    from core.isolation.vault import open_for  # noqa: PLC0415
    from core.main import read_identity  # noqa: PLC0415
    from core.settings import load  # noqa: PLC0415
    from core.vault import open_vault  # noqa: PLC0415

    if sum(map(bool, (from_keyfile, from_passphrase_file, from_clear))) != 1:
        raise ConfigError("say how the vault is sealed now, with one --from option")
    inner = home / "core"
    settings = load((inner if (inner / "core.toml").exists() else home).resolve())
    identity = read_identity(settings)
    kind = "keyfile" if from_keyfile else "passphrase" if from_passphrase_file else "clear"
    count = reseal(
        settings.vault,
        lambda root: open_vault(root, kind, from_keyfile or from_passphrase_file),
        lambda root: open_for(dataclasses.replace(settings, vault=root), identity),
    )
    terminal(context).result({"secrets": count})
