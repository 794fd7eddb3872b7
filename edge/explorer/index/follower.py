"""Follows one node by height: block, results and the facts they touch, one block ahead in memory at most.

Nothing is skipped and nothing is read twice: the cursor moves with the block's own transaction. A node that is
away, or behind, is waited for; an answer that cannot be read, or an index that takes nothing now, is said once
and tried again.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import structlog
from google.protobuf import json_format
from google.protobuf.message import DecodeError

from client.errors import ClientError, HeightUnavailable
from client.rpc import ChainRpc
from edge.explorer.index.decode import DecodedBlock, Touched, Undecodable, decode_block
from edge.explorer.index.fill import (
    KEY,
    PREPROCESSING,
    REFERENCE_STRING,
    Facts,
    Filler,
    ValidatorSet,
)
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason

_LOG = structlog.get_logger(__name__)
_Record = TypeVar("_Record")

_POLL_S: Final = 0.5
_MOST_PAUSE_S: Final = 10.0
# Queries to the node at once; one explorer must not be felt there.
_AT_ONCE: Final = 4
_PAGE: Final = 100


class ChainChanged(Exception):  # noqa: N818 - named as what happened
    """The index is of another chain than the node's."""


@dataclass(slots=True)
class Progress:
    """Where the follower is; read by pages and health."""

    node_height: int = 0
    # In words, empty while all is well.
    trouble: str = ""


class Follower:
    """The only reader of the node."""

    def __init__(self, rpc: ChainRpc, filler: Filler, first_height: int = 1) -> None:
        """`first_height` is where an empty index begins, or the first height that the node has."""
        self.progress = Progress()
        # Hears of every block that was read.
        self.tell: Callable[[int], None] = lambda _height: None
        self._rpc = rpc
        self._filler = filler
        self._first = first_height
        self._limit = asyncio.Semaphore(_AT_ONCE)
        # As last read from the index, for the log: the index itself may be the trouble.
        self._cursor = 0

    async def run(self) -> None:
        """Follow for ever.

        Raises:
            ChainChanged: the node is on another chain than the index.
        """
        pause = _POLL_S
        while True:
            try:
                read = await self.step()
            except (ClientError, Undecodable, DecodeError, sqlite3.OperationalError) as error:
                # The index is locked by pruning, or its disk is full: nothing of the block is written.
                self._trouble(f"{type(error).__name__}: {error}")
                await asyncio.sleep(pause)
                pause = min(2 * pause, _MOST_PAUSE_S)
                continue
            self._trouble("")
            pause = _POLL_S
            if not read:
                await asyncio.sleep(_POLL_S)

    async def step(self) -> int:
        """Read what the node has more than the index; the number of blocks."""
        status = await self._rpc.status()
        self._require_chain(status.chain_id)
        self.progress.node_height = status.latest_height
        self._cursor = self._filler.cursor
        height = self._cursor + 1
        if height == 1:
            height = max(self._first, status.earliest_height)
        read = 0
        # Results of the newest block are there a little after the block.
        while height <= status.latest_height:
            try:
                await self._read(height)
            except HeightUnavailable:
                if height < status.latest_height:
                    raise
                break
            self._cursor = height
            self.tell(height)
            height += 1
            read += 1
        return read

    async def _read(self, height: int) -> None:
        block, results = await asyncio.gather(
            self._rpc.document("block", height=str(height)),
            self._rpc.document("block_results", height=str(height)),
        )
        decoded = decode_block(block, results)
        if decoded.block.height != height:
            raise Undecodable(f"asked for block {height}, got {decoded.block.height}")
        facts = await self._facts(decoded)
        await asyncio.to_thread(self._filler.fill, decoded, facts)

    def _require_chain(self, chain_id: str) -> None:
        known = self._filler.meta("chain_id")
        if known is None:
            self._filler.remember("chain_id", chain_id)
        elif known != chain_id:
            raise ChainChanged(f"the index is of chain {known}, the node of {chain_id}")

    def _trouble(self, words: str) -> None:
        if words and words != self.progress.trouble:
            _LOG.warning("index does not advance", cause=words, height=self._cursor)
        self.progress.trouble = words

    async def _facts(self, decoded: DecodedBlock) -> Facts:
        filler, touched = self._filler, decoded.touched
        facts = Facts()
        if filler.cursor == 0:
            await self._begin(decoded)
        facts.requests = await self._requests(touched)
        facts.materials = await self._materials(touched)
        facts.applications = await self._each(
            "/isc/application",
            [name.encode() for name in sorted(touched.applications)],
            state_pb2.ApplicationView,
        )
        if touched.audit:
            facts.audit = await self._sequence("audit", self._audit)
        if touched.evidence:
            facts.evidence = await self._sequence("evidence", self._evidence)
        if touched.config:
            facts.config = await self._config_records()
        await self._epochs(touched, facts)
        facts.validators = await self._validators(decoded)
        return facts

    async def _begin(self, decoded: DecodedBlock) -> None:
        """What no event tells: the genesis document's applications, and all there is where history is cut."""
        touched = decoded.touched
        touched.config = touched.audit = touched.evidence = True
        touched.materials.add(b"")
        try:
            genesis = (await self._rpc.document("genesis"))["genesis"]["app_state"]
            document = json_format.ParseDict(
                genesis, state_pb2.Genesis(), ignore_unknown_fields=True
            )
        except (ClientError, KeyError, TypeError, ValueError, json_format.ParseError):
            # A large document is served in parts only; its applications are met in requests.
            _LOG.warning("genesis document not read")
            return
        touched.applications |= {application.id for application in document.applications}

    async def _requests(self, touched: Touched) -> list[state_pb2.RequestView]:
        known = {request: self._filler.closed_view(request) for request in touched.requests}
        views = [view for view in known.values() if view is not None]
        asked = sorted(request for request, view in known.items() if view is None)
        return views + await self._each("/asc/request", asked, state_pb2.RequestView)

    async def _materials(self, touched: Touched) -> list[tuple[str, state_pb2.MaterialView]]:
        asked = [b""] if b"" in touched.materials else sorted(touched.materials)
        found = await self._each("/asc/material", asked, state_pb2.MaterialList)
        views: list[tuple[str, state_pb2.MaterialView]] = []
        for listing in found:
            views += [(KEY, view) for view in listing.keys]
            views += [(REFERENCE_STRING, view) for view in listing.crs]
            views += [(PREPROCESSING, view) for view in listing.preprocessings]
        return views

    async def _epochs(self, touched: Touched, facts: Facts) -> None:
        named = touched.epochs | {view.entry.epoch_id for view in facts.requests}
        named |= {view.entry.next_epoch_id for view in facts.requests} - {0}
        unknown = sorted(number for number in named if not self._filler.knows_epoch(number))
        data = [number.to_bytes(8, "big") for number in unknown]
        facts.epochs = await self._each("/config/epoch", data, config_pb2.Epoch)
        if touched.epochs or self._filler.meta("epoch") is None:
            for epoch in await self._each("/config/epoch", [b""], config_pb2.Epoch):
                facts.epochs.append(epoch)
                facts.current_epoch = epoch.id

    async def _audit(self, first: int) -> tuple[Iterable[asc_pb2.AuditRecord], int]:
        query = state_pb2.AuditQuery(from_sequence=first, limit=_PAGE)
        data = query.SerializeToString(deterministic=True)
        page = (await self._each("/asc/audit", [data], state_pb2.AuditList))[0]
        return page.records, page.next_sequence

    async def _evidence(self, first: int) -> tuple[Iterable[asc_pb2.EvidenceRecord], int]:
        data = first.to_bytes(8, "big") + _PAGE.to_bytes(4, "big")
        page = (await self._each("/asc/evidence", [data], state_pb2.EvidenceList))[0]
        return page.records, page.next_sequence

    async def _sequence(
        self, table: str, page: Callable[[int], Awaitable[tuple[Iterable[_Record], int]]]
    ) -> list[_Record]:
        """Records after the last that is here."""
        first = self._filler.last_sequence(table) + 1
        records: list[_Record] = []
        while first:
            found, first = await page(first)
            records += found
        return records

    async def _config_records(self) -> list[config_pb2.ConfigRecord]:
        """Newest first until one is here."""
        last = self._filler.last_sequence("config_history")
        records: list[config_pb2.ConfigRecord] = []
        first = 0
        while True:
            data = first.to_bytes(8, "big") + _PAGE.to_bytes(4, "big")
            page = (await self._each("/config/history", [data], state_pb2.ConfigHistory))[0]
            records += [record for record in page.records if record.sequence > last]
            first = page.next_sequence
            if not first or first <= last:
                return records

    async def _validators(self, decoded: DecodedBlock) -> ValidatorSet | None:
        digest = decoded.block.validators_hash.hex()
        if self._filler.meta("validators") == digest:
            return None
        height = decoded.block.height
        members = json.loads(await self._rpc.validators(height))
        names: dict[str, str] = {}
        for listing in await self._each("/config/validators", [b""], state_pb2.ValidatorList):
            for voter in listing.validators:
                names[base64.b64encode(voter.public_key).decode()] = voter.name
        try:
            found = tuple(
                (
                    str(member["address"]).lower(),
                    str(member["pub_key"]["value"]),
                    int(member["voting_power"]),
                    names.get(str(member["pub_key"]["value"]), ""),
                )
                for member in members
            )
        except (KeyError, TypeError, ValueError) as error:
            raise Undecodable("validators are not of the engine's form") from error
        return ValidatorSet(height, digest, found)

    async def _each(self, path: str, data: Iterable[bytes], kind: Any) -> list[Any]:
        """Answers of unproven queries; what the node does not know (any more) is left out."""
        found = await asyncio.gather(*(self._query(path, item) for item in data))
        return [kind.FromString(raw) for raw in found if raw is not None]

    async def _query(self, path: str, data: bytes) -> bytes | None:
        async with self._limit:
            answer = await self._rpc.abci_query(path, data)
        if answer.code == int(Reason.NOT_FOUND):
            return None
        if answer.code:
            raise Undecodable(f"{path}: the node answers with code {answer.code}")
        return answer.value
