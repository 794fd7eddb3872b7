"""What the engine's databases hold while it does not run: asked of the engine's own `inspect`."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cli.engine import home as engine_home
from cli.errors import CliError
from cli.ports import free_ports

_FIRST_PORT = 24000
_START_S, _POLL_S = 15.0, 0.1


@contextmanager
def inspecting(home: Path) -> Iterator[str]:
    """Serve a stopped engine's blocks on loopback for a moment; the address.

    Raises:
        CliError: its databases are in use, or the engine cannot read them.
    """
    port = free_ports(1, _FIRST_PORT)[0]
    process = subprocess.Popen(  # noqa: S603 - the engine, with our own folder
        [
            *(str(engine_home.find_binary()), "inspect", "--home", str(home)),
            *("--rpc.laddr", f"tcp://127.0.0.1:{port}"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(process, url)
        yield url
    finally:
        process.kill()
        process.communicate()


def heights(home: Path) -> tuple[int, int]:
    """Return first and last height of a stopped engine's block store; zeros in a fresh home."""
    if not (home / "data" / "blockstore.db").is_dir():
        return 0, 0
    with inspecting(home) as url:
        found = ask(url, "blockchain")
    last = int(found["last_height"])
    metas = found.get("block_metas") or []
    return (int(metas[-1]["header"]["height"]) if metas else 0), last


def ask(url: str, method: str) -> Any:
    """Return the result of one call without parameters; CliError for anything else."""
    try:
        with urllib.request.urlopen(f"{url}/{method}", timeout=5) as answer:  # noqa: S310 - http only
            document = json.load(answer)
    except urllib.error.HTTPError as error:
        raise CliError(f"the engine answers {method} with {error.code}") from error
    except (OSError, ValueError) as error:
        raise CliError(f"{url} does not answer: {error}") from error
    if "result" not in document:
        raise CliError(f"the engine refuses {method}: {document.get('error')}")
    return document["result"]


def _wait(process: "subprocess.Popen[str]", url: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            words = (process.stdout.read() if process.stdout else "").strip()
            raise CliError(f"the engine cannot read its data: {words[-300:]}")
        try:
            ask(url, "blockchain")
        except CliError:
            time.sleep(_POLL_S)
        else:
            return
    raise CliError("the engine's inspection does not answer")
