"""The audit log and evidence, read through a node that may lie."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from client.audit import audit_page, proven_audit_page, proven_evidence
from client.chain import Chain as ClientChain
from client.errors import VerificationFailed
from client.rpc import ChainRpc
from tests.support.chain import ALICE, BOB, Chain, message, party_account, party_key
from tests.support.rpc_node import RpcNode
from tests.support.shop import APPLICATION, ciphertext, request_messages, start_shop
from wire.answers import signed_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.signing import Signer

Forgery = Callable[[state_pb2.AuditList], None]


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


def traffic(chain: Chain, key_id: bytes) -> None:
    """Four fulfilled requests of two accounts and a party that contradicts itself."""
    record, _ = ciphertext("x", key_id)
    register, publish, request = request_messages(record)
    assert chain.send(ALICE, register, publish).ok
    senders: list[Signer] = [ALICE, BOB, ALICE, ALICE]
    for sender in senders:
        request_id = chain.send(sender, request).request_id
        for party in (1, 2):
            answer(chain, request_id, party, 5)
    answer(chain, request_id, 3, 5)
    answer(chain, request_id, 3, 6)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[tuple[RpcNode, ClientChain]]:
    """A node with a log of five records (the first is the key), and a client of it."""
    chain, key_id = start_shop(tmp_path)
    traffic(chain, key_id)
    node = RpcNode(chain)
    node.make_block()
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(node.serve())
        rpc = await stack.enter_async_context(ChainRpc(node.url))
        yield node, await ClientChain.connect(rpc, validators_hash=node.validators_hash)
    chain.close()


def sequences(records: tuple[asc_pb2.AuditRecord, ...]) -> list[int]:
    """Sequence numbers."""
    return [record.sequence for record in records]


async def test_pages_are_proven(served: tuple[RpcNode, ClientChain]) -> None:
    """Whole log, a page of it, and both filters; unproven pages are the same."""
    _, chain = served
    bob = bytes(BOB.address)
    for query, expected, following in (
        (state_pb2.AuditQuery(), [1, 2, 3, 4, 5], 0),
        (state_pb2.AuditQuery(from_sequence=2, limit=2), [2, 3], 4),
        (state_pb2.AuditQuery(requester=bob), [3], 0),
        (state_pb2.AuditQuery(application=APPLICATION, limit=3), [2, 3, 4], 5),
    ):
        page = await proven_audit_page(chain, query)
        assert (sequences(page.records), page.next_sequence) == (expected, following)
        assert page.proven_at_height > 0
        assert (await audit_page(chain, query)).records == page.records


def hide_one(listing: state_pb2.AuditList) -> None:
    """Leave a record out."""
    del listing.records[1]


def change_one(listing: state_pb2.AuditList) -> None:
    """Another requester."""
    listing.records[1].requester = bytes(20)


def repeat_one(listing: state_pb2.AuditList) -> None:
    """The same record twice."""
    listing.records.insert(1, listing.records[0])


def invent_one(listing: state_pb2.AuditList) -> None:
    """A record above the last."""
    listing.records.add(sequence=6)


def promise_more(listing: state_pb2.AuditList) -> None:
    """A longer log than there is."""
    listing.last_sequence = 7


@pytest.mark.parametrize("forge", [hide_one, change_one, repeat_one, invent_one, promise_more])
async def test_a_lying_node_is_caught(
    served: tuple[RpcNode, ClientChain], monkeypatch: pytest.MonkeyPatch, forge: Forgery
) -> None:
    """Whatever it does to the page; without proof the page is believed, and says so."""
    _, chain = served
    honest = chain.query

    async def lying(path: str, data: bytes = b"") -> bytes:
        listing = state_pb2.AuditList.FromString(await honest(path, data))
        forge(listing)
        return listing.SerializeToString()

    monkeypatch.setattr(chain, "query", lying)
    assert (await audit_page(chain, state_pb2.AuditQuery())).proven_at_height == 0
    with pytest.raises(VerificationFailed):
        await proven_audit_page(chain, state_pb2.AuditQuery())


async def test_a_hidden_end_shows(
    served: tuple[RpcNode, ClientChain], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that ends the log early is asked for the rest, since the last sequence is proven."""
    _, chain = served
    honest = chain.query

    async def lying(path: str, data: bytes = b"") -> bytes:
        listing = state_pb2.AuditList.FromString(await honest(path, data))
        del listing.records[3:]
        listing.last_sequence = 3
        return listing.SerializeToString()

    monkeypatch.setattr(chain, "query", lying)
    page = await proven_audit_page(chain, state_pb2.AuditQuery())
    assert (page.next_sequence, page.last_sequence) == (4, 5)


async def test_a_filter_is_obeyed(
    served: tuple[RpcNode, ClientChain], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records of others are refused, proven or not."""
    _, chain = served
    honest = chain.query

    async def lying(path: str, _data: bytes = b"") -> bytes:
        return await honest(path, b"")

    monkeypatch.setattr(chain, "query", lying)
    for query in (
        state_pb2.AuditQuery(requester=bytes(BOB.address)),
        state_pb2.AuditQuery(application="other"),
    ):
        with pytest.raises(VerificationFailed):
            await proven_audit_page(chain, query)


async def test_evidence_convicts(served: tuple[RpcNode, ClientChain]) -> None:
    """State, epoch and signatures bear it out; anything else is refused."""
    _, chain = served
    raw = await chain.query("/asc/evidence", bytes(12))
    (record,) = state_pb2.EvidenceList.FromString(raw).records
    assert record.party == 3
    assert await proven_evidence(chain, record) == record
    for name, value in (("party", 2), ("sequence", 2), ("height", 1), ("epoch_id", 7)):
        forged: Any = asc_pb2.EvidenceRecord.FromString(record.SerializeToString())
        setattr(forged, name, value)
        with pytest.raises(VerificationFailed):
            await proven_evidence(chain, forged)
