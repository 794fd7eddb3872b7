"""`tkms version`: what exactly is installed here."""

import platform
import sys
from pathlib import Path
from typing import Any

import click

from cli.lazy import TkmsCommand, terminal


@click.command(cls=TkmsCommand, example="tkms version\ntkms version --long -o json")
@click.option("--long", "everything", is_flag=True, help="Engine, kernel, Python, libraries too.")
@click.pass_context
def version(context: click.Context, everything: bool) -> None:
    """Show the version of tkms, and with --long of everything that takes part.

    The engine's version is read from its build record: the binary of v0.40.0 prints 0.39.0.
    """
    document: dict[str, object] = {"tkms": tkms_version()}
    if everything:
        document |= details()
    terminal(context).result(document)


def tkms_version() -> str:
    """Return the version of this package, also in a source tree that is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow import

    try:
        return version("tkms")
    except PackageNotFoundError:
        import tomllib  # noqa: PLC0415

        project = Path(__file__).resolve().parent.parent / "pyproject.toml"
        return str(tomllib.loads(project.read_text("utf-8"))["project"]["version"])


def details() -> dict[str, object]:
    """Return versions of everything below."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slow import

    import google.protobuf  # noqa: PLC0415 - slow import

    from abci_app.app import APP_VERSION  # noqa: PLC0415 - slow import

    found: dict[str, object] = {"app_version": APP_VERSION, "engine": _engine()}
    for name, package in (("kernel", "tkms-kernel"), ("plyvel", "plyvel"), ("grpc", "grpcio")):
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found | {
        "protobuf": google.protobuf.__version__,
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "platform": platform.platform(),
    }


def _engine() -> dict[str, Any] | str:
    from cli.engine import binary as engine_binary  # noqa: PLC0415
    from cli.engine import home as engine_home  # noqa: PLC0415
    from cli.errors import ConfigError  # noqa: PLC0415

    try:
        return engine_binary.build_of(engine_home.find_binary()).document()
    except ConfigError as error:
        return error.sentence
