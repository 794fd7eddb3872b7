"""From a proposal to the block in which it takes effect: approvals, quorum, expiry, withdrawal, history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.config import state as config
from ledger.config.proposals import MAX_OPEN_PER_PROPOSER, digest
from tests.ledger.governance import (
    ADMINS,
    approve,
    change,
    council,
    history,
    number,
    only_event,
    page,
    propose,
    quorum,
    role,
    view,
    withdraw,
)
from tests.support.chain import (
    ADMIN,
    ALICE,
    BOB,
    SERVICE,
    STRANGER,
    Chain,
    epoch,
    genesis,
    parameters,
    party_account,
    party_key,
    prices,
)
from wire.pb.tkms.config.v1 import config_pb2
from wire.pb.tkms.isc.v1 import isc_pb2
from wire.pb.tkms.state.v1 import state_pb2
from wire.reasons import Reason, Rejection

REGISTRAR = config_pb2.ROLE_REGISTRAR


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """One administrator, who decides alone."""
    chain = Chain.start(tmp_path)
    yield chain
    chain.close()


@pytest.fixture
def two_of_three(tmp_path: Path) -> Iterator[Chain]:
    """Three administrators, two of whom decide."""
    chain = council(tmp_path, 2)
    yield chain
    chain.close()


def dear() -> config_pb2.Prices:
    """Other prices than those of the genesis."""
    table = prices()
    table.transaction_base = 500
    return table


def test_a_change_takes_effect_at_its_height(chain: Chain) -> None:
    """Not before the block of that height, and for the whole of that block."""
    assert chain.send(ADMIN, propose(4, prices=dear())).ok
    before = chain.balance(ALICE)
    raws = []
    for height in (2, 3, 4):
        raws.append(chain.build(ALICE, propose(100, prices=dear())))
        assert chain.decide(raws[-1])[0].reason is Reason.MISSING_ROLE
        assert chain.height == height
        base = 500 if height == 4 else 5
        after = chain.balance(ALICE)
        assert before - after == base + len(raws[-1]) + 10
        before = after
    assert ("config_activated", {"proposal": "1", "change": "prices"}) in chain.events
    assert state_pb2.ConfigView.FromString(chain.query("/config")).prices == dear()
    assert config.proposals(chain.state()) == []


@pytest.mark.parametrize("height", [0, 1])
def test_a_change_lies_in_the_future(chain: Chain, height: int) -> None:
    """Block 1 cannot decide about block 1."""
    assert chain.send(ADMIN, propose(height, prices=prices())).reason is Reason.ACTIVATION_PAST


def test_only_holders_propose_and_only_what_is_valid(chain: Chain) -> None:
    """Each refusal has its reason."""
    assert chain.send(ALICE, propose(9, prices=prices())).reason is Reason.MISSING_ROLE
    assert chain.send(ADMIN, propose(9)).reason is Reason.CHANGE_INVALID
    assert chain.send(ADMIN, propose(2**63, prices=prices())).reason is Reason.CHANGE_INVALID
    assert chain.send(ADMIN, propose(90, epoch=epoch(4, 1))).reason is Reason.EPOCH_INVALID
    assert chain.send(ADMIN, propose(90, epoch=epoch(4, 3))).reason is Reason.EPOCH_INVALID
    bad = config_pb2.Parameters()
    assert chain.send(ADMIN, propose(90, parameters=bad)).reason is Reason.PARAMETERS_INVALID
    unknown = config_pb2.RoleChange(role=9, account=bytes(20), granted=True)
    assert chain.send(ADMIN, propose(90, role=unknown)).reason is Reason.CHANGE_INVALID
    for title in ("x" * 256, "clear\x1b[2J", "\u202eesrever"):
        refused = chain.send(ADMIN, propose(90, title, prices=prices()))
        assert refused.reason is Reason.CHANGE_INVALID
    assert config.proposals(chain.state()) == []
    # Block 63 bits ahead is far, but a height.
    assert chain.send(ADMIN, propose(2**63 - 1, "far", prices=prices())).ok


def test_a_quorum_decides(two_of_three: Chain) -> None:
    """One approval of two leaves it open; the second schedules it; both stand in the history for ever."""
    chain = two_of_three
    proposed = chain.send(ADMIN, propose(6, "new prices", prices=dear()))
    wanted = change(prices=dear())
    assert proposed.events == (
        (
            "config_proposed",
            {
                "proposal": "1",
                "change": "prices",
                "proposer": str(ADMIN.address),
                "activation_height": "6",
                "digest": digest(wanted).hex(),
            },
        ),
    )
    opened = view(chain, 1)
    assert (opened.quorum, opened.counted, opened.role) == (2, 1, config_pb2.ROLE_ADMIN)
    assert opened.proposal.decided_height == 0
    approved = chain.send(BOB, approve(1, digest(wanted)))
    assert [name for name, _ in approved.events] == ["config_approved", "config_scheduled"]
    assert only_event(approved, "config_approved") == {
        "proposal": "1",
        "change": "prices",
        "account": str(BOB.address),
        "counted": "2",
        "quorum": "2",
    }
    chain.skip(4)
    assert chain.height == 6
    assert config.prices(chain.state()) == dear()
    record = config_pb2.ConfigRecord(
        sequence=1,
        proposal_id=1,
        kind="prices",
        title="new prices",
        proposer=bytes(ADMIN.address),
        approvers=sorted([bytes(ADMIN.address), bytes(BOB.address)]),
        filed_height=1,
        decided_height=2,
        closed_height=6,
        outcome=config_pb2.OUTCOME_ACTIVATED,
        digest=digest(wanted),
        change=wanted,
    )
    assert list(history(chain).records) == [record]
    assert view(chain, 1).record == record
    assert chain.query("/store", config.history_key(1)) == record.SerializeToString()


def test_without_a_quorum_nothing_changes(two_of_three: Chain) -> None:
    """The activation height passes and the proposal is closed."""
    chain = two_of_three
    assert chain.send(ADMIN, propose(4, prices=dear())).ok
    chain.skip(2)
    assert chain.send(ALICE, approve(1)).reason is Reason.PROPOSAL_CLOSED
    assert ("config_expired", {"proposal": "1", "change": "prices"}) in chain.events
    assert config.prices(chain.state()) == prices()
    (record,) = history(chain).records
    assert (record.outcome, record.closed_height) == (config_pb2.OUTCOME_EXPIRED, 4)


def test_a_proposal_lives_for_its_time(two_of_three: Chain) -> None:
    """It may be approved in the last block of its life and not in the next."""
    chain = two_of_three
    lifetime = parameters().proposal_ttl_blocks
    for expected in (True, False):
        proposed = chain.send(ADMIN, propose(1000, prices=dear()))
        proposal_id = int(only_event(proposed, "config_proposed")["proposal"])
        last = chain.height + lifetime
        assert view(chain, proposal_id).proposal.expires_height == last
        chain.skip(last - chain.height - (1 if expected else 0))
        assert chain.send(ALICE, approve(proposal_id)).ok is expected
    outcomes = [record.outcome for record in history(chain).records]
    assert outcomes == [config_pb2.OUTCOME_EXPIRED]
    assert [entry.id for entry in config.proposals(chain.state())] == [1]


def test_approvals_are_refused_with_a_reason(two_of_three: Chain) -> None:
    """Strangers, repeated ones, unknown proposals, and a proposal that is not what was seen."""
    chain = two_of_three
    assert chain.send(ADMIN, propose(60, prices=dear())).ok
    assert chain.send(SERVICE, approve(1)).reason is Reason.MISSING_ROLE
    assert chain.send(ADMIN, approve(1)).reason is Reason.ALREADY_APPROVED
    assert chain.send(ALICE, approve(2)).reason is Reason.UNKNOWN_PROPOSAL
    assert chain.send(ALICE, approve(1, bytes(32))).reason is Reason.OTHER_CHANGE
    assert chain.send(ALICE, withdraw(1)).reason is Reason.NOT_APPROVED
    assert chain.send(SERVICE, withdraw(1)).reason is Reason.NOT_APPROVED
    assert view(chain, 1).counted == 1


def test_an_approval_can_be_taken_back(two_of_three: Chain) -> None:
    """A scheduled change is open again without its quorum, and scheduled again with it."""
    chain = two_of_three
    assert chain.send(ADMIN, propose(20, prices=dear())).ok
    assert chain.send(ALICE, approve(1)).ok
    taken = chain.send(ALICE, withdraw(1))
    assert [name for name, _ in taken.events] == ["config_disapproved", "config_reopened"]
    assert view(chain, 1).proposal.decided_height == 0
    assert chain.send(BOB, approve(1)).ok
    assert view(chain, 1).proposal.decided_height == chain.height
    assert only_event(chain.send(ADMIN, withdraw(1)), "config_withdrawn")["proposal"] == "1"
    assert chain.send(BOB, withdraw(1)).reason is Reason.PROPOSAL_CLOSED
    (record,) = history(chain).records
    assert record.outcome == config_pb2.OUTCOME_WITHDRAWN
    chain.skip(20)
    assert config.prices(chain.state()) == prices()


def test_a_withdrawal_after_the_lifetime_ends_the_proposal(two_of_three: Chain) -> None:
    """Open again when its time is over: nobody can approve it in the same block, and the next closes it."""
    chain = two_of_three
    assert chain.send(ADMIN, propose(1000, prices=dear())).ok
    assert chain.send(ALICE, approve(1)).ok
    chain.skip(parameters().proposal_ttl_blocks)
    results = chain.decide(chain.build(ALICE, withdraw(1)), chain.build(BOB, approve(1)))
    assert [result.reason for result in results] == [None, Reason.PROPOSAL_CLOSED]
    chain.skip(1)
    assert view(chain, 1).record.outcome == config_pb2.OUTCOME_EXPIRED


def test_a_revoked_administrators_approval_does_not_count(two_of_three: Chain) -> None:
    """Neither towards the quorum nor for what was scheduled with it."""
    chain = two_of_three
    assert chain.send(ALICE, propose(20, "scheduled with bob", prices=dear())).ok
    assert chain.send(BOB, approve(1)).ok
    assert chain.send(BOB, propose(21, "bob alone", parameters=parameters())).ok
    assert chain.send(ADMIN, propose(8, role=role(BOB, granted=False))).ok
    assert chain.send(ALICE, approve(3)).ok
    chain.skip(8 - chain.height)
    assert (
        "config_reopened",
        {"proposal": "1", "change": "prices", "activation_height": "20"},
    ) in (chain.events)
    assert (view(chain, 1).counted, view(chain, 2).counted) == (1, 0)
    assert chain.send(ALICE, approve(2)).ok
    assert view(chain, 2).proposal.decided_height == 0
    assert chain.send(BOB, approve(2)).reason is Reason.MISSING_ROLE
    chain.skip(21 - chain.height)
    outcomes = {record.proposal_id: record.outcome for record in history(chain).records}
    assert outcomes == {
        1: config_pb2.OUTCOME_EXPIRED,
        2: config_pb2.OUTCOME_EXPIRED,
        3: config_pb2.OUTCOME_ACTIVATED,
    }
    assert config.prices(chain.state()) == prices()


def test_a_lower_quorum_schedules_what_has_enough(two_of_three: Chain) -> None:
    """Nobody has to approve again, and what was due in that very block stays undecided."""
    chain = two_of_three
    assert chain.send(ADMIN, propose(30, prices=dear())).ok
    assert chain.send(ADMIN, propose(7, "due together", prices=dear())).ok
    assert chain.send(ADMIN, propose(7, quorum=quorum(1))).ok
    assert chain.send(BOB, approve(3)).ok
    chain.skip(7 - chain.height)
    assert view(chain, 1).proposal.decided_height == 7
    assert view(chain, 2).record.outcome == config_pb2.OUTCOME_EXPIRED
    chain.skip(30 - chain.height)
    assert config.prices(chain.state()) == dear()


def test_a_higher_quorum_holds_for_what_is_scheduled(chain: Chain) -> None:
    """What one administrator scheduled alone needs two when two must agree."""
    assert chain.send(ADMIN, propose(5, role=role(ALICE, granted=True))).ok
    assert chain.send(ADMIN, propose(20, prices=dear())).ok
    assert chain.send(ADMIN, propose(6, quorum=quorum(2))).reason is Reason.QUORUM_INVALID
    chain.skip(2)
    assert chain.send(ADMIN, propose(8, quorum=quorum(2))).ok
    chain.skip(2)
    assert view(chain, 2).proposal.decided_height == 0
    assert chain.send(ALICE, approve(2)).ok
    chain.skip(20 - chain.height)
    assert config.prices(chain.state()) == dear()


def test_quorum_and_holders_fit_each_other(two_of_three: Chain) -> None:
    """A quorum is reachable, whoever leaves."""
    chain = two_of_three
    for count in (0, 4):
        assert chain.send(ADMIN, propose(9, quorum=quorum(count))).reason is Reason.QUORUM_INVALID
    unknown = config_pb2.RoleQuorum(role=9, quorum=1)
    assert chain.send(ADMIN, propose(9, quorum=unknown)).reason is Reason.CHANGE_INVALID
    # Each by itself leaves two of two; the second would leave one.
    for leaver in (ALICE, BOB):
        assert chain.send(ADMIN, propose(20, role=role(leaver, granted=False))).ok
    for proposal_id in (1, 2):
        assert chain.send(ALICE, approve(proposal_id)).ok
    chain.skip(20 - chain.height)
    assert [name for name, _ in chain.events] == [
        "config_activated",
        # Alice's approval of the second went with her role.
        "config_reopened",
        "config_expired",
    ]
    late = chain.send(ADMIN, propose(40, role=role(BOB, granted=False)))
    assert late.reason is Reason.QUORUM_INVALID


def test_the_last_administrator_stays(chain: Chain) -> None:
    """Refused when proposed, and dropped when two changes would do it together."""
    assert chain.send(ADMIN, propose(9, role=role(ADMIN, granted=False))).reason is (
        Reason.LAST_ADMIN
    )
    assert chain.send(ADMIN, propose(3, role=role(BOB, granted=True))).ok
    chain.skip(2)
    assert config.has_role(chain.state(), config_pb2.ROLE_ADMIN, BOB.address)
    first = chain.build(BOB, propose(6, role=role(ADMIN, granted=False)))
    second = chain.build(BOB, propose(6, role=role(BOB, granted=False)))
    assert [result.ok for result in chain.block(first, second)] == [True, True]
    chain.skip(1)
    assert chain.events[:2] == (
        ("config_activated", {"proposal": "2", "change": "role"}),
        ("config_dropped", {"proposal": "3", "change": "role", "reason": "LAST_ADMIN"}),
    )
    assert config.role_holders(chain.state(), config_pb2.ROLE_ADMIN) == [bytes(BOB.address)]
    dropped = view(chain, 3).record
    assert dropped.outcome == config_pb2.OUTCOME_DROPPED
    assert dropped.reason == int(Reason.LAST_ADMIN)


def test_other_roles_may_become_empty_and_be_given_again(chain: Chain) -> None:
    """An administrator can always give them."""
    registrar = role(ADMIN, granted=False, number=REGISTRAR)
    assert chain.send(ADMIN, propose(2, role=registrar)).ok
    chain.skip(1)
    assert config.role_holders(chain.state(), REGISTRAR) == []
    registrar.granted = True
    assert chain.send(ADMIN, propose(4, role=registrar)).ok
    chain.skip(1)
    assert config.role_holders(chain.state(), REGISTRAR) == [bytes(ADMIN.address)]


def test_epochs_follow_each_other(chain: Chain) -> None:
    """Two proposals of the same epoch: the first takes effect, the second is dropped."""
    other = epoch(7, 2)
    assert chain.send(ADMIN, propose(9, epoch=epoch(4, 2))).ok
    assert chain.send(ADMIN, propose(9, epoch=other)).ok
    chain.skip(7)
    assert view(chain, 2).record.reason == int(Reason.EPOCH_INVALID)
    assert config.current_epoch(chain.state()) == epoch(4, 2)
    other.id = 3
    assert chain.send(ADMIN, propose(12, epoch=other)).ok
    chain.skip(2)
    assert config.current_epoch(chain.state()) == other
    for old in (1, 2):
        raw = chain.query("/config/epoch", number(old))
        assert config_pb2.Epoch.FromString(raw) == epoch(4, old)
    assert chain.query("/store", config.epoch_key(3)) == other.SerializeToString()
    assert chain.query("/config/epoch") == other.SerializeToString()
    with pytest.raises(Rejection) as refused:
        chain.query("/config/epoch", number(4))
    assert refused.value.reason is Reason.NOT_FOUND


def test_keys_serve_one_purpose(chain: Chain) -> None:
    """Accounts of parties do not administrate, verification keys do nothing else."""
    for holder, number_of_role in (
        (party_account(1), config_pb2.ROLE_ADMIN),
        (party_key(1), config_pb2.ROLE_ADMIN),
        (party_key(4), REGISTRAR),
    ):
        granted = role(holder, granted=True, number=number_of_role)
        assert chain.send(ADMIN, propose(9, role=granted)).reason is Reason.KEY_REUSED
    for index, account in ((0, party_key(1)), (0, party_key(3)), (1, ADMIN)):
        reusing = epoch(4, 2)
        reusing.parties[index].account = bytes(account.address)
        assert chain.send(ADMIN, propose(9, epoch=reusing)).reason is Reason.KEY_REUSED
    # A connector may ask for keys.
    generator = role(party_account(1), granted=True, number=config_pb2.ROLE_GENERATOR)
    assert chain.send(ADMIN, propose(9, role=generator)).ok


@pytest.mark.parametrize("field", ["faucet_enabled", "insecure_dealing", "parameter_sets"])
def test_what_the_genesis_had_off_stays_off(tmp_path: Path, field: str) -> None:
    """The faucet, dealt keys and the toy parameters."""
    production = parameters()
    production.faucet_enabled = production.insecure_dealing = False
    production.parameter_sets[:] = ["production"]
    document = genesis()
    document.parameters.CopyFrom(production)
    chain = Chain.start(tmp_path, document)
    wanted = config_pb2.Parameters.FromString(production.SerializeToString())
    if field == "parameter_sets":
        wanted.parameter_sets.append("test")
    else:
        setattr(wanted, field, True)
    assert chain.send(ADMIN, propose(9, parameters=wanted)).reason is Reason.GENESIS_ONLY
    production.max_messages = 7
    assert chain.send(ADMIN, propose(3, parameters=production)).ok
    chain.skip(1)
    assert chain.send(ADMIN, propose(9, parameters=wanted)).reason is Reason.GENESIS_ONLY
    chain.close()


def test_what_the_genesis_had_on_may_go_off_and_on(chain: Chain) -> None:
    """The chain may close its faucet and open it again."""
    for height, on in ((2, False), (4, True)):
        wanted = parameters()
        wanted.faucet_enabled = on
        assert chain.send(ADMIN, propose(height, parameters=wanted)).ok
        chain.skip(1)
        assert config.parameters(chain.state()).faucet_enabled is on


def test_one_holder_has_few_open_proposals(two_of_three: Chain) -> None:
    """Scheduled ones and those of others do not count."""
    chain = two_of_three
    for _ in range(MAX_OPEN_PER_PROPOSER):
        assert chain.send(ADMIN, propose(900, prices=dear()), ttl=90).ok
    refused = chain.send(ADMIN, propose(900, prices=dear()))
    assert refused.reason is Reason.TOO_MANY_PROPOSALS
    assert chain.send(BOB, propose(900, prices=dear())).ok
    assert chain.send(ALICE, approve(1)).ok
    assert chain.send(ADMIN, propose(900, prices=dear())).ok


def application(name: str = "wallet", contract: bytes = b"\x11" * 20) -> isc_pb2.Application:
    """An application whose owner is no registrar."""
    return isc_pb2.Application(
        id=name,
        kind=isc_pb2.KIND_ACL,
        owner=bytes(BOB.address),
        domain=isc_pb2.Domain(name="D", version="1", chain_id=1, verifying_contract=contract),
    )


def test_registrars_decide_about_applications(tmp_path: Path) -> None:
    """By quorum; an administrator may propose, but does not count; alone nobody registers."""
    document = genesis()
    del document.roles[1]
    for holder in (ALICE, BOB):
        document.roles.append(role(holder, granted=True, number=REGISTRAR))
    document.role_quorums.append(quorum(2, REGISTRAR))
    chain = Chain.start(tmp_path, document)
    alone = isc_pb2.RegisterApplication(
        id="alone", kind=isc_pb2.KIND_ACL, domain=application().domain
    )
    from tests.support.chain import message

    refused = chain.send(ALICE, message(register_application=alone))
    assert refused.reason is Reason.QUORUM_REQUIRED
    assert chain.send(ADMIN, propose(6, application=application())).ok
    assert view(chain, 1).counted == 0
    assert chain.send(ADMIN, approve(1)).reason is Reason.MISSING_ROLE
    assert chain.send(ALICE, approve(1)).ok
    assert chain.send(BOB, approve(1)).ok
    assert chain.send(ALICE, propose(9, prices=dear())).reason is Reason.MISSING_ROLE
    chain.skip(6 - chain.height if chain.height < 6 else 0)
    raw = chain.query("/isc/application", b"wallet")
    assert state_pb2.ApplicationView.FromString(raw).application == application()
    chain.close()


def test_an_application_gets_other_settings(chain: Chain) -> None:
    """Another owner and domain; nobody else ever answers under the domain that it left."""
    for height, record in (
        (2, application()),
        (4, application(contract=b"\x22" * 20)),
    ):
        assert chain.send(ADMIN, propose(height, application=record)).ok
        chain.skip(1)
    names = [name for name, _ in chain.events]
    assert names == ["application_changed", "config_activated"]
    taken = application("other")
    assert chain.send(ADMIN, propose(90, application=taken)).reason is Reason.DOMAIN_TAKEN
    assert chain.send(ADMIN, propose(90, application=application())).ok
    broken = application("Not An Id")
    assert chain.send(ADMIN, propose(90, application=broken)).reason is Reason.APPLICATION_INVALID


def test_lists_come_in_pages(two_of_three: Chain) -> None:
    """Proposals oldest first, history newest first; both say where they go on."""
    chain = two_of_three
    for _ in range(5):
        assert chain.send(ADMIN, propose(200, prices=dear())).ok
    listing = state_pb2.ProposalList.FromString(chain.query("/config/proposals", page(0, 2)))
    assert [entry.proposal.id for entry in listing.proposals] == [1, 2]
    assert listing.next_id == 3
    rest = state_pb2.ProposalList.FromString(chain.query("/config/proposals", page(3, 0)))
    assert ([entry.proposal.id for entry in rest.proposals], rest.next_id) == ([3, 4, 5], 0)
    for proposal_id in (2, 1, 4):
        assert chain.send(ADMIN, withdraw(proposal_id)).ok
    newest = history(chain, limit=2)
    assert [record.proposal_id for record in newest.records] == [4, 1]
    oldest = history(chain, newest.next_sequence, 2)
    assert ([record.proposal_id for record in oldest.records], oldest.next_sequence) == ([2], 0)
    for path, data in (
        ("/config/proposals", b""),
        ("/config/history", bytes(11)),
        ("/config/proposal", bytes(7)),
        ("/config/roles", b"x"),
        ("/config/validators", b"x"),
    ):
        with pytest.raises(Rejection) as refused:
            chain.query(path, data)
        assert refused.value.reason is Reason.UNKNOWN_QUERY
    with pytest.raises(Rejection) as refused:
        chain.query("/config/proposal", number(9))
    assert refused.value.reason is Reason.UNKNOWN_PROPOSAL


def test_large_entries_make_short_pages(two_of_three: Chain) -> None:
    """An answer stays far below what the engine carries."""
    chain = two_of_three
    large = epoch(13, 2)
    for party in large.parties:
        party.name = "n" * 255
    for _ in range(3):
        assert chain.send(ADMIN, propose(200, epoch=large), max_fee=10**6).ok
    from ledger.config import queries

    whole = chain.query("/config/proposals", page(0, 0))
    one = len(whole) // 3
    listing = state_pb2.ProposalList()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "_MAX_PAGE_BYTES", one // 2)
        listing.ParseFromString(chain.query("/config/proposals", page(0, 0)))
    assert ([entry.proposal.id for entry in listing.proposals], listing.next_id) == ([1], 2)


def test_roles_say_what_they_decide(two_of_three: Chain) -> None:
    """Holders, quorum and kinds of changes."""
    listing = state_pb2.RoleList.FromString(two_of_three.query("/config/roles"))
    assert [(view.role, view.quorum, len(view.accounts)) for view in listing.roles] == [
        (config_pb2.ROLE_ADMIN, 2, 3),
        (REGISTRAR, 1, 1),
        (config_pb2.ROLE_GENERATOR, 1, 1),
    ]
    decides = {view.role: list(view.decides) for view in listing.roles}
    assert decides[REGISTRAR] == ["application"]
    assert decides[config_pb2.ROLE_GENERATOR] == []
    kinds = [field.name for field in config_pb2.Change.DESCRIPTOR.fields]
    assert sorted(decides[config_pb2.ROLE_ADMIN] + ["application"]) == sorted(kinds)


def test_strangers_pay_for_trying(two_of_three: Chain) -> None:
    """A refused proposal leaves its fee and nothing else."""
    assert two_of_three.send(STRANGER, propose(9, prices=dear())).reason is (
        Reason.INSUFFICIENT_FUNDS
    )
    assert len(ADMINS) == 3
