"""From request sent to answer verified, on a whole local network at production parameters.

Squashed: the ciphertext is prepared already. Unsquashed: preparation (switch to 128 bit by the coprocessor
stand-in, storing, registering) is inside the time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from bench.network import Network, network
from bench.report import Row, quantile_row, row
from cli import keygen, prepare, values
from cli.network import resolve
from cli.output import Terminal
from cli.session import Sending, Session
from client.chain import Chain
from wire.fhe import FheType
from wire.ids import KeyId, RequestId
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

_APPLICATION = "demo"
_SINGLE_RUNS = 20
_UNSQUASHED_RUNS = 3
_IN_FLIGHT = 32
_BURSTS = 3
_CRS_BITS = 2048
_TIMEOUT_S = 600.0


def measure(parameters: str = "production") -> list[Row]:
    """All rows named `answer.*`, `request.*`, `memory.*` and `localnet.ready_s`."""
    with network(4, parameters) as running:
        rows = [row("localnet.ready_s", "s", [running.ready_s])]
        idle = running.memory_mebibytes()
        rows += asyncio.run(_answers(running, parameters))
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


async def _answers(running: Network, parameters: str) -> list[Row]:
    out = Terminal(as_json=True)
    session = Session(out, resolve(running.plan.home, None, None, None), Sending())
    rows = []
    async with session.chain() as chain:
        started = time.monotonic()
        made = await keygen.generate(session, chain, parameters, _CRS_BITS, _TIMEOUT_S)
        rows.append(row("generate.key_and_crs_s", "s", [time.monotonic() - started]))
        material = (KeyId.parse(str(made["key_id"])), KeyId.parse(str(made["crs_id"])))
        bench = _Bench(session, chain, material)
        for label, fhe_type in (
            ("bool", FheType.EBOOL),
            ("u8", FheType.EUINT8),
            ("u64", FheType.EUINT64),
        ):
            samples = await bench.unsquashed(fhe_type)
            rows.append(
                quantile_row(f"answer.public_{label}_unsquashed_ms.p50", "ms", samples, 0.5)
            )
            handle = await bench.prepared(fhe_type)
            samples = await bench.public(handle, fhe_type)
            rows += [
                quantile_row(f"answer.public_{label}_squashed_ms.p50", "ms", samples, 0.5),
                quantile_row(f"answer.public_{label}_squashed_ms.p95", "ms", samples, 0.95),
            ]
        samples = await bench.user(handle)
        rows.append(quantile_row("answer.user_u64_squashed_ms.p50", "ms", samples, 0.5))
        rows.append(quantile_row("answer.user_u64_squashed_ms.p95", "ms", samples, 0.95))
        rows.append(row(f"answer.per_s.{_IN_FLIGHT}", "1/s", await bench.bursts(handle)))
        rows.append(row("request.bytes_on_chain", "bytes", [float(await bench.bytes_on_chain())]))
    return rows


class _Bench:
    """One network, one key, many requests."""

    def __init__(self, session: Session, chain: Chain, material: tuple[KeyId, KeyId]) -> None:
        self._session = session
        self._chain = chain
        self._material = material
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
        """Handle that is squashed, registered and permitted."""
        handle = await self.encrypted(fhe_type)
        await self._ready(handle)
        return handle

    async def _ready(self, handle: bytes) -> None:
        await prepare.ready(self._session, [handle], 2)
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

    async def unsquashed(self, fhe_type: FheType) -> list[float]:
        """Milliseconds from an ordinary ciphertext to its verified value."""
        samples = []
        for _ in range(_UNSQUASHED_RUNS):
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
