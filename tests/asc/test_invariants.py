"""Invariants under random traffic of honest, lying, silent and repeating parties."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asc import state as asc_state
from ledger.bank import state as bank
from tests.asc.world import (
    GENERATOR,
    REQUESTER,
    START_BALANCE,
    USER,
    World,
    failure,
    fulfil_key,
    fulfil_public,
    fulfil_user,
    party_account,
    ready_world,
    rederived,
)
from wire.answers import verify_equivocation
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.reasons import Reason, Rejection

PARTIES = st.integers(1, 4)
EXPECTED = {Reason.RESULT_CONFLICT}


class Traffic(RuleBasedStateMachine):
    """Requests of three kinds, answers and blocks in any order."""

    @initialize()
    def start(self) -> None:
        """One active key and two ciphertexts."""
        self.world: World = ready_world()
        self.public = self.world.register_public("a")
        self.private = self.world.register_for(USER.address, "b")
        self.open: list[bytes] = []
        self.supply = bank.minted(self.world.state)
        self.final: dict[bytes, tuple[int, bytes]] = {}

    @rule(kind=st.sampled_from(["key", "public", "user"]))
    def ask(self, kind: str) -> None:
        """Open a request."""
        if kind == "key":
            message: Any = asc_pb2.RequestKeyGeneration(parameters="test", dealer=True)
            self.open.extend(self.world.send(GENERATOR, message).ids)
        elif kind == "public":
            self.open.append(self.world.open_public(self.public))
        else:
            self.open.append(self.world.open_user(self.private))

    @rule(pick=st.integers(0, 99), party=PARTIES, lie=st.integers(0, 2))
    def answer(self, pick: int, party: int, lie: int) -> None:
        """One party answers, perhaps wrongly, perhaps again."""
        if not self.open:
            return
        entry = self.world.entry(self.open[pick % len(self.open)])
        if entry.kind == asc_pb2.REQUEST_KIND_KEY_GENERATION:
            message = fulfil_key(entry, party, f"key {lie}")
        elif entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
            message = fulfil_public(entry, party, lie)
        else:
            message = fulfil_user(entry, party, bytes([lie]))
        self.try_send(party, message)

    @rule(pick=st.integers(0, 99), party=PARTIES)
    def fail(self, pick: int, party: int) -> None:
        """One party gives up."""
        if self.open:
            self.try_send(party, failure(self.open[pick % len(self.open)], party))

    @rule(blocks=st.integers(1, 6))
    def pass_blocks(self, blocks: int) -> None:
        """Time passes; deadlines and retention with it."""
        self.world.end_block(blocks)

    def try_send(self, party: int, message: Any) -> None:
        """Send; only a third different answer of a party is refused."""
        try:
            self.world.send(party_account(party), message)
        except Rejection as rejection:
            if rejection.reason not in EXPECTED:
                raise

    @invariant()
    def supply_is_constant(self) -> None:
        """Balances and escrows add up to what genesis minted."""
        if hasattr(self, "world"):
            assert bank.total(self.world.state) == self.supply == 7 * START_BALANCE

    @invariant()
    def escrow_is_what_open_requests_cost(self) -> None:
        """Closed requests hold nothing, open ones their whole price."""
        if not hasattr(self, "world"):
            return
        held = sum(
            self.world.entry(request_id).price
            for request_id in self.open
            if not self.world.status(request_id).closed_height
        )
        accounts = [
            bank.account(self.world.state, person.address) for person in (REQUESTER, GENERATOR)
        ]
        assert sum(account.escrowed for account in accounts) == held

    @invariant()
    def decisions_are_final_and_announced_once(self) -> None:
        """Status and digest never change after the decision, and events match the status."""
        if not hasattr(self, "world"):
            return
        for request_id in self.open:
            status = self.world.status(request_id)
            decided = status.status != asc_pb2.STATUS_PENDING
            assert self.world.count("request_decided", request_id) == decided
            assert self.world.count("request_closed", request_id) == bool(status.closed_height)
            assert self.world.count("request_opened", request_id) == 1
            answers = len(status.answered) + len(status.failed)
            assert self.world.count("request_answered", request_id) == answers
            if decided:
                fact = (status.status, status.agreed_digest)
                assert self.final.setdefault(request_id, fact) == fact

    @invariant()
    def lists_match_answers(self) -> None:
        """The status counts exactly the stored answers; nobody is in two lists."""
        if not hasattr(self, "world"):
            return
        for request_id in self.open:
            status = self.world.status(request_id)
            stored = [answer.party for answer in asc_state.answers(self.world.state, request_id)]
            assert sorted([*status.answered, *status.failed]) == stored
            assert set(status.agreed) <= set(status.answered)

    @invariant()
    def derived_keys_can_be_derived(self) -> None:
        """Who restores the proven keys alone gets the very index that the handlers have written."""
        if hasattr(self, "world"):
            assert rederived(self.world.reader.values) == self.world.reader.values

    @invariant()
    def audit_log_is_complete(self) -> None:
        """One record for each decided request, sequences without gap, status and money as decided."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        last = asc_state.last_audit_sequence(state)
        records = [asc_state.require_audit_record(state, number) for number in range(1, last + 1)]
        assert [record.sequence for record in records] == list(range(1, last + 1))
        heights = [record.decided_height for record in records]
        assert heights == sorted(heights)
        # The first is the key that the world was made with.
        logged = {record.request_id: record for record in records[1:]}
        assert len(logged) == last - 1
        decided = [
            request_id
            for request_id in self.open
            if self.world.status(request_id).status != asc_pb2.STATUS_PENDING
        ]
        assert sorted(logged) == sorted(decided)
        for request_id, record in logged.items():
            status = self.world.status(request_id)
            assert (record.status, record.result_digest) == (status.status, status.agreed_digest)
            assert record.decided_height == status.decided_height
            assert set(record.agreed) <= set(status.agreed)
            assert record.paid + record.refunded == record.price
            assert bool(record.refunded) == (record.status != asc_pb2.STATUS_FULFILLED)

    @invariant()
    def evidence_convicts(self) -> None:
        """Each record proves itself against log entry and epoch; one for each signed contradiction."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        for sequence in range(1, asc_state.last_evidence_sequence(state) + 1):
            record = asc_state.evidence_record(state, sequence)
            assert record is not None
            verify_equivocation(record, asc_state.require_log_entry(state, record.request_sequence))
            conflicts = self.world.status(record.request_id).conflicts
            assert record.party in [conflict.party for conflict in conflicts]

    @invariant()
    def indexes_are_exact(self) -> None:
        """Every open request has its deadline in the future, and nothing else has one."""
        if not hasattr(self, "world"):
            return
        waiting = {
            asc_state.deadline_prefix(self.world.entry(request_id).deadline_height) + request_id
            for request_id in self.open
            if not self.world.status(request_id).closed_height
        }
        assert {key for key, _ in self.world.reader.iterate(b"~asc/deadline/")} == waiting


TestTraffic = Traffic.TestCase
TestTraffic.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
