"""Requests verified for pages: all facts, lying nodes, and bounds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.chain import Chain as ClientChain
from client.errors import Unreachable
from client.rpc import ChainRpc, QueryAnswer
from edge.explorer.facts import prove_request
from edge.explorer.proof import ProofState, Trust, Verifier, verifier_from
from light import verify_value
from tests.support.chain import ALICE, Chain, message, party_account, party_key
from tests.support.rpc_node import RpcNode
from tests.support.shop import ciphertext, request_messages, start_shop
from wire.answers import signed_digest
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2


@dataclass(frozen=True)
class World:
    """A served chain with a fulfilled, an open and a closed request, and a client of it."""

    node: RpcNode
    chain: ClientChain
    key: RequestId
    fulfilled: RequestId
    pending: RequestId
    closed: RequestId


def answer(chain: Chain, request_id: bytes, party: int, value: int) -> None:
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
    assert chain.send(party_account(party), message(fulfil=fulfil)).ok


def traffic(chain: Chain, key_id: bytes) -> list[RequestId]:
    """A request with three answers, one with one, one with four."""
    record, _ = ciphertext("x", key_id)
    register, publish, request = request_messages(record)
    assert chain.send(ALICE, register, publish).ok
    made = []
    for answers in (3, 1, 4):
        made.append(chain.send(ALICE, request).request_id)
        for party in range(1, answers + 1):
            answer(chain, made[-1], party, 5)
    return [RequestId(item) for item in made]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Served chain with traffic."""
    chain, key_id = start_shop(tmp_path)
    made = traffic(chain, key_id)
    node = RpcNode(chain)
    for _ in range(3):
        node.make_block()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(node.serve())
        rpc = await stack.enter_async_context(ChainRpc(node.url))
        client = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        yield World(node, client, RequestId(key_id), *made)
    chain.close()


async def verifier_of(world: World, **options: int) -> Verifier:
    """A verifier over the world's chain."""

    async def connect() -> ClientChain:
        return world.chain

    return Verifier(connect, **options)


async def test_all_facts_of_a_fulfilled_request(world: World) -> None:
    """Each value of the state has a proof that holds under the header's own app hash."""
    found = await prove_request(world.chain, world.fulfilled)
    names = [fact.name for fact in found.facts]
    assert names == [
        "entry",
        "status",
        "epoch",
        "answer 1",
        "answer 2",
        "answer 3",
        "audit",
        "agreement",
    ]
    for fact in found.facts[:-1]:
        verify_value(found.header.app_hash, fact.key, fact.value, fact.proof)
    assert found.signers == (1, 2, 3)
    assert found.header.height == found.height + 1
    assert found.audit is not None
    assert found.audit.request_id == bytes(world.fulfilled)
    assert not found.final


async def test_open_and_closed_requests_and_keys(world: World) -> None:
    """An open request has no agreement; a closed one is final; a generation is agreed on too."""
    open_one = await prove_request(world.chain, world.pending)
    assert (open_one.signers, open_one.audit, open_one.final) == ((), None, False)
    assert [fact.name for fact in open_one.facts] == ["entry", "status", "epoch", "answer 1"]
    closed = await prove_request(world.chain, world.closed)
    assert (closed.signers, closed.final) == ((1, 2, 3, 4), True)
    assert (await prove_request(world.chain, world.key)).signers == (1, 2, 3, 4)


async def test_the_signatures_outlive_the_plaintext(world: World) -> None:
    """After retention the plaintext is gone from the state, and agreement is still shown."""
    for _ in range(60):
        world.node.make_block()
    found = await prove_request(world.chain, world.closed)
    assert not any(
        asc_pb2.Answer.FromString(fact.value).fulfil.public_decryption.decrypted_result
        for fact in found.facts
        if fact.name.startswith("answer")
    )
    assert found.signers == (1, 2, 3, 4)


async def test_verified_outcomes_are_remembered(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A final outcome is never asked for again."""
    verifier = await verifier_of(world)
    first = await verifier.verify(world.closed, 10)
    assert first.state is ProofState.PROVEN
    assert first.facts is not None
    assert f"height {first.facts.height} " in first.words
    assert first.trusted

    async def refuse(*_args: object, **_named: object) -> QueryAnswer:
        raise AssertionError("asked again")

    monkeypatch.setattr(world.chain.rpc, "abci_query", refuse)
    assert await verifier.verify(world.closed, 10) is first
    await verifier.close()


async def test_unknown_requests(world: World) -> None:
    """The node knows none of this id."""
    verifier = await verifier_of(world)
    outcome = await verifier.verify(RequestId(bytes(20)), 10)
    assert (outcome.state, outcome.facts) == (ProofState.UNKNOWN, None)
    await verifier.close()


Forgery = Callable[[str, bytes, QueryAnswer], QueryAnswer]


def changed(answer: QueryAnswer, value: bytes) -> QueryAnswer:
    """The answer with another value."""
    return QueryAnswer(0, "", answer.key, value, answer.proof, answer.height)


def forge_status(path: str, data: bytes, answer: QueryAnswer) -> QueryAnswer:
    """Another result than was agreed."""
    if path != "/store" or not data.startswith(b"asc/status/"):
        return answer
    status = asc_pb2.RequestStatus.FromString(answer.value)
    status.agreed_digest = bytes(32)
    return changed(answer, status.SerializeToString(deterministic=True))


def hide_answers(path: str, _data: bytes, answer: QueryAnswer) -> QueryAnswer:
    """Answers that the node does not tell of."""
    if path != "/asc/request":
        return answer
    view = state_pb2.RequestView.FromString(answer.value)
    del view.answers[1:]
    return changed(answer, view.SerializeToString())


def tell_another(path: str, _data: bytes, answer: QueryAnswer) -> QueryAnswer:
    """The entry of another request."""
    if path != "/asc/request":
        return answer
    view = state_pb2.RequestView.FromString(answer.value)
    view.entry.sequence -= 1
    return changed(answer, view.SerializeToString())


def hide_audit(path: str, _data: bytes, answer: QueryAnswer) -> QueryAnswer:
    """An audit log without records."""
    return changed(answer, b"") if path == "/asc/audit" else answer


def break_proof(path: str, data: bytes, answer: QueryAnswer) -> QueryAnswer:
    """A proof of something else."""
    if path != "/store" or not data.startswith(b"config/epoch/"):
        return answer
    proof = bytes([*answer.proof[:-1], answer.proof[-1] ^ 1])
    return QueryAnswer(0, "", answer.key, answer.value, proof, answer.height)


@pytest.mark.parametrize(
    "forge", [forge_status, hide_answers, tell_another, hide_audit, break_proof]
)
async def test_a_lying_node_is_shown_as_one(
    world: World, monkeypatch: pytest.MonkeyPatch, forge: Forgery
) -> None:
    """Whatever it changes, nothing of the request is called proven."""
    honest = world.chain.rpc.abci_query

    async def lying(
        path: str, data: bytes = b"", height: int = 0, *, prove: bool = False
    ) -> QueryAnswer:
        return forge(path, data, await honest(path, data, height, prove=prove))

    monkeypatch.setattr(world.chain.rpc, "abci_query", lying)
    verifier = await verifier_of(world)
    outcome = await verifier.verify(world.closed, 10)
    assert (outcome.state, outcome.facts) == (ProofState.CONTRADICTED, None)
    await verifier.close()


async def test_another_root_of_trust(world: World) -> None:
    """Headers of validators that the explorer does not pin prove nothing."""
    stranger = await ClientChain.connect(world.chain.rpc, validators_hash=bytes(32))

    async def connect() -> ClientChain:
        return stranger

    verifier = Verifier(connect)
    assert (await verifier.verify(world.closed, 10)).state is ProofState.CONTRADICTED
    await verifier.close()


async def test_a_page_never_waits_long(world: World) -> None:
    """A slow node, an absent node, and more visitors than are checked at once."""
    gate = asyncio.Event()

    async def slow() -> ClientChain:
        await gate.wait()
        return world.chain

    verifier = Verifier(slow, waiting=2)
    states = [
        (await verifier.verify(request, 0.01)).state
        for request in (world.closed, world.pending, world.fulfilled)
    ]
    assert states == [ProofState.CHECKING, ProofState.CHECKING, ProofState.BUSY]
    gate.set()
    assert (await verifier.verify(world.closed, 10)).state is ProofState.PROVEN
    await verifier.close()


async def test_an_absent_node_is_tried_again(world: World) -> None:
    """Unavailable is said, and forgotten after its time."""
    now = [0.0]
    up = [False]

    async def connect() -> ClientChain:
        if not up[0]:
            raise Unreachable("/secret/path does not answer")
        return world.chain

    verifier = Verifier(connect, now=lambda: now[0])
    first = await verifier.verify(world.closed, 10)
    assert (first.state, first.detail) == (ProofState.UNAVAILABLE, "the node does not answer")
    up[0] = True
    assert (await verifier.verify(world.closed, 10)).state is ProofState.UNAVAILABLE
    now[0] = 6.0
    assert (await verifier.verify(world.closed, 10)).state is ProofState.PROVEN
    await verifier.close()


async def test_memory_is_bounded(world: World) -> None:
    """The oldest outcome goes."""
    verifier = await verifier_of(world, kept=2)
    for request in (world.closed, world.pending, world.fulfilled):
        await verifier.verify(request, 10)
    assert list(verifier._outcomes) == [world.pending, world.fulfilled]
    await verifier.close()


async def test_connections_of_its_own(world: World, tmp_path: Path) -> None:
    """A verifier from settings: witnesses confirm, and the newest header is kept for the next run."""
    node = world.node
    trust = Trust(
        node.url, tmp_path / "trust", node.validators_hash, node.chain.chain_id, (node.url,)
    )
    for _ in range(2):
        verifier = verifier_from(trust)
        outcome = await verifier.verify(world.closed, 10)
        assert outcome.state is ProofState.PROVEN
        await verifier.close()
    assert len(list(trust.folder.glob("*.json"))) == 1


async def test_another_chain_than_the_settings_name(world: World, tmp_path: Path) -> None:
    """Contradicted, not silently followed."""
    verifier = verifier_from(Trust(world.node.url, tmp_path, world.node.validators_hash, "other"))
    assert (await verifier.verify(world.closed, 10)).state is ProofState.CONTRADICTED
    await verifier.close()
