"""`tkms backup`: create, verify, rehearse, restore; one command each."""

import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.errors import ConfigError
from cli.lazy import TkmsGroup, terminal
from cli.output import Terminal

if TYPE_CHECKING:
    from core.custody.recovery import Recovery
    from core.custody.store import Backups
    from core.settings import Settings
    from core.vault import Vault
    from wire.signing import Secp256k1Signer

_FOLDER = click.Path(file_okay=False, path_type=Path)
_HOME = click.option(
    "--home", required=True, type=_FOLDER, help="Operator's home, or the folder with core.toml."
)
_ANSWERS = click.option(
    "--answers",
    type=_FOLDER,
    help="Where the request is put and answers are looked for [default: recovery in the core's folder].",
)
_WAIT = click.option(
    "--wait", default=3600, show_default=True, help="Seconds to wait for enough answers."
)
_LOOK_S = 0.5
_ATTEMPT, _REQUEST, _CONTEXT, _STARTED = "attempt.key", "request.json", "context.json", "started"


@dataclass(frozen=True, slots=True)
class _Opened:
    """A core's secrets, while a command needs them."""

    settings: "Settings"
    vault: "Vault"
    backups: "Backups"

    @property
    def signer(self) -> "Secp256k1Signer":
        """The operator's signing key."""
        from wire.signing import Secp256k1Signer  # noqa: PLC0415 - slow import

        return Secp256k1Signer(self.vault.get(self.settings.signing_key))


@click.group(cls=TkmsGroup)
def backup() -> None:
    """Back a core up with custodians, verify, rehearse, restore."""


@backup.command(
    "create",
    example="tkms backup create --home op1 --threshold 1 \\\n"
    "    --custodian ann.setup --custodian bob.setup --custodian eve.setup",
)
@_HOME
@click.option(
    "--custodian",
    "custodians",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Setup file of a custodian; at least three.",
)
@click.option("--threshold", required=True, type=int, help="So many of them may be bad.")
@click.pass_context
def create(
    context: click.Context, home: Path, custodians: tuple[Path, ...], threshold: int
) -> None:
    """Share a new backup key among custodians and back everything up; the core keeps it up to date.

    An existing backup is replaced once the new one is complete: this is also how custodians change.
    """
    from core.custody import backup as work  # noqa: PLC0415 - slow import

    opened = _open(home)
    about = (opened.settings.chain_id, int(opened.settings.party))
    setups = [path.read_bytes() for path in custodians]
    work.create(opened.backups, opened.vault, opened.signer, about, setups, threshold)
    terminal(context).note(
        "give every custodian context.json, and let each of them `custodian check` it"
    )
    terminal(context).result(work.verify(opened.backups, opened.vault, opened.signer))


@backup.command("verify", example="tkms backup verify --home op1")
@_HOME
@click.pass_context
def verify(context: click.Context, home: Path) -> None:
    """Make sure that the backup is whole, authentic and up to date."""
    from core.custody import backup as work  # noqa: PLC0415 - slow import

    opened = _open(home)
    facts = work.verify(opened.backups, opened.vault, opened.signer)
    if not facts["rehearsed_ms"]:
        terminal(context).warn("recovery of this backup was never rehearsed")
    terminal(context).result(facts)


@backup.command("rehearse", example="tkms backup rehearse --home op1")
@_HOME
@_ANSWERS
@_WAIT
@click.pass_context
def rehearse(context: click.Context, home: Path, answers: Path | None, wait: int) -> None:
    """Recover the backup with the custodians, compare it with the vault, and write nothing."""
    from core.custody import recovery as work  # noqa: PLC0415 - slow import

    opened = _open(home)
    folder = answers or opened.settings.home / "recovery"
    recovery, found = _ask(terminal(context), opened.backups, folder, "rehearsal", wait)
    count = work.rehearse(opened.backups, opened.vault, recovery, found)
    _end(folder)
    terminal(context).result({"secrets": count, "rehearsed": True})


@backup.command("restore", example="tkms backup restore --home op1 --backup /mnt/backup --epoch 4")
@_HOME
@_ANSWERS
@_WAIT
@click.option("--backup", "source", type=_FOLDER, help="The backup [default: as in core.toml].")
@click.option(
    "--epoch",
    required=True,
    type=int,
    help="The chain's current epoch (`tkms epoch show`): older shares are refused.",
)
@click.option("--replace", is_flag=True, help="Put the vault that is there aside.")
@click.pass_context
def restore(
    context: click.Context,
    home: Path,
    answers: Path | None,
    wait: int,
    source: Path | None,
    epoch: int,
    replace: bool,
) -> None:
    """Fill a core's empty vault from its backup, with the shares of the custodians."""
    from core.custody import recovery as work  # noqa: PLC0415 - slow import
    from core.custody.store import Backups  # noqa: PLC0415

    settings = _settings(home)
    folder = answers or settings.home / "recovery"
    backups = Backups(source or settings.backup)
    recovery, found = _ask(terminal(context), backups, folder, "restore", wait)
    recovery.secret(found)
    if replace and settings.vault.exists() and not (folder / _STARTED).exists():
        settings.vault.rename(settings.vault.with_name(f"vault.before-{time.time_ns()}"))
    (folder / _STARTED).touch()
    vault = _open(home, restoring=True).vault
    done = work.restore(backups.current(), vault, recovery, found, epoch)
    _write_identity(settings, vault)
    _end(folder)
    if done.refused:
        terminal(context).warn(
            f"{len(done.refused)} shares of epochs before {epoch} were refused: this party comes back in "
            "with the next refresh"
        )
    terminal(context).note("make a new backup now: the custodians' shares of this one were used")
    terminal(context).result({"secrets": done.secrets, "refused": list(done.refused)})


def _settings(home: Path) -> "Settings":
    from core.settings import load  # noqa: PLC0415 - slow import

    inner = home / "core"
    return load((inner if (inner / "core.toml").exists() else home).resolve())


def _open(home: Path, *, restoring: bool = False) -> _Opened:
    """Open a core's vault as the core itself does."""
    from core.custody.backup import Mirror, keep_identity  # noqa: PLC0415 - slow import
    from core.custody.recovery import require_complete  # noqa: PLC0415
    from core.custody.store import Backups  # noqa: PLC0415
    from core.isolation.vault import open_for  # noqa: PLC0415
    from core.main import read_identity  # noqa: PLC0415

    settings = _settings(home)
    identity = read_identity(settings)
    vault = open_for(settings, identity)
    backups = Backups(settings.backup)
    if not restoring:
        require_complete(vault)
        keep_identity(vault, identity)
        Mirror(backups, vault)
    return _Opened(settings, vault, backups)


def _ask(
    shown: Terminal, backups: "Backups", folder: Path, purpose: str, wait: int
) -> tuple["Recovery", list[bytes]]:
    """Put the request into a folder and wait until enough right answers lie there."""
    from core.custody import recovery as work  # noqa: PLC0415 - slow import
    from core.vault import make_private_folder, read_private, write_private  # noqa: PLC0415

    make_private_folder(folder)
    attempt = folder / f"{purpose}-{_ATTEMPT}"
    if not attempt.exists():
        made_ms = time.time_ns() // 1_000_000
        write_private(attempt, made_ms.to_bytes(8, "big") + secrets.token_bytes(32))
    kept = read_private(attempt)
    store = backups.current()
    recovery = work.begin(store, kept[8:], purpose, int.from_bytes(kept[:8], "big"))
    (folder / _REQUEST).write_bytes(recovery.request.text())
    (folder / _CONTEXT).write_bytes(store.context())
    needed = recovery.context.threshold + 1
    shown.note(f"request and context are in {folder}: give them to {needed} custodians")
    shown.note(f"and tell each of them by voice the code {recovery.request.code()}")
    until = time.monotonic() + wait
    told: set[str] = set()
    while True:
        found = [path.read_bytes() for path in sorted(folder.glob("*.answer"))]
        shares, problems = recovery.collect(found)
        for problem in set(problems) - told:
            shown.warn(problem)
        told |= set(problems)
        if len(shares) >= needed:
            return recovery, found
        if time.monotonic() >= until:
            raise ConfigError(
                f"{len(shares)} right answers, {needed} are needed",
                reason="ANSWERS",
                hint="the same command goes on with this request",
            )
        time.sleep(_LOOK_S)


def _write_identity(settings: "Settings", vault: "Vault") -> None:
    """Put peer key and certificate back: the epoch record names them."""
    from core.custody.backup import IDENTITY  # noqa: PLC0415 - slow import
    from core.vault import write_private  # noqa: PLC0415

    for name, path in zip(IDENTITY, (settings.peer_key, settings.peer_certificate), strict=True):
        if vault.has(name):
            write_private(path, vault.get(name))


def _end(folder: Path) -> None:
    """Forget the attempt: its key opens nothing any more."""
    for path in [*folder.glob(f"*{_ATTEMPT}"), *folder.glob("*.answer"), folder / _STARTED]:
        path.unlink(missing_ok=True)
    (folder / _REQUEST).unlink(missing_ok=True)
