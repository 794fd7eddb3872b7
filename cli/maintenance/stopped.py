"""A home whose processes do not run: what may change its databases, and nothing else may."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import CliError, ConfigError
from cli.home.files import OperatorFiles
from cli.supervision.supervisor import sole_supervisor

if TYPE_CHECKING:
    from ledger.store import Store


@contextmanager
def stopped(home: Path) -> Iterator[OperatorFiles]:
    """Hold a home while nothing runs in it; nobody can start it meanwhile.

    Raises:
        CliError: it runs, under `tkms start` or under somebody else.
    """
    from cli.doctor.home import held_databases  # noqa: PLC0415 - only where needed

    files = OperatorFiles.of(home)
    with sole_supervisor(files.home, str(files.home), "stop it first"):
        held = held_databases(files)
        if held:
            raise CliError(
                f"{files.home} runs: {', '.join(held)} in use",
                reason="ALREADY_RUNNING",
                hint="stop its processes first; nothing was changed",
            )
        yield files


@contextmanager
def open_store(files: OperatorFiles) -> "Iterator[Store]":
    """Open the node's database of a stopped home, as its settings say.

    Raises:
        ConfigError: there is none.
    """
    from abci_app.settings import load  # noqa: PLC0415 - slow import
    from ledger.store import Store  # noqa: PLC0415

    settings = load(files.app)
    if not settings.database.is_dir():
        raise ConfigError(f"{settings.database} is not there: this node has no state yet")
    store = Store(settings.database, keep_versions=settings.keep_versions)
    try:
        yield store
    finally:
        store.close()
