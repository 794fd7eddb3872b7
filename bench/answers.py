"""From request sent to answer verified, on a whole local network at production parameters.

Ordinary: values as applications store them, under a key that the parties made together (`production-64`),
stored, registered and permitted already. Fresh: all of that is inside the time. Squashed: the same under a
dealt key of `production`, values switched to 128 bit and prepared already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.network import Network, network
from bench.report import Row, quantile_row, row
from cli import keygen
from cli.network import resolve
from cli.output import Terminal
from cli.session import Sending, Session
from cli.values import handles as values
from cli.values import prepare
from client.chain import Chain
from wire.fhe import FheType
from wire.ids import KeyId, RequestId
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

_APPLICATION = "demo"
_SINGLE_RUNS = 20
_FRESH_RUNS = 5
_IN_FLIGHT = 32
_BURSTS = 3
_CRS_BITS = 2048
_TIMEOUT_S = 600.0
_TYPES = {"bool": FheType.EBOOL, "u8": FheType.EUINT8, "u64": FheType.EUINT64}
# As `prepare` names them.
_ORDINARY, _SQUASHED = 1, 2


def measure(*, toy: bool = False) -> list[Row]:
    """All rows named `answer.*`, `generate.*`, `request.*`, `memory.*` and `localnet.ready_s`.

    `toy` takes the insecure `test` parameters for everything.
    """
    ordinary, squashed = ("test", "test") if toy else ("production-64", "production")
    with network(4, ordinary) as running:
        rows = [row("localnet.ready_s", "s", [running.ready_s])]
        idle = running.memory_mebibytes()
        rows += asyncio.run(_answers(running, ordinary, squashed))
        rows += _memory(idle, running.memory_mebibytes())
    return rows


def _memory(idle: dict[str, float], loaded: dict[str, float]) -> list[Row]:
    """Largest process of each role, after all requests; minimum is the idle network's."""
    rows = []
    for role in ("node", "engine", "core", "connector", "storage", "coprocessor"):
        now = [size for name, size in loaded.items() if name.rstrip("0123456789") == role]
        before = [size for name, size in idle.items() if name.rstrip("0123456789") == role]
        rows.append(Row(f"memory.{role}_mb", max(now), "MiB", min(before), max(now), len(now)))
    return rows


async def _answers(running: Network, ordinary: str, squashed: str) -> list[Row]:
    out = Terminal(as_json=True)
    session = Session(out, resolve(running.plan.home, None, None, None), Sending())
    async with session.chain() as chain:
        started = time.monotonic()
        made = await keygen.generate(session, chain, ordinary, _CRS_BITS, _TIMEOUT_S)
        rows = [row("generate.key_and_crs_s", "s", [time.monotonic() - started])]
        bench = _Bench(session, chain, made, _ORDINARY)
        for label, fhe_type in _TYPES.items():
            samples = await bench.fresh(fhe_type)
            rows.append(quantile_row(f"answer.public_{label}_fresh_ms.p50", "ms", samples, 0.5))
        rows += await _values(bench, "ordinary")
        rows.append(row("request.bytes_on_chain", "bytes", [float(await bench.bytes_on_chain())]))
        made = await keygen.deal(session, chain, squashed, _CRS_BITS, _TIMEOUT_S)
        rows += await _values(_Bench(session, chain, made, _SQUASHED), "squashed")
    return rows


async def _values(bench: _Bench, form: str) -> list[Row]:
    """Values of one form: single public decryptions, user decryptions, and many at a time."""
    rows = []
    for label, fhe_type in _TYPES.items():
        handle = await bench.prepared(fhe_type)
        samples = await bench.public(handle, fhe_type)
        name = f"answer.public_{label}_{form}_ms"
        rows += [
            quantile_row(f"{name}.p50", "ms", samples, 0.5),
            quantile_row(f"{name}.p95", "ms", samples, 0.95),
        ]
    samples = await bench.user(handle)
    rows.append(quantile_row(f"answer.user_u64_{form}_ms.p50", "ms", samples, 0.5))
    rows.append(quantile_row(f"answer.user_u64_{form}_ms.p95", "ms", samples, 0.95))
    rows.append(row(f"answer.{form}_per_s.{_IN_FLIGHT}", "1/s", await bench.bursts(handle)))
    return rows


class _Bench:
    """One network, one key, many requests."""

    def __init__(self, session: Session, chain: Chain, made: dict[str, object], form: int) -> None:
        self._session = session
        self._chain = chain
        self._material = (KeyId.parse(str(made["key_id"])), KeyId.parse(str(made["crs_id"])))
        self._form = form
        self._owner = session.network.keystore.resolve("demo")
        self._demo = session.signer("demo")
        self._alice = session.signer("alice")
        self._last_request: RequestId | None = None

    async def encrypted(self, fhe_type: FheType) -> bytes:
        """Handle of a fresh ciphertext of the value 1."""
        found = await values.encrypt_values(
            self._session, self._chain, [(fhe_type, 1)], self._material, _APPLICATION, self._owner
        )
        return bytes(found[0].handle)

    async def prepared(self, fhe_type: FheType) -> bytes:
        """Handle that is stored in the form, registered and permitted."""
        handle = await self.encrypted(fhe_type)
        await self._ready(handle)
        return handle

    async def _ready(self, handle: bytes) -> None:
        await prepare.ready(self._session, [handle], self._form)
        user = bytes(self._alice.address)
        messages = [
            tx_pb2.Message(
                set_public=isc_pb2.SetPublic(application=_APPLICATION, handle=handle, allowed=True)
            ),
            tx_pb2.Message(
                grant_access=isc_pb2.GrantAccess(
                    application=_APPLICATION, handle=handle, account=user
                )
            ),
        ]
        await self._session.send(self._chain, messages, self._demo)

    async def _public_once(self, handle: bytes) -> Any:
        revealed = await values.decrypt_publicly(
            self._session, self._chain, _APPLICATION, [handle], self._demo, _TIMEOUT_S
        )
        if revealed.values != (1,):
            raise RuntimeError("a decrypted value is wrong")
        self._last_request = revealed.request
        return revealed

    async def public(self, handle: bytes, _fhe_type: FheType) -> list[float]:
        """Milliseconds of single public decryptions."""
        return [await _milliseconds(lambda: self._public_once(handle)) for _ in range(_SINGLE_RUNS)]

    async def fresh(self, fhe_type: FheType) -> list[float]:
        """Milliseconds from a ciphertext at the coprocessor to its verified value."""
        samples = []
        for _ in range(_FRESH_RUNS):
            handle = await self.encrypted(fhe_type)

            async def whole(handle: bytes = handle) -> None:
                await self._ready(handle)
                await self._public_once(handle)

            samples.append(await _milliseconds(whole))
        return samples

    async def user(self, handle: bytes) -> list[float]:
        """Milliseconds of single user decryptions."""

        async def once() -> None:
            revealed = await values.reencrypt_to(
                self._session,
                self._chain,
                _APPLICATION,
                [handle],
                self._alice,
                self._alice,
                _TIMEOUT_S,
            )
            if revealed.values != (1,):
                raise RuntimeError("a decrypted value is wrong")

        return [await _milliseconds(once) for _ in range(_SINGLE_RUNS)]

    async def bursts(self, handle: bytes) -> list[float]:
        """Verified answers a second with many requests in flight."""
        rates = []
        for _ in range(_BURSTS):
            started = time.monotonic()
            await asyncio.gather(*[self._public_once(handle) for _ in range(_IN_FLIGHT)])
            rates.append(_IN_FLIGHT / (time.monotonic() - started))
        return rates

    async def bytes_on_chain(self) -> int:
        """State that one public decryption of one value leaves: log entry, status and all answers."""
        if self._last_request is None:
            raise RuntimeError("no request was made")
        view = await self._chain.request(self._last_request)
        parts = [view.entry, view.status, *view.answers]
        return sum(part.ByteSize() for part in parts)


async def _milliseconds(work: Callable[[], Awaitable[Any]]) -> float:
    started = time.perf_counter()
    await work()
    return (time.perf_counter() - started) * 1000
