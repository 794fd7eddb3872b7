"""A chain with some history and its index, without an engine: the real application, read by the real follower.

world = build_world(tmp_path)      # chain, node, index, and the ids of what there is
reader = world.reader()
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from unittest import mock

from client.errors import HeightUnavailable
from client.rpc import ChainRpc, NodeStatus, QueryAnswer
from edge.explorer.index.database import create
from edge.explorer.index.fill import Filler
from edge.explorer.index.follower import Follower
from edge.explorer.reader import Reader
from tests.support.chain import (
    ADMIN,
    ALICE,
    BLOCK_SECONDS,
    BOB,
    GENESIS_SECONDS,
    STRANGER,
    Chain,
    Result,
    message,
    party_account,
    party_key,
    service_account,
)
from tests.support.shop import (
    APPLICATION,
    ciphertext,
    generate_crs,
    request_messages,
    start_shop,
)
from wire.answers import signed_digest
from wire.digests import sha256
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.bank.v1 import bank_pb2
from wire.pb.tkms.comet.v1 import abci_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2

VALIDATORS = 4


@dataclass
class Recorder:
    """Keeps what every block of a chain gave, as an engine does."""

    blocks: list[tuple[list[bytes], list[Result], Any]] = field(default_factory=list)

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record all blocks that are made inside."""
        original = Chain.decide

        def decide(chain: Chain, *raw: bytes) -> list[Result]:
            results = original(chain, *raw)
            self.blocks.append((list(raw), results, chain.events))
            return results

        with mock.patch.object(Chain, "decide", decide):
            yield


class EngineNode:
    """Answers in the engine's form, as far as the follower asks."""

    def __init__(self, chain: Chain, recorder: Recorder) -> None:
        self.chain = chain
        self.recorder = recorder
        self.url = "test:"
        # Calls by method, to see what a follower costs.
        self.calls: dict[str, int] = {}
        # Places of validators that do not sign, by height.
        self.absent: dict[int, set[int]] = {}
        self.earliest = 1

    async def status(self) -> NodeStatus:
        """Where it is."""
        self._count("status")
        return NodeStatus(self.chain.chain_id, self.chain.height, self.earliest, catching_up=False)

    async def document(self, method: str, **parameters: str) -> Any:
        """Block, results, genesis and consensus."""
        self._count(method)
        if method == "genesis":
            return {"genesis": {"app_state": json.loads(self.chain.app_state())}}
        if method == "consensus_state":
            return self._consensus()
        height = int(parameters["height"])
        if not self.earliest <= height <= len(self.recorder.blocks):
            raise HeightUnavailable(f"height {height} is not available")
        return self._block(height) if method == "block" else self._results(height)

    async def validators(self, height: int) -> bytes:
        """The same set at all heights."""
        self._count("validators")
        assert height >= self.earliest
        return json.dumps(
            [
                {
                    "address": address(number),
                    "pub_key": {"value": base64.b64encode(public_key(number)).decode()},
                    "voting_power": "10",
                }
                for number in range(VALIDATORS)
            ]
        ).encode()

    async def abci_query(
        self, path: str, data: bytes = b"", height: int = 0, *, prove: bool = False
    ) -> QueryAnswer:
        """The application's own answer."""
        self._count(path)
        if path == "/config/validators":
            # The test chain's own validators are not those that sign here.
            return QueryAnswer(0, "", b"", validator_names(), b"", self.chain.height)
        query = abci_pb2.RequestQuery(path=path, data=data, height=height, prove=prove)
        found = self.chain.call(query=query)
        assert isinstance(found, abci_pb2.ResponseQuery)
        return QueryAnswer(found.code, found.log, found.key, found.value, b"", found.height)

    async def close(self) -> None:
        """Nothing is open."""

    def _count(self, name: str) -> None:
        self.calls[name] = self.calls.get(name, 0) + 1

    def _consensus(self) -> dict[str, Any]:
        height = self.chain.height + 1
        votes = {
            "round": 0,
            "prevotes": ["nil-Vote"] * VALIDATORS,
            "prevotes_bit_array": "BA{4:xxx_} 30/40 = 0.75",
            "precommits": ["nil-Vote"] * VALIDATORS,
            "precommits_bit_array": "BA{4:____} 0/40 = 0.00",
        }
        return {
            "round_state": {
                "height/round/step": f"{height}/0/6",
                "start_time": time_text(height),
                "proposal_block_hash": block_hash(height).hex().upper(),
                "locked_block_hash": "",
                "valid_block_hash": "",
                "height_vote_set": [votes],
                "proposer": {"address": address(0).upper(), "index": 0},
            }
        }

    def _block(self, height: int) -> dict[str, Any]:
        raws, _, _ = self.recorder.blocks[height - 1]
        absent = self.absent.get(height - 1, set())
        return {
            "block_id": {"hash": block_hash(height).hex().upper()},
            "block": {
                "header": {
                    "height": str(height),
                    "time": time_text(height),
                    "proposer_address": address(height % VALIDATORS).upper(),
                    "app_hash": sha256(b"app %d" % height).hex().upper(),
                    "last_block_id": {
                        "hash": block_hash(height - 1).hex().upper() if height > 1 else ""
                    },
                    "validators_hash": sha256(b"validators").hex().upper(),
                },
                "data": {"txs": [base64.b64encode(raw).decode() for raw in raws]},
                "last_commit": {
                    "round": 0,
                    "signatures": [
                        {"block_id_flag": 1 if place in absent else 2}
                        for place in range(VALIDATORS if height > 1 else 0)
                    ],
                },
            },
        }

    def _results(self, height: int) -> dict[str, Any]:
        _, results, events = self.recorder.blocks[height - 1]
        return {
            "height": str(height),
            "txs_results": [
                {
                    "code": int(result.reason or 0),
                    "log": result.log,
                    "gas_used": "100",
                    "events": engine_events(result.events),
                }
                for result in results
            ]
            or None,
            "finalize_block_events": engine_events(events),
        }


def engine_events(events: Any) -> list[dict[str, Any]]:
    """Events in the engine's form."""
    return [
        {
            "type": name,
            "attributes": [{"key": key, "value": value} for key, value in attributes.items()],
        }
        for name, attributes in events
    ]


def validator_names() -> bytes:
    """What the configuration calls the validators; the last has no name."""
    voters = [
        config_pb2.Validator(public_key=public_key(number), power=10, name=f"validator-{number}")
        for number in range(VALIDATORS - 1)
    ]
    return state_pb2.ValidatorList(validators=voters).SerializeToString()


def public_key(number: int) -> bytes:
    """Key of a validator."""
    return service_account(f"engine {number}").public_key


def address(number: int) -> str:
    """Address of a validator, as the engine writes it."""
    return sha256(public_key(number))[:20].hex()


def block_hash(height: int) -> bytes:
    """Hash of a block."""
    return sha256(b"block %d" % height)


def time_text(height: int) -> str:
    """Time of a block, RFC 3339 with nine digits."""
    moment = dt.datetime.fromtimestamp(GENESIS_SECONDS + BLOCK_SECONDS * height, dt.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + ".250000000Z"


@dataclass
class World:
    """What `build_world` made."""

    chain: Chain
    node: EngineNode
    recorder: Recorder
    path: Path
    key_id: bytes
    crs_id: bytes
    handle: bytes
    # Fulfilled and closed, contradicted, failed, expired, pending, in this order.
    requests: dict[str, bytes] = field(default_factory=dict)

    @property
    def rpc(self) -> ChainRpc:
        """The node, as the follower knows nodes."""
        return cast("ChainRpc", self.node)

    def follow(self) -> int:
        """Read what is new; the number of blocks."""
        connection = create(self.path)
        try:
            return asyncio.run(Follower(self.rpc, Filler(connection)).step())
        finally:
            connection.close()

    def reader(self) -> Reader:
        """Reader of the index."""
        return Reader(self.path, lambda: self.chain.height)


def answer(chain: Chain, request_id: bytes, party: int, value: int) -> Result:
    """A party's signed answer to a public decryption of one ciphertext."""
    entry = state_pb2.RequestView.FromString(chain.query("/asc/request", request_id)).entry
    fulfil = asc_pb2.Fulfil(
        request_id=request_id,
        party=party,
        public_decryption=asc_pb2.PublicDecryptionResult(
            decrypted_result=value.to_bytes(32, "big")
        ),
    )
    fulfil.signature = party_key(party).sign_digest(signed_digest(entry, fulfil))
    return chain.send(party_account(party), message(fulfil=fulfil))


def build_world(folder: Path, more_requests: int = 0) -> World:
    """Chain with one of everything, and its index."""
    recorder = Recorder()
    with recorder.recording():
        chain, key_id = start_shop(folder / "chain")
        crs_id = generate_crs(chain, key_id, 64, b"crs")
        record, _ = ciphertext("x", key_id)
        world = World(
            chain,
            EngineNode(chain, recorder),
            recorder,
            folder / "index.db",
            key_id,
            crs_id,
            record.handle,
        )
        _traffic(world, record, more_requests)
    world.node.absent[5] = {2}
    world.follow()
    return world


def _traffic(world: World, record: isc_pb2.Ciphertext, more_requests: int) -> None:
    chain = world.chain
    register, publish, request = request_messages(record)
    assert chain.send(ALICE, register, publish).ok
    grant = isc_pb2.GrantAccess(
        application=APPLICATION, handle=record.handle, account=bytes(BOB.address)
    )
    assert chain.send(ALICE, message(grant_access=grant)).ok
    made = world.requests
    made["fulfilled"] = chain.send(ALICE, request).request_id
    for party in range(1, 5):
        assert answer(chain, made["fulfilled"], party, 5).ok
    made["contradicted"] = chain.send(BOB, request).request_id
    for party in (1, 2, 3):
        assert answer(chain, made["contradicted"], party, 5).ok
    assert answer(chain, made["contradicted"], 3, 6).ok
    made["failed"] = chain.send(ALICE, request).request_id
    for party in (1, 2):
        report = asc_pb2.ReportFailure(
            request_id=made["failed"],
            party=party,
            code=asc_pb2.FAILURE_CODE_CIPHERTEXT_UNAVAILABLE,
        )
        assert chain.send(party_account(party), message(report_failure=report)).ok
    for _ in range(more_requests):
        extra = chain.send(ALICE, request).request_id
        for party in (1, 2):
            assert answer(chain, extra, party, 5).ok
    # Refused at execution, and refused before.
    transfer = bank_pb2.Transfer(recipient=bytes(STRANGER.address), amount=10**6)
    raw = chain.build(BOB, message(transfer=transfer))
    chain.decide(raw)
    change = config_pb2.ProposeChange(
        change=config_pb2.Change(
            quorum=config_pb2.RoleQuorum(role=config_pb2.ROLE_REGISTRAR, quorum=1)
        ),
        activation_height=chain.height + 3,
        title='<script>alert("title")</script>',
    )
    assert chain.send(ADMIN, message(propose_change=change)).ok
    chain.skip(4)
    chain.decide(b"not a transaction")
    made["pending"] = chain.send(ALICE, request).request_id
    assert answer(chain, made["pending"], 4, 5).ok
