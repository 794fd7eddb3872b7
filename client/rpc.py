"""JSON-RPC of a CometBFT node, as far as this system uses it; every answer is bounded and typed.

Nothing here is verified: `client.headers` and `client.chain` do that.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from client.errors import HeightUnavailable, NodeError, Unreachable
from wire.json_text import parse_json

# A block_results answer of a full block is the largest that we ask for.
MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
VALIDATORS_PER_PAGE: Final = 100
# The engine's own bound; a node that serves more wants to fill our memory.
MAX_VALIDATORS: Final = 10_000
# CometBFT's words for the conditions that are no failure of ours (rpc/core, mempool).
_IN_CACHE: Final = "already exists in cache"
_NOT_FOUND: Final = "not found"
_HEIGHT_WORDS: Final = (
    "must be less than or equal to",
    "is not available",
    "height must be greater",
    "could not find",
)


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """Where a node is."""

    chain_id: str
    latest_height: int
    earliest_height: int
    catching_up: bool


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """Answer of an application query; `proof` is the ICS-23 proof where one was asked for."""

    code: int
    log: str
    key: bytes
    value: bytes
    proof: bytes
    height: int


@dataclass(frozen=True, slots=True)
class BroadcastAnswer:
    """CheckTx's verdict; `known` when the node had these bytes before, which is no failure."""

    code: int
    log: str
    known: bool


@dataclass(frozen=True, slots=True)
class IncludedTransaction:
    """A transaction found in a block, with what its execution gave."""

    hash: bytes
    height: int
    index: int
    code: int
    log: str
    data: bytes
    raw: bytes


class ChainRpc:
    """One node's RPC endpoint; use as an async context manager or call `close`."""

    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        """Remember the endpoint; connections are made on first use."""
        self.url = url.replace("tcp://", "http://", 1).rstrip("/")
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._numbers = itertools.count(1)

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

    async def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Result of one call.

        Raises:
            Unreachable: no answer, or not JSON-RPC.
            NodeError: the node's error; HeightUnavailable where it is about a height.
        """
        request = {
            "jsonrpc": "2.0",
            "id": next(self._numbers),
            "method": method,
            "params": dict(parameters or {}),
        }
        answer = await self._post(request)
        error = answer.get("error")
        if error is None:
            return answer.get("result")
        if not isinstance(error, dict):
            raise NodeError(f"{method}: an error without words")
        text = f"{error.get('message', '')}: {error.get('data', '')}".strip(": ")
        if any(words in text for words in _HEIGHT_WORDS):
            raise HeightUnavailable(f"{method}: {text}")
        raise NodeError(f"{method}: {text}")

    async def status(self) -> NodeStatus:
        """Chain id and heights of the node."""
        result = await self.call("status")
        with _reading("status"):
            info = result["sync_info"]
            return NodeStatus(
                chain_id=str(result["node_info"]["network"]),
                latest_height=int(info["latest_block_height"]),
                earliest_height=int(info["earliest_block_height"]),
                catching_up=bool(info["catching_up"]),
            )

    async def abci_query(
        self, path: str, data: bytes = b"", height: int = 0, *, prove: bool = False
    ) -> QueryAnswer:
        """Ask the application; height 0 is the latest state."""
        result = await self.call(
            "abci_query",
            {"path": path, "data": data.hex(), "height": str(height), "prove": prove},
        )
        with _reading(f"abci_query {path}"):
            response = result["response"]
            operations = (response.get("proofOps") or {}).get("ops") or []
            return QueryAnswer(
                code=int(response.get("code") or 0),
                log=str(response.get("log") or ""),
                key=_decoded(response.get("key")),
                value=_decoded(response.get("value")),
                proof=_decoded(operations[0]["data"]) if operations else b"",
                height=int(response.get("height") or 0),
            )

    async def broadcast_sync(self, raw: bytes) -> BroadcastAnswer:
        """Offer a transaction to the node's mempool and return CheckTx's verdict."""
        try:
            result = await self.call("broadcast_tx_sync", {"tx": base64.b64encode(raw).decode()})
        except NodeError as error:
            if _IN_CACHE in str(error):
                return BroadcastAnswer(code=0, log=_IN_CACHE, known=True)
            raise
        with _reading("broadcast_tx_sync"):
            return BroadcastAnswer(
                code=int(result.get("code") or 0), log=str(result.get("log") or ""), known=False
            )

    async def tx(self, transaction_hash: bytes) -> IncludedTransaction | None:
        """The transaction of this SHA-256 hash, None while no block has it."""
        try:
            result = await self.call("tx", {"hash": base64.b64encode(transaction_hash).decode()})
        except NodeError as error:
            if _NOT_FOUND in str(error):
                return None
            raise
        with _reading("tx"):
            execution = result["tx_result"]
            return IncludedTransaction(
                hash=transaction_hash,
                height=int(result["height"]),
                index=int(result.get("index") or 0),
                code=int(execution.get("code") or 0),
                log=str(execution.get("log") or ""),
                data=_decoded(execution.get("data")),
                raw=_decoded(result.get("tx")),
            )

    async def commit(self, height: int) -> bytes:
        """JSON of the `signed_header` of a height, as the verifier reads it."""
        result = await self.call("commit", {"height": str(height)})
        with _reading("commit"):
            return _json(result["signed_header"])

    async def validators(self, height: int) -> bytes:
        """JSON list of all validators of a height (all pages joined)."""
        members: list[Any] = []
        for page in itertools.count(1):
            result = await self.call(
                "validators",
                {"height": str(height), "page": str(page), "per_page": str(VALIDATORS_PER_PAGE)},
            )
            with _reading("validators"):
                batch = list(result["validators"] or [])
                members.extend(batch)
                if not batch or len(members) >= int(result["total"]):
                    return _json(members)
            if len(members) > MAX_VALIDATORS:
                raise NodeError(f"validators: more than {MAX_VALIDATORS}")
        raise AssertionError("pages are endless")

    async def broadcast_evidence(self, evidence: bytes) -> bytes:
        """Hand evidence of an attack to the node; its hash there.

        Raises:
            NodeError: the node does not find it valid.
        """
        result = await self.call("broadcast_evidence", {"evidence": json.loads(evidence)})
        with _reading("broadcast_evidence"):
            return _decoded(result["hash"])

    async def document(self, method: str, **parameters: str) -> Any:
        """Undigested result of genesis, net_info, block, block_results, blockchain and the like."""
        return await self.call(method, parameters)

    async def _post(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(self.url, json=request) as response:
                body = await response.content.read(MAX_ANSWER_BYTES)
                if not response.content.at_eof():
                    body += await _rest(response, MAX_ANSWER_BYTES - len(body))
            answer = parse_json(body)
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{self.url} does not answer: {type(error).__name__}") from error
        except ValueError as error:
            raise Unreachable(f"{self.url} is not a CometBFT RPC endpoint") from error
        if not isinstance(answer, dict):
            raise Unreachable(f"{self.url} is not a CometBFT RPC endpoint")
        return answer


async def _rest(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """Remaining body; `StreamReader.read(n)` returns what has arrived, not n bytes."""
    chunks: list[bytes] = []
    async for chunk in response.content.iter_any():
        limit -= len(chunk)
        if limit < 0:
            raise Unreachable("the node's answer is larger than any answer should be")
        chunks.append(chunk)
    return b"".join(chunks)


@contextmanager
def _reading(method: str) -> Iterator[None]:
    """Say in our own words that an answer has another form than the engine's."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise NodeError(f"{method}: the answer has not the form of CometBFT's") from error


def _decoded(text: str | None) -> bytes:
    return base64.b64decode(text) if text else b""


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
