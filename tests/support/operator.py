"""Homes made and run as an operator makes and runs them: by typing commands."""

import json
import os
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
CHAIN_ID = "kms-test"
_RICH = "0x" + "11" * 20


def tkms(*arguments: str, code: int = 0, **environment: str) -> dict[str, Any]:
    """One command with -o json; its one document. The exit code must be `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "cli", *arguments, "-o", "json"],
        env=_environment(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    document = json.loads(done.stdout)
    assert isinstance(document, dict)
    return document


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TKMS_") or name == "TKMS_COMETBFT"
    }
    return {**kept, "PYTHONPATH": str(ROOT), "TKMS_CONFIG_HOME": "/nonexistent", **extra}


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Poll the outside world until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        time.sleep(0.1)


@dataclass(frozen=True)
class Operator:
    """One operator's home."""

    home: Path
    rpc_port: int

    @property
    def url(self) -> str:
        """RPC of its engine."""
        return f"http://127.0.0.1:{self.rpc_port}"

    def tkms(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """One command for this home."""
        return tkms(*arguments, "--home", str(self.home), code=code)

    def height(self) -> int:
        """Latest height; 0 where nothing answers."""
        return int(self._sync_info().get("latest_block_height", 0))

    def follows(self) -> bool:
        """Whether it has caught up with its peers and takes part."""
        return self._sync_info().get("catching_up") is False

    def _sync_info(self) -> dict[str, Any]:
        import urllib.request

        try:
            with urllib.request.urlopen(f"{self.url}/status", timeout=20) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)["result"]["sync_info"]
        except (OSError, ValueError):
            return {}
        return found

    @contextmanager
    def running(self, *options: str, height: int = 2) -> Iterator["subprocess.Popen[str]"]:
        """Run `tkms start`; ended in order at the end, by force if need be."""
        home = ("--home", str(self.home))
        log = self.home.parent / f"{self.home.name}.log"
        with log.open("a", encoding="utf-8") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "cli", "start", *options, "-o", "json", *home],
                env=_environment({}),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        try:
            if height:
                until(lambda: self.height() >= height or process.poll() is not None, "blocks")
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(60)
            finally:
                process.kill()
                assert process.stdout is not None
                process.stdout.close()

    def log(self) -> str:
        """Everything that its processes said."""
        return (self.home.parent / f"{self.home.name}.log").read_text("utf-8")


def make_operators(folder: Path, count: int = 1, *options: str) -> list[Operator]:
    """Type what the operators of a new chain type, from nothing to homes that can start."""
    first = 20000 + zlib.crc32(str(folder).encode()) % 110 * 100
    ports = free_ports(6 * count, first)
    operators, cards = [], []
    for index in range(count):
        rpc, p2p, peer, metrics, node, connector = ports[6 * index : 6 * index + 6]
        home = folder / f"op{index + 1}"
        tkms(
            *("init", f"op{index + 1}", "--home", str(home), "--chain-id", CHAIN_ID),
            *("--rpc-listen", f"127.0.0.1:{rpc}", "--p2p-listen", f"127.0.0.1:{p2p}"),
            *("--external-address", f"127.0.0.1:{p2p}"),
            *("--metrics-listen", f"127.0.0.1:{metrics}", "--timeout-commit-ms", "200"),
            *("--node-metrics-listen", f"127.0.0.1:{node}"),
            *("--connector-metrics-listen", f"127.0.0.1:{connector}"),
            *("--party", str(index + 1), "--peer-listen", f"127.0.0.1:{peer}"),
            *("--peer-address", f"127.0.0.1:{peer}", "--storage-url", "http://127.0.0.1:9"),
            *(options or ("--one-machine",)),
        )
        operators.append(Operator(home, rpc))
        cards.append(str(home / "operator.json"))
    genesis = str(folder / "genesis.json")
    tkms(
        *("genesis", "new", genesis, "--chain-id", CHAIN_ID, "--development"),
        *("--storage-url", "http://127.0.0.1:9"),
    )
    tkms("genesis", "add-operator", genesis, *cards, "--balance", "1000000")
    tkms("genesis", "add-account", genesis, _RICH, "--balance", "1000000", "--role", "admin")
    tkms("genesis", "validate", genesis)
    for operator in operators:
        named = [part for card in cards for part in ("--card", card)]
        operator.tkms("genesis", "install", genesis, *named)
    return operators
