"""Invariants of keys and epochs under random generations, refreshes, rotations, decisions and answers."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from asc import state as asc_state
from ledger.bank import state as bank
from ledger.config import state as config
from tests.asc.world import (
    ADMIN,
    GENERATOR,
    START_BALANCE,
    World,
    epoch,
    fulfil_public,
    party_account,
    party_key,
    ready_world,
    rederived,
)
from tests.support.generated import generated
from wire.answers import answering_epoch_id
from wire.pb.tkms.asc.v1 import asc_pb2
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection

# What may well be refused here: the state is random. Anything else is a bug.
EXPECTED = {
    Reason.EPOCH_PENDING,
    Reason.GENERATION_OPEN,
    Reason.NOTHING_TO_REFRESH,
    Reason.UNKNOWN_PREPROCESSING,
    Reason.PREPROCESSING_CONSUMED,
    Reason.PREPROCESSING_MISMATCH,
    Reason.KEY_STATE_INVALID,
    Reason.UNKNOWN_KEY,
    Reason.KEY_PENDING,
    Reason.KEY_SUSPENDED,
    Reason.KEY_REVOKED,
    Reason.KEY_DESTROYED,
    Reason.RESULT_CONFLICT,
    Reason.REQUEST_DECIDED,
    Reason.NOT_PARTY,
    Reason.BAD_RESULT,
    Reason.TOO_MANY_PROPOSALS,
}
# Operators by the offset of their keys; a rotation goes to one of these sets.
OFFSETS = (0, 10, 20)
FINAL = (asc_pb2.KEY_STATUS_REVOKED, asc_pb2.KEY_STATUS_DESTROYED)


class Life(RuleBasedStateMachine):
    """One chain of four parties; three sets of operators take turns."""

    @initialize(interval=st.sampled_from([0, 0, 7]))
    def start(self, interval: int) -> None:
        """One key, one public value."""
        self.world: World = ready_world()
        self.public = self.world.register_public("a")
        self.key_ids = [self.world.key_id]
        self.offsets = {1: 0}
        self.seen_epochs = [1]
        self.final: dict[bytes, int] = {}
        self.consumed: dict[bytes, bytes] = {}
        if interval:
            self.world.change_parameters(refresh_interval_blocks=interval)

    def attempt(self, sender: object, message: object) -> list[bytes]:
        """Send; ids, or nothing where it was refused for a reason that may be."""
        try:
            return self.world.send(sender, message).ids  # type: ignore[arg-type]
        except Rejection as rejection:
            if rejection.reason not in EXPECTED:
                raise
            return []

    @rule()
    def preprocess(self) -> None:
        """Ask for bits and triples."""
        self.attempt(GENERATOR, asc_pb2.RequestPreprocessing(parameters="test"))

    @rule(pick=st.integers(0, 9), dealer=st.booleans())
    def generate(self, pick: int, dealer: bool) -> None:
        """Ask for a key."""
        made = list(asc_state.materials(self.world.state, asc_state.PREPROCESSING_PREFIX))
        preprocessing = b"" if dealer or not made else made[pick % len(made)].id
        message = asc_pb2.RequestKeyGeneration(
            parameters="test", preprocessing_id=preprocessing, dealer=dealer
        )
        self.key_ids.extend(self.attempt(GENERATOR, message))

    @rule()
    def refresh(self) -> None:
        """New shares."""
        self.attempt(GENERATOR, asc_pb2.RequestRefresh())

    @rule(offset=st.sampled_from(OFFSETS))
    def rotate(self, offset: int) -> None:
        """Other parties, from the next block on."""
        change = config_pb2.Change(epoch=epoch(0, 4, offset))
        self.propose(change)

    @rule(pick=st.integers(0, 9), action=st.integers(1, 4))
    def decide(self, pick: int, action: int) -> None:
        """Change a key's state with the next block."""
        key_id = self.key_ids[pick % len(self.key_ids)]
        change = config_pb2.KeyChange(key_id=key_id, action=action)  # type: ignore[arg-type]
        self.propose(config_pb2.Change(key=change))

    def propose(self, change: config_pb2.Change) -> None:
        """One change at the next height."""
        height = self.world.height + 1
        self.attempt(ADMIN, config_pb2.ProposeChange(change=change, activation_height=height))

    @rule()
    def decrypt(self) -> None:
        """Ask for the public value."""
        self.attempt(ADMIN, self.world.public_request(self.public))

    @rule(pick=st.integers(0, 99))
    def abort(self, pick: int) -> None:
        """End a generation."""
        found = asc_state.generating(self.world.state)
        if found:
            message = asc_pb2.AbortGeneration(request_id=found[pick % len(found)])
            self.attempt(GENERATOR, message)

    @rule(pick=st.integers(0, 99), party=st.integers(1, 4), lie=st.integers(0, 9))
    def answer(self, pick: int, party: int, lie: int) -> None:
        """One party of the right epoch answers an open request; now and then it lies."""
        self.one_answer(pick, party, "lie" if lie == 0 else "same", stray=False)

    @rule(pick=st.integers(0, 99))
    def answer_all(self, pick: int) -> None:
        """All of them do."""
        for party in (1, 2, 3, 4):
            self.one_answer(pick, party, "same", stray=False)

    @rule(pick=st.integers(0, 99), party=st.integers(1, 4))
    def answer_from_elsewhere(self, pick: int, party: int) -> None:
        """A party of another epoch answers: nothing may come of it."""
        self.one_answer(pick, party, "same", stray=True)

    def one_answer(self, pick: int, party: int, content: str, *, stray: bool) -> None:
        """Answer the request that `pick` means."""
        state = self.world.state
        found = [request_id.value for request_id in asc_state.open_requests(state)]
        if not found:
            return
        entry = self.world.entry(found[pick % len(found)])
        offset = self.offset(answering_epoch_id(entry))
        who = OFFSETS[(OFFSETS.index(offset) + 1) % 3] if stray else offset
        account, key = party_account(party + who), party_key(party + who)
        if entry.kind == asc_pb2.REQUEST_KIND_PUBLIC_DECRYPTION:
            message = fulfil_public(entry, party, 7)
            if not stray and offset:
                return
        else:
            message = generated(entry, party, key, content)
        ids = self.attempt(account, message)
        if stray:
            assert ids == []

    def offset(self, epoch_id: int) -> int:
        """Which operators an epoch has."""
        record = config.epoch(self.world.state, epoch_id)
        assert record is not None
        first = record.parties[0].account
        return next(o for o in OFFSETS if party_account(1 + o).address.value == first)

    @rule(blocks=st.integers(1, 5))
    def pass_blocks(self, blocks: int) -> None:
        """Time passes."""
        self.world.end_block(blocks)

    @rule()
    def pass_a_deadline(self) -> None:
        """More than any request lives."""
        self.world.end_block(21)

    @invariant()
    def every_key_is_where_its_shares_are(self) -> None:
        """A key that is not destroyed belongs to the current epoch; a preprocessing to one of the past or this."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        current = config.current_epoch(state).id
        for record in asc_state.materials(state, asc_state.KEY_PREFIX):
            if record.status != asc_pb2.KEY_STATUS_DESTROYED:
                assert record.epoch_id == current
            assert record.born_epoch_id <= record.epoch_id <= current

    @invariant()
    def epochs_only_go_forward(self) -> None:
        """Ids rise; the pending one is above all that were; its request is pending too."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        current = config.current_epoch(state).id
        assert current >= self.seen_epochs[-1]
        if current != self.seen_epochs[-1]:
            self.seen_epochs.append(current)
        pending = config.pending_epoch(state)
        if pending is None:
            assert asc_state.waiting_destructions(state) == []
            return
        assert pending.epoch_id > current
        entry = self.world.entry(pending.request_id)
        assert (entry.epoch_id, entry.next_epoch_id) == (current, pending.epoch_id)
        assert all(
            self.world.entry(found).kind != asc_pb2.REQUEST_KIND_KEY_GENERATION
            for found in asc_state.generating(state)
        )

    @invariant()
    def requests_pin_the_epoch_of_their_height(self) -> None:
        """Along the log the epoch never falls, and its blocks are given without a gap."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        entries = [
            asc_state.require_log_entry(state, sequence)
            for sequence in range(1, asc_state.last_sequence(state) + 1)
        ]
        epochs = [entry.epoch_id for entry in entries]
        assert epochs == sorted(epochs)

    @invariant()
    def final_states_stay(self) -> None:
        """Revoked becomes destroyed or nothing, destroyed nothing; a preprocessing has one key for ever."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        for record in asc_state.materials(state, asc_state.KEY_PREFIX):
            if record.id in self.final:
                assert record.status in FINAL
                assert record.status >= self.final[record.id]
            if record.status in FINAL:
                self.final[record.id] = record.status
            destroyed = record.status == asc_pb2.KEY_STATUS_DESTROYED
            waits = record.id in asc_state.waiting_destructions(state)
            assert bool(record.destruction_id) == (destroyed and not waits)
        for record in asc_state.materials(state, asc_state.PREPROCESSING_PREFIX):
            if record.consumed_by:
                assert self.consumed.setdefault(record.id, record.consumed_by) == record.consumed_by
            else:
                assert record.id not in self.consumed

    @invariant()
    def money_and_indexes_are_right(self) -> None:
        """Supply is constant, escrow is what open requests cost, derived keys can be derived."""
        if not hasattr(self, "world"):
            return
        state = self.world.state
        assert bank.total(state) == bank.minted(state) == 7 * START_BALANCE
        held = sum(
            self.world.entry(request_id.value).price
            for request_id in asc_state.open_requests(state)
        )
        senders = (GENERATOR, ADMIN)
        assert sum(bank.account(state, sender.address).escrowed for sender in senders) == held
        assert rederived(self.world.reader.values) == self.world.reader.values


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=150, stateful_step_count=60, deadline=None, derandomize=True, database=None
)
