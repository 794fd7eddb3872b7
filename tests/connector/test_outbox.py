"""Answers reach the chain once: batches, refusals, expiry, deadlines; over the real application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from client.chain import Chain as ClientChain
from client.rpc import ChainRpc
from connector.database import RESULT_CURSOR, Answer, Database, Outgoing
from connector.fulfil import FULL_BATCH
from connector.outbox import Outbox, Sender, companies
from tests.support.chain import ALICE, Chain, message, party_account, party_key
from tests.support.rpc_node import RpcNode
from tests.support.shop import DOMAIN, ciphertext, request_messages, start_shop
from wire.digests import sha256
from wire.eip712 import encode_plaintexts, public_decryption_digest
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.tx.v1 import tx_pb2


@dataclass
class Desk:
    """An outbox over a node whose blocks the test makes."""

    node: RpcNode
    chain: Chain
    outbox: Outbox
    database: Database
    key_id: bytes

    def open(self, name: str) -> bytes:
        """Open a request at once; returns its id."""
        record, _ = ciphertext(name, self.key_id)
        result = self.chain.send(ALICE, *request_messages(record))
        assert result.ok
        self.node.adopt()
        return result.request_id

    def put(self, *answers: tx_pb2.Message, deadline: int = 0) -> None:
        """Give answers to the database as the collector does."""
        for number, answer in enumerate(answers, self.database.cursor(RESULT_CURSOR) + 1):
            kind = getattr(answer, str(answer.WhichOneof("kind")))
            row = Answer(0, kind.request_id, answer.SerializeToString(), deadline, FULL_BATCH)
            self.database.add_answer(number, row, [])

    async def rounds(self, count: int) -> None:
        """Blocks, each followed by a step of the outbox."""
        for _ in range(count):
            self.node.make_block()
            await asyncio.gather(self.outbox.step(self.chain.height), self._following())

    async def _following(self) -> None:
        """The next header, for which proofs wait."""
        for _ in range(2):
            await asyncio.sleep(0.1)
            self.node.make_block()

    def states(self) -> list[str]:
        """States of the answers, by age."""
        rows = self.database._connection.execute("SELECT state FROM answer ORDER BY id")
        return [row[0] for row in rows]


@contextlib.asynccontextmanager
async def desk(folder: Path, lose_every: int = 0) -> AsyncIterator[Desk]:
    """Party 1's outbox."""
    chain, key_id = start_shop(folder)
    node = RpcNode(chain, block_seconds=3600, lose_every=lose_every)
    database = Database(folder / "connector.db")
    async with node.serve(), ChainRpc(node.url) as rpc:
        client = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        outbox = Outbox(client, database, Sender(party_account(1), 1))
        yield Desk(node, chain, outbox, database, key_id)
    database.close()
    chain.close()


def right(request: bytes, name: str, value: int = 7) -> tx_pb2.Message:
    """Party 1's signed answer to a request about the named ciphertext."""
    record, _ = ciphertext(name, b"")
    encoded = encode_plaintexts([(2, value)])
    digest = public_decryption_digest(DOMAIN, [record.handle], encoded)
    return message(
        fulfil=asc_pb2.Fulfil(
            request_id=request,
            party=1,
            public_decryption=asc_pb2.PublicDecryptionResult(decrypted_result=encoded),
            signature=party_key(1).sign_digest(digest),
        )
    )


def effects(parts: Desk) -> int:
    """How many answers took effect through the node."""
    return sum(
        kind == "request_answered" for _, result in parts.node.results for kind, _ in result.events
    )


async def test_all_ready_answers_travel_in_one_transaction(tmp_path: Path) -> None:
    """Three answers that are ready at a height are one transaction."""
    async with desk(tmp_path) as parts:
        names = ["a", "b", "c"]
        parts.put(*(right(parts.open(name), name) for name in names))
        await parts.rounds(3)
        assert parts.states() == ["done"] * 3
        assert len(parts.node.results) == 1
        assert effects(parts) == 3


async def test_one_refused_answer_does_not_hold_up_the_others(tmp_path: Path) -> None:
    """A wrong signature is set aside for good; its companions get through."""
    async with desk(tmp_path) as parts:
        good = [right(parts.open(name), name) for name in ("a", "b", "c")]
        bad = right(parts.open("d"), "other")
        parts.put(good[0], bad, *good[1:])
        await parts.rounds(6)
        assert parts.states() == ["done", "dead", "done", "done"]
        assert effects(parts) == 3


async def test_answer_that_the_chain_has_is_success(tmp_path: Path) -> None:
    """An answer that came in by another way is not sent again as news."""
    async with desk(tmp_path) as parts:
        answer = right(parts.open("a"), "a")
        assert parts.chain.send(party_account(1), answer).ok
        parts.node.adopt()
        parts.put(answer)
        await parts.rounds(4)
        assert parts.states() == ["done"]
        assert effects(parts) == 0


async def test_lost_transaction_is_sent_again_as_it_was(tmp_path: Path) -> None:
    """The node forgets the bytes; the same bytes get in later."""
    async with desk(tmp_path, lose_every=1) as parts:
        parts.put(right(parts.open("a"), "a"))
        await parts.rounds(1)
        assert parts.states() == ["sent"]
        assert parts.node.lost == 1
        (outgoing,) = parts.database.open_outgoing()
        parts.node.keep_all()
        await parts.rounds(4)
        assert parts.states() == ["done"]
        assert [sha256(raw) for raw, _ in parts.node.results] == [outgoing.hash]


async def test_expired_transaction_is_replaced_once(tmp_path: Path) -> None:
    """After its last height a lost transaction makes room for a new one."""
    async with desk(tmp_path, lose_every=1) as parts:
        parts.put(right(parts.open("a"), "a"))
        await parts.rounds(1)
        (outgoing,) = parts.database.open_outgoing()
        while parts.chain.height < outgoing.expires_at + 1:
            parts.node.make_block()
        parts.node.keep_all()
        await parts.rounds(4)
        assert parts.states() == ["done"]
        assert effects(parts) == 1
        assert outgoing.hash not in [sha256(raw) for raw, _ in parts.node.results]


async def test_answer_after_its_deadline_is_given_up(tmp_path: Path) -> None:
    """Nothing is sent for a request whose deadline has passed."""
    async with desk(tmp_path) as parts:
        parts.put(right(parts.open("a"), "a"), deadline=parts.chain.height)
        await parts.rounds(2)
        assert parts.states() == ["dead"]
        assert parts.node.results == []


async def test_accusation_is_sent_and_recognised(tmp_path: Path) -> None:
    """An accusation goes the same way and is found again in the status."""
    async with desk(tmp_path) as parts:
        request = parts.open("a")
        accuse = asc_pb2.Accuse(request_id=request, party=1, accused=[3])
        parts.put(message(accuse=accuse))
        await parts.rounds(3)
        assert parts.states() == ["done"]
        raw = parts.chain.query("/store", b"asc/status/" + request)
        assert asc_pb2.RequestStatus.FromString(raw).accusations == [
            asc_pb2.Accusation(accused=3, accusers=[1])
        ]


def _sizes(groups: Sequence[Sequence[Answer]]) -> list[int]:
    return [len(group) for group in groups]


@pytest.mark.parametrize(
    ("limits", "most", "size", "expected"),
    [
        ([9, 9, 9, 9, 9], 50, 10_000, [5]),
        ([9, 9, 9, 9, 9], 2, 10_000, [2, 2, 1]),
        ([1, 9, 9, 1], 50, 10_000, [1, 2, 1]),
        ([2, 2, 2], 50, 10_000, [2, 1]),
        ([9, 9, 9], 50, 216, [2, 1]),
    ],
)
def test_companies_keep_every_limit(
    limits: list[int], most: int, size: int, expected: list[int]
) -> None:
    """Order is kept; count, bytes and each answer's own limit bound a transaction."""
    answers = [Answer(n, b"", bytes(100), 0, limit) for n, limit in enumerate(limits)]
    groups = companies(answers, most, size)
    assert _sizes(groups) == expected
    assert [answer for group in groups for answer in group] == answers


def test_cursor_and_answer_are_one_step(tmp_path: Path) -> None:
    """A result that is taken twice is one row, and the cursor never goes back."""
    database = Database(tmp_path / "connector.db")
    row = Answer(0, bytes(20), b"message", 10, FULL_BATCH)
    database.add_answer(5, row, [b"\1" * 32])
    database.add_answer(4, row, [b"\1" * 32])
    assert database.cursor(RESULT_CURSOR) == 5
    assert database.ready_answers(1, 10) == []
    ((found, digest),) = database.pending_uploads(10)
    assert database.finish_upload(found.id, digest)
    assert [answer.message for answer in database.ready_answers(1, 10)] == [b"message"]
    database.add_outgoing(Outgoing(b"h" * 32, b"raw", 9), [found.id])
    assert database.ready_answers(1, 10) == []
    assert database.carried(b"h" * 32) == [found]
    database.close()
