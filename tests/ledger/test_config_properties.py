"""Random proposals, approvals and blocks: the rules of the Config contract hold after every block.

A model of its own follows the history: who held which role when a change took effect, and which powers the engine
was told. At the end another node runs the same blocks and must have the same app hash at every height.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ledger.config import state as config
from tests.ledger.governance import approve, propose, quorum, role, withdraw
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    SERVICE,
    VALIDATOR_POWER,
    Chain,
    genesis,
    parameters,
    validator_key,
)
from wire.pb.tkms.config.v1 import config_pb2
from wire.signing import Signer

PEOPLE = (ADMIN, ALICE, BOB, SERVICE)
ROLES = (config_pb2.ROLE_ADMIN, config_pb2.ROLE_REGISTRAR)
VALIDATORS = 3

people = st.sampled_from(PEOPLE)
# Often the administrator's role, about which everything turns.
roles = st.sampled_from((*ROLES, config_pb2.ROLE_ADMIN, config_pb2.ROLE_ADMIN))
# Near enough for several changes to meet in one block.
ahead = st.integers(1, 4)
numbers = st.integers(0, 7)
powers = st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3)), min_size=1, max_size=3)


def _voters(chosen: list[tuple[int, int]]) -> config_pb2.ValidatorChange:
    return config_pb2.ValidatorChange(
        validators=[
            config_pb2.Validator(public_key=validator_key(index), power=power)
            for index, power in chosen
        ]
    )


def _content(change: config_pb2.Change) -> Any:
    return getattr(change, str(change.WhichOneof("kind")))


role_changes = st.builds(
    lambda holder, granted, number: config_pb2.Change(
        role=role(holder, granted=granted, number=number)
    ),
    people,
    st.booleans(),
    roles,
)
quorum_changes = st.builds(
    lambda count, number: config_pb2.Change(quorum=quorum(count, number)), st.integers(1, 3), roles
)
validator_changes = st.builds(
    lambda chosen: config_pb2.Change(validators=_voters(chosen)),
    st.lists(st.tuples(st.integers(1, 4), st.integers(0, 2)), min_size=1, max_size=2),
)
meetings = st.lists(
    st.one_of(role_changes, quorum_changes, validator_changes), min_size=2, max_size=4
)


class Governance(RuleBasedStateMachine):
    """A chain, what its engine believes, and who may decide."""

    @initialize(administrators=st.integers(1, 4), needed=st.integers(1, 3))
    def begin(self, administrators: int, needed: int) -> None:
        """A genesis with some administrators."""
        self.folder = Path(tempfile.mkdtemp())
        document = genesis()
        del document.roles[:]
        holders = PEOPLE[:administrators]
        document.roles.extend(role(holder, granted=True) for holder in holders)
        document.roles.append(role(ALICE, granted=True, number=config_pb2.ROLE_REGISTRAR))
        document.role_quorums.append(quorum(min(needed, administrators)))
        document.parameters.proposal_ttl_blocks = 8
        self.chain = Chain.start(self.folder / "one", document, validators=VALIDATORS)
        self.hashes = [self.chain.app_hash]
        self.engine = {validator_key(index): VALIDATOR_POWER for index in range(1, VALIDATORS + 1)}
        self.holders: dict[int, set[bytes]] = {number: set() for number in ROLES}
        self.holders[config_pb2.ROLE_ADMIN] = {bytes(holder.address) for holder in holders}
        self.holders[config_pb2.ROLE_REGISTRAR] = {bytes(ALICE.address)}
        self.needed = dict.fromkeys(ROLES, 1)
        self.needed[config_pb2.ROLE_ADMIN] = min(needed, administrators)
        self.records = 0
        self.known_ids: list[int] = []

    def admin(self, number: int) -> Signer:
        """One of the present administrators."""
        holders = sorted(self.holders[config_pb2.ROLE_ADMIN])
        chosen = holders[number % len(holders)]
        return next(person for person in PEOPLE if bytes(person.address) == chosen)

    def open_id(self, number: int) -> int:
        """One of the proposals that are not closed, or one that never was."""
        found = config.proposals(self.chain.state())
        return found[number % len(found)].id if found else 99

    def block(self, *sent: tuple[Signer, Any]) -> None:
        """One block with these transactions, and what follows from it for the model."""
        raws = [self.chain.build(signer, message) for signer, message in sent]
        chosen = self.chain.prepare(*raws)
        self.chain.block(*chosen)
        self.hashes.append(self.chain.app_hash)
        newest = [proposal.id for proposal in config.proposals(self.chain.state())]
        self.known_ids += [each for each in newest if each not in self.known_ids]
        for key, power in self.chain.validator_updates.items():
            # The engine fails at the removal of somebody whom it does not know.
            assert power or key in self.engine
            self.engine[key] = power
            if not power:
                del self.engine[key]
        self.follow_history()

    def follow_history(self) -> None:
        """Every change that took effect had its quorum at that moment."""
        state = self.chain.state()
        for sequence in range(self.records + 1, config.last_record(state) + 1):
            record = config.record(state, sequence)
            assert record is not None
            if record.outcome != config_pb2.OUTCOME_ACTIVATED:
                continue
            assert record.closed_height == self.chain.height
            approved = set(record.approvers) & self.holders[config_pb2.ROLE_ADMIN]
            assert len(approved) >= self.needed[config_pb2.ROLE_ADMIN]
            self.apply(record.change)
        self.records = config.last_record(state)

    def apply(self, change: config_pb2.Change) -> None:
        """Roles and quorums of the model."""
        kind = change.WhichOneof("kind")
        if kind == "role" and change.role.granted:
            self.holders[change.role.role].add(change.role.account)
        elif kind == "role":
            self.holders[change.role.role].discard(change.role.account)
        elif kind == "quorum":
            self.needed[change.quorum.role] = change.quorum.quorum

    def propose(self, number: int, blocks: int, **change: Any) -> None:
        """By an administrator, for a near height."""
        height = self.chain.height + 1 + blocks
        self.block((self.admin(number), propose(height, **change)))

    @rule(by=numbers, met=meetings, left_out=numbers)
    def changes_meet(self, by: int, met: list[config_pb2.Change], left_out: int) -> None:
        """Several for one height, approved by all but perhaps one, and then that height."""
        height = self.chain.height + 4
        admin = self.admin(by)
        first = len(self.known_ids)
        self.block(
            *[(admin, propose(height, **{str(c.WhichOneof("kind")): _content(c)})) for c in met]
        )
        fresh = self.known_ids[first:]
        who = [person for index, person in enumerate(PEOPLE) if index != left_out]
        self.block(*[(person, approve(each)) for person in who for each in fresh])
        self.block()
        self.block()

    @rule(by=numbers, number=roles, holder=people, granted=st.booleans(), blocks=ahead)
    def propose_role(
        self, by: int, number: Any, holder: Signer, granted: bool, blocks: int
    ) -> None:
        """Give or take a role."""
        self.propose(by, blocks, role=role(holder, granted=granted, number=number))

    @rule(by=numbers, number=roles, count=st.integers(0, 4), blocks=ahead)
    def propose_quorum(self, by: int, number: Any, count: int, blocks: int) -> None:
        """Ask for more or fewer approvals."""
        self.propose(by, blocks, quorum=quorum(count, number))

    @rule(by=numbers, powers=powers, blocks=ahead)
    def propose_validators(self, by: int, powers: list[tuple[int, int]], blocks: int) -> None:
        """Join, leave and power, also nonsense."""
        self.propose(by, blocks, validators=_voters(powers))

    @rule(by=numbers, blocks=ahead, limit=st.integers(0, 60))
    def propose_parameters(self, by: int, blocks: int, limit: int) -> None:
        """Other limits, sometimes none."""
        change = parameters()
        change.proposal_ttl_blocks, change.max_messages = 8, limit
        self.propose(by, blocks, parameters=change)

    @rule(who=people, proposal_id=st.integers(1, 12))
    def anybody_tries(self, who: Signer, proposal_id: int) -> None:
        """Who holds no role, and what is closed."""
        change = role(who, granted=True)
        height = self.chain.height + 3
        self.block(
            (who, propose(height, role=change)),
            (who, approve(proposal_id)),
            (who, withdraw(proposal_id)),
        )

    @rule(by=numbers, number=numbers)
    def one_approves(self, by: int, number: int) -> None:
        """Something that is open."""
        self.block((self.admin(by), approve(self.open_id(number))))

    @rule(number=numbers)
    def everybody_approves(self, number: int) -> None:
        """Something that is open."""
        wanted = approve(self.open_id(number))
        self.block(*[(person, wanted) for person in PEOPLE])

    @rule(who=people, number=numbers)
    def one_withdraws(self, who: Signer, number: int) -> None:
        """Something that is open."""
        self.block((who, withdraw(self.open_id(number))))

    @rule(blocks=st.integers(1, 4))
    def wait(self, blocks: int) -> None:
        """Time passes."""
        for _ in range(blocks):
            self.block()

    @invariant()
    def somebody_decides(self) -> None:
        """An administrator, and a quorum that the holders can reach; as the model has it."""
        state = self.chain.state()
        for number in ROLES:
            record = config.role(state, number)
            assert set(record.accounts) == self.holders[number]
            assert record.quorum == self.needed[number]
            assert 1 <= record.quorum <= max(len(record.accounts), 1)
        assert config.role_holders(state, config_pb2.ROLE_ADMIN)

    @invariant()
    def scheduled_is_approved(self) -> None:
        """Scheduled exactly while a quorum of present holders approves, unless its time is over."""
        state = self.chain.state()
        admins, needed = self.holders[config_pb2.ROLE_ADMIN], self.needed[config_pb2.ROLE_ADMIN]
        for proposal in config.proposals(state):
            assert config.due_height(proposal) > self.chain.height or not proposal.decided_height
            agreed = len(set(proposal.approvers) & admins) >= needed
            over = config.due_height(proposal) <= self.chain.height + 1
            assert bool(proposal.decided_height) == agreed or (over and not proposal.decided_height)

    @invariant()
    def the_engine_agrees(self) -> None:
        """Its validators are those of the registry, and there are some."""
        known = {voter.public_key: voter.power for voter in config.validators(self.chain.state())}
        assert known == self.engine
        assert sum(known.values()) > 0

    def teardown(self) -> None:
        """Another node runs the same blocks."""
        if not hasattr(self, "chain"):
            return
        self.chain.close()
        other = Chain.start(self.folder / "two", self.chain.document, validators=VALIDATORS)
        hashes = [other.app_hash]
        for raws in self.chain.blocks:
            other.decide(*raws)
            hashes.append(other.app_hash)
        other.close()
        assert hashes == self.hashes
        shutil.rmtree(self.folder)


TestGovernance = Governance.TestCase
TestGovernance.settings = settings(
    max_examples=30,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
