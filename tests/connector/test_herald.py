"""News reach the core once, proven; old epochs are over only when nothing of them is on its way."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from client import keys
from client.chain import Chain as ClientChain
from client.rpc import ChainRpc
from connector.database import Database, Work
from connector.herald import Herald
from core.epochs import Epochs
from core.facts import Facts
from core.journal import Journal
from core.trust import Trust
from core.vault import open_vault
from light import Policy
from tests.support.chain import ADMIN, ALICE, CHAIN_ID, message
from tests.support.rpc_node import RpcNode
from tests.support.shop import ciphertext, request_messages, start_shop
from wire.ids import RequestId
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.core.v1 import core_pb2

CHANGE = RequestId(bytes([7] * 20))


class BelievingCore:
    """The core's real light client and facts, without its process."""

    def __init__(self, folder: Path, validators_hash: bytes, key_id: bytes) -> None:
        """Open journal and vault."""
        folder.mkdir()
        self.journal = Journal(folder / "journal.db", CHAIN_ID, 1)
        policy = Policy(CHAIN_ID, 14 * 24 * 3600, 30)
        self.trust = Trust(policy, validators_hash, self.journal, time.time_ns)
        self.epochs = Epochs(self.journal, open_vault(folder / "vault", "clear", None))
        self.facts = Facts(self.trust, self.journal, self.epochs)
        self.key_id = key_id
        self.told: list[core_pb2.InformRequest] = []
        self.working_on: list[bytes] = []

    async def status(self) -> core_pb2.StatusReply:
        """As the service says it."""
        states = self.epochs.states
        return core_pb2.StatusReply(
            trusted_height=self.trust.height,
            key_ids=[self.key_id],
            current_epoch_id=states.current,
            change_request=states.change,
            held_epoch_ids=states.held,
            long_requests=self.working_on,
        )

    async def inform(self, request: core_pb2.InformRequest) -> None:
        """Believe it or raise."""
        copy = core_pb2.InformRequest()
        copy.CopyFrom(request)
        self.told.append(copy)
        self.facts.learn(copy)


@dataclass
class Desk:
    """A herald over a node whose blocks the test makes."""

    node: RpcNode
    core: BelievingCore
    database: Database
    herald: Herald
    sequence: int = field(default=0)

    async def step(self) -> bool:
        """One step, with the header for which proofs wait."""

        async def following() -> None:
            for _ in range(2):
                await asyncio.sleep(0.05)
                self.node.make_block()

        told, _ = await asyncio.gather(self.herald.step(), following())
        return told


@contextlib.asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    """Party 1's herald."""
    (folder / "chain").mkdir()
    chain, key_id = start_shop(folder / "chain")
    node = RpcNode(chain, block_seconds=3600)
    core = BelievingCore(folder / "core", node.validators_hash, key_id)
    database = Database(folder / "connector.db")
    async with node.serve(), ChainRpc(node.url) as rpc:
        client = await ClientChain.connect(rpc, validators_hash=node.validators_hash)
        yield Desk(node, core, database, Herald(client, core, database))
    database.close()
    core.journal.close()
    chain.close()


def facts(told: core_pb2.InformRequest) -> set[bytes]:
    """Keys of what was told."""
    return {fact.key for fact in told.facts}


async def test_everything_is_told_once(tmp_path: Path) -> None:
    """Epoch and key at first, nothing after, everything again by another process."""
    async with desk(tmp_path) as parts:
        assert await parts.step()
        assert facts(parts.core.told[0]) == {
            keys.current_epoch(),
            keys.key_record(parts.core.key_id),
        }
        assert parts.core.epochs.states.current == 1
        record = parts.core.journal.key(parts.core.key_id)
        assert record is not None
        assert asc_pb2.MaterialRecord.FromString(record).status == asc_pb2.KEY_STATUS_ACTIVE
        assert not await parts.step()
        assert len(parts.core.told) == 1


async def test_what_the_chain_gave_up_is_told(tmp_path: Path) -> None:
    """An aborted generation, once; nothing of one that goes on."""
    async with desk(tmp_path) as parts:
        assert await parts.step()
        asked = message(request_preprocessing=asc_pb2.RequestPreprocessing(parameters="test"))
        made = [parts.node.chain.send(ADMIN, asked).request_id for _ in range(2)]
        parts.core.working_on = made
        parts.node.adopt()
        assert not await parts.step()
        abort = asc_pb2.AbortGeneration(request_id=made[1])
        assert parts.node.chain.send(ADMIN, message(abort_generation=abort)).ok
        parts.node.adopt()
        assert await parts.step()
        assert facts(parts.core.told[-1]) == {keys.status(made[1])}
        learned = parts.core.facts.learn(parts.core.told[-1])
        assert [request_id.value for request_id in learned.ended] == [made[1]]
        assert not await parts.step()


async def test_old_epochs_wait_for_the_log_and_the_change(tmp_path: Path) -> None:
    """An entry that is not read, one that is not handed over, and an open change each hold them back."""
    async with desk(tmp_path) as parts:
        record, _ = ciphertext("a", parts.core.key_id)
        opened = parts.node.chain.send(ALICE, *request_messages(record))
        assert opened.ok
        parts.node.adopt()
        # The chain's epoch 1 is this core's second.
        status = core_pb2.StatusReply(current_epoch_id=1, held_epoch_ids=[0, 1])
        found = {keys.current_epoch(): (1).to_bytes(8, "big")}

        async def done() -> bool:
            return await parts.herald._old_epochs_done(status, found)

        assert not await done()
        last = int.from_bytes(parts.node.chain.query("/store", keys.last_sequence()), "big")
        for sequence in range(1, last + 1):
            raw = parts.node.chain.query("/store", keys.log_entry(sequence))
            entry = asc_pb2.LogEntry.FromString(raw)
            entry.epoch_id = 0
            parts.database.add_work(Work(sequence, entry.SerializeToString(), b""))
        assert not await done()
        for sequence in range(1, last + 1):
            parts.database.finish_work(sequence, "submitted")
        assert await done()
        status.change_request = CHANGE.value
        change = asc_pb2.RequestStatus(status=asc_pb2.STATUS_FULFILLED)
        found[keys.status(CHANGE.value)] = change.SerializeToString()
        assert not await done()
        change.closed_height = 9
        found[keys.status(CHANGE.value)] = change.SerializeToString()
        assert await done()
        found[keys.current_epoch()] = (2).to_bytes(8, "big")
        assert not await done()
