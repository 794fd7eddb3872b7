"""The node behind the relay: CometBFT's RPC with batches, so that many questions cost one round trip."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from client.errors import NodeError, Unreachable
from client.rpc import BroadcastAnswer, ChainRpc, QueryAnswer
from connector.relay.errors import busy
from wire.json_text import parse_json

# CometBFT's default bound of a batch (rpc.max_request_batch_size).
MOST_IN_BATCH: Final = 10
# Questions of callers to the node: at a time, and those that wait.
_SIDE_BY_SIDE: Final = 8
_MOST_WAITING: Final = 2_000
_MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
_IN_CACHE: Final = "already exists in cache"
_FULL: Final = "mempool is full"


@dataclass(frozen=True, slots=True)
class Call:
    """One method with its parameters."""

    method: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """A result, or the node's error text where there is none."""

    result: Any = None
    error: str = ""


class NodeRpc(ChainRpc):
    """A node's RPC that takes arrays of calls."""

    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        """See ChainRpc."""
        super().__init__(url, timeout_s)
        self._wait = aiohttp.ClientTimeout(total=timeout_s)
        self._batches: aiohttp.ClientSession | None = None
        self._ids = itertools.count(1)

    async def close(self) -> None:
        """Close the connections."""
        if self._batches is not None:
            await self._batches.close()
            self._batches = None
        await super().close()

    async def call_all(self, calls: Sequence[Call]) -> list[Answered]:
        """Answers in the order of the calls; at most MOST_IN_BATCH a request, one request after the other.

        Raises:
            Unreachable: no answer, or not JSON-RPC.
            NodeError: the node refuses the array as a whole.
        """
        answers: list[Answered] = []
        for start in range(0, len(calls), MOST_IN_BATCH):
            answers += await self._batch(calls[start : start + MOST_IN_BATCH])
        return answers

    async def broadcast_all(self, raws: Sequence[bytes]) -> list[BroadcastAnswer | str]:
        """Offer transactions; CheckTx's verdict, or the node's error text, for each."""
        answers = await self.call_all(
            [Call("broadcast_tx_sync", {"tx": base64.b64encode(raw).decode()}) for raw in raws]
        )
        return [_verdict(answer) for answer in answers]

    async def queries(
        self, questions: Sequence[tuple[str, bytes]], height: int = 0, *, prove: bool = False
    ) -> list[QueryAnswer]:
        """Answers of the application, in order.

        Raises:
            NodeError: one of them could not be asked at all.
        """
        answers = await self.call_all(
            [
                Call(
                    "abci_query",
                    {"path": path, "data": data.hex(), "height": str(height), "prove": prove},
                )
                for path, data in questions
            ]
        )
        return [_query_answer(answer) for answer in answers]

    async def _batch(self, calls: Sequence[Call]) -> list[Answered]:
        numbers = [next(self._ids) for _ in calls]
        body = json.dumps(
            [
                {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.parameters}
                for number, call in zip(numbers, calls, strict=True)
            ]
        ).encode()
        # A single answer comes without an array around it.
        document = await self._send(body)
        listed = document if isinstance(document, list) else [document]
        found = dict(_read(listed))
        if not any(number in found for number in numbers):
            raise NodeError(f"{calls[0].method}: {_error_of(listed)}")
        return [found.get(number, Answered(error="no answer")) for number in numbers]

    async def _send(self, body: bytes) -> Any:
        if self._batches is None:
            self._batches = aiohttp.ClientSession(timeout=self._wait)
        chunks: list[bytes] = []
        size = 0
        try:
            async with self._batches.post(
                self.url, data=body, headers={"content-type": "application/json"}
            ) as response:
                async for chunk in response.content.iter_any():
                    size += len(chunk)
                    if size > _MAX_ANSWER_BYTES:
                        raise Unreachable("the node's answer is larger than any should be")
                    chunks.append(chunk)
            return parse_json(b"".join(chunks))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unreachable(f"{self.url} does not answer: {type(error).__name__}") from error
        except ValueError as error:
            raise Unreachable(f"{self.url} is not a CometBFT RPC endpoint") from error


class BoundedRpc(NodeRpc):
    """For what callers ask: few questions at a time, so that a flood of them does not reach the node."""

    def __init__(self, url: str, timeout_s: float = 20.0) -> None:
        """See NodeRpc."""
        super().__init__(url, timeout_s)
        self._room = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._waiting = 0

    async def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Result of one call.

        Raises:
            RelayError: BUSY, as many questions wait as may.
        """
        if self._waiting >= _MOST_WAITING:
            raise busy("callers ask more than the node is asked")
        self._waiting += 1
        try:
            async with self._room:
                return await super().call(method, parameters)
        finally:
            self._waiting -= 1


def _read(answers: Sequence[Any]) -> Iterator[tuple[int, Answered]]:
    for answer in answers:
        if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
            continue
        if answer.get("error") is None:
            yield answer["id"], Answered(answer.get("result"))
        else:
            yield answer["id"], Answered(error=_error_of([answer]) or "an error without words")


def _error_of(answers: Sequence[Any]) -> str:
    """Words of the first error."""
    for answer in answers:
        error = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(error, dict):
            return f"{error.get('message', '')}: {error.get('data', '')}".strip(": ")
    return "the answer has not the form of CometBFT's"


def _verdict(answer: Answered) -> BroadcastAnswer | str:
    if answer.error:
        if _IN_CACHE in answer.error:
            return BroadcastAnswer(code=0, log=_IN_CACHE, known=True)
        return answer.error
    try:
        return BroadcastAnswer(
            code=int(answer.result.get("code") or 0),
            log=str(answer.result.get("log") or ""),
            known=False,
        )
    except (AttributeError, ValueError, TypeError):
        return "the answer has not the form of CometBFT's"


def is_full(words: str) -> bool:
    """Whether the node's error says that its mempool takes nothing more now."""
    return _FULL in words


def _query_answer(answer: Answered) -> QueryAnswer:
    if answer.error:
        raise NodeError(f"abci_query: {answer.error}")
    try:
        response = answer.result["response"]
        operations = (response.get("proofOps") or {}).get("ops") or []
        return QueryAnswer(
            code=int(response.get("code") or 0),
            log=str(response.get("log") or ""),
            key=base64.b64decode(response.get("key") or ""),
            value=base64.b64decode(response.get("value") or ""),
            proof=base64.b64decode(operations[0]["data"]) if operations else b"",
            height=int(response.get("height") or 0),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise NodeError("abci_query: the answer has not the form of CometBFT's") from error
