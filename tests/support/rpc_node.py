"""The RPC of a node over the test chain: real application, real headers and proofs, blocks on a clock."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

from tests.support.chain import Chain, Result
from tests.support.light_twin import SECOND, Maker, validators_hash
from wire.digests import sha256
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.tx.v1 import tx_pb2

Events = tuple[tuple[str, dict[str, str]], ...]
# The engine's default bound of an array.
MOST_IN_BATCH = 10


class RpcError(Exception):
    """Answered as a JSON-RPC error with CometBFT's words."""


class RpcNode:
    """Serves one chain. `lose_every` n: every n-th new transaction is accepted and then forgotten."""

    def __init__(self, chain: Chain, block_seconds: float = 0.05, lose_every: int = 0) -> None:
        """Take a chain over; blocks made before have headers too."""
        self.chain = chain
        self.url = ""
        self.results: list[tuple[bytes, Result]] = []
        self.lost = 0
        # Answers nobody while it is set.
        self.silent = False
        # Height at which somebody last asked for a transaction.
        self.last_lookup = 0
        self._maker = Maker(chain.chain_id, start_ns=time.time_ns() - 100_000 * SECOND)
        self._validators = self._maker.validators(a=10, b=10, c=10, d=10)
        self._app_hashes = {chain.height: chain.app_hash}
        self._block_seconds = block_seconds
        self._lose_every = lose_every
        self._offered = 0
        self._pool: dict[bytes, bytes] = {}
        self._seen: set[bytes] = set()
        self._found: dict[bytes, dict[str, Any]] = {}
        self._blocks_made: dict[int, tuple[list[bytes], list[Result], Events]] = {}
        self._block = asyncio.Event()

    @property
    def validators_hash(self) -> bytes:
        """What clients pin."""
        return validators_hash(self._validators)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[RpcNode]:
        """Serve on loopback and make blocks."""
        application = web.Application()
        application.router.add_post("/", self._answer)
        runner = web.AppRunner(application)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        blocks = asyncio.create_task(self._blocks())
        try:
            yield self
        finally:
            blocks.cancel()
            await asyncio.gather(blocks, return_exceptions=True)
            await runner.cleanup()

    def make_block(self) -> None:
        """One block with what waits."""
        chosen = self.chain.prepare(*self._pool.values())
        results = self.chain.decide(*chosen)
        self._app_hashes[self.chain.height] = self.chain.app_hash
        self._pool.clear()
        self._block.set()
        self._block = asyncio.Event()
        self._blocks_made[self.chain.height] = (chosen, results, self.chain.events)
        for index, (raw, result) in enumerate(zip(chosen, results, strict=True)):
            self.results.append((raw, result))
            data = tx_pb2.TxData(request_ids=result.request_ids).SerializeToString()
            self._found[sha256(raw)] = {
                "hash": sha256(raw).hex().upper(),
                "height": str(self.chain.height),
                "index": index,
                "tx_result": {
                    "code": int(result.reason or 0),
                    "data": base64.b64encode(data).decode(),
                    "log": result.log,
                    "events": _events(result.events),
                },
                "tx": base64.b64encode(raw).decode(),
            }

    def put(self, raw: bytes) -> None:
        """Put a transaction into the mempool without a check."""
        self._pool[sha256(raw)] = raw

    async def next_block(self) -> None:
        """Wait for a block."""
        await self._block.wait()

    def adopt(self) -> None:
        """Take note of blocks that the test made on the chain itself."""
        self._app_hashes[self.chain.height] = self.chain.app_hash

    def keep_all(self) -> None:
        """Lose nothing from now on."""
        self._lose_every = 0

    async def _blocks(self) -> None:
        while True:
            await asyncio.sleep(self._block_seconds)
            self.make_block()

    async def _answer(self, request: web.Request) -> web.Response:
        if self.silent:
            raise web.HTTPServiceUnavailable
        question = await request.json()
        if isinstance(question, list):
            assert len(question) <= MOST_IN_BATCH
            answers = [self._answer_one(item) for item in question]
            return web.json_response(answers if len(answers) > 1 else answers[0])
        return web.json_response(self._answer_one(question))

    def _answer_one(self, question: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": question["id"]}
        try:
            handler = getattr(self, f"_on_{question['method']}")
            answer["result"] = handler(**question["params"])
        except RpcError as error:
            answer["error"] = {"code": -32603, "message": "Internal error", "data": str(error)}
        return answer

    def _on_status(self) -> dict[str, Any]:
        return {
            "node_info": {"network": self.chain.chain_id},
            "sync_info": {
                "latest_block_height": str(self.chain.height),
                "earliest_block_height": "1",
                "catching_up": False,
            },
        }

    def _on_commit(self, height: str) -> dict[str, Any]:
        number = self._height(height)
        signed = self._maker.block(number, self._validators)
        # The state after block H is in header H + 1.
        root = self._app_hashes.get(number - 1, bytes(32))
        header = {**signed["header"], "app_hash": root.hex().upper()}
        return {"signed_header": self._maker.sign(header, self._validators), "canonical": True}

    def _on_block(self, height: str) -> dict[str, Any]:
        chosen, _, _ = self._blocks_made.get(self._height(height), ([], [], ()))
        return {"block": {"data": {"txs": [base64.b64encode(raw).decode() for raw in chosen]}}}

    def _on_block_results(self, height: str) -> dict[str, Any]:
        _, results, events = self._blocks_made.get(self._height(height), ([], [], ()))
        return {
            "height": height,
            "txs_results": [
                {
                    "code": int(result.reason or 0),
                    "log": result.log,
                    "events": _events(result.events),
                }
                for result in results
            ]
            or None,
            "finalize_block_events": _events(events) or None,
        }

    def _on_validators(self, height: str, page: str, per_page: str) -> dict[str, Any]:
        self._height(height)
        start = (int(page) - 1) * int(per_page)
        batch = self._validators[start : start + int(per_page)]
        return {
            "block_height": height,
            "validators": batch,
            "count": str(len(batch)),
            "total": str(len(self._validators)),
        }

    def _on_abci_query(self, path: str, data: str, height: str, prove: bool) -> dict[str, Any]:
        query = abci_pb2.RequestQuery(
            path=path, data=bytes.fromhex(data), height=int(height), prove=prove
        )
        response = self.chain.call(query=query)
        assert isinstance(response, abci_pb2.ResponseQuery)
        operations = [
            {
                "type": operation.type,
                "key": base64.b64encode(operation.key).decode(),
                "data": base64.b64encode(operation.data).decode(),
            }
            for operation in response.proof_ops.ops
        ]
        return {
            "response": {
                "code": response.code,
                "log": response.log,
                "key": base64.b64encode(response.key).decode(),
                "value": base64.b64encode(response.value).decode(),
                "proofOps": {"ops": operations} if operations else None,
                "height": str(response.height),
            }
        }

    def _on_broadcast_tx_sync(self, tx: str) -> dict[str, Any]:
        raw = base64.b64decode(tx)
        name = sha256(raw)
        if name in self._seen:
            raise RpcError("tx already exists in cache")
        checked = self.chain.check(raw)
        if checked.ok:
            self._offered += 1
            if self._lose_every and self._offered % self._lose_every == 0:
                self.lost += 1
            else:
                self._seen.add(name)
                self._pool[name] = raw
        return {
            "code": int(checked.reason or 0),
            "log": checked.log,
            "hash": name.hex().upper(),
        }

    def _on_tx(self, hash: str) -> dict[str, Any]:  # noqa: A002 - JSON-RPC names
        name = base64.b64decode(hash)
        self.last_lookup = self.chain.height
        if name not in self._found:
            raise RpcError(f"tx ({name.hex().upper()}) not found")
        return self._found[name]

    def _height(self, text: str) -> int:
        number = int(text)
        if number > self.chain.height:
            raise RpcError(
                f"height {number} must be less than or equal to the current blockchain height"
                f" {self.chain.height}"
            )
        return number


def _events(events: Events) -> list[dict[str, Any]]:
    return [
        {
            "type": name,
            "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
        }
        for name, attributes in events
    ]
