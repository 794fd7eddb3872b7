"""HTTP of the coprocessor stand-in: inputs, operations, preparation for decryption."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
import tkms_kernel
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from client.chain import Chain
from client.encrypt import input_metadata
from client.errors import ClientError, RejectedByChain
from client.storage import StorageClient
from edge.coprocessor.compute import Calculator, InputKeys, Operand
from edge.coprocessor.handles import computed_handle, input_handle
from edge.coprocessor.settings import CoprocessorSettings
from edge.coprocessor.shelf import Prepared, Shelf, StoredValue
from edge.serving import ProblemError, on_http_error, on_problem
from wire.digests import sha3_256
from wire.fhe import Format
from wire.ids import Address, HandleId, KeyId
from wire.json_text import parse_json
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.pb.tkms.tx.v1 import tx_pb2
from wire.reasons import Reason
from wire.signing import Secp256k1Signer

_LOG = structlog.get_logger(__name__)

_MAX_LIST_BYTES: Final = 32 * 1024 * 1024
_MAX_JSON_BYTES: Final = 256 * 1024
_MAX_HANDLES: Final = 64
_FORMATS: Final = frozenset(
    int(form) for form in (Format.SMALL_EXPANDED, Format.BIG_COMPRESSED, Format.BIG_EXPANDED)
)
_WAIT_S: Final = 120.0
_NAME: Final = "coprocessor stand-in"

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Service:
    """Handlers with what they need."""

    settings: CoprocessorSettings
    signer: Secp256k1Signer
    chain: Chain
    storage: StorageClient
    shelf: Shelf
    calculator: Calculator

    async def inputs(self, request: Request) -> Response:
        """Take a proven list and answer with a handle for each of its values."""
        query = request.query_params
        application = self._application(query.get("application", ""))
        try:
            keys = InputKeys(
                KeyId.parse(query.get("key_id", "")), KeyId.parse(query.get("crs_id", ""))
            )
            account = Address.parse(query.get("account", ""))
        except ValueError as error:
            raise ProblemError(400, "malformed parameter", str(error)) from error
        body = await _body(request, _MAX_LIST_BYTES)
        metadata = input_metadata(application, account)
        values = await self.calculator.expand(body, keys, metadata, self.settings.max_bits)
        chain = await self._chain_number()
        handles = []
        for index, value in enumerate(values):
            position = (index, value.fhe_type)
            handle = input_handle(body, (application, account), position, chain)
            handles.append(await self._keep(handle, value, keys.key_id))
        return JSONResponse({"handles": handles})

    async def operations(self, request: Request) -> Response:
        """Compute one result; the same question again gives the same handle at once."""
        question = await _json(request)
        operation = question.get("operation")
        if not isinstance(operation, str):
            raise ProblemError(400, "malformed body", "operation is missing")
        stored = self._stored(question.get("operands"))
        key_id = stored[0].key_id
        if any(value.key_id != key_id for value in stored):
            raise ProblemError(400, "wrong operands", "they are under different keys")
        operands = [await self._operand(value) for value in stored]
        result = await self.calculator.operate(operation, key_id, operands)
        handle = computed_handle(
            operation,
            [value.handle for value in stored],
            result.fhe_type,
            await self._chain_number(),
        )
        return JSONResponse(await self._keep(handle, result, key_id))

    async def prepare(self, request: Request) -> Response:
        """Store and register values, squashed where asked, so that requests can name them."""
        question = await _json(request)
        form = question.get("format") or await self._default_format()
        if not isinstance(form, int) or form not in _FORMATS:
            raise ProblemError(400, "unknown format", "1 (ordinary), 2 or 3 (squashed)")
        stored = self._stored(question.get("handles"))
        prepared = [await self._prepared(value, form) for value in stored]
        listed = [
            isc_pb2.Ciphertext(
                handle=bytes(value.handle),
                digest=item.digest,
                fhe_type=value.fhe_type,
                format=form,
                size=item.size,
                key_id=bytes(value.key_id),
            )
            for value, item in zip(stored, prepared, strict=True)
        ]
        transaction = await self._register(listed)
        return JSONResponse([_described(item, transaction) for item in listed])

    async def health(self, _request: Request) -> Response:
        """What this process is: a stand-in."""
        return JSONResponse(
            {
                "status": "ok",
                "service": _NAME,
                "application": self.settings.application,
                "account": str(self.signer.address),
                "values": self.shelf.count(),
                "server_keys": self.calculator.loaded,
            }
        )

    # --- parts

    def _application(self, named: str) -> str:
        if named and named != self.settings.application:
            raise ProblemError(404, "unknown application", "another application is served here")
        return self.settings.application

    def _stored(self, listed: object) -> list[StoredValue]:
        """Values of a JSON list of handles."""
        if not isinstance(listed, list) or not 1 <= len(listed) <= _MAX_HANDLES:
            raise ProblemError(400, "malformed body", f"a list of 1 to {_MAX_HANDLES} handles")
        found: list[StoredValue] = []
        for text in listed:
            try:
                handle = HandleId.parse(text)
            except (ValueError, AttributeError) as error:
                raise ProblemError(400, "malformed handle", "64 hexadecimal digits") from error
            value = self.shelf.find(handle)
            if value is None:
                raise ProblemError(404, "unknown handle", str(handle))
            found.append(value)
        return found

    async def _operand(self, value: StoredValue) -> Operand:
        data = await asyncio.to_thread(self.shelf.ciphertext, value.handle)
        return Operand(value.fhe_type, data)

    async def _keep(self, handle: HandleId, value: Operand, key_id: KeyId) -> dict[str, Any]:
        stored = StoredValue(handle, value.fhe_type, key_id)
        if self.shelf.find(handle) is None:
            await asyncio.to_thread(self.shelf.put, stored, value.data)
        return {"handle": str(handle), "fhe_type": value.fhe_type}

    async def _prepared(self, value: StoredValue, form: int) -> Prepared:
        """A form in storage; made once, since a handle names the same bytes for ever."""
        if form == Format.SMALL_EXPANDED:
            data = (await self._operand(value)).data
            await self.storage.put(data, "ciphertext")
            return Prepared(value.handle, form, sha3_256(data), len(data))
        known = self.shelf.prepared(value.handle, form)
        squashed = self.shelf.read(known.digest.hex()) if known is not None else None
        if known is None or squashed is None:
            squashed = await self.calculator.squash(
                value.key_id,
                await self._operand(value),
                compressed=form == Format.BIG_COMPRESSED,
            )
            known = Prepared(value.handle, form, sha3_256(squashed), len(squashed))
            await asyncio.to_thread(self.shelf.keep_prepared, known, squashed)
        await self.storage.put(squashed, "ciphertext")
        return known

    async def _register(self, listed: Sequence[isc_pb2.Ciphertext]) -> str:
        """Hash of the transaction that registered what was not registered yet; empty without any."""
        missing = [item for item in listed if not await self._registered(item)]
        if not missing:
            return ""
        message = tx_pb2.Message(
            register_ciphertexts=isc_pb2.RegisterCiphertexts(
                application=self.settings.application, ciphertexts=missing
            )
        )
        submitted = await self.chain.submit([message], self.signer)
        await self.chain.wait(submitted, _WAIT_S)
        return submitted.hash.hex()

    async def _registered(self, item: isc_pb2.Ciphertext) -> bool:
        data = self.settings.application.encode() + b"\0" + item.handle
        try:
            view = state_pb2.HandleView.FromString(await self.chain.query("/isc/handle", data))
        except RejectedByChain as error:
            if error.reason in {Reason.NOT_FOUND, Reason.UNKNOWN_HANDLE}:
                return False
            raise
        return view.ciphertext == item

    async def _default_format(self) -> int:
        """Parties together decrypt ordinary values; one alone needs them squashed."""
        view = await self.chain.config()
        return int(Format.SMALL_EXPANDED if view.epoch.threshold else Format.BIG_COMPRESSED)

    async def _chain_number(self) -> int:
        """EIP-155 number of the application's domain."""
        raw = await self.chain.query("/isc/application", self.settings.application.encode())
        number: int = state_pb2.ApplicationView.FromString(raw).application.domain.chain_id
        return number


def make_app(service: Service) -> Starlette:
    """The application; its lifespan closes what the service holds."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.calculator.close()
        service.shelf.close()
        await service.storage.close()
        await service.chain.rpc.close()

    return Starlette(
        routes=[
            Route("/v1/inputs", service.inputs, methods=["POST"]),
            Route("/v1/operations", service.operations, methods=["POST"]),
            Route("/v1/prepare", service.prepare, methods=["POST"]),
            Route("/healthz", service.health),
        ],
        exception_handlers={
            ProblemError: on_problem,
            HTTPException: on_http_error,
            tkms_kernel.KernelError: _on_kernel_error,
            ClientError: _on_client_error,
        },
        lifespan=lifespan,
    )


async def _on_kernel_error(request: Request, error: Exception) -> Response:
    proof = isinstance(error, tkms_kernel.VerificationFailed)
    title = "proof does not hold" if proof else "ciphertext or type refused"
    return await on_problem(request, ProblemError(422, title, str(error)))


async def _on_client_error(request: Request, error: Exception) -> Response:
    refused = isinstance(error, RejectedByChain)
    status, title = (409, "refused by the chain") if refused else (502, "chain or storage failed")
    _LOG.warning(title, error=str(error))
    return await on_problem(request, ProblemError(status, title, str(error)))


async def _body(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if total > limit:
            raise ProblemError(413, "body too large", f"at most {limit} bytes")
        chunks.append(chunk)
    return b"".join(chunks)


async def _json(request: Request) -> dict[str, Any]:
    try:
        value = parse_json(await _body(request, _MAX_JSON_BYTES))
    except ValueError as error:
        raise ProblemError(400, "malformed body", "not JSON") from error
    if not isinstance(value, dict):
        raise ProblemError(400, "malformed body", "a JSON object is expected")
    return value


def _described(item: isc_pb2.Ciphertext, transaction: str) -> dict[str, Any]:
    return {
        "handle": str(HandleId(item.handle)),
        "digest": item.digest.hex(),
        "fhe_type": item.fhe_type,
        "format": item.format,
        "size": item.size,
        "key_id": item.key_id.hex(),
        "transaction": transaction,
    }
