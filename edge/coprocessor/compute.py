"""The arithmetic, one heavy operation at a time in a thread, with keys verified by the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeVar

import structlog
import tkms_kernel

from client.chain import Chain
from client.material import CRS, PUBLIC_KEY, SERVER_KEY, crs_record, key_record, material
from client.storage import StorageClient
from edge.coprocessor.shelf import Shelf
from edge.serving import ProblemError
from wire.digests import sha3_256
from wire.fhe import FheType
from wire.ids import KeyId
from wire.pb.tkms.asc.v1 import asc_pb2

_LOG = structlog.get_logger(__name__)
_Result = TypeVar("_Result")

BINARY: Final = frozenset(
    {"add", "sub", "mul", "and", "or", "xor", "eq", "ne", "lt", "le", "gt", "ge"}
)
# The comparison whose truth selects the left operand.
_CHOICES: Final = {"min": "le", "max": "ge"}


@dataclass(frozen=True, slots=True)
class Operand:
    """An ordinary ciphertext (format 1) with its type."""

    fhe_type: int
    data: bytes


@dataclass(frozen=True, slots=True)
class InputKeys:
    """What an input list is checked against."""

    key_id: KeyId
    crs_id: KeyId


class Calculator:
    """Keys by id and the one thread that uses them."""

    def __init__(self, chain: Chain, storage: StorageClient, shelf: Shelf) -> None:
        """Load nothing yet: server keys are large."""
        self._chain = chain
        self._storage = storage
        self._shelf = shelf
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compute")
        self._loading = asyncio.Lock()
        self._servers: dict[KeyId, tkms_kernel.ServerKey] = {}
        self._publics: dict[KeyId, tkms_kernel.CompactPublicKey] = {}
        self._crs: dict[KeyId, tkms_kernel.Crs] = {}

    def close(self) -> None:
        """Wait for the running operation and drop the others."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    @property
    def loaded(self) -> int:
        """Number of server keys in memory."""
        return len(self._servers)

    async def expand(
        self, proven_list: bytes, keys: InputKeys, metadata: bytes, max_bits: int
    ) -> list[Operand]:
        """Verify the proof and return the ciphertexts of a list.

        Raises:
            ProblemError: 413 when the list has more bits than allowed.
            tkms_kernel.KernelError: malformed, or the proof does not hold.
        """
        server = await self._server(keys.key_id)
        public = self._publics[keys.key_id]
        crs = await self._reference(keys.crs_id)

        def work() -> list[tuple[int, bytes]]:
            found: list[tuple[int, bytes]] = server.expand(proven_list, public, crs, metadata)
            return found

        values = await self._run("expand", work)
        if sum(FheType(fhe_type).bits for fhe_type, _ in values) > max_bits:
            raise ProblemError(413, "list too large", f"at most {max_bits} bits")
        return [Operand(fhe_type, bytes(data)) for fhe_type, data in values]

    async def operate(self, operation: str, key_id: KeyId, operands: Sequence[Operand]) -> Operand:
        """Result of an operation on values of one key.

        Raises:
            ProblemError: 400 unknown operation or another number of operands.
            tkms_kernel.KernelError: types that do not fit.
        """
        arity = operand_count(operation)
        if len(operands) != arity:
            raise ProblemError(400, "wrong operands", f"{operation} takes {arity} operands")
        server = await self._server(key_id)
        return await self._run(operation, lambda: _calculate(server, operation, operands))

    async def squash(self, key_id: KeyId, operand: Operand, *, compressed: bool) -> bytes:
        """Squashed form that cores decrypt."""
        server = await self._server(key_id)

        def work() -> bytes:
            return bytes(server.squash(operand.data, operand.fhe_type, compressed))

        return await self._run("squash", work)

    async def _run(self, name: str, work: Callable[[], _Result]) -> _Result:
        loop = asyncio.get_running_loop()
        started = loop.time()
        result = await loop.run_in_executor(self._thread, work)
        _LOG.info("computed", operation=name, seconds=round(loop.time() - started, 3))
        return result

    async def _server(self, key_id: KeyId) -> tkms_kernel.ServerKey:
        async with self._loading:
            if key_id not in self._servers:
                record = await key_record(self._chain, key_id)
                public = await self._bytes(record, PUBLIC_KEY)
                server = await self._bytes(record, SERVER_KEY)
                self._publics[key_id] = await self._run(
                    "load public key", lambda: tkms_kernel.CompactPublicKey.load(public)
                )
                self._servers[key_id] = await self._run(
                    "load server key", lambda: tkms_kernel.ServerKey.load(server)
                )
            return self._servers[key_id]

    async def _reference(self, crs_id: KeyId) -> tkms_kernel.Crs:
        async with self._loading:
            if crs_id not in self._crs:
                data = await self._bytes(await crs_record(self._chain, crs_id), CRS)
                # The digest is pinned by the chain, where parties signed it.
                self._crs[crs_id] = await self._run(
                    "load crs", lambda: tkms_kernel.Crs.load(data, checked=True)
                )
            return self._crs[crs_id]

    async def _bytes(self, record: asc_pb2.MaterialRecord, kind: str) -> bytes:
        """Material from the own folder if its digest is right, else from storage."""
        digests = {entry.kind: entry.digest for entry in record.digests}
        name = digests.get(kind, b"").hex()
        kept = self._shelf.read(name) if name else None
        if kept is not None and sha3_256(kept) == digests[kind]:
            return kept
        data = await material(self._storage, record, kind)
        self._shelf.write(name, data)
        return data


def operand_count(operation: str) -> int:
    """Number of operands.

    Raises:
        ProblemError: 400 unknown operation.
    """
    if operation in BINARY or operation in _CHOICES:
        return 2
    if operation == "not":
        return 1
    if operation == "select":
        return 3
    raise ProblemError(400, "unknown operation", operation[:32])


def _calculate(
    server: tkms_kernel.ServerKey, operation: str, operands: Sequence[Operand]
) -> Operand:
    first = operands[0]
    if operation == "not":
        # The kernel has no constants: x = x is an encrypted truth.
        if first.fhe_type != FheType.EBOOL:
            raise ProblemError(400, "wrong type", "not takes an ebool")
        _, truth = server.binary("eq", first.fhe_type, first.data, first.data)
        return Operand(*server.binary("xor", first.fhe_type, first.data, truth))
    last = operands[-1]
    left = operands[-2]
    if left.fhe_type != last.fhe_type:
        raise ProblemError(400, "wrong type", "both values must have the same type")
    if operation in BINARY:
        return Operand(*server.binary(operation, left.fhe_type, left.data, last.data))
    condition = first.data
    if operation in _CHOICES:
        _, condition = server.binary(_CHOICES[operation], left.fhe_type, left.data, last.data)
    elif first.fhe_type != FheType.EBOOL:
        raise ProblemError(400, "wrong type", "the condition must be an ebool")
    chosen = server.select(condition, left.fhe_type, left.data, last.data)
    return Operand(left.fhe_type, bytes(chosen))
