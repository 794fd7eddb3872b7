"""The threshold engine in one process: all parties, no sockets, as the reference's own figures were measured.

A request's time runs from the ciphertext's bytes to the value at every honest party, one request at a time in one thread. Material
of ordinary ciphertexts is derived from public records inside that time; the records are made before,
and measured as random bits and triples. Rates use one thread a core.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final, Protocol

import tkms_kernel as kernel

from bench.report import Row, quantile_row, row
from mpc.exchange import Setting, Steps
from mpc.machine import Machine, RoundMessage
from mpc.preprocessing import Batch, BatchKind, Record, preprocess, rounding_material
from mpc.public_decryption import Item, PublicDecryption
from mpc.rounding import OrdinaryCiphertext, decrypt_publicly
from mpc.session import Done, MaskedShare, MaskedShares, Send
from wire.ids import PartyId

SEED: Final = bytes(range(32))
ACCESS: Final = ((4, 1), (13, 4))
VALUES: Final[dict[str, tuple[int, int]]] = {
    "bool": (0, 1),
    "u8": (2, 201),
    "u64": (5, 2**63 + 12345),
    "u256": (8, 2**255 + 7),
}
_COMPRESSED = 2
_POOL = 128
_POOL_NAME = b"bench/pool"
_RUNS: Final = {4: 60, 13: 12}
_IN_FLIGHT = 64
_VALUES_MADE: Final = {4: 2**17, 13: 2**12}

Fault = Callable[[Any], Any]
"""What a corrupt party sends instead; None for nothing."""


class Running(Protocol):
    """What both kinds of sessions have in common."""

    @property
    def finished(self) -> bool:
        """Whether it is over."""
        ...

    def start(self) -> tuple[Any, ...]:
        """Begin."""
        ...

    def feed(self, sender: PartyId, message: Any) -> tuple[Any, ...]:
        """Take a message."""
        ...


@dataclass(slots=True)
class Run:
    """One request among all parties, messages in the order they are sent."""

    sessions: Mapping[PartyId, Running]
    faults: Mapping[PartyId, Fault] = field(default_factory=dict)
    values: dict[PartyId, Any] = field(default_factory=dict)
    sent_bytes: int = 0
    _queue: deque[tuple[PartyId, PartyId, Any]] = field(default_factory=deque)

    def finish(self) -> Any:
        """Run to the end; the value of the last party, which is honest."""
        for party, session in self.sessions.items():
            self._act(party, session.start())
        while True:
            while self._queue:
                sender, recipient, message = self._queue.popleft()
                self._act(recipient, self.sessions[recipient].feed(sender, message))
            waiting = [
                s for s in self.sessions.values() if isinstance(s, Machine) and s.synchronous
            ]
            if not waiting:
                break
            # Nothing is on its way: the time of the round is over.
            for party, session in self.sessions.items():
                if isinstance(session, Machine):
                    self._act(party, session.expire(session.round))
        honest = [party for party in self.sessions if party not in self.faults]
        if any(party not in self.values for party in honest):
            raise AssertionError("a party has no value")
        return self.values[honest[-1]]

    def _act(self, party: PartyId, outputs: tuple[Any, ...]) -> None:
        for output in outputs:
            if isinstance(output, Done):
                self.values[party] = output.value
            elif isinstance(output, Send):
                self._post(party, output)

    def _post(self, party: PartyId, output: Send[Any]) -> None:
        message = output.message
        fault = self.faults.get(party)
        if fault is not None:
            message = fault(message)
        if message is None:
            return
        everybody = [p for p in self.sessions if p != party]
        recipients = everybody if output.recipient is None else [output.recipient]
        for recipient in recipients:
            if party == len(self.sessions):
                self.sent_bytes += _size(message)
            self._queue.append((party, recipient, message))


def _size(message: Any) -> int:
    if isinstance(message, RoundMessage):
        return len(message.payload)
    return sum(len(share.elements) for share in message.shares)


def _lie(message: Any) -> Any:
    """Wrong in its last byte."""
    if isinstance(message, RoundMessage):
        data = message.payload
        return RoundMessage(message.round, data[:-1] + bytes([data[-1] ^ 1]) if data else data)
    return MaskedShares(
        tuple(
            MaskedShare(share.ciphertext_digest, share.elements[:-1] + b"\x55")
            for share in message.shares
        )
    )


FAULTS: Final[dict[str, dict[PartyId, Fault]]] = {
    "": {},
    ".one_liar": {PartyId(1): _lie},
    ".one_silent": {PartyId(1): lambda _message: None},
}


@cache
def ordinary_key() -> kernel.ClientKey:
    """Key of ordinary ciphertexts."""
    return kernel.ClientKey.generate("production-64", SEED)


@cache
def squashed_values() -> tuple[kernel.ClientKey, dict[str, bytes]]:
    """Key with noise squashing, and what a coprocessor would have squashed (format 2, the reference's default)."""
    client = kernel.ClientKey.generate("production", SEED)
    server = kernel.ServerKey.load(client.server_key())
    return client, {
        name: server.squash(client.encrypt(kind, value), kind, compressed=True)
        for name, (kind, value) in VALUES.items()
    }


class Cluster:
    """Keys of all parties."""

    def __init__(self, parties: int, threshold: int, *, squashed: bool = True) -> None:
        """Deal everything."""
        self.parties, self.threshold = parties, threshold
        self.settings = [Setting(parties, threshold, PartyId(p)) for p in range(1, parties + 1)]
        self.prss = kernel.PrssKeys.deal(parties, threshold, SEED)
        self.ordinary = ordinary_key().deal(parties, threshold)
        self.squashed = squashed_values()[0].deal(parties, threshold) if squashed else []
        batch = Batch(BatchKind.ROUNDING, 64, _POOL)
        self.record: Record = self.make(batch, _POOL_NAME).finish()

    def machines(self, protocol: Callable[[Setting], Steps[Any]]) -> dict[PartyId, Running]:
        """One machine a party."""
        return {s.party: Machine(s, protocol(s)) for s in self.settings}

    def make(self, batch: Batch, name: bytes, faults: Mapping[PartyId, Fault] | None = None) -> Run:
        """A batch of preprocessing."""
        return Run(
            self.machines(lambda s: preprocess(s, self.prss[s.party - 1], name, batch)),
            faults or {},
        )

    def decrypt_ordinary(
        self, ciphertext: bytes, kind: int, faults: Mapping[PartyId, Fault]
    ) -> Run:
        """From the bytes and the public record."""
        items = [OrdinaryCiphertext(ciphertext, kind)]
        blocks = kernel.ordinary_blocks(kind)

        def protocol(setting: Setting) -> Steps[tuple[int, ...]]:
            own = setting.party - 1
            ready = rounding_material(self.prss[own], _POOL_NAME, self.record, 0, blocks)
            return decrypt_publicly(setting, self.ordinary[own], items, ready)

        return Run(self.machines(protocol), faults)

    def decrypt_squashed(
        self, ciphertext: bytes, kind: int, faults: Mapping[PartyId, Fault]
    ) -> Run:
        """From the bytes."""
        blocks = -(-kernel.ordinary_blocks(kind) // 2)
        items = [Item(bytes(32), kind, blocks)]
        sessions: dict[PartyId, Running] = {}
        for setting, share, prss in zip(self.settings, self.squashed, self.prss, strict=True):
            own = share.partial_decrypt(ciphertext, kind, _COMPRESSED, prss, b"bench")
            sessions[setting.party] = PublicDecryption(setting, items, [own])
        return Run(sessions, faults)


def measure(*, squashed: bool = True) -> list[Row]:
    """All rows named `engine.inprocess.*` and `engine.bytes_per_bit.*`."""
    rows: list[Row] = []
    for parties, threshold in ACCESS:
        cluster = Cluster(parties, threshold, squashed=squashed)
        rows += _decryptions(cluster, squashed=squashed)
        rows += _made(cluster)
    return rows


def _decryptions(cluster: Cluster, *, squashed: bool) -> list[Row]:
    """Latency of every type and form; of u64 with faults, cost and rate."""
    rows: list[Row] = []
    n = cluster.parties
    for form in ("ordinary", "squashed") if squashed else ("ordinary",):
        for name, (kind, value) in VALUES.items():
            if form == "ordinary":
                decrypt, data = cluster.decrypt_ordinary, ordinary_key().encrypt(kind, value)
            else:
                decrypt, data = cluster.decrypt_squashed, squashed_values()[1][name]
            faults = FAULTS if name == "u64" else {"": FAULTS[""]}
            for suffix, fault in faults.items():
                title = f"engine.inprocess.decrypt_{name}_{form}"
                rows += _latency(
                    f"{title}{suffix}",
                    n,
                    lambda d=decrypt, b=data, k=kind, f=fault: d(b, k, f),
                    value,
                )
        kind, value = VALUES["u64"]
        data = (
            ordinary_key().encrypt(kind, value)
            if form == "ordinary"
            else squashed_values()[1]["u64"]
        )
        decrypt = cluster.decrypt_ordinary if form == "ordinary" else cluster.decrypt_squashed
        rate = _rate(
            lambda d=decrypt, b=data, k=kind: d(b, k, {}).finish(), _IN_FLIGHT if n == 4 else 8
        )
        rows.append(row(f"engine.inprocess.decrypt_u64_{form}_per_s.{n}", "1/s", rate))
    return rows


def _latency(title: str, n: int, begin: Callable[[], Run], value: int) -> list[Row]:
    """Wall time, CPU and bytes a party, of single requests."""
    wall, cpu, sent, rounds = [], [], [], []
    for _ in range(_RUNS[n]):
        before, used = time.perf_counter(), time.process_time()
        run = begin()
        if run.finish() != (value,):
            raise AssertionError("a wrong value")
        wall.append(1e3 * (time.perf_counter() - before))
        cpu.append(1e3 * (time.process_time() - used) / n)
        sent.append(run.sent_bytes)
        last = run.sessions[PartyId(n)]
        rounds.append(last.round if isinstance(last, Machine) else 1)
    return [
        quantile_row(f"{title}_ms.{n}.p50", "ms", wall, 0.5),
        quantile_row(f"{title}_ms.{n}.p95", "ms", wall, 0.95),
        row(f"{title}_cpu_ms.{n}", "ms", cpu),
        row(f"{title}_bytes.{n}", "B", sent),
        row(f"{title}_rounds.{n}", "", rounds),
    ]


def _rate(work: Callable[[], object], count: int, repeats: int = 3) -> list[float]:
    """Calls a second with one thread a core."""
    rates = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in range(repeats):
            before = time.perf_counter()
            for done in [pool.submit(work) for _ in range(count)]:
                done.result()
            rates.append(count / (time.perf_counter() - before))
    return rates


def _made(cluster: Cluster) -> list[Row]:
    """Random bits and triples, and bytes that a party sends for each bit."""
    rows: list[Row] = []
    n, count = cluster.parties, _VALUES_MADE[cluster.parties]
    kinds = {"bits": BatchKind.BITS, "triples": BatchKind.TRIPLES}
    for name, kind in kinds.items():
        for bits in (64, 128):
            batch = Batch(kind, bits, count)
            suffix = "" if bits == 64 else "_128"
            for fault_name, fault in FAULTS.items() if bits == 64 else [("", FAULTS[""])]:
                threads = os.cpu_count() or 1
                rates = [
                    count * rate
                    for rate in _rate(
                        lambda b=batch, f=fault: cluster.make(b, b"b", f).finish(), threads
                    )
                ]
                title = f"engine.inprocess.{name}{suffix}_per_s{fault_name}.{n}"
                rows.append(row(title, "1/s", rates))
    run = cluster.make(Batch(BatchKind.BITS, 64, count), b"bytes")
    run.finish()
    rows.append(row(f"engine.bytes_per_bit.{n}", "B", [run.sent_bytes / count]))
    blocks = _rate(lambda: cluster.make(Batch(BatchKind.ROUNDING, 64, _POOL), b"pool").finish(), 2)
    rows.append(row(f"engine.inprocess.pool_blocks_per_s.{n}", "1/s", [_POOL * r for r in blocks]))
    return rows
