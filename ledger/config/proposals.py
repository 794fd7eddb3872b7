"""A change's way from a proposal to the block in which it takes effect.

    open ──quorum──▶ scheduled ──activation height──▶ activated, or dropped when it became impossible
      ▲                  │
      └──quorum lost─────┘
    open ──ttl or activation height passes──▶ expired
    open or scheduled ──proposer──▶ withdrawn

Approvals count while their givers hold the deciding role. Whatever changes holders, quorum or approvals is followed
by a count, so a proposal is scheduled exactly while a quorum of present holders approves it.
"""

from __future__ import annotations

from typing import Final

from ledger.config import roles
from ledger.config import state as config
from ledger.config.kinds import ChangeKind, Kinds, content, kind_of
from ledger.config.text import is_plain
from ledger.context import Context
from ledger.errors import InvariantError
from ledger.state import State
from wire.digests import sha256
from wire.events import event
from wire.ids import Address
from wire.pb.tkms.config.v1 import config_pb2
from wire.reasons import Reason, Rejection

# One holder cannot fill the state that every block and every count reads.
MAX_OPEN_PER_PROPOSER: Final = 16
# Heights are signed in the engine.
_MAX_HEIGHT: Final = (1 << 63) - 1
# Kinds that change who counts.
_RECOUNTED: Final = ("role", "quorum")


def propose(
    kinds: Kinds, state: State, message: config_pb2.ProposeChange, context: Context
) -> None:
    """File a change that is possible now; scheduled at once where one approval decides and the sender's counts.

    Raises:
        Rejection: CHANGE_INVALID, MISSING_ROLE, ACTIVATION_PAST, TOO_MANY_PROPOSALS, or why the change is not
            possible.
    """
    kind = kind_of(kinds, message.change)
    decides = config.has_role(state, kind.role, context.sender)
    if not decides and not config.has_role(state, config_pb2.ROLE_ADMIN, context.sender):
        raise Rejection(Reason.MISSING_ROLE, config_pb2.Role.Name(kind.role))
    if message.activation_height <= context.height:
        raise Rejection(Reason.ACTIVATION_PAST, f"the height is {context.height}")
    if message.activation_height > _MAX_HEIGHT:
        raise Rejection(Reason.CHANGE_INVALID, "activation height")
    if not is_plain(message.title):
        raise Rejection(Reason.CHANGE_INVALID, "the title is too long or has control characters")
    kind.check(state, content(message.change))
    _check_open_count(state, context.sender)
    proposal = config_pb2.Proposal(
        id=config.next_proposal_id(state),
        change=message.change,
        activation_height=message.activation_height,
        title=message.title,
        proposer=context.sender.value,
        filed_height=context.height,
        expires_height=context.height + config.parameters(state).proposal_ttl_blocks,
        approvers=[context.sender.value] if decides else [],
    )
    state.emit(
        event(
            "config_proposed",
            proposal=proposal.id,
            change=kind.name,
            proposer=context.sender.checksum,
            activation_height=proposal.activation_height,
            digest=digest(proposal.change),
        )
    )
    _count(state, kind, proposal, context.height)


def approve(
    kinds: Kinds, state: State, message: config_pb2.ApproveChange, context: Context
) -> None:
    """Add the sender's approval; the one that completes the quorum schedules the change.

    Raises:
        Rejection: UNKNOWN_PROPOSAL, PROPOSAL_CLOSED, MISSING_ROLE, OTHER_CHANGE, ALREADY_APPROVED.
    """
    proposal = _require(state, message.proposal_id, context.height)
    kind = kind_of(kinds, proposal.change)
    if not config.has_role(state, kind.role, context.sender):
        raise Rejection(Reason.MISSING_ROLE, config_pb2.Role.Name(kind.role))
    if message.change_digest and message.change_digest != digest(proposal.change):
        raise Rejection(Reason.OTHER_CHANGE, f"its digest is {digest(proposal.change).hex()}")
    if context.sender.value in proposal.approvers:
        raise Rejection(Reason.ALREADY_APPROVED, f"proposal {proposal.id}")
    approvers = sorted([*proposal.approvers, context.sender.value])
    _replace_approvers(state, kind, proposal, approvers, context)


def withdraw(
    kinds: Kinds, state: State, message: config_pb2.WithdrawChange, context: Context
) -> None:
    """End one's own proposal, or take back one's approval of another's, also after it was scheduled.

    Raises:
        Rejection: UNKNOWN_PROPOSAL, PROPOSAL_CLOSED, NOT_APPROVED.
    """
    proposal = _require(state, message.proposal_id, context.height)
    kind = kind_of(kinds, proposal.change)
    if context.sender.value == proposal.proposer:
        close(state, kind, proposal, config_pb2.OUTCOME_WITHDRAWN, context.height)
        return
    if context.sender.value not in proposal.approvers:
        raise Rejection(Reason.NOT_APPROVED, f"proposal {proposal.id}")
    approvers = [account for account in proposal.approvers if account != context.sender.value]
    _replace_approvers(state, kind, proposal, approvers, context)


def begin_block(kinds: Kinds, state: State, context: Context) -> None:
    """Put in force what is due, in the order of the proposals, and close what is too late."""
    for proposal_id in config.due_proposals(state, context.height):
        proposal = config.proposal(state, proposal_id)
        if proposal is None:
            raise InvariantError(f"proposal {proposal_id} is due but not there")
        kind = kind_of(kinds, proposal.change)
        if not proposal.decided_height:
            close(state, kind, proposal, config_pb2.OUTCOME_EXPIRED, context.height)
            continue
        _activate(state, kind, proposal, context)
        if kind.name in _RECOUNTED:
            _count_all(kinds, state, context.height)


def close(
    state: State,
    kind: ChangeKind,
    proposal: config_pb2.Proposal,
    outcome: config_pb2.Outcome,
    height: int,
    reason: Reason | None = None,
) -> None:
    """Move a proposal into the history."""
    config.close_proposal(
        state,
        config_pb2.ConfigRecord(
            proposal_id=proposal.id,
            kind=kind.name,
            title=proposal.title,
            proposer=proposal.proposer,
            approvers=proposal.approvers,
            filed_height=proposal.filed_height,
            decided_height=proposal.decided_height,
            closed_height=height,
            outcome=outcome,
            reason=0 if reason is None else int(reason),
            digest=digest(proposal.change),
            change=proposal.change,
        ),
    )
    word = config_pb2.Outcome.Name(outcome).removeprefix("OUTCOME_").lower()
    cause = {} if reason is None else {"reason": reason.name}
    state.emit(event(f"config_{word}", proposal=proposal.id, change=kind.name, **cause))


def digest(change: config_pb2.Change) -> bytes:
    """SHA-256 of a change: what an approver names."""
    return sha256(change.SerializeToString(deterministic=True))


def _activate(
    state: State, kind: ChangeKind, proposal: config_pb2.Proposal, context: Context
) -> None:
    """Check again, because other changes came between, and put in force or drop."""
    try:
        kind.check(state, content(proposal.change))
    except Rejection as rejection:
        dropped = config_pb2.OUTCOME_DROPPED
        close(state, kind, proposal, dropped, context.height, rejection.reason)
        return
    kind.apply(state, content(proposal.change), context)
    close(state, kind, proposal, config_pb2.OUTCOME_ACTIVATED, context.height)


def _require(state: State, proposal_id: int, height: int) -> config_pb2.Proposal:
    """Proposal that may still be decided."""
    proposal = config.proposal(state, proposal_id)
    if proposal is None:
        known = config.record_of(state, proposal_id) is not None
        reason = Reason.PROPOSAL_CLOSED if known else Reason.UNKNOWN_PROPOSAL
        raise Rejection(reason, f"proposal {proposal_id}")
    # Open again after its time: the next block closes it.
    if config.due_height(proposal) <= height:
        raise Rejection(Reason.PROPOSAL_CLOSED, f"proposal {proposal_id}")
    return proposal


def _check_open_count(state: State, proposer: Address) -> None:
    mine = [
        proposal
        for proposal in config.proposals(state)
        if proposal.proposer == proposer.value and not proposal.decided_height
    ]
    if len(mine) >= MAX_OPEN_PER_PROPOSER:
        raise Rejection(Reason.TOO_MANY_PROPOSALS, f"{len(mine)} are open")


def _replace_approvers(
    state: State,
    kind: ChangeKind,
    proposal: config_pb2.Proposal,
    approvers: list[bytes],
    context: Context,
) -> None:
    added = len(approvers) > len(proposal.approvers)
    del proposal.approvers[:]
    proposal.approvers.extend(approvers)
    state.emit(
        event(
            "config_approved" if added else "config_disapproved",
            proposal=proposal.id,
            change=kind.name,
            account=context.sender.checksum,
            counted=roles.count(state, kind.role, approvers),
            quorum=config.role(state, kind.role).quorum,
        )
    )
    _count(state, kind, proposal, context.height)


def _count_all(kinds: Kinds, state: State, height: int) -> None:
    """Count again after holders or quorum changed; what is too late to be approved is too late for this."""
    for proposal in config.proposals(state):
        if config.due_height(proposal) > height or proposal.decided_height:
            _count(state, kind_of(kinds, proposal.change), proposal, height)


def _count(state: State, kind: ChangeKind, proposal: config_pb2.Proposal, height: int) -> None:
    """Schedule or open again as the present approvals say, and write the proposal."""
    counted = roles.count(state, kind.role, list(proposal.approvers))
    agreed = counted >= config.role(state, kind.role).quorum
    word = ""
    if agreed and not proposal.decided_height:
        word, proposal.decided_height = "config_scheduled", height
    elif not agreed and proposal.decided_height:
        word, proposal.decided_height = "config_reopened", 0
    config.put_proposal(state, proposal)
    if word:
        state.emit(
            event(
                word,
                proposal=proposal.id,
                change=kind.name,
                activation_height=proposal.activation_height,
            )
        )
