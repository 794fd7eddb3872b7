"""The explorer with a long history: how quickly it is indexed, how quickly pages are there, and the memory."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, cast

from bench.explorer_history import APPLICATION, History
from bench.report import Row, quantile_row, row
from client.rpc import ChainRpc
from edge.explorer.index.database import create
from edge.explorer.index.fill import Filler
from edge.explorer.index.follower import Follower
from edge.explorer.reader import Reader
from tests.support.ports import free_port

_REQUESTS: Final = 100_000
_A_BLOCK: Final = 20
_EMPTY: Final = 2_000
_ROUNDS: Final = 20
_MIB: Final = 2**20
# Bursts far above what a benchmark sends.
_SETTINGS: Final = """\
listen = "127.0.0.1:{port}"
node_rpc_url = "http://127.0.0.1:9"
requests_per_second = 100000.0
burst = 100000
"""


def measure(requests: int = _REQUESTS, empty: int = _EMPTY, rounds: int = _ROUNDS) -> list[Row]:
    """Index a history, then serve it in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="tkms-explorer-") as name:
        folder = Path(name)
        rows = [
            row(
                "explorer.index_empty_blocks_per_s",
                "1/s",
                _indexed(folder / "empty.db", History(empty, 0)),
            )
        ]
        history = History(requests // _A_BLOCK, _A_BLOCK)
        rates = _indexed(folder / "index.db", history)
        rows.append(row("explorer.index_blocks_per_s", "1/s", rates))
        rows.append(
            row("explorer.index_requests_per_s", "1/s", [rate * _A_BLOCK for rate in rates])
        )
        size = (folder / "index.db").stat().st_size / _MIB
        rows.append(row("explorer.index_mib", "MiB", [size]))
        with _served(folder) as (process, port):
            samples = _pages(port, folder / "index.db", history, rounds)
            rows.append(quantile_row("explorer.page_ms.p50", "ms", samples, 0.5))
            rows.append(quantile_row("explorer.page_ms.p95", "ms", samples, 0.95))
            rows.append(row("explorer.memory_mib", "MiB", [_resident_mib(process.pid)]))
    return rows


def _indexed(path: Path, history: History) -> list[float]:
    """Blocks a second, in windows of a tenth of the history."""
    with closing(create(path)) as connection:
        follower = Follower(cast("ChainRpc", history), Filler(connection))
        marks = [time.perf_counter()]
        step = max(1, history.blocks // 10)

        def tell(height: int) -> None:
            if height % step == 0:
                marks.append(time.perf_counter())

        follower.tell = tell
        asyncio.run(follower.step())
    return [step / (after - before) for before, after in itertools.pairwise(marks)]


@contextmanager
def _served(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The explorer as operators run it; its node is away, which no page waits for."""
    port = free_port()
    config = folder / "explorer.toml"
    config.write_text(_SETTINGS.format(port=port))
    command = [sys.executable, "-m", "cli", "explorer", "run", "--config", str(config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _await_port(port)
        yield process, port
    finally:
        process.terminate()
        process.wait(20)


def _pages(port: int, index: Path, history: History, rounds: int) -> list[float]:
    """Milliseconds of each page, pages of all kinds, the newest, the oldest and the middle."""
    reader = Reader(index)
    deep = reader.requests(limit=1).next
    for _ in range(20):
        deep = reader.requests(deep, limit=200).next
    transaction = reader.transactions(limit=1).items[0].hash
    reader.close()
    samples: list[float] = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for number in range(rounds):
        height = 1 + (history.blocks - 2) * number // rounds
        request = history.names(height)[0].hex()
        for path in (
            "/",
            "/blocks",
            f"/block/{height}",
            "/transactions",
            f"/transaction/{transaction}",
            "/requests",
            f"/requests?cursor={deep}",
            f"/requests?application={APPLICATION}&status=fulfilled",
            f"/request/{request}",
            f"/application/{APPLICATION}",
            "/parties",
            "/party/1",
            "/validators",
            "/audit",
            "/charts",
            f"/search?q={request}",
            f"/search?q={height}",
            "/api/v1/requests?limit=50",
            f"/api/v1/request/{request}",
            "/api/v1/requests?format=csv&limit=200",
        ):
            start = time.perf_counter()
            connection.request("GET", path)
            response = connection.getresponse()
            response.read()
            samples.append(1_000 * (time.perf_counter() - start))
            if response.status not in {200, 303}:
                raise RuntimeError(f"{path} gives {response.status}")
    connection.close()
    return samples


def _await_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=5).connect()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def _resident_mib(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB
