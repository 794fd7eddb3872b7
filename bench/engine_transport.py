"""The engine over its real transport: one process a party, mutual TLS over loopback."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import tkms_kernel as kernel

from bench.engine_inprocess import SEED, VALUES, ordinary_key, squashed_values
from bench.engine_party import EPOCH, POOL_BLOCKS, Order
from bench.report import Row, quantile_row, row
from core.certificates import generate, to_der
from tests.support.ports import free_port
from wire.pb.tkms.config.v1 import config_pb2

LABELS = {name: fhe_type for name, (fhe_type, _) in VALUES.items()}
POOL_BATCHES = 8


class Parties:
    """Running processes of all parties."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        """Wait until everybody is connected."""
        self._processes = processes
        self._answers(processes)

    def order(self, order: Order, only: int = 0) -> list[dict[str, Any]]:
        """Give everybody, or one party, an order; what each answers."""
        chosen = self._processes[only - 1 : only] if only else self._processes
        for process in chosen:
            print(json.dumps(asdict(order)), file=process.stdin, flush=True)
        return self._answers(chosen)

    @staticmethod
    def _answers(processes: list[subprocess.Popen[str]]) -> list[dict[str, Any]]:
        return [json.loads(next(iter(process.stdout or ()))) for process in processes]


def measure() -> list[Row]:
    """All rows of the engine over its transport."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="tkms-bench-") as name:
        secret = _Secret()
        for count, threshold in ((4, 1), (13, 4)):
            folder = Path(name) / str(count)
            folder.mkdir()
            secret.prepare(folder, count, threshold)
            with parties(folder, count) as running:
                rows += _Bench(running, count).rows()
    return rows


class _Bench:
    """One set of parties: every order has numbers of its own, for a run's name is used once."""

    def __init__(self, running: Parties, count: int) -> None:
        self._running = running
        self._count = count
        self._few = count > 4
        self._next = 0

    def rows(self) -> list[Row]:
        """Everything."""
        found = self._preprocessing()
        for kind in ("ordinary", "squashed"):
            for label, fhe_type in LABELS.items():
                found += self._single(kind, label, fhe_type)
            found.append(self._many(kind))
        found += self._disturbed("while_preprocessing", Order("fault"))
        found += self._disturbed("one_liar", Order("fault", fault="wrong"))
        found += self._disturbed("one_silent", Order("fault", fault="silent"))
        return found

    def _order(self, order: Order) -> list[dict[str, Any]]:
        """The order, with fresh numbers."""
        order = replace(order, first=self._next)
        self._next += order.count
        return self._running.order(order)

    def _preprocessing(self) -> list[Row]:
        """Bits, triples, and a pool for what follows."""
        n, rows = self._count, []
        size, count = (2**12, 4) if self._few else (2**18, 12)
        for kind in ("bits", "triples"):
            answers = self._order(Order(kind, 0, count, 2, size, background=True))
            wall = max(answer["wall"] for answer in answers)
            rows.append(row(f"engine.{kind}_per_s.{n}", "1/s", [size * count / wall]))
        batches = 1 if self._few else POOL_BATCHES
        answers = self._running.order(Order("pool", 0, batches, 2, POOL_BLOCKS, background=True))
        wall = max(answer["wall"] for answer in answers)
        rows.append(row(f"engine.pool_blocks_per_s.{n}", "1/s", [batches * POOL_BLOCKS / wall]))
        return rows

    def _decryptions(self, kind: str, fhe_type: int, count: int, together: int, **more: Any) -> Any:
        value = str(dict(VALUES.values())[fhe_type])
        return self._order(Order(kind, 0, count, together, 0, fhe_type, value, **more))

    def _single(self, kind: str, label: str, fhe_type: int) -> list[Row]:
        """One decryption after the other."""
        n, count = self._count, 25 if self._few else 150
        answers = self._decryptions(kind, fhe_type, count, 1)
        name = f"engine.decrypt_{label}_{kind}"
        times = answers[0]["times"]
        rows = [
            quantile_row(f"{name}_ms.{n}.p50", "ms", times, 0.5),
            quantile_row(f"{name}_ms.{n}.p95", "ms", times, 0.95),
        ]
        if label == "u64":
            each = [1000 * answer["cpu"] / count for answer in answers]
            rows.append(row(f"{name}_cpu_ms.{n}", "ms", each))
            rows.append(row(f"{name}_bytes.{n}", "bytes", [a["bytes"] / count for a in answers]))
            rounds = [a["messages"] / count / (n - 1) for a in answers]
            rows.append(row(f"{name}_rounds.{n}", "", rounds))
        return rows

    def _many(self, kind: str) -> Row:
        """Sixteen at a time."""
        n, count = self._count, 60 if self._few else 600
        answers = self._decryptions(kind, LABELS["u64"], count, 16)
        wall = max(answer["wall"] for answer in answers)
        return row(f"engine.decrypt_u64_{kind}_per_s.{n}", "1/s", [count / wall])

    def _disturbed(self, what: str, fault: Order) -> list[Row]:
        """Ordinary and squashed values while something is wrong with the second party, or a pool is filled."""
        rows = []
        self._running.order(fault, only=2)
        for kind in ("ordinary", "squashed"):
            # Some seconds: a pool that gives way makes a batch a second.
            count = 20 if self._few else {"ordinary": 400, "squashed": 1_500}[kind]
            answers = self._decryptions(kind, LABELS["u64"], count, 1, busy=fault.fault == "")
            name = f"engine.decrypt_u64_{kind}.{what}_ms.{self._count}"
            times = answers[0]["times"]
            rows.append(quantile_row(f"{name}.p50", "ms", times, 0.5))
            rows.append(quantile_row(f"{name}.p95", "ms", times, 0.95))
            if not fault.fault:
                answer = answers[0]
                made = answer["batches"] * POOL_BLOCKS / answer["wall"]
                title = f"engine.pool_blocks_per_s.while_decrypting_{kind}.{self._count}"
                rows.append(row(title, "1/s", [made]))
        self._running.order(Order("fault"), only=2)
        return rows


@contextmanager
def parties(folder: Path, count: int) -> Iterator[Parties]:
    """Processes of `count` parties that were prepared in a folder."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.engine_party", str(folder), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(1, count + 1)
    ]
    try:
        yield Parties(processes)
    finally:
        for process in processes:
            process.communicate(timeout=30)


class _Secret:
    """Keys that all sets of parties share, and ciphertexts under them."""

    def __init__(self) -> None:
        """Generate; squashing keys of secure parameters take a minute."""
        ordinary = ordinary_key()
        client, squashed = squashed_values()
        self._clients = {"ordinary": ordinary, "squashed": client}
        self._ciphertexts = {}
        for name, (fhe_type, value) in VALUES.items():
            self._ciphertexts[f"ordinary.{fhe_type}"] = ordinary.encrypt(fhe_type, value)
            self._ciphertexts[f"squashed.{fhe_type}"] = squashed[name]

    def prepare(self, folder: Path, count: int, threshold: int) -> None:
        """Shares, certificates and ciphertexts of a set of parties."""
        for name, data in self._ciphertexts.items():
            (folder / name).write_bytes(data)
        epoch = config_pb2.Epoch(id=EPOCH, threshold=threshold)
        prss = kernel.PrssKeys.deal(count, threshold, SEED)
        dealt = {kind: key.deal(count, threshold) for kind, key in self._clients.items()}
        for number in range(1, count + 1):
            key, certificate = generate(f"party-{number}")
            (folder / f"{number}.key.pem").write_bytes(key)
            (folder / f"{number}.certificate.pem").write_bytes(certificate)
            (folder / f"{number}.prss").write_bytes(prss[number - 1].to_bytes())
            for kind, shares in dealt.items():
                (folder / f"{number}.{kind}.share").write_bytes(shares[number - 1].to_bytes())
            epoch.parties.add(
                index=number,
                tls_certificate=to_der(certificate),
                peer_address=f"127.0.0.1:{free_port()}",
            )
        (folder / "epoch").write_bytes(epoch.SerializeToString())
