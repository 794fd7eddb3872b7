"""HTTP client of a coprocessor: inputs, operations and preparation for decryption."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from cli.errors import CliError, ExitCode
from client.errors import Unreachable
from wire.ids import Address, HandleId, KeyId
from wire.pb.tkms.isc.v1 import isc_pb2

# Operations and squashing take minutes with production parameters on a small machine.
_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Value:
    """An encrypted value that the coprocessor keeps."""

    handle: HandleId
    fhe_type: int


class CoprocessorClient:
    """One coprocessor; what it computes is its own word, decryption rights are the chain's."""

    def __init__(self, url: str) -> None:
        """Remember the address."""
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Nothing to do before first use."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def health(self) -> dict[str, Any]:
        """What it says about itself."""
        answer: dict[str, Any] = await self._call("GET", "/healthz")
        return answer

    async def inputs(
        self, proven_list: bytes, application: str, key_id: KeyId, crs_id: KeyId, account: Address
    ) -> list[Value]:
        """Hand in an encrypted list; its proof is checked against the account and application."""
        parameters = {
            "application": application,
            "key_id": str(key_id),
            "crs_id": str(crs_id),
            "account": account.value.hex(),
        }
        answer = await self._call("POST", "/v1/inputs", params=parameters, data=proven_list)
        return [_value(item) for item in answer["handles"]]

    async def operation(self, name: str, operands: Sequence[HandleId]) -> Value:
        """Compute on encrypted values: add sub mul eq ne lt le gt ge, or select with a condition first."""
        body = {"operation": name, "operands": [str(handle) for handle in operands]}
        return _value(await self._call("POST", "/v1/operations", json=body))

    async def prepare(
        self, handles: Sequence[HandleId], ciphertext_format: int = 0
    ) -> list[isc_pb2.Ciphertext]:
        """Store and register values so that they can be named in a decryption request; 0: what suits."""
        body = {"handles": [str(handle) for handle in handles], "format": ciphertext_format}
        answer = await self._call("POST", "/v1/prepare", json=body)
        return [
            isc_pb2.Ciphertext(
                handle=bytes(HandleId.parse(item["handle"])),
                digest=bytes.fromhex(item["digest"]),
                fhe_type=item["fhe_type"],
                format=item["format"],
                size=item["size"],
                key_id=bytes.fromhex(item["key_id"]),
            )
            for item in answer
        ]

    async def _call(self, method: str, path: str, **arguments: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_SECONDS))
        try:
            async with self._session.request(method, self._url + path, **arguments) as response:
                if response.status >= 400:
                    raise _refusal(response.status, await response.content.read(4096))
                return await response.json()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"coprocessor {self._url}: {type(error).__name__}") from error


def _refusal(status: int, body: bytes) -> CliError:
    """Show the problem document's own words (RFC 9457)."""
    try:
        problem = json.loads(body)
        title, detail = str(problem.get("title", "")), str(problem.get("detail", ""))
    except (ValueError, AttributeError):
        title, detail = "", body.decode(errors="replace")
    return CliError(
        f"the coprocessor refused: {title or 'no reason given'}",
        reason="COPROCESSOR_REFUSED",
        exit_code=ExitCode.REJECTED,
        code=status,
        hint="its log says more: tkms localnet logs coprocessor",
        details={"detail": detail} if detail else {},
    )


def _value(item: dict[str, Any]) -> Value:
    return Value(HandleId.parse(item["handle"]), int(item["fhe_type"]))
